import CLinux
public import Dockerfiles
import Glibc
import Linux
import SystemPackage

/// A file of what is copied from.
struct SourceEntry {
    /// From the tree's root, without slashes at the ends; names are bytes.
    var path: [UInt8]
    var status: FileStatus

    var isDirectory: Bool { status.st_mode & S_IFMT == S_IFDIR }
    var isFile: Bool { status.st_mode & S_IFMT == S_IFREG }
    var isSymlink: Bool { status.st_mode & S_IFMT == S_IFLNK }

    /// For people, and for rules.
    var text: String { String(decoding: path, as: UTF8.self) }
}

/// What files are copied from: a build context, or the root of a stage or an image. Nothing in it leads out of it.
struct SourceTree {
    let root: FileDescriptor
    /// For errors.
    let name: String
    /// Whether its files keep their owners when they are copied.
    let keepsOwners: Bool
    /// Whether its files were downloaded.
    var isRemote = false
    /// What is left out.
    var rules = ContextRules()

    // MARK: Walking

    /// All that is below a directory, each directory before what is in it, sorted by bytes.
    ///
    /// - Parameter path: Of the directory; empty for the root.
    func walk(_ path: [UInt8]) throws(Failure) -> [SourceEntry] {
        var entries: [SourceEntry] = []
        let directory = try open(path, O_RDONLY | O_DIRECTORY)
        try walk(directory, path, into: &entries)
        return entries
    }

    /// Closes `directory`.
    private func walk(
        _ directory: FileDescriptor, _ path: [UInt8], into entries: inout [SourceEntry]
    ) throws(Failure) {
        defer { directory.closeQuietly() }
        let prefix = path.isEmpty ? [] : path + [UInt8(ascii: "/")]
        for name in try Self.names(in: directory, of: self, path) {
            var status = FileStatus()
            let found = name.withUnsafeBufferPointer {
                fstatat(directory.rawValue, $0.baseAddress!, &status, AT_SYMLINK_NOFOLLOW)
            }
            if found != 0, errno == ENOENT { continue }  // removed meanwhile
            let below = prefix + name.dropLast().map { UInt8(bitPattern: $0) }
            guard found == 0 else { throw failure(below, Errno(rawValue: errno)) }
            if status.st_mode & S_IFMT == S_IFSOCK { continue }  // nothing can be copied of it
            let entry = SourceEntry(path: below, status: status)
            let isLeftOut = rules.ignores(below)
            if !isLeftOut { entries.append(entry) }
            guard entry.isDirectory, !isLeftOut || rules.mayInclude(below: below) else { continue }
            let count = entries.count
            let raw = name.withUnsafeBufferPointer {
                apus_open(directory.rawValue, $0.baseAddress!, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)
            }
            guard raw >= 0 else { throw failure(below, Errno(rawValue: errno)) }
            try walk(FileDescriptor(rawValue: raw), below, into: &entries)
            // A directory that is left out comes along for what is in it and is not.
            if isLeftOut, entries.count > count { entries.insert(entry, at: count) }
        }
    }

    private static func names(
        in directory: FileDescriptor, of tree: SourceTree, _ path: [UInt8]
    ) throws(Failure) -> [[CChar]] {
        let again = fcntl(directory.rawValue, F_DUPFD_CLOEXEC, 0)
        guard again >= 0, let stream = fdopendir(again) else { throw tree.failure(path, Errno(rawValue: errno)) }
        defer { closedir(stream) }
        var names: [[CChar]] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) {
                    Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1))
                }
            }
            let isDots = name[0] == 46 && (name[1] == 0 || (name[1] == 46 && name[2] == 0))
            if !isDots { names.append(name) }
        }
        names.sort { strcmp($0, $1) < 0 }
        return names
    }

    // MARK: Opening

    /// Opens a file beneath the root, through no symlink.
    func open(_ path: [UInt8], _ flags: CInt) throws(Failure) -> FileDescriptor {
        var how = open_how()
        how.flags = UInt64(UInt32(bitPattern: flags | O_CLOEXEC | O_NOFOLLOW))
        how.resolve = UInt64(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)
        while true {
            let opened = Self.withCString(path) { apus_openat2(root.rawValue, $0, &how) }
            if opened >= 0 { return FileDescriptor(rawValue: opened) }
            if errno != EINTR && errno != EAGAIN { throw failure(path, Errno(rawValue: errno)) }
        }
    }

    /// Where a path leads, which may go through symlinks: these stay below the root.
    ///
    /// - Returns: `nil` where nothing is.
    func resolve(_ path: [UInt8]) throws(Failure) -> SourceEntry? {
        var how = open_how()
        how.flags = UInt64(O_PATH | O_CLOEXEC)
        how.resolve = UInt64(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
        var opened: CInt = -1
        repeat {
            opened = Self.withCString(path) { apus_openat2(root.rawValue, $0, &how) }
        } while opened < 0
            && (errno == EINTR || errno == EAGAIN)
        if opened < 0, errno == ENOENT || errno == ENOTDIR || errno == ELOOP { return nil }
        guard opened >= 0 else { throw failure(path, Errno(rawValue: errno)) }
        let file = FileDescriptor(rawValue: opened)
        defer { file.closeQuietly() }
        do throws(SystemCallError) {
            let status = try file.status()
            let resolved = try relativePath(of: file) ?? path
            return SourceEntry(path: resolved, status: status)
        } catch {
            throw failure(path, error.errno)
        }
    }

    /// The path of an open file from the root; `nil` where the kernel does not tell.
    private func relativePath(of file: FileDescriptor) throws(SystemCallError) -> [UInt8]? {
        let here = FileDescriptor.workingDirectory
        guard let whole = here.linkTarget(of: FileName("/proc/self/fd/\(file.rawValue)")),
            let above = here.linkTarget(of: FileName("/proc/self/fd/\(root.rawValue)"))
        else { return nil }
        let (path, prefix) = (Self.bytes(whole), Self.bytes(above))
        if path == prefix { return [] }
        let start = prefix == [UInt8(ascii: "/")] ? 1 : prefix.count + 1
        guard path.starts(with: prefix), path.count > start else { return nil }
        return Array(path[start...])
    }

    private static func bytes(_ name: FileName) -> [UInt8] { name.cString.dropLast().map { UInt8(bitPattern: $0) } }

    static func withCString<Result>(_ path: [UInt8], _ body: (UnsafePointer<CChar>) -> Result) -> Result {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: path.count + 2) { buffer in
            var count = 0
            for byte in path.isEmpty ? [UInt8(ascii: ".")] : path {
                buffer[count] = CChar(bitPattern: byte)
                count += 1
            }
            buffer[count] = 0
            return body(buffer.baseAddress!)
        }
    }

    private func failure(_ path: [UInt8], _ errno: Errno) -> Failure {
        Failure("read \(name)", String(decoding: path, as: UTF8.self), errno.reason)
    }
}

/// What is left out of a context.
public struct ContextRules: Sendable {
    private let rules: IgnoreRules

    /// - Parameter rules: As `.dockerignore` has them.
    public init(_ rules: IgnoreRules = IgnoreRules()) { self.rules = rules }

    /// Whether a path is left out.
    func ignores(_ path: [UInt8]) -> Bool { rules.matches(path: path) }

    /// Whether something below a directory that is left out may be in.
    func mayInclude(below path: [UInt8]) -> Bool { rules.mayInclude(below: path) }
}
