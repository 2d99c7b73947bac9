import CLinux
import Glibc
public import SystemPackage

/// What stat(2) says of a file.
public typealias FileStatus = Glibc.stat

/// Files and directories by descriptor. Every descriptor is close-on-exec from birth; whoever opens one closes it.
extension FileDescriptor {
    /// Stands for the working directory in calls that take a directory.
    public static let workingDirectory = FileDescriptor(rawValue: AT_FDCWD)

    /// Opens `path`, relative to this directory unless it is absolute.
    ///
    /// - Parameters:
    ///   - flags: `O_*` of open(2); `O_CLOEXEC` is added.
    ///   - mode: Permission bits for a file that is created, before the umask.
    public func open(
        _ path: String, _ flags: CInt = O_RDONLY, mode: mode_t = 0o600
    ) throws(SystemCallError) -> FileDescriptor {
        FileDescriptor(
            rawValue: try check("open", "'\(path)'") { apus_open(rawValue, path, flags | O_CLOEXEC, mode) })
    }

    /// Opens `path` with this directory as its root, so that neither `..` nor a symlink in it can lead outside.
    ///
    /// - Throws: `ELOOP` for a magic link such as `/proc/self/exe`; `ENOSYS` before Linux 5.6.
    /// - Note: openat2(2), `RESOLVE_IN_ROOT` and `RESOLVE_NO_MAGICLINKS`.
    public func open(
        inRoot path: String, _ flags: CInt = O_RDONLY, mode: mode_t = 0
    ) throws(SystemCallError) -> FileDescriptor {
        var how = open_how()
        how.flags = UInt64(UInt32(bitPattern: flags | O_CLOEXEC))
        how.mode = flags & O_CREAT != 0 ? UInt64(mode) : 0
        how.resolve = UInt64(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
        // EAGAIN: something was renamed or mounted while a ".." was resolved, so that nobody knows where it led.
        for _ in 0..<127 {
            let opened = apus_openat2(rawValue, path, &how)
            if opened >= 0 { return FileDescriptor(rawValue: opened) }
            if errno != EAGAIN { throw SystemCallError("openat2", "'\(path)'", Errno(rawValue: errno)) }
        }
        return FileDescriptor(
            rawValue: try check("openat2", "'\(path)'") { apus_openat2(rawValue, path, &how) })
    }

    /// Makes a directory below this one; one that is there already is left as it is.
    ///
    /// - Returns: Whether it was made now.
    @discardableResult
    public func makeDirectory(_ path: String, mode: mode_t = 0o755) throws(SystemCallError) -> Bool {
        do {
            try check("mkdir", "'\(path)'") { mkdirat(rawValue, path, mode) }
            return true
        } catch  where error.errno == .fileExists {
            return false
        }
    }

    /// Makes a directory and the missing ones above it.
    public func makeDirectories(_ path: String, mode: mode_t = 0o755) throws(SystemCallError) {
        do {
            try makeDirectory(path, mode: mode)
        } catch  where error.errno == .noSuchFileOrDirectory {
            guard let (parent, _) = path.sides(ofLast: "/"), !parent.isEmpty else { throw error }
            try makeDirectories(parent, mode: mode)
            try makeDirectory(path, mode: mode)
        }
    }

    /// What stat(2) says of this descriptor.
    public func status() throws(SystemCallError) -> FileStatus {
        var status = FileStatus()
        try check("fstat", "fd \(rawValue)") { fstat(rawValue, &status) }
        return status
    }

    /// What stat(2) says of `path` below this directory.
    ///
    /// - Parameter flags: `AT_SYMLINK_NOFOLLOW` or 0.
    public func status(of path: String, flags: CInt = 0) throws(SystemCallError) -> FileStatus {
        var status = FileStatus()
        try check("stat", "'\(path)'") { fstatat(rawValue, path, &status, flags) }
        return status
    }

    /// Whether `path` below this directory names something; a symlink counts by itself.
    public func has(_ path: String) -> Bool {
        faccessat(rawValue, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0
    }

    /// Removes a file, or an empty directory, below this directory; what is not there needs no removal.
    public func remove(_ path: String, directory: Bool = false) throws(SystemCallError) {
        do {
            try check(directory ? "rmdir" : "unlink", "'\(path)'") {
                unlinkat(rawValue, path, directory ? AT_REMOVEDIR : 0)
            }
        } catch  where error.errno == .noSuchFileOrDirectory {
            return
        }
    }

    /// Where a symlink below this directory points, or `nil` if it is none.
    public func linkTarget(of path: String) -> String? {
        withUnsafeTemporaryAllocation(byteCount: Int(PATH_MAX), alignment: 1) { buffer in
            let length = readlinkat(rawValue, path, buffer.baseAddress!, buffer.count)
            guard length > 0 else { return nil }
            return String(decoding: buffer[..<length], as: UTF8.self)
        }
    }

    /// Reads what is left of this file.
    ///
    /// - Throws: `EFBIG` beyond `limit` bytes.
    public func readAll(limit: Int) throws(SystemCallError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Swift.min(limit + 1, 4096))
        var count = 0
        while true {
            if count == bytes.count { bytes.append(contentsOf: repeatElement(0, count: bytes.count)) }
            let room = bytes.count - count
            let got = try check("read", "fd \(rawValue)") {
                bytes.withUnsafeMutableBytes {
                    CInt(truncatingIfNeeded: Glibc.read(rawValue, $0.baseAddress! + count, room))
                }
            }
            if got == 0 { break }
            count += Int(got)
            if count > limit { throw SystemCallError("read", "fd \(rawValue)", .fileTooLarge) }
        }
        bytes.removeSubrange(count...)
        return bytes
    }

    /// Reads the regular file `path` below this directory, without ever blocking on a FIFO or a device.
    ///
    /// - Parameter limit: The most bytes that it may have.
    /// - Throws: `EFBIG` beyond `limit`; `EINVAL` for what is no regular file.
    public func contents(of path: String, limit: Int) throws(SystemCallError) -> [UInt8] {
        try regularContents(of: open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY), named: path, limit: limit)
    }

    /// Reads a regular file of this machine that may be missing or hidden, to nobody's harm.
    ///
    /// - Returns: `nil` if it cannot be read, or has more than `limit` bytes.
    public static func contentsIfReadable(of path: String, limit: Int) -> [UInt8]? {
        try? workingDirectory.contents(of: path, limit: limit)  // `try?`: the caller has an answer for that
    }

    /// Reads the regular file `path` with this directory as its root.
    public func contents(inRoot path: String, limit: Int) throws(SystemCallError) -> [UInt8] {
        try regularContents(of: open(inRoot: path, O_RDONLY | O_NONBLOCK | O_NOCTTY), named: path, limit: limit)
    }

    private func regularContents(
        of file: FileDescriptor, named path: String, limit: Int
    ) throws(SystemCallError) -> [UInt8] {
        defer { file.closeQuietly() }
        guard try file.status().st_mode & S_IFMT == S_IFREG else {
            throw SystemCallError("read", "'\(path)'", .invalidArgument)
        }
        return try file.readAll(limit: limit)
    }

    /// Writes all of `bytes`.
    public func writeFully(_ bytes: some Collection<UInt8>) throws(SystemCallError) {
        let array = Array(bytes)
        var offset = 0
        while offset < array.count {
            let wrote = try check("write", "fd \(rawValue)") {
                array.withUnsafeBytes {
                    CInt(truncatingIfNeeded: Glibc.write(rawValue, $0.baseAddress! + offset, $0.count - offset))
                }
            }
            offset += Int(wrote)
        }
    }

    /// Puts `bytes` into the existing file `path`, in one write(2), as the kernel's control files want it.
    public func write(_ bytes: String, to path: String) throws(SystemCallError) {
        let file = try open(path, O_WRONLY)
        defer { file.closeQuietly() }
        try check("write", "'\(bytes)' to '\(path)'") {
            CInt(truncatingIfNeeded: Glibc.write(file.rawValue, bytes, bytes.utf8.count))
        }
    }

    /// Replaces the file `name` in this directory as a whole: a reader sees the old content or the new, never a part.
    ///
    /// - Parameters:
    ///   - durable: Whether it must survive a power cut (fsync before the rename).
    ///   - transient: Whether it means nothing after a power cut. ext4 writes a file to disk that is renamed over another;
    ///     one that changes places with it, it does not (renameat2(2), `RENAME_EXCHANGE`).
    public func replaceFile(
        _ name: String, with bytes: some Collection<UInt8>, mode: mode_t = 0o600, durable: Bool = false,
        transient: Bool = false
    ) throws(SystemCallError) {
        let temporary = ".\(name).\(getpid())"
        let file = try open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: mode)
        defer { file.closeQuietly() }
        do throws(SystemCallError) {
            try file.writeFully(bytes)
            if durable { try check("fsync", "'\(name)'") { fsync(file.rawValue) } }
            // Not where there is none yet, or on a file system that cannot.
            if transient, apus_renameat2(rawValue, temporary, rawValue, name, UInt32(RENAME_EXCHANGE)) == 0 {
                unlinkat(rawValue, temporary, 0)
                return
            }
            try check("rename", "'\(name)'") { renameat(rawValue, temporary, rawValue, name) }
        } catch {
            unlinkat(rawValue, temporary, 0)
            throw error
        }
    }

    /// Removes everything below `name` and `name` itself; symlinks are removed, never followed.
    public func removeTree(_ name: String) throws(SystemCallError) {
        try removeTree(FileName(name))
    }

    /// As `removeTree(_:)` for names that may be no text.
    public func removeTree(_ name: FileName) throws(SystemCallError) {
        do {
            try remove(name)
            return
        } catch  where error.errno == .isDirectory || error.errno == .notPermitted {
            // a directory, as unlink(2) says it on Linux
        }
        let directory: FileDescriptor
        do {
            directory = try open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        } catch  where error.errno == .permissionDenied {
            // Overlay's work directory has mode 0: its owner may still give it one.
            try check("chmod", "'\(name)'") { fchmodat(rawValue, name.cString, 0o700, 0) }
            directory = try open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        }
        defer { directory.closeQuietly() }
        try directory.removeEntries()
        do {
            try remove(name, directory: true)
        } catch  where error.errno == .directoryNotEmpty {
            // Another process that still had it open has put something in: nobody can open it for long.
            try removeTree(name)
        }
    }

    private func removeEntries() throws(SystemCallError) {
        for entry in try fileNames() {
            do {
                try removeTree(entry)
            } catch  where error.errno == .permissionDenied {
                try check("chmod", "fd \(rawValue)") { fchmod(rawValue, 0o700) }
                try removeTree(entry)
            }
        }
    }

    /// The names in this directory, without `.` and `..`, in no order; what is no UTF-8 in them is replaced.
    ///
    /// For directories whose names are Apus' own or the kernel's; for others there is `fileNames`.
    public func entries() throws(SystemCallError) -> [String] {
        try fileNames().map(\.description)
    }

    /// Takes the advisory lock of this open file.
    ///
    /// - Parameter wait: Whether to wait for whoever holds it.
    /// - Returns: Whether the lock is held now; always so with `wait`.
    /// - Note: flock(2): the lock belongs to the open file description and ends with its last descriptor.
    public func lock(exclusive: Bool = true, wait: Bool) throws(SystemCallError) -> Bool {
        do {
            try check("flock", "fd \(rawValue)") {
                flock(rawValue, (exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB))
            }
            return true
        } catch  where error.errno == .wouldBlock {
            return false
        }
    }

    /// Closes this descriptor. A failed close(2) of a file that was only read, or already written out, loses nothing.
    public func closeQuietly() {
        _ = Glibc.close(rawValue)
    }

    /// A path that names this open descriptor to calls that take only paths.
    public var path: String { "/proc/self/fd/\(rawValue)" }

    /// The two ends of a pipe, both close-on-exec.
    public static func makePipe(flags: CInt = 0) throws(SystemCallError) -> (
        read: FileDescriptor, write: FileDescriptor
    ) {
        var ends: [CInt] = [0, 0]
        try check("pipe2") { apus_pipe2(&ends, flags | O_CLOEXEC) }
        return (FileDescriptor(rawValue: ends[0]), FileDescriptor(rawValue: ends[1]))
    }
}
