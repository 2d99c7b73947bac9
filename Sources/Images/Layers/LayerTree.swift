import Archives
import CLinux
import Glibc
import Linux
import SystemPackage

/// The files of a layer while they are written: each beneath the layer's root and never through a symlink of the layer.
///
/// Directories get their owners, modes, attributes and times at the end, when nothing is written into them any more.
struct LayerTree: ~Copyable {
    let root: FileDescriptor
    private let ownership: Ownership
    /// What the archive says of directories.
    private var directories: [EntryPath: TarEntry] = [:]
    /// Those that it doesn't name, but that are above what it names.
    private(set) var implied: Set<EntryPath> = [.root]
    /// Those that hide what is below them.
    private var opaque: Set<EntryPath> = []
    /// The directory that the last file went into: the next one mostly goes there too.
    private var current: (path: EntryPath, descriptor: FileDescriptor)?
    /// Of files, in bytes.
    private(set) var size: Int64 = 0
    private(set) var omittedDevices = 0

    init(_ root: FileDescriptor, _ ownership: Ownership) {
        self.root = root
        self.ownership = ownership
    }

    deinit { current?.descriptor.closeQuietly() }

    // MARK: Entries

    /// Writes one entry of the archive; of several with one name the last counts.
    mutating func add(_ entry: TarEntry, _ path: EntryPath, data: TarReader) throws(Failure) {
        if path.isRoot {
            guard entry.kind == .directory else { throw Self.refused(path, "the layer's root is no directory") }
            return note(entry, path)
        }
        let folder = try parent(of: path)
        let name = path.last
        switch entry.kind {
        case .directory:
            try makeDirectory(path, in: folder)
            note(entry, path)
        case .file:
            try writeFile(entry, path, in: folder, data)
            size += entry.size
        case .symlink(let target):
            try make("symlink", path, in: folder) {
                EntryPath.withCString(target[...]) { text in
                    EntryPath.withCString(name) { symlinkat(text, folder.rawValue, $0) }
                }
            }
            try finish(entry, path, in: folder)
        case .hardLink(let target): try link(path, to: target, in: folder)
        case .fifo: try makeNode(entry, path, S_IFIFO, 0, in: folder)
        case .characterDevice(let device): try makeNode(entry, path, S_IFCHR, device, in: folder)
        case .blockDevice(let device): try makeNode(entry, path, S_IFBLK, device, in: folder)
        case .other: throw Self.refused(path, "is of a kind that no layer has")
        }
    }

    private mutating func note(_ entry: TarEntry, _ path: EntryPath) {
        directories[path] = entry
        implied.remove(path)
    }

    private func writeFile(
        _ entry: TarEntry, _ path: EntryPath, in folder: FileDescriptor, _ data: TarReader
    ) throws(Failure) {
        let name = path.last
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let raw = try make("open", path, in: folder) {
            EntryPath.withCString(name) { apus_open(folder.rawValue, $0, flags, 0o600) }
        }
        let file = FileDescriptor(rawValue: raw)
        defer { file.closeQuietly() }
        var end: Int64 = 0
        while let (bytes, offset) = try data.nextBlock() {
            // Most tools write holes as zeros.
            if bytes.count >= Self.holeSize, bytes.isZero { continue }
            try attempt("write", path.text) { () throws(SystemCallError) in try file.writeAll(bytes, at: offset) }
            end = offset + Int64(bytes.count)
        }
        try own(entry, path) { fchown(raw, $0, $1) }
        try attempt("write", path.text) { () throws(SystemCallError) in
            // A hole at the end.
            if end < entry.size { try check("ftruncate", path.text) { ftruncate(raw, off_t(entry.size)) } }
            for attribute in entry.attributes where FileAttributes.isKept(attribute.name) {
                _ = try FileAttributes.set(attribute.name, attribute.value, on: file)
            }
            try check("fchmod", path.text) { fchmod(raw, entry.mode) }
            try check("futimens", path.text) { futimens(raw, entry.times) }
        }
    }

    /// From how many zeros on a hole is worth it, in bytes.
    private static let holeSize = 4096

    private mutating func makeDirectory(_ path: EntryPath, in folder: FileDescriptor) throws(Failure) {
        let made = EntryPath.withCString(path.last) { mkdirat(folder.rawValue, $0, 0o700) }
        if made == 0 { return }
        let error = Errno(rawValue: errno)
        guard error == .fileExists else { throw Failure("write", path.text, SystemCallError("mkdir", "", error)) }
        let status = try statusOf(path, in: folder)
        if status.st_mode & S_IFMT == S_IFDIR { return }
        // What is below is hidden: this directory has come in its place.
        if status.isWhiteout { opaque.insert(path) }
        try make("mkdir", path, in: folder) { EntryPath.withCString(path.last) { mkdirat(folder.rawValue, $0, 0o700) } }
    }

    private mutating func link(_ path: EntryPath, to target: [UInt8], in folder: FileDescriptor) throws(Failure) {
        guard let source = EntryPath(target), !source.isRoot else {
            throw Self.refused(
                path, "is a hard link to '\(String(decoding: target, as: UTF8.self))', outside of the layer")
        }
        if source == path { return }  // as some builders write a file that is there twice
        let held = try openDirectory(source.parent, for: path)
        defer { held.closeQuietly() }
        try make("link", path, in: folder) {
            EntryPath.withCString(source.last) { old in
                EntryPath.withCString(path.last) { linkat(held.rawValue, old, folder.rawValue, $0, 0) }
            }
        }
    }

    private mutating func makeNode(
        _ entry: TarEntry, _ path: EntryPath, _ kind: mode_t, _ device: dev_t, in folder: FileDescriptor
    ) throws(Failure) {
        let made = EntryPath.withCString(path.last) { mknodat(folder.rawValue, $0, kind | 0o600, device) }
        if made < 0, errno == EPERM, kind != S_IFIFO {
            // Nobody makes device nodes in a user namespace.
            omittedDevices += 1
            return
        }
        if made < 0 {
            try make("mknod", path, in: folder) {
                EntryPath.withCString(path.last) { mknodat(folder.rawValue, $0, kind | 0o600, device) }
            }
        }
        try finish(entry, path, in: folder)
        try attempt("write", path.text) { () throws(SystemCallError) in
            try check("fchmod", path.text) {
                EntryPath.withCString(path.last) { fchmodat(folder.rawValue, $0, entry.mode, 0) }
            }
            try setTimes(entry, path, in: folder)
        }
    }

    /// Owner and times of what has no descriptor.
    private func finish(_ entry: TarEntry, _ path: EntryPath, in folder: FileDescriptor) throws(Failure) {
        try own(entry, path) { uid, gid in
            EntryPath.withCString(path.last) { fchownat(folder.rawValue, $0, uid, gid, AT_SYMLINK_NOFOLLOW) }
        }
        try attempt("write", path.text) { () throws(SystemCallError) in try setTimes(entry, path, in: folder) }
    }

    private func setTimes(
        _ entry: TarEntry, _ path: EntryPath, in folder: FileDescriptor
    ) throws(SystemCallError) {
        try check("utimensat", path.text) {
            EntryPath.withCString(path.last) { utimensat(folder.rawValue, $0, entry.times, AT_SYMLINK_NOFOLLOW) }
        }
    }

    // MARK: Whiteouts

    /// Marks that a file of the layers below is gone.
    mutating func hide(_ path: EntryPath) throws(Failure) {
        let folder = try parent(of: path)
        let made = EntryPath.withCString(path.last) { mknodat(folder.rawValue, $0, S_IFCHR, 0) }
        if made == 0 {
            // The same layer is always unpacked to the same files.
            return try attempt("write", path.text) { () throws(SystemCallError) in
                _ = try check("utimensat", "") {
                    EntryPath.withCString(path.last) {
                        utimensat(folder.rawValue, $0, [timespec(), timespec()], AT_SYMLINK_NOFOLLOW)
                    }
                }
            }
        }
        let error = Errno(rawValue: errno)
        guard error == .fileExists else { throw Failure("write", path.text, SystemCallError("mknod", "", error)) }
        // What this layer has by that name stays: the mark is about those below.
        if try statusOf(path, in: folder).st_mode & S_IFMT == S_IFDIR { opaque.insert(path) }
    }

    /// Marks that what the layers below have in a directory is gone.
    mutating func hideAll(in path: EntryPath) throws(Failure) {
        if !path.isRoot {
            let folder = try parent(of: path)
            try makeDirectory(path, in: folder)
        }
        if directories[path] == nil { implied.insert(path) }
        opaque.insert(path)
    }

    // MARK: Ways

    /// Makes what `body` makes, in the place of what is there.
    @discardableResult
    private func make(
        _ call: StaticString, _ path: EntryPath, in folder: FileDescriptor, _ body: () -> CInt
    ) throws(Failure) -> CInt {
        let result = body()
        if result >= 0 { return result }
        if errno == EEXIST {
            try attempt("write", path.text) { () throws(SystemCallError) in
                try folder.removeTree(FileName(bytes: path.last))
            }
        } else if errno != EINTR {
            throw Failure("write", path.text, SystemCallError("\(call)", "", Errno(rawValue: errno)))
        }
        return try attempt("write", path.text) { () throws(SystemCallError) in try check(call, "", body) }
    }

    private func statusOf(_ path: EntryPath, in folder: FileDescriptor) throws(Failure) -> FileStatus {
        try attempt("write", path.text) { () throws(SystemCallError) in
            try folder.status(of: FileName(bytes: path.last))
        }
    }

    /// The directory that `path` is in, made if it is missing.
    private mutating func parent(of path: EntryPath) throws(Failure) -> FileDescriptor {
        let folder = path.parent
        if let current, current.path == folder, EntryPath.isLinked(current.descriptor) { return current.descriptor }
        current?.descriptor.closeQuietly()
        current = nil
        let opened = try openOrMake(folder, for: path)
        current = (folder, opened)
        return opened
    }

    private mutating func openOrMake(_ folder: EntryPath, for path: EntryPath) throws(Failure) -> FileDescriptor {
        if let opened = try openIfThere(folder, for: path) { return opened }
        let above = try openOrMake(folder.parent, for: path)
        defer { above.closeQuietly() }
        try makeDirectory(folder, in: above)
        implied.insert(folder)
        return try openDirectory(folder, for: path)
    }

    private func openDirectory(_ folder: EntryPath, for path: EntryPath) throws(Failure) -> FileDescriptor {
        guard let opened = try openIfThere(folder, for: path) else {
            throw Self.refused(path, "leads to '\(folder.text)', which the layer does not have")
        }
        return opened
    }

    private func openIfThere(_ folder: EntryPath, for path: EntryPath) throws(Failure) -> FileDescriptor? {
        let opened = folder.open(beneath: root, O_PATH | O_DIRECTORY)
        switch opened {
        case .success(let descriptor): return descriptor
        case .failure(.noSuchFileOrDirectory): return nil
        case .failure(.tooManySymbolicLinkLevels), .failure(.notDirectory):
            throw Self.refused(path, "leads through '\(folder.text)', which is no directory")
        case .failure(let error):
            throw Failure("write", path.text, SystemCallError("openat2", "'\(folder.text)'", error))
        }
    }

    static func refused(_ path: EntryPath, _ reason: String) -> Failure { Failure("unpack", path.text, reason) }

    // MARK: Owners

    private func own(
        _ entry: TarEntry, _ path: EntryPath, _ chown: (uid_t, gid_t) -> CInt
    ) throws(Failure) {
        guard ownership.givesAway else { return }
        guard let uid = uid_t(exactly: entry.uid), let gid = gid_t(exactly: entry.gid) else {
            throw Self.refused(path, "its owner \(entry.uid):\(entry.gid) is no user")
        }
        do throws(SystemCallError) {
            try check("chown", path.text) { chown(uid, gid) }
        } catch  where error.errno == .invalidArgument {
            throw Failure(
                "unpack", path.text, "its owner \(uid):\(gid) has no ID here",
                remedy: "give this user more IDs in /etc/subuid and /etc/subgid")
        } catch {
            throw Failure("write", path.text, error)
        }
    }

    /// Gives directories what the archive says of them, the deepest first: their owners may not be allowed into them then.
    mutating func finishDirectories() throws(Failure) {
        current?.descriptor.closeQuietly()
        current = nil
        let paths = Set(directories.keys).union(opaque)
        for path in paths.sorted(by: { $0.depth != $1.depth ? $0.depth > $1.depth : $0 < $1 }) {
            // Another entry may have come in its place.
            guard case .success(let directory) = path.open(beneath: root, O_RDONLY | O_DIRECTORY) else { continue }
            defer { directory.closeQuietly() }
            if opaque.contains(path) {
                try attempt("write", path.text) { () throws(SystemCallError) in try makeOpaque(directory) }
            }
            if let entry = directories[path] { try finish(directory, entry, path) }
        }
    }

    private func makeOpaque(_ directory: FileDescriptor) throws(SystemCallError) {
        var isMarked = false
        for name in ownership.opaqueAttributes {
            if try FileAttributes.set(name, [UInt8(ascii: "y")], on: directory) { isMarked = true }
        }
        guard isMarked else { throw SystemCallError("fsetxattr", "'\(ownership.opaqueAttributes[0])'", .notSupported) }
    }

    private func finish(_ directory: FileDescriptor, _ entry: TarEntry, _ path: EntryPath) throws(Failure) {
        try own(entry, path) { fchown(directory.rawValue, $0, $1) }
        try attempt("write", path.text) { () throws(SystemCallError) in
            for attribute in entry.attributes where FileAttributes.isKept(attribute.name) {
                _ = try FileAttributes.set(attribute.name, attribute.value, on: directory)
            }
            try check("fchmod", path.text) { fchmod(directory.rawValue, entry.mode) }
            try check("futimens", path.text) { futimens(directory.rawValue, entry.times) }
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether all bytes are zero: the first is, and each is as the one before.
    fileprivate var isZero: Bool {
        guard let start = baseAddress, count > 0 else { return true }
        guard self[0] == 0 else { return false }
        return memcmp(start, start + 1, count - 1) == 0
    }
}

extension FileStatus {
    /// Whether it is overlayfs' mark of a file that is gone.
    var isWhiteout: Bool { st_mode & S_IFMT == S_IFCHR && st_rdev == 0 }
}

extension TarEntry {
    /// Of access and of modification, for utimensat(2).
    fileprivate var times: [timespec] { [modified, modified] }
}

extension EntryPath {
    /// Opens what it names beneath `root`, without following any symlink.
    ///
    /// - Note: openat2(2), `RESOLVE_BENEATH` and `RESOLVE_NO_SYMLINKS`.
    func open(beneath root: FileDescriptor, _ flags: CInt) -> Result<FileDescriptor, Errno> {
        var how = open_how()
        how.flags = UInt64(UInt32(bitPattern: flags | O_CLOEXEC))
        how.resolve = UInt64(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)
        while true {
            let opened = withCString { apus_openat2(root.rawValue, $0, &how) }
            if opened >= 0 { return .success(FileDescriptor(rawValue: opened)) }
            // EAGAIN: something was renamed meanwhile, elsewhere on the machine.
            if errno != EINTR && errno != EAGAIN { return .failure(Errno(rawValue: errno)) }
        }
    }

    /// Whether an open directory still has a name: another entry may have come in its place.
    fileprivate static func isLinked(_ directory: FileDescriptor) -> Bool {
        var status = FileStatus()
        return fstat(directory.rawValue, &status) == 0 && status.st_nlink > 0
    }
}
