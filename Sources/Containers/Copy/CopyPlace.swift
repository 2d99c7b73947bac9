import Linux

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
        let parts = text.parts(between: ":", maxSplits: 1)
        if text == "-" {
            self = .stream
        } else if parts.count == 2, !parts[0].isEmpty, !text.isAbsolutePath, !text.hasBytes(ofPrefix: ".") {
            self = .container(reference: parts[0], path: parts[1])
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
        var text = path
        if inContainer, !text.isAbsolutePath { text = "/\(text)" }
        if text.isEmpty { text = "." }
        let trimmed = Self.withoutTrailingSlashes(text)
        mustBeDirectory = trimmed.utf8.count < text.utf8.count && !trimmed.isEmpty
        let (before, last) = trimmed.sides(ofLast: "/").map { ("\($0.before)/", $0.behind) } ?? ("", trimmed)
        if last.isEmpty || last == "." || last == ".." {
            let content = last == "." ? before : trimmed
            parent = content.isEmpty && text.isAbsolutePath ? "/" : Self.directory(content)
            name = "."
        } else {
            parent = Self.directory(before)
            name = last
        }
    }

    private static func withoutTrailingSlashes(_ text: String) -> String {
        var bytes = Array(text.utf8)
        while bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The path of a directory, which is `.` or `/` where nothing is left of it.
    private static func directory(_ text: String) -> String {
        guard !text.isEmpty else { return "." }
        let trimmed = withoutTrailingSlashes(text)
        return trimmed.isEmpty ? "/" : trimmed
    }
}
