import Glibc
import Linux

/// Which files of a container are artifacts: a path whose components may have `*`, `?` and `[…]`, and `**` for any number
/// of directories.
struct ArtifactPattern: Equatable {
    enum Component: Equatable {
        case name(String)
        /// `**`
        case anyDirectories
    }

    /// The directory, as a path of names, that no wildcard comes before: what is copied keeps its path from here.
    let base: [String]
    /// At least one.
    let components: [Component]

    /// - Parameter path: Absolute, without `..`.
    init(_ path: String) {
        let parts = path.parts(between: "/").filter { !$0.isEmpty && $0 != "." }
        var base: [String] = []
        for part in parts.dropLast() {
            if Self.isWild(part) { break }
            base.append(part)
        }
        self.base = base
        var components: [Component] = parts.dropFirst(base.count).map { $0 == "**" ? .anyDirectories : .name($0) }
        // Directories alone are no files.
        if components.last == .anyDirectories { components.append(.name("*")) }
        self.components = components
    }

    private static func isWild(_ part: String) -> Bool { part.utf8.contains { "*?[\\".utf8.contains($0) } }

    /// As a shell matches a name: one that begins with a dot only by a dot.
    static func matches(_ name: FileName, _ pattern: String) -> Bool {
        fnmatch(pattern, name.cString, FNM_PERIOD) == 0
    }

    /// Whether `**` goes into a directory of that name.
    static func isEntered(_ name: FileName) -> Bool { name.cString.first != CChar(UInt8(ascii: ".")) }
}
