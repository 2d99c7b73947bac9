/// Collects the warnings about how something is written, which its meaning does not show.
struct SyntaxNotes {
    private var warnings: [CheckWarning] = []
    /// Keywords as they are written, and where.
    private var keywords: [(text: String, place: Place)] = []
    private(set) var localChecks: [Int: CheckOptions] = [:]

    mutating func add(_ stage: Stage, _ split: SplitInstruction, _ line: LogicalLine) {
        add(split, line, at: stage.place)
        let words = split.plainWords
        guard words.count == 3, let name = stage.name else { return }
        let keyword = split.keyword.text
        if words[2].text != name {
            note(.stageNameCasing, stage.place, "Stage name '\(words[2].text)' should be lowercase")
        }
        let isLower = keyword == keyword.lowercased()
        let expected = isLower ? words[1].text.lowercased() : words[1].text.uppercased()
        if isLower || keyword == keyword.uppercased(), words[1].text != expected {
            note(.fromAsCasing, stage.place, "'\(words[1].text)' and '\(keyword)' keywords' casing do not match")
        }
        describe("FROM", [name], line, stage.place)
    }

    mutating func add(_ instruction: Instruction, _ split: SplitInstruction, _ line: LogicalLine) {
        let place = Place(lines: line.lines)
        add(split, line, at: place)
        note(instruction, split, line, place)
    }

    private mutating func note(
        _ instruction: Instruction, _ split: SplitInstruction, _ line: LogicalLine, _ place: Place
    ) {
        let keyword = split.keyword.text.uppercased()
        switch instruction {
        case .maintainer:
            note(.maintainerDeprecated, place, "Maintainer instruction is deprecated in favor of using label")
        case .env, .label:
            if split.quotedWords.first?.text.contains("=") == false {
                let form = "\"\(keyword) key=value\" should be used instead of legacy \"\(keyword) key value\" format"
                note(.legacyKeyValueFormat, place, form)
            }
        case .arg(let arguments): describe("ARG", arguments.map(\.name), line, place)
        case .run(let run): noteForm(run.command, place, split)
        case .cmd(let command), .entrypoint(let command): noteForm(command, place, split)
        default: break
        }
    }

    /// Tells of what looks like the JSON form and is not. A shell's `[ -f x ]` does not look so.
    private mutating func noteForm(_ command: CommandLine, _ place: Place, _ split: SplitInstruction) {
        guard case .shell = command, split.arguments.first == UInt8(ascii: "["),
            split.arguments.last == UInt8(ascii: "]"), split.arguments.dropFirst().trimmed.first?.isQuote == true
        else { return }
        let keyword = split.keyword.text.uppercased()
        note(
            .invalidJSONForm, place, "The arguments of \(keyword) are no JSON list, so the shell gets them as they are")
    }

    private mutating func add(_ split: SplitInstruction, _ line: LogicalLine, at place: Place) {
        keywords.append((split.keyword.text, place))
        if let empty = line.emptyContinuation {
            note(.noEmptyContinuation, Place(lines: empty...empty), "Empty continuation line")
        }
        for comment in line.comments {
            var reader = DirectiveReader()
            var directives = Directives()
            // A comment need not be one; what is wrong in it is no matter then.
            guard (try? reader.read(Array("#\(comment)".utf8)[...], into: &directives)) == true else { continue }
            var options = CheckOptions()
            options.skipped = directives.skippedChecks
            options.experimental = directives.experimentalChecks
            if options != CheckOptions() { localChecks[line.lines.lowerBound] = options }
        }
    }

    private mutating func describe(_ keyword: String, _ names: [String], _ line: LogicalLine, _ place: Place) {
        guard let comment = line.comments.last, let first = names.first,
            !names.contains(String(comment.prefix { $0 != " " }))
        else { return }
        let name = names.count > 1 ? "<arg_key>" : first
        note(
            .invalidDefinitionDescription, place,
            "Comment for \(keyword) should follow the format: `# \(name) <description>`")
    }

    private mutating func note(_ rule: CheckRule, _ place: Place, _ message: String) {
        warnings.append(CheckWarning(rule, at: place, message))
    }

    /// All of them, with those about what most of the instructions do.
    var finished: [CheckWarning] {
        let lower = keywords.count { $0.text == $0.text.lowercased() }
        let upper = keywords.count { $0.text == $0.text.uppercased() }
        let isLower = lower > upper
        let inconsistent = keywords.filter { $0.text != (isLower ? $0.text.lowercased() : $0.text.uppercased()) }
        return warnings
            + inconsistent.map { keyword in
                CheckWarning(
                    .consistentInstructionCasing, at: keyword.place,
                    "Command '\(keyword.text)' should match the case of the command majority "
                        + "(\(isLower ? "lowercase" : "uppercase"))")
            }
    }
}
