import OCI

/// Makes an instruction of its parts.
///
/// Source: docs.docker.com/reference/dockerfile.
struct InstructionParser {
    let keyword: Keyword
    let split: SplitInstruction
    /// The heredocs that it begins, with their texts.
    let heredocs: [(word: HeredocWord, heredoc: Heredoc)]
    /// For `ONBUILD`: what is kept, and what it says.
    let trigger: (text: String, instruction: Instruction)?

    private var arguments: ArraySlice<UInt8> { split.arguments }

    /// - Throws: For `FROM`, which is none, and for whatever the instruction does not take.
    func instruction() throws(SyntaxError) -> Instruction {
        switch keyword {
        case .run: return .run(try run())
        case .copy: return .copy(try copy())
        case .add: return .add(try copy())
        case .healthcheck: return .healthcheck(try healthcheck())
        default: _ = try InstructionFlags(split)
        }
        switch keyword {
        case .arg: return .arg(try arguments(of: split.quotedWords))
        case .cmd: return .cmd(try commandOrNothing())
        case .entrypoint: return .entrypoint(try commandOrNothing())
        case .env: return .env(try assignments())
        case .expose: return .expose(try words().map(\.text))
        case .label: return .label(try assignments())
        case .maintainer: return .maintainer(try whole("NAME"))
        case .shell: return .shell(try shell())
        case .stopsignal: return .stopsignal(try whole("SIGNAL"))
        case .user: return .user(try whole("USER[:GROUP]"))
        case .volume: return .volume(try volumes())
        case .workdir: return .workdir(try whole("DIRECTORY"))
        case .onbuild:
            guard let trigger else { throw missing("INSTRUCTION") }
            return .onbuild(text: trigger.text, trigger.instruction)
        case .from: throw SyntaxError("FROM cannot be here", at: split.keyword.offset)
        case .add, .copy, .healthcheck, .run: preconditionFailure("made above")
        }
    }

    // MARK: Arguments

    private func missing(_ what: String) -> SyntaxError {
        SyntaxError(
            "\(keyword.rawValue) without arguments", remedy: "give '\(keyword.rawValue) \(what)'",
            at: split.keyword.offset)
    }

    private func whole(_ what: String) throws(SyntaxError) -> String {
        guard !arguments.isEmpty else { throw missing(what) }
        return split.whole.text
    }

    private func words() throws(SyntaxError) -> [Fragment] {
        guard !arguments.isEmpty else { throw missing("ARGUMENT…") }
        return split.plainWords
    }

    /// - Parameter text: A part of the arguments.
    /// - Returns: `nil` for what is no JSON list: the other form of the instruction.
    /// - Throws: For a list of something else than strings.
    static func jsonList(_ text: ArraySlice<UInt8>) throws(SyntaxError) -> [String]? {
        guard text.first == UInt8(ascii: "[") else { return nil }
        do throws(SpecError) {
            return try [String](json: Array(text), limit: SourceText.sizeLimit)
        } catch {
            guard !error.path.isEmpty else { return nil }
            throw SyntaxError(
                "the JSON list has something else than strings at \(error.path): \(error.reason)",
                remedy: "put it in quotes",
                at: text.startIndex)
        }
    }

    /// The shell's or the JSON form.
    static func command(_ text: ArraySlice<UInt8>) throws(SyntaxError) -> CommandLine {
        if let words = try jsonList(text) { return .exec(words) }
        return .shell(text.text)
    }

    /// - Returns: An empty JSON form if nothing is given: both reset what the base image has.
    private func commandOrNothing() throws(SyntaxError) -> CommandLine {
        arguments.isEmpty ? .exec([]) : try Self.command(arguments)
    }

    // MARK: Names and values

    private func arguments(of words: [Fragment]) throws(SyntaxError) -> [Argument] {
        guard !words.isEmpty else { throw missing("NAME[=DEFAULT]") }
        var result: [Argument] = []
        for word in words {
            let parts = word.text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard !parts[0].isEmpty else { throw SyntaxError("an ARG without a name", at: word.offset) }
            result.append(Argument(name: String(parts[0]), value: parts.count > 1 ? String(parts[1]) : nil))
        }
        return result
    }

    /// `NAME=value …`, or `NAME value` with blanks in the value.
    private func assignments() throws(SyntaxError) -> [Assignment] {
        let words = split.quotedWords
        guard let first = words.first else { throw missing("NAME=VALUE") }
        guard first.text.contains("=") else {
            let name = arguments.prefix { !$0.isBlank }
            let value = arguments[name.endIndex...].trimmed
            guard !value.isEmpty else {
                throw SyntaxError(
                    "\(keyword.rawValue) '\(first.text)' has no value", remedy: "give '\(first.text)=VALUE'",
                    at: first.offset)
            }
            return [Assignment(name: name.text, value: value.text)]
        }
        var result: [Assignment] = []
        for word in words {
            let parts = word.text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else {
                throw SyntaxError(
                    "no '=' in '\(word.text)'", remedy: "give NAME=VALUE, and quote values with spaces", at: word.offset
                )
            }
            guard !parts[0].isEmpty else {
                throw SyntaxError("\(keyword.rawValue) without a name before '='", at: word.offset)
            }
            result.append(Assignment(name: String(parts[0]), value: String(parts[1])))
        }
        return result
    }

    /// Whether `ENV` or `LABEL` is written without `=`.
    var isLegacyAssignment: Bool {
        (keyword == .env || keyword == .label) && split.quotedWords.first?.text.contains("=") == false
    }

    // MARK: Others

    private func shell() throws(SyntaxError) -> [String] {
        guard let words = try Self.jsonList(arguments) else {
            throw arguments.isEmpty
                ? missing(#"["SHELL", "-c"]"#)
                : SyntaxError(
                    "SHELL is not a JSON list", remedy: #"give SHELL ["/bin/sh", "-c"]"#, at: arguments.startIndex)
        }
        guard !words.isEmpty else { throw missing(#"["SHELL", "-c"]"#) }
        return words
    }

    private func volumes() throws(SyntaxError) -> [String] {
        var paths: [String]
        if let list = try Self.jsonList(arguments) {
            paths = list
        } else {
            paths = try words().map(\.text)
        }
        guard !paths.isEmpty else { throw missing("PATH…") }
        paths = paths.map(\.trimmed)
        if paths.contains("") { throw SyntaxError("an empty VOLUME", at: arguments.startIndex) }
        return paths
    }

    private func healthcheck() throws(SyntaxError) -> HealthcheckInstruction {
        let flags = try InstructionFlags(
            split,
            ["interval": .text, "timeout": .text, "start-period": .text, "start-interval": .text, "retries": .text])
        let kind = arguments.prefix { !$0.isBlank }
        let rest = arguments[kind.endIndex...].trimmed
        let usage = "give HEALTHCHECK CMD COMMAND or HEALTHCHECK NONE"
        switch kind.text.uppercased() {
        case "NONE":
            guard rest.isEmpty else { throw SyntaxError("HEALTHCHECK NONE with arguments", at: rest.startIndex) }
            return HealthcheckInstruction(command: nil)
        case "CMD":
            let command = try Self.command(rest)
            guard !rest.isEmpty, command != .exec([]) else {
                throw SyntaxError("HEALTHCHECK CMD without a command", remedy: usage, at: kind.startIndex)
            }
            return HealthcheckInstruction(
                command: command, interval: try duration(flags["interval"]), timeout: try duration(flags["timeout"]),
                startPeriod: try duration(flags["start-period"]), startInterval: try duration(flags["start-interval"]),
                retries: try retries(flags["retries"]))
        case "": throw SyntaxError("HEALTHCHECK without arguments", remedy: usage, at: split.keyword.offset)
        default:
            throw SyntaxError(
                "HEALTHCHECK '\(kind.text)' is neither CMD nor NONE", remedy: usage, at: kind.startIndex)
        }
    }

    private func duration(_ flag: Fragment?) throws(SyntaxError) -> Int64? {
        guard let flag, !flag.text.isEmpty else { return nil }
        guard let nanoseconds = GoDuration.nanoseconds(flag.text) else {
            throw SyntaxError(
                "'\(flag.text)' is not a duration", remedy: "give one such as 30s or 1m30s", at: flag.offset)
        }
        guard nanoseconds == 0 || nanoseconds >= 1_000_000 else {
            throw SyntaxError("'\(flag.text)' is less than 1ms", at: flag.offset)
        }
        return nanoseconds == 0 ? nil : nanoseconds
    }

    private func retries(_ flag: Fragment?) throws(SyntaxError) -> Int? {
        guard let flag, !flag.text.isEmpty else { return nil }
        guard let count = Int32(flag.text), count >= 0 else {
            throw SyntaxError("'\(flag.text)' is not a number of retries", remedy: "give 1 or more", at: flag.offset)
        }
        return count == 0 ? nil : Int(count)
    }
}
