extension Dockerfile {
    /// Reads a Dockerfile.
    ///
    /// - Parameters:
    ///   - text: In UTF-8, at most 16 MiB.
    ///   - name: What errors call it.
    /// - Throws: What is wrong first, with its place.
    public static func parse(_ text: [UInt8], name: String) throws(DockerfileError) -> Dockerfile {
        var parser = try DockerfileParser(text, name: name, readsDirectives: true)
        return try parser.dockerfile()
    }

    /// Reads a Dockerfile.
    public static func parse(_ text: String, name: String) throws(DockerfileError) -> Dockerfile {
        try parse(Array(text.utf8), name: name)
    }

    /// Reads what the `OnBuild` of a base image's config has.
    ///
    /// - Parameters:
    ///   - text: One instruction, whose lines a backslash continues.
    ///   - name: What errors call it, such as `ONBUILD of alpine`.
    ///   - place: Of the `FROM` that names the image; the statement gets it.
    /// - Throws: For what is no instruction, or one that `ONBUILD` does not take.
    public static func parseTrigger(_ text: String, name: String, place: Place) throws(DockerfileError) -> Statement {
        var parser = try DockerfileParser(Array(text.utf8), name: name, readsDirectives: false)
        return try parser.trigger(at: place)
    }
}

/// Reads instructions and sorts them into stages.
struct DockerfileParser {
    let source: SourceText
    var reader: LineReader
    private var globals: [Statement] = []
    private var stages: [Stage] = []
    private var notes = SyntaxNotes()

    init(_ text: [UInt8], name: String, readsDirectives: Bool) throws(DockerfileError) {
        source = try SourceText(text, name: name)
        reader = LineReader(source, readsDirectives: readsDirectives)
    }

    mutating func dockerfile() throws(DockerfileError) -> Dockerfile {
        while let line = try reader.readInstruction() {
            do throws(SyntaxError) {
                try add(line)
            } catch {
                throw located(error, in: line)
            }
        }
        guard !stages.isEmpty else {
            throw DockerfileError(
                file: source.name, line: 0, what: "no FROM in it", remedy: "begin with 'FROM IMAGE' or 'FROM scratch'")
        }
        var dockerfile = Dockerfile(
            name: source.name, directives: reader.directives, globalArguments: globals, stages: stages,
            lines: source.lines())
        dockerfile.notes = notes.finished
        dockerfile.localChecks = notes.localChecks
        return dockerfile
    }

    mutating func trigger(at place: Place) throws(DockerfileError) -> Statement {
        guard let line = try reader.readInstruction() else {
            throw DockerfileError(file: source.name, line: 0, what: "no instruction in it")
        }
        do throws(SyntaxError) {
            let split = try SplitInstruction(line.text[...], escape: reader.escape)
            let keyword = try Self.triggerKeyword(split)
            let instruction = try parse(keyword, split, in: line)
            guard try nextInstruction(after: line) == nil else { throw SyntaxError("more than one instruction") }
            return Statement(instruction: instruction, text: line.text[...].trimmed.text, place: place)
        } catch {
            throw located(error, in: line)
        }
    }

    /// The instruction behind `line`; what cannot be read is one as well.
    private mutating func nextInstruction(after line: LogicalLine) throws(SyntaxError) -> LogicalLine? {
        do throws(DockerfileError) {
            return try reader.readInstruction()
        } catch {
            throw SyntaxError(error.what, remedy: error.remedy)
        }
    }

    private func located(_ error: SyntaxError, in line: LogicalLine) -> DockerfileError {
        guard let offset = error.offset else { return source.error(error, line: line.lines.lowerBound) }
        let place = line.position(of: offset)
        return source.error(error, line: place.line, byte: place.byte)
    }

    // MARK: Statements

    private mutating func add(_ line: LogicalLine) throws(SyntaxError) {
        let split = try SplitInstruction(line.text[...], escape: reader.escape)
        let keyword = try Keyword(split.keyword)
        if keyword == .from {
            let stage = try StageParser(split).stage(at: place(of: line))
            stages.append(stage)
            notes.add(stage, split, line)
            return
        }
        guard !stages.isEmpty || keyword == .arg else {
            throw SyntaxError(
                "\(keyword.rawValue) before the first FROM", remedy: "begin with 'FROM IMAGE'", at: split.keyword.offset
            )
        }
        let instruction = try parse(keyword, split, in: line)
        let statement = Statement(
            instruction: instruction, text: line.text[...].trimmed.text, place: place(of: line))
        if stages.isEmpty {
            globals.append(statement)
        } else {
            stages[stages.count - 1].statements.append(statement)
        }
        notes.add(instruction, split, line)
    }

    /// The lines end where the reader is: behind the heredocs.
    private func place(of line: LogicalLine) -> Place {
        let first = line.pieces.first
        let indent = first.map { source.line($0.line - 1).prefix($0.byte).text.count } ?? 0
        return Place(lines: line.lines.lowerBound...max(line.lines.lowerBound, reader.next), column: indent + 1)
    }

    private mutating func parse(
        _ keyword: Keyword, _ split: SplitInstruction, in line: LogicalLine
    ) throws(SyntaxError) -> Instruction {
        if keyword == .onbuild { return try parseOnbuild(split, in: line) }
        let heredocs = try readHeredocs(keyword, split)
        return try InstructionParser(keyword: keyword, split: split, heredocs: heredocs, trigger: nil).instruction()
    }

    private mutating func readHeredocs(
        _ keyword: Keyword, _ split: SplitInstruction
    ) throws(SyntaxError) -> [(word: HeredocWord, heredoc: Heredoc)] {
        guard keyword.takesHeredocs, try InstructionParser.jsonList(split.arguments) == nil else { return [] }
        var heredocs: [(word: HeredocWord, heredoc: Heredoc)] = []
        for word in HeredocWord.all(in: split.arguments) {
            guard let text = reader.readHeredoc(named: word.name, strippingTabs: word.stripsTabs) else {
                throw SyntaxError(
                    "nothing ends this heredoc", remedy: "end it by a line '\(word.name)'", at: word.range.lowerBound)
            }
            heredocs.append((word, Heredoc(name: word.name, text: text, expands: word.expands)))
        }
        return heredocs
    }

    // MARK: Triggers

    private mutating func parseOnbuild(
        _ split: SplitInstruction, in line: LogicalLine
    ) throws(SyntaxError) -> Instruction {
        guard !split.arguments.isEmpty else {
            return try InstructionParser(keyword: .onbuild, split: split, heredocs: [], trigger: nil).instruction()
        }
        let inner = try SplitInstruction(split.arguments, escape: split.escape)
        let keyword = try Self.triggerKeyword(inner)
        let heredocs = try readHeredocs(keyword, inner)
        let instruction = try InstructionParser(keyword: keyword, split: inner, heredocs: heredocs, trigger: nil)
            .instruction()
        let text = heredocs.reduce(split.whole.text) { $0 + "\n" + $1.heredoc.text + $1.word.name }
        return try InstructionParser(keyword: .onbuild, split: split, heredocs: [], trigger: (text, instruction))
            .instruction()
    }

    private static func triggerKeyword(_ split: SplitInstruction) throws(SyntaxError) -> Keyword {
        let keyword = try Keyword(split.keyword)
        guard keyword != .onbuild, keyword != .from, keyword != .maintainer else {
            throw SyntaxError("ONBUILD takes no \(keyword.rawValue)", at: split.keyword.offset)
        }
        return keyword
    }
}
