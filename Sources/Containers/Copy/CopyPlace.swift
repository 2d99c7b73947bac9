/// One side of `cp`.
public enum CopyPlace: Sendable, Equatable {
    case container(reference: String, path: String)
    case host(path: String)
    /// A tar stream: standard input or output.
    case stream

    /// Reads `CONTAINER:PATH`, a path of the host, or `-`.
    ///
    /// As Docker: what begins with `/` or `.` is a path of the host, whatever colons are in it.
    public init(_ text: String) {
        if text == "-" {
            self = .stream
        } else if let colon = text.firstIndex(of: ":"), !text.hasPrefix("/"), !text.hasPrefix("."),
            colon != text.startIndex
        {
            self = .container(reference: String(text[..<colon]), path: String(text[text.index(after: colon)...]))
        } else {
            self = .host(path: text)
        }
    }
}

/// A path as `cp` understands it: its end decides what is copied.
struct CopyPath: Equatable {
    /// The directory that the last component is in.
    let parent: String
    /// The last component; `.` for a directory's content.
    let name: String
    /// Whether it ends with `/`, which only a directory may.
    let mustBeDirectory: Bool

    /// Whether what is in the directory is meant, rather than the directory: it ends with `/.`, or names no more than that.
    var meansContent: Bool { name == "." }

    /// - Parameter path: In a container, relative ones begin at `/`.
    init(_ path: String, inContainer: Bool) {
        var text = path[...]
        if inContainer, !text.hasPrefix("/") { text = "/\(text)" }
        if text.isEmpty { text = "." }
        let trimmed = Self.withoutTrailingSlashes(text)
        mustBeDirectory = trimmed.count < text.count && trimmed != ""
        let slash = trimmed.lastIndex(of: "/")
        let last = slash.map { trimmed[trimmed.index(after: $0)...] } ?? trimmed
        if last.isEmpty || last == "." || last == ".." {
            let content = last == "." ? trimmed.dropLast(last.count) : trimmed
            parent = content.isEmpty && text.hasPrefix("/") ? "/" : Self.directory(content)
            name = "."
        } else {
            parent = Self.directory(slash.map { trimmed[...$0] } ?? "")
            name = String(last)
        }
    }

    private static func withoutTrailingSlashes(_ text: Substring) -> Substring {
        var text = text
        while text.hasSuffix("/") { text.removeLast() }
        return text
    }

    /// The path of a directory, which is `.` or `/` where nothing is left of it.
    private static func directory(_ text: Substring) -> String {
        guard !text.isEmpty else { return "." }
        let trimmed = withoutTrailingSlashes(text)
        return trimmed.isEmpty ? "/" : String(trimmed)
    }
}
