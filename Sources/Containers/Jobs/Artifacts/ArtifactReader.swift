import Archives
import CLinux
import Glibc
import Linux
import SystemPackage

/// Writes the files that a pattern matches as a tar stream, in a process whose root is the container's.
///
/// What lies there may be made to mislead: no symlink is followed, not even in the pattern's own directories; of symlinks
/// those are copied that stay among the files they come with; devices, sockets and FIFOs are left out.
final class ArtifactReader {
    private let pattern: ArtifactPattern
    private let subject: String
    private let limit: Int64
    private var bytes: Int64 = 0
    private var entries = 0
    private var notes = 0
    private var added: Set<[UInt8]> = []
    private let archive: TarWriter

    private static let mostEntries = 200_000
    private static let deepest = 200
    private static let mostNotes = 10

    /// - Parameters:
    ///   - subject: The pattern as its user wrote it.
    ///   - limit: The most bytes of all files together.
    init(_ pattern: ArtifactPattern, subject: String, limit: Int64, to stream: FileDescriptor) throws(Failure) {
        self.pattern = pattern
        self.subject = subject
        self.limit = limit
        archive = try TarWriter { (bytes) throws(Failure) in
            do throws(SystemCallError) {
                try stream.writeFully(bytes)
            } catch {
                throw Failure("copy artifact", subject, error.errno.reason)
            }
        }
    }

    /// Writes the stream; an empty one if nothing matches, which is said.
    func write() throws(Failure) {
        do {
            var directory = try FileDescriptor.workingDirectory.open("/", O_RDONLY | O_DIRECTORY)
            for name in pattern.base {
                let next = try directory.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
                directory.closeQuietly()
                directory = next
            }
            defer { directory.closeQuietly() }
            try descend(directory, [], pattern.components[...], depth: 0)
        } catch let error as SystemCallError {
            guard
                error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory
                    || error.errno == .tooManySymbolicLinkLevels
            else { throw Failure("copy artifact", subject, error) }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure("copy artifact", subject, "\(error)")
        }
        if added.isEmpty {
            note("", "nothing matches")
            return
        }
        try archive.finish()
    }

    // MARK: Matching

    private func descend(
        _ directory: FileDescriptor, _ path: [UInt8], _ rest: ArraySlice<ArtifactPattern.Component>, depth: Int
    ) throws {
        guard let component = rest.first else { return }
        if depth == Self.deepest { throw tooDeep }
        let below = rest.dropFirst()
        if component == .anyDirectories { try descend(directory, path, below, depth: depth + 1) }
        for name in try directory.fileNames().sorted() {
            switch component {
            case .anyDirectories:
                guard ArtifactPattern.isEntered(name), try isDirectory(name, in: directory) else { continue }
                try enter(name, directory, path) { try descend($0, $1, rest, depth: depth + 1) }
            case .name(let pattern):
                guard ArtifactPattern.matches(name, pattern) else { continue }
                if below.isEmpty {
                    try add(name, in: directory, path, depth: depth)
                } else if try isDirectory(name, in: directory) {
                    try enter(name, directory, path) { try descend($0, $1, below, depth: depth + 1) }
                }
            }
        }
    }

    private func isDirectory(_ name: FileName, in directory: FileDescriptor) throws(SystemCallError) -> Bool {
        try directory.status(of: name).st_mode & S_IFMT == S_IFDIR
    }

    private func enter(
        _ name: FileName, _ directory: FileDescriptor, _ path: [UInt8],
        _ body: (FileDescriptor, [UInt8]) throws -> Void
    ) throws {
        let next = try directory.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        defer { next.closeQuietly() }
        try body(next, Self.path(name, in: path))
    }

    private static func path(_ name: FileName, in path: [UInt8]) -> [UInt8] {
        let bytes = name.cString.dropLast().map { UInt8(bitPattern: $0) }
        return path.isEmpty ? bytes : path + [UInt8(ascii: "/")] + bytes
    }

    // MARK: Adding

    private func add(_ name: FileName, in directory: FileDescriptor, _ parent: [UInt8], depth: Int) throws {
        let path = Self.path(name, in: parent)
        guard !added.contains(path) else { return }
        if depth == Self.deepest { throw tooDeep }
        let status = try directory.status(of: name)
        switch status.st_mode & S_IFMT {
        case S_IFDIR:
            try addEntry(path, .directory, status)
            try enter(name, directory, parent) { below, path in
                for name in try below.fileNames().sorted() { try add(name, in: below, path, depth: depth + 1) }
            }
        case S_IFREG: try addFile(name, in: directory, path)
        case S_IFLNK:
            guard let link = directory.linkTarget(of: name) else { return }
            let target = link.cString.dropLast().map { UInt8(bitPattern: $0) }
            guard Self.staysInside(target, at: path) else {
                return note(link: path, "a symlink that leads elsewhere is left out")
            }
            try addEntry(path, .symlink(target: target), status)
        default: note(link: path, "neither a file, a directory nor a symlink: left out")
        }
    }

    private func addFile(_ name: FileName, in directory: FileDescriptor, _ path: [UInt8]) throws {
        // Opened without waiting, and looked at again: it may be another file by now.
        let file = try directory.open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        defer { file.closeQuietly() }
        let status = try file.status()
        guard status.st_mode & S_IFMT == S_IFREG else { return }
        guard Int64(status.st_size) <= limit - bytes else {
            throw Failure(
                "copy artifact", subject, "more than \(limit) bytes in all",
                remedy: "allow more with --artifact-limit, or match less")
        }
        bytes += Int64(status.st_size)
        try addParents(of: path)
        try archive.add(try entry(path, .file, status), dataOf: file)
    }

    private func addEntry(_ path: [UInt8], _ kind: TarEntry.Kind, _ status: FileStatus) throws(Failure) {
        try addParents(of: path)
        try archive.add(try entry(path, kind, status))
    }

    /// The directories on the way to a match, which are nobody's match themselves.
    private func addParents(of path: [UInt8]) throws(Failure) {
        for (index, byte) in path.enumerated() where byte == UInt8(ascii: "/") {
            let parent = Array(path[..<index])
            if added.contains(parent) { continue }
            var status = FileStatus()
            status.st_mode = 0o755
            try archive.add(try entry(parent, .directory, status))
        }
    }

    /// The caller's, readable for them, with no rights that only a container's own users should have.
    private func entry(_ path: [UInt8], _ kind: TarEntry.Kind, _ status: FileStatus) throws(Failure) -> TarEntry {
        entries += 1
        if entries > Self.mostEntries {
            throw Failure(
                "copy artifact", subject, "more than \(Self.mostEntries) files", remedy: "match less, or pack them")
        }
        added.insert(path)
        let least: mode_t = kind == .directory ? 0o700 : 0o600
        let size = kind == .file ? Int64(status.st_size) : 0
        return TarEntry(
            name: path, kind: kind, mode: status.st_mode & 0o755 | least, uid: 0, gid: 0, modified: status.st_mtim,
            size: size)
    }

    /// Whether a symlink at a path leads to something below where all paths begin: relative, with no more `..` than there
    /// are directories above it, all of them in front.
    static func staysInside(_ target: [UInt8], at path: [UInt8]) -> Bool {
        guard let first = target.first, first != UInt8(ascii: "/") else { return false }
        let depth = path.count { $0 == UInt8(ascii: "/") }
        let up = Array("..".utf8)
        let parts = target.split(separator: UInt8(ascii: "/"))
        let leading = parts.prefix { $0.elementsEqual(up) }.count
        return leading <= depth && !parts.dropFirst(leading).contains { $0.elementsEqual(up) }
    }

    // MARK: Saying

    private var tooDeep: Failure {
        Failure("copy artifact", subject, "directories more than \(Self.deepest) levels deep")
    }

    private func note(link path: [UInt8], _ reason: String) { note(String(decoding: path, as: UTF8.self), reason) }

    private func note(_ path: String, _ reason: String) {
        notes += 1
        if notes <= Self.mostNotes {
            Report.line("warning: \(Failure("artifact \(subject)", path, reason))")
        } else if notes == Self.mostNotes + 1 {
            Report.line("warning: \(Failure("artifact \(subject)", "", "more is left out"))")
        }
    }
}
