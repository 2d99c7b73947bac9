import CLinux
import Glibc
import Images
import Linux
import SystemPackage

/// What a COPY takes: files and directories of one tree, found before anything is copied, since their digest says whether
/// anything has to be.
struct CopyPlan {
    struct Item {
        /// The file itself, or the directory whose content is copied.
        var source: SourceEntry
        /// What it is called in a directory: its last name as it was asked for.
        var name: [UInt8]
        /// With `--parents`: the directories of the source that come along, from the outermost.
        var parents: [SourceEntry] = []
        /// What is below a directory, each directory before what is in it.
        var entries: [SourceEntry] = []
    }

    var items: [Item] = []
    /// Whether a pattern was used, so that what it means as a destination is a directory.
    var hasPattern = false

    /// Whether the destination is a directory whatever is there: several files go in.
    var needsDirectory: Bool { items.count > 1 }

    /// Finds what sources mean.
    ///
    /// - Parameters:
    ///   - sources: As written, expanded.
    ///   - keepsParents: `--parents`.
    ///   - exclude: Paths that stay out, as patterns of `.dockerignore`; asked with a path from the tree's root.
    init(
        _ sources: [String], in tree: SourceTree, keepsParents: Bool = false,
        exclude: ((String) -> Bool)? = nil
    ) throws(Failure) {
        for source in sources {
            let paths = try Self.expand(source, in: tree)
            let isPattern = Self.hasPattern(source)
            hasPattern = hasPattern || isPattern
            var found = 0
            for path in paths {
                guard let entry = try tree.resolve(path.bytes) else {
                    if isPattern { continue }
                    throw Self.missing(source, tree)
                }
                if !entry.path.isEmpty, tree.rules.ignores(entry.path),
                    !(entry.isDirectory && tree.rules.mayInclude(below: entry.path))
                {
                    if isPattern { continue }
                    throw Self.missing(source, tree, isIgnored: true)
                }
                if let exclude, !entry.path.isEmpty, !entry.isDirectory, exclude(entry.text) { continue }
                found += 1
                var item = Item(source: entry, name: Self.last(path.bytes))
                if entry.isDirectory {
                    item.entries = try tree.walk(entry.path)
                    if let exclude { item.entries = Self.without(exclude, item.entries) }
                }
                if keepsParents { item.parents = try Self.parents(of: path, entry, in: tree) }
                items.append(item)
            }
            if found == 0, exclude == nil { throw Self.missing(source, tree) }
        }
    }

    private static func missing(_ source: String, _ tree: SourceTree, isIgnored: Bool = false) -> Failure {
        Failure(
            "copy", source,
            isIgnored ? "is left out of \(tree.name) by its .dockerignore" : "there is no such file in \(tree.name)")
    }

    /// Leaves out what is excluded, and what is in excluded directories unless the directory has others.
    private static func without(_ exclude: (String) -> Bool, _ entries: [SourceEntry]) -> [SourceEntry] {
        var kept = entries.filter { !$0.isDirectory && !exclude($0.text) }
        var needed: Set<[UInt8]> = []
        for entry in kept {
            var path = entry.path[...]
            while let slash = path.lastIndex(of: UInt8(ascii: "/")) {
                path = path[..<slash]
                needed.insert(Array(path))
            }
        }
        kept = entries.filter { entry in
            entry.isDirectory ? needed.contains(entry.path) || !exclude(entry.text) : !exclude(entry.text)
        }
        return kept
    }

    // MARK: Patterns

    /// A path from the root, and where in it `/./` was: what is before stays out of `--parents`.
    struct Path {
        var bytes: [UInt8]
        /// How many of its components are before the pivot.
        var pivot = 0
    }

    static func hasPattern(_ text: String) -> Bool { text.utf8.contains { "*?[".utf8.contains($0) } }

    /// The components of a path, without `.`, and with `..` taken back as far as the root.
    static func components(_ text: String) -> [[UInt8]] {
        var parts: [[UInt8]] = []
        for part in text.utf8.split(separator: UInt8(ascii: "/")) {
            if part.elementsEqual(".".utf8) { continue }
            if part.elementsEqual("..".utf8) { _ = parts.popLast() } else { parts.append(Array(part)) }
        }
        return parts
    }

    private static func expand(_ source: String, in tree: SourceTree) throws(Failure) -> [Path] {
        let parts = components(source)
        var pivot = 0
        if let before = prefix(of: source, before: "/./") { pivot = components(before).count }
        guard hasPattern(source) else { return [Path(bytes: join(parts), pivot: pivot)] }
        var paths: [[UInt8]] = [[]]
        for part in parts {
            let isPattern = part.contains { "*?[".utf8.contains($0) }
            var next: [[UInt8]] = []
            for path in paths {
                guard isPattern else {
                    next.append(path.isEmpty ? part : path + [UInt8(ascii: "/")] + part)
                    continue
                }
                for name in try names(in: path, of: tree) where matches(name, part) {
                    next.append(path.isEmpty ? name : path + [UInt8(ascii: "/")] + name)
                }
            }
            paths = next
        }
        return paths.map { Path(bytes: $0, pivot: pivot) }
    }

    private static func names(in path: [UInt8], of tree: SourceTree) throws(Failure) -> [[UInt8]] {
        guard let entry = try tree.resolve(path), entry.isDirectory else { return [] }
        let directory = try tree.open(entry.path, O_RDONLY | O_DIRECTORY)
        defer { directory.closeQuietly() }
        do throws(SystemCallError) {
            return try directory.fileNames().sorted().map { $0.cString.dropLast().map { UInt8(bitPattern: $0) } }
        } catch {
            throw Failure("read \(tree.name)", entry.text, error)
        }
    }

    /// Whether a name matches one component of a pattern.
    ///
    /// - Note: Go's path/filepath, `Match`, which fnmatch(3) does alike within one name.
    private static func matches(_ name: [UInt8], _ pattern: [UInt8]) -> Bool {
        SourceTree.withCString(pattern) { pattern in
            SourceTree.withCString(name) { fnmatch(pattern, $0, 0) == 0 }
        }
    }

    private static func prefix(of text: String, before part: String) -> String? {
        let (whole, part) = (Array(text.utf8), Array(part.utf8))
        guard whole.count >= part.count else { return nil }
        for start in 0...(whole.count - part.count) where whole[start...].starts(with: part) {
            return String(decoding: whole[..<start], as: UTF8.self)
        }
        return nil
    }

    private static func join(_ parts: [[UInt8]]) -> [UInt8] { Array(parts.joined(separator: [UInt8(ascii: "/")])) }

    private static func last(_ path: [UInt8]) -> [UInt8] {
        path.lastIndex(of: UInt8(ascii: "/")).map { Array(path[($0 + 1)...]) } ?? path
    }

    private static func parents(
        of path: Path, _ entry: SourceEntry, in tree: SourceTree
    ) throws(Failure) -> [SourceEntry] {
        let parts = path.bytes.split(separator: UInt8(ascii: "/")).map { Array($0) }
        var parents: [SourceEntry] = []
        for count in path.pivot..<max(path.pivot, parts.count) {
            // A directory's own name comes along, too.
            guard count + 1 < parts.count || entry.isDirectory else { break }
            if var parent = try tree.resolve(join(Array(parts[...count]))) {
                parent.path = join(Array(parts[path.pivot...count]))
                parents.append(parent)
            }
        }
        return parents
    }
}
