/// An instruction as it is executed: what a Dockerfile's variables stand for is in its place.
public struct ExpandedInstruction: Sendable, Equatable {
    public var instruction: Instruction
    /// The variables whose values are in it.
    public var used: Set<String>
    /// Those without a value that it names all the same.
    public var undefined: Set<String>
}

extension Dockerfile {
    /// Expands what the builder expands, by instruction; what is not named stays as it is written.
    ///
    /// | instruction | what is expanded |
    /// | --- | --- |
    /// | `ADD`, `COPY` | sources, destination, `--chown`, `--chmod`, `--checksum`; a heredoc's text unless its name is quoted |
    /// | `ARG` | default values, each with those before it; then it is what the argument has, `--build-arg` first |
    /// | `ENV` | names and values, all with the variables before the instruction |
    /// | `EXPOSE` | each port, which may become several |
    /// | `LABEL` | names and values |
    /// | `RUN` | the values of `--mount`; the command is the shell's |
    /// | `STOPSIGNAL`, `USER`, `VOLUME`, `WORKDIR` | the words |
    ///
    /// - Throws: For words that cannot be expanded, and for values that the instruction does not take.
    public func expanded(
        _ statement: Statement, in variables: Variables
    ) throws(DockerfileError) -> ExpandedInstruction {
        var expander = InstructionExpander(variables: variables, escape: directives.escape)
        do throws(SyntaxError) {
            let instruction = try expander.expand(statement.instruction)
            return ExpandedInstruction(
                instruction: instruction, used: expander.used, undefined: expander.undefined)
        } catch {
            throw self.error(error, at: statement.place, near: expander.lastWord)
        }
    }

    /// An error with the line of `place` that has `word`, or else the first.
    func error(_ error: SyntaxError, at place: Place, near word: String? = nil) -> DockerfileError {
        let found = word.flatMap { word in
            place.lines.lazy.compactMap { self.position(of: word, line: $0) }.first
        }
        let line = found?.line ?? place.lines.lowerBound
        return DockerfileError(
            file: name, line: line, column: found?.column ?? place.column, what: error.what, remedy: error.remedy,
            source: lines.indices.contains(line - 1) ? lines[line - 1] : nil)
    }

    private func position(of word: String, line: Int) -> (line: Int, column: Int)? {
        guard lines.indices.contains(line - 1), !word.isEmpty else { return nil }
        let bytes = Array(lines[line - 1].utf8)
        let wanted = Array(word.utf8)
        // In a long line, a long word is not looked for: it would take longer than it helps.
        guard bytes.count >= wanted.count, bytes.count * wanted.count <= 1 << 24,
            let start = (0...(bytes.count - wanted.count)).first(where: { bytes[$0...].starts(with: wanted) })
        else { return nil }
        return (line, bytes[..<start].text.count + 1)
    }
}

/// Expands one instruction.
private struct InstructionExpander {
    /// With the arguments of the instruction that were expanded before.
    private var variables: Variables
    private let escape: Character
    private(set) var used: Set<String> = []
    private(set) var undefined: Set<String> = []
    /// The word that is, or was, expanded.
    private(set) var lastWord: String?

    init(variables: Variables, escape: Character) {
        self.variables = variables
        self.escape = escape
    }

    mutating func expand(_ instruction: Instruction) throws(SyntaxError) -> Instruction {
        switch instruction {
        case .add(let copy): return .add(try expand(copy))
        case .copy(let copy): return .copy(try expand(copy))
        case .arg(let arguments): return .arg(try expand(arguments))
        case .env(let assignments): return .env(try expand(assignments))
        case .label(let assignments): return .label(try expand(assignments))
        case .expose(let ports): return .expose(try words(ports))
        case .run(let run): return .run(try expand(run))
        case .stopsignal(let signal): return .stopsignal(try word(signal))
        case .user(let user): return .user(try word(user))
        case .volume(let paths): return .volume(try each(paths))
        case .workdir(let path): return .workdir(try word(path))
        case .cmd, .entrypoint, .healthcheck, .maintainer, .onbuild, .shell: return instruction
        }
    }

    // MARK: Words

    private var expansion: Expansion { Expansion(escape: escape) { [variables] in variables[$0] } }

    private mutating func note(_ result: Expansion.Result) -> Expansion.Result {
        used.formUnion(result.used)
        undefined.formUnion(result.undefined.filter { !variables.isDeclared($0) })
        return result
    }

    private mutating func word(_ word: String) throws(SyntaxError) -> String {
        lastWord = word
        return note(try expansion.expand(word)).text
    }

    private mutating func word(_ word: String?) throws(SyntaxError) -> String? {
        guard let word else { return nil }
        return try self.word(word)
    }

    private mutating func each(_ words: [String]) throws(SyntaxError) -> [String] {
        var result: [String] = []
        for word in words { result.append(try self.word(word)) }
        return result
    }

    private mutating func words(_ words: [String]) throws(SyntaxError) -> [String] {
        var result: [String] = []
        for word in words {
            lastWord = word
            result += note(try expansion.expand(word)).words
        }
        return result
    }

    // MARK: Instructions

    private mutating func expand(_ assignments: [Assignment]) throws(SyntaxError) -> [Assignment] {
        var result: [Assignment] = []
        for assignment in assignments {
            let name = try word(assignment.name)
            guard !name.isEmpty, !name.contains("=") else {
                throw SyntaxError("'\(assignment.name)' is no name")
            }
            result.append(Assignment(name: name, value: try word(assignment.value)))
        }
        return result
    }

    private mutating func expand(_ arguments: [Argument]) throws(SyntaxError) -> [Argument] {
        var result: [Argument] = []
        for argument in arguments {
            var resolved = argument
            if let given = variables.given(argument) {
                resolved.value = given
            } else {
                resolved.value = try word(argument.value)
            }
            variables.apply(.arg([resolved]))
            result.append(resolved)
        }
        return result
    }

    private mutating func expand(_ copy: CopyInstruction) throws(SyntaxError) -> CopyInstruction {
        var result = copy
        result.sources = []
        for source in copy.sources {
            switch source {
            case .path(let path): result.sources.append(.path(try word(path)))
            case .heredoc(var heredoc):
                if heredoc.expands { heredoc.text = note(try expansion.expandText(heredoc.text)).text }
                result.sources.append(.heredoc(heredoc))
            }
        }
        result.destination = try word(copy.destination)
        result.chown = try word(copy.chown)
        result.chmod = try word(copy.chmod)
        result.checksum = try word(copy.checksum)
        return result
    }

    private mutating func expand(_ run: RunInstruction) throws(SyntaxError) -> RunInstruction {
        guard !run.mountTexts.isEmpty else { return run }
        var result = run
        result.mounts = []
        let escape = self.escape.asciiValue ?? UInt8(ascii: "\\")
        for text in run.mountTexts {
            lastWord = text
            // Collected here, as the closure cannot change this.
            let notes = Notes()
            let mount = try MountFlag(text, escape: escape) { [expansion] (word) throws(SyntaxError) -> String in
                let expanded = try expansion.expand(word)
                notes.results.append(expanded)
                return expanded.text
            }
            result.mounts.append(try mount.parsed())
            for expanded in notes.results { _ = note(expanded) }
        }
        return result
    }

    private final class Notes {
        var results: [Expansion.Result] = []
    }
}
