/// What is wrong with a Dockerfile, and where: for a terminal, so nothing in it moves the cursor.
public struct DockerfileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What the Dockerfile is called.
    public var file: String
    /// From 1; 0 when it is about the whole file.
    public var line: Int
    /// From 1, in characters; `nil` when it is about the whole line.
    public var column: Int?
    /// What is wrong, in one line and without a full stop.
    public var what: String
    /// What to do about it, where there is something.
    public var remedy: String?
    /// The line as it is written; `nil` when it is about the whole file.
    public var source: String?

    public init(
        file: String, line: Int, column: Int? = nil, what: String, remedy: String? = nil, source: String? = nil
    ) {
        self.file = file
        self.line = line
        self.column = column
        self.what = what
        self.remedy = remedy
        self.source = source
    }

    /// `FILE:LINE: what; remedy`, in one line.
    public var headline: String {
        let place = line > 0 ? "\(file):\(line)" : file
        return Self.printable("\(place): \(what)" + (remedy.map { "; \($0)" } ?? ""))
    }

    /// The headline, the line, and below it a `^` at the place.
    public var description: String {
        guard let source else { return headline }
        let text = Self.printable(source)
        let mark = max(0, (column ?? 1) - 1)
        // Of a long line, what is around the place.
        let start = mark > Self.width / 2 && text.count > Self.width ? mark - Self.width / 2 : 0
        let excerpt = text.dropFirst(start).prefix(Self.width)
        guard column != nil else { return "\(headline)\n  \(excerpt)" }
        return "\(headline)\n  \(excerpt)\n  " + String(repeating: " ", count: mark - start) + "^"
    }

    /// The most characters of a line that are shown.
    private static let width = 120

    /// `text` without what moves the cursor.
    private static func printable(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x09: result.append(" ")
            case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0x202A...0x202E, 0x2066...0x2069: result.append("?")
            default: result.append(scalar)
            }
        }
        return String(result)
    }
}

/// What is wrong with an instruction or a word of one, before it is known where that stands.
public struct SyntaxError: Error, Sendable, Equatable {
    /// In one line and without a full stop.
    public var what: String
    /// What to do about it, where there is something.
    public var remedy: String?
    /// Where, in bytes of the instruction; `nil` for the whole.
    var offset: Int?

    init(_ what: String, remedy: String? = nil, at offset: Int? = nil) {
        self.what = what
        self.remedy = remedy
        self.offset = offset
    }

    /// The same at `offset`, unless it has a place already.
    func at(_ offset: Int) -> SyntaxError {
        var placed = self
        placed.offset = self.offset ?? offset
        return placed
    }
}
