/// A text and its lines.
struct SourceText {
    /// The most bytes that a Dockerfile may have.
    static let sizeLimit = 16 << 20
    /// The most lines that a Dockerfile may have.
    static let lineLimit = 1_000_000

    /// What errors call it.
    let name: String
    let bytes: [UInt8]
    /// Of each line with its end.
    private let ranges: [Range<Int>]

    /// - Throws: For what is longer than the limits, what is not UTF-8, and NUL characters.
    init(_ text: [UInt8], name: String) throws(DockerfileError) {
        guard text.count <= Self.sizeLimit else {
            throw DockerfileError(file: name, line: 0, what: "more than \(Self.sizeLimit >> 20) MiB")
        }
        var ranges: [Range<Int>] = []
        // A byte order mark is no part of the first line.
        var start = text.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        while start < text.count {
            let end = text[start...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? text.count
            ranges.append(start..<end)
            start = end
            guard ranges.count <= Self.lineLimit else {
                throw DockerfileError(file: name, line: 0, what: "more than \(Self.lineLimit) lines")
            }
        }
        self.name = name
        self.bytes = text
        self.ranges = ranges
        try validate()
    }

    private func validate() throws(DockerfileError) {
        if String(validating: bytes, as: UTF8.self) != nil, !bytes.contains(0) { return }
        for (index, range) in ranges.enumerated() {
            let line = bytes[range]
            if let nul = line.firstIndex(of: 0) {
                throw error(
                    SyntaxError("a NUL character", remedy: "remove it"), line: index + 1, byte: nul - range.lowerBound)
            }
            guard String(validating: line, as: UTF8.self) == nil else { continue }
            throw error(
                SyntaxError("not UTF-8", remedy: "save the file in UTF-8"), line: index + 1, byte: Self.validCount(line)
            )
        }
    }

    /// How many bytes at the beginning are UTF-8.
    private static func validCount(_ line: ArraySlice<UInt8>) -> Int {
        var parser = Unicode.UTF8.ForwardParser()
        var bytes = line.makeIterator()
        var count = 0
        while case .valid(let character) = parser.parseScalar(from: &bytes) { count += character.count }
        return count
    }

    /// How many lines there are.
    var lineCount: Int { ranges.count }

    /// Line `index`, from 0, with its end.
    func rawLine(_ index: Int) -> ArraySlice<UInt8> { bytes[ranges[index]] }

    /// Line `index`, from 0, without its end.
    func line(_ index: Int) -> ArraySlice<UInt8> {
        let raw = rawLine(index)
        let end = raw.lastIndex { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        return end.map { raw[...$0] } ?? raw.prefix(0)
    }

    /// All lines without their ends.
    func lines() -> [String] {
        ranges.indices.map { String(decoding: line($0), as: UTF8.self) }
    }

    /// - Parameters:
    ///   - line: From 1; 0 for the whole file.
    ///   - byte: Where in the line, from 0; `nil` for all of it.
    func error(_ error: SyntaxError, line: Int, byte: Int? = nil) -> DockerfileError {
        guard (1...max(1, ranges.count)).contains(line), !ranges.isEmpty else {
            return DockerfileError(file: name, line: line, what: error.what, remedy: error.remedy)
        }
        let text = self.line(line - 1)
        return DockerfileError(
            file: name, line: line,
            column: byte.map { String(decoding: text.prefix($0), as: UTF8.self).count + 1 },
            what: error.what, remedy: error.remedy, source: String(decoding: text, as: UTF8.self))
    }
}

extension UInt8 {
    /// Whether it separates words: a space, a tab, a carriage return, and the vertical ones.
    var isBlank: Bool { self == 0x20 || (0x09...0x0D).contains(self) }

    /// Whether it quotes what follows.
    var isQuote: Bool { self == UInt8(ascii: "\"") || self == UInt8(ascii: "'") }
}

extension ArraySlice<UInt8> {
    /// Without blanks at both ends; its indices stay what they were.
    var trimmed: ArraySlice<UInt8> {
        let rest = drop(while: \.isBlank)
        return rest.lastIndex { !$0.isBlank }.map { rest[...$0] } ?? rest.prefix(0)
    }

    var text: String { String(decoding: self, as: UTF8.self) }
}
