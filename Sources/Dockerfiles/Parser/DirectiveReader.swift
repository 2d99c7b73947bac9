import Linux

/// Reads `# name=value` at the top of a Dockerfile.
struct DirectiveReader {
    /// Whether something else was read, after which there are no more.
    var isDone = false
    private var seen: Set<String> = []

    /// - Parameter line: A comment with its `#`.
    /// - Returns: Whether it is a directive.
    /// - Throws: For one that is there twice, and for values that cannot be; its offset is an index of `line`.
    mutating func read(_ line: ArraySlice<UInt8>, into directives: inout Directives) throws(SyntaxError) -> Bool {
        guard !isDone else { return false }
        isDone = true  // unless it is one
        let comment = line.dropFirst().trimmed
        guard let equals = comment.firstIndex(of: UInt8(ascii: "=")) else { return false }
        let name = comment[..<equals].trimmed.text.lowercased()
        let value = comment[(equals + 1)...].trimmed
        guard ["syntax", "escape", "check"].contains(name), !value.isEmpty else { return false }
        isDone = false
        guard seen.insert(name).inserted else {
            throw SyntaxError("the directive '\(name)' is there twice", remedy: "remove one", at: comment.startIndex)
        }
        switch name {
        case "syntax": directives.syntax = value.text
        case "escape":
            guard value.elementsEqual("\\".utf8) || value.elementsEqual("`".utf8) else {
                throw SyntaxError(
                    "'\(value.text)' cannot be the escape character", remedy: "give '\\' or '`'", at: value.startIndex)
            }
            directives.escape = Character(value.text)
        default: try CheckOptions(value).apply(to: &directives)
        }
        return true
    }
}

/// What `check=` says: `skip=RULE,…;experimental=RULE,…;error=true`.
struct CheckOptions: Equatable {
    var skipped: [String] = []
    var experimental: [String] = []
    var areErrors = false

    init() {}

    /// - Throws: For what is none of these; the offset is an index of `text`.
    init(_ text: ArraySlice<UInt8>) throws(SyntaxError) {
        for option in text.split(separator: UInt8(ascii: ";")) {
            let parts = option.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let name = parts[0].trimmed
            guard parts.count == 2 else { throw Self.unknown(name) }
            let value = parts[1].trimmed.text
            let rules = value.split(separator: ",").map { String($0).trimmed }
            switch name.text {
            case "skip": skipped += rules
            case "experimental": experimental += rules
            case "error":
                guard let value = Bool(goText: value) else {
                    throw SyntaxError("'\(value)' is neither true nor false", at: parts[1].trimmed.startIndex)
                }
                areErrors = value
            default: throw Self.unknown(name)
            }
        }
    }

    private static func unknown(_ name: ArraySlice<UInt8>) -> SyntaxError {
        let candidates = ["skip", "experimental", "error"]
        return SyntaxError(
            "unknown option of checks '\(name.text)'",
            remedy: didYouMean(name.text, among: candidates) ?? "give skip=, experimental= or error=",
            at: name.startIndex)
    }

    func apply(to directives: inout Directives) {
        directives.skippedChecks = skipped
        directives.experimentalChecks = experimental
        directives.checksAreErrors = areErrors
    }
}

extension Bool {
    /// What Go's `ParseBool` takes.
    init?(goText text: String) {
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": self = true
        case "0", "f", "F", "false", "FALSE", "False": self = false
        default: return nil
        }
    }
}

extension String {
    var trimmed: String { Array(utf8)[...].trimmed.text }
}

/// `did you mean 'x'?` for what is near `word`, if there is something.
func didYouMean(_ word: String, among candidates: [String], quotedWith prefix: String = "") -> String? {
    nearest(to: word, among: candidates).map { "did you mean '\(prefix)\($0)'?" }
}

/// What is near `word`, if there is something.
func nearest(to word: String, among candidates: [String]) -> String? {
    guard word.utf8.count <= 64 else { return nil }  // nobody mistypes that much, and it would take long
    return Spelling.nearest(to: word, among: candidates.filter { $0.utf8.count <= 96 })
}
