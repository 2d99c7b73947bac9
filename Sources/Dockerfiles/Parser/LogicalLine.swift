/// One instruction as it is written: its continuation lines are joined, comments between them left out.
struct LogicalLine {
    /// A part that stands in one line of the file.
    struct Piece {
        /// Where it begins in `text`.
        var offset: Int
        /// From 1.
        var line: Int
        /// Where it begins in that line, in bytes.
        var byte: Int
    }

    var text: [UInt8] = []
    var pieces: [Piece] = []
    /// From 1.
    var lines: ClosedRange<Int>
    /// Those directly above it, without `#` and the spaces around.
    var comments: [String]
    /// The first line between that continues it and is empty.
    var emptyContinuation: Int?

    init(at line: Int, comments: [String]) {
        lines = line...line
        self.comments = comments
    }

    mutating func append(_ bytes: ArraySlice<UInt8>, line: Int, byte: Int) {
        pieces.append(Piece(offset: text.count, line: line, byte: byte))
        text += bytes
    }

    /// The line and the byte in it, where `offset` of the text stands.
    func position(of offset: Int) -> (line: Int, byte: Int) {
        guard let piece = pieces.last(where: { $0.offset <= offset }) ?? pieces.first else {
            return (lines.lowerBound, 0)
        }
        return (piece.line, piece.byte + max(0, offset - piece.offset))
    }
}

/// Reads one instruction after the other from a text.
struct LineReader {
    let source: SourceText
    private(set) var directives = Directives()
    private var directiveReader = DirectiveReader()
    /// The index of the line to be read next.
    private(set) var next = 0

    /// - Parameter readsDirectives: Not in an `ONBUILD` trigger.
    init(_ source: SourceText, readsDirectives: Bool) {
        self.source = source
        directiveReader.isDone = !readsDirectives
    }

    /// The character that continues lines and takes the next one's meaning.
    var escape: UInt8 { directives.escape.asciiValue ?? UInt8(ascii: "\\") }

    /// - Returns: `nil` at the end.
    mutating func readInstruction() throws(DockerfileError) -> LogicalLine? {
        var comments: [String] = []
        while next < source.lineCount {
            let line = source.line(next)
            let indented = line.drop(while: \.isBlank)
            next += 1
            if indented.isEmpty {
                directiveReader.isDone = true
                comments = []
            } else if indented.first == UInt8(ascii: "#") {
                if try readDirective(indented) { continue }
                let comment = indented.dropFirst().trimmed.text
                if comment.isEmpty { comments = [] } else { comments.append(comment) }
            } else {
                directiveReader.isDone = true
                let instruction = readInstruction(beginningWith: indented, in: line, comments: comments)
                if !instruction.text[...].trimmed.isEmpty { return instruction }
            }
        }
        return nil
    }

    private mutating func readDirective(_ line: ArraySlice<UInt8>) throws(DockerfileError) -> Bool {
        do {
            return try directiveReader.read(line, into: &directives)
        } catch {
            throw source.error(error, line: next, byte: error.offset.map { $0 - source.line(next - 1).startIndex })
        }
    }

    /// Reads on while lines are continued.
    private mutating func readInstruction(
        beginningWith first: ArraySlice<UInt8>, in line: ArraySlice<UInt8>, comments: [String]
    ) -> LogicalLine {
        var instruction = LogicalLine(at: next, comments: comments)
        var (part, continues) = withoutContinuation(first)
        instruction.append(part, line: next, byte: first.startIndex - line.startIndex)
        while continues, next < source.lineCount {
            let line = source.line(next)
            next += 1
            let indented = line.drop(while: \.isBlank)
            if indented.first == UInt8(ascii: "#") { continue }
            if indented.isEmpty {
                instruction.emptyContinuation = instruction.emptyContinuation ?? next
                continue
            }
            (part, continues) = withoutContinuation(line)
            instruction.append(part, line: next, byte: 0)
        }
        instruction.lines = instruction.lines.lowerBound...next
        return instruction
    }

    /// - Returns: The line without an escape character at its end, and whether it had one. Two of them are one that is
    ///   escaped.
    private func withoutContinuation(_ line: ArraySlice<UInt8>) -> (ArraySlice<UInt8>, Bool) {
        guard let last = line.lastIndex(where: { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }),
            line[last] == escape, last == line.startIndex || line[last - 1] != escape
        else { return (line, false) }
        return (line[..<last], true)
    }

    /// Reads the text of a heredoc, up to its name in a line of its own.
    ///
    /// - Returns: `nil` when the file ends before.
    mutating func readHeredoc(named name: String, strippingTabs: Bool) -> String? {
        let tab = UInt8(ascii: "\t")
        var text: [UInt8] = []
        while next < source.lineCount {
            let line = source.line(next)
            let raw = source.rawLine(next)
            next += 1
            let end = strippingTabs ? line.drop { $0 == tab } : line
            if end.elementsEqual(name.utf8) { return String(decoding: text, as: UTF8.self) }
            text += strippingTabs ? raw.drop { $0 == tab } : raw
        }
        return nil
    }
}
