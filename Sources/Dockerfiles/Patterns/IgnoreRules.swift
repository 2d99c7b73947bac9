/// What a `.dockerignore` keeps out of the context.
///
/// Source: docs.docker.com/build/concepts/context, ".dockerignore files".
public struct IgnoreRules: Sendable, Equatable {
    /// The most bytes that such a file may have.
    private static let sizeLimit = 1 << 20

    private struct Rule: Sendable, Equatable {
        var pattern: PathPattern
        /// `!`: what it stands for is in the context after all.
        var isException: Bool
    }

    private var rules: [Rule] = []

    /// Rules that keep nothing out.
    public init() {}

    /// - Parameters:
    ///   - text: The file, at most 1 MiB.
    ///   - name: What errors call it.
    /// - Throws: For what is larger or not UTF-8, a `!` alone, and patterns that cannot be.
    public init(_ text: [UInt8], name: String = ".dockerignore") throws(DockerfileError) {
        guard text.count <= Self.sizeLimit else {
            throw DockerfileError(file: name, line: 0, what: "more than \(Self.sizeLimit >> 20) MiB")
        }
        let source = try SourceText(text, name: name)
        for index in 0..<source.lineCount {
            let line = source.line(index)
            do throws(SyntaxError) {
                if let rule = try Self.rule(line) { rules.append(rule) }
            } catch {
                throw source.error(error, line: index + 1, byte: 0)
            }
        }
    }

    /// - Returns: `nil` for an empty line and a comment.
    private static func rule(_ line: ArraySlice<UInt8>) throws(SyntaxError) -> Rule? {
        let text = line.trimmed
        guard line.first != UInt8(ascii: "#"), !text.isEmpty else { return nil }
        let isException = text.first == UInt8(ascii: "!")
        let path = isException ? text.dropFirst().trimmed : text
        guard !path.isEmpty else { throw SyntaxError("a '!' without a pattern", remedy: "give '!PATTERN'") }
        return Rule(pattern: try PathPattern(clean(path.text)), isException: isException)
    }

    /// A path without `.`, without doubled slashes and those at its ends, and with `..` taken as far as it goes.
    static func clean(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == "..", let last = parts.last, last != ".." {
                parts.removeLast()
            } else if part != ".." || !path.hasPrefix("/") {
                parts.append(part)
            }
        }
        return parts.isEmpty ? "." : parts.joined(separator: "/")
    }

    /// Whether nothing is kept out.
    public var isEmpty: Bool { rules.isEmpty }

    /// Whether something can be in the context that an earlier rule keeps out.
    public var hasExceptions: Bool { rules.contains(where: \.isException) }

    /// Whether `path` is kept out: the last rule counts that stands for it or for a directory above it.
    ///
    /// - Parameter path: From the context, without `.` and slashes at its ends; any bytes.
    public func matches(path: some Sequence<UInt8>) -> Bool {
        guard !rules.isEmpty else { return false }
        let characters = PathPattern.characters(path)
        return rules.last { $0.pattern.match(characters, withParents: true) }.map { !$0.isException } ?? false
    }

    /// Whether `path` is kept out.
    public func matches(path: String) -> Bool { matches(path: path.utf8) }

    /// Whether something below a directory can be in the context although the directory is kept out. If not, a walk
    /// need not go there.
    public func mayInclude(below directory: some Sequence<UInt8>) -> Bool {
        guard hasExceptions else { return false }
        let characters = PathPattern.characters(directory)
        return rules.contains { $0.isException && $0.pattern.mayMatch(below: characters) }
    }

    /// Whether something below a directory can be in the context although the directory is kept out.
    public func mayInclude(below directory: String) -> Bool { mayInclude(below: directory.utf8) }

    /// Whether the whole context is kept out, but for exceptions.
    var keepsAllOut: Bool {
        rules.contains { !$0.isException && ["*", "**", "**/*"].contains($0.pattern.text) }
    }
}
