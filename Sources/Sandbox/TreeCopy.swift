import CLinux
import Glibc
public import Linux
public import SystemPackage

/// Copies a directory with all that is in it: owners, modes, times, links, devices, sparse files and attributes.
public enum TreeCopy {
    /// Copies what is in `source` into `target`, both open directories; nothing outside them is touched.
    ///
    /// - Throws: As the system call that failed; what was copied until then stays.
    public static func copy(
        contentsOf source: FileDescriptor, to target: FileDescriptor
    ) throws(SystemCallError) {
        var links: [FileIdentity: FileName] = [:]
        try copyEntries(source, target, top: target, path: nil, isLayer: false, &links)
        try copyMetadata(try source.status(), from: source, to: target)
    }

    /// Copies a layer of overlayfs over what the layers below it have left in `target`: what it hides is removed.
    ///
    /// - Throws: As the system call that failed; what was copied until then stays.
    public static func merge(layer: FileDescriptor, into target: FileDescriptor) throws(SystemCallError) {
        var links: [FileIdentity: FileName] = [:]
        try copyEntries(layer, target, top: target, path: nil, isLayer: true, &links)
        try copyMetadata(try layer.status(), from: layer, to: target)
    }

    /// Makes room in `target` for an entry of a layer.
    ///
    /// - Returns: Whether there is anything to copy: not for a whiteout.
    private static func makeRoom(
        for name: FileName, _ status: FileStatus, of layer: FileDescriptor, in target: FileDescriptor
    ) throws(SystemCallError) -> Bool {
        let isWhiteout = status.st_mode & S_IFMT == S_IFCHR && status.st_rdev == 0
        guard target.has(name) else { return !isWhiteout }
        let below = try target.status(of: name)
        let areDirectories = status.st_mode & S_IFMT == S_IFDIR && below.st_mode & S_IFMT == S_IFDIR
        if !areDirectories {
            try target.removeTree(name)
        } else {
            let directory = try layer.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            defer { directory.closeQuietly() }
            if OverlayMarks.isOpaque(directory) { try target.removeTree(name) }
        }
        return !isWhiteout
    }

    private struct FileIdentity: Hashable {
        let device: dev_t
        let inode: ino_t
    }

    private static func copyEntries(
        _ source: FileDescriptor, _ target: FileDescriptor, top: FileDescriptor, path: FileName?, isLayer: Bool,
        _ links: inout [FileIdentity: FileName]
    ) throws(SystemCallError) {
        for name in try source.fileNames() {
            let status = try source.status(of: name)
            if isLayer, try !makeRoom(for: name, status, of: source, in: target) { continue }
            let here = path?.appending(name) ?? name
            let identity = FileIdentity(device: status.st_dev, inode: status.st_ino)
            let isDirectory = status.st_mode & S_IFMT == S_IFDIR
            if status.st_nlink > 1, !isDirectory, let first = links[identity] {
                try check("link", "'\(here)'") { linkat(top.rawValue, first.cString, target.rawValue, name.cString, 0) }
                continue
            }
            if status.st_nlink > 1, !isDirectory { links[identity] = here }
            guard isDirectory else {
                try naming(here) { () throws(SystemCallError) in try copyFile(name, status, source, target) }
                continue
            }
            let isNew = !isLayer || !target.has(name)
            let (from, to) = try naming(here) { () throws(SystemCallError) in
                try openDirectories(name, source, target, isNew: isNew)
            }
            defer {
                from.closeQuietly()
                to.closeQuietly()
            }
            try copyEntries(from, to, top: top, path: here, isLayer: isLayer, &links)
            try naming(here) { () throws(SystemCallError) in try copyMetadata(status, from: from, to: to) }
        }
    }

    /// Has an error of `body` say which file it was about.
    private static func naming<Result>(
        _ path: FileName, _ body: () throws(SystemCallError) -> Result
    ) throws(SystemCallError) -> Result {
        do {
            return try body()
        } catch {
            throw SystemCallError(error.call, "'\(path)'", error.errno)
        }
    }

    private static func openDirectories(
        _ name: FileName, _ source: FileDescriptor, _ target: FileDescriptor, isNew: Bool
    ) throws(SystemCallError) -> (from: FileDescriptor, to: FileDescriptor) {
        let from = try source.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        do throws(SystemCallError) {
            if isNew { try target.makeDirectory(name, mode: 0o700) }
            return (from, try target.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
        } catch {
            from.closeQuietly()
            throw error
        }
    }

    private static func copyFile(
        _ name: FileName, _ status: FileStatus, _ source: FileDescriptor, _ target: FileDescriptor
    ) throws(SystemCallError) {
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            let from = try source.open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            defer { from.closeQuietly() }
            let to = try target.open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)
            defer { to.closeQuietly() }
            try copyData(from, to, size: status.st_size)
            try copyMetadata(status, from: from, to: to)
        case S_IFLNK:
            guard let link = source.linkTarget(of: name) else {
                throw SystemCallError("readlink", "'\(name)'", .invalidArgument)
            }
            try check("symlink", "'\(name)'") { symlinkat(link.cString, target.rawValue, name.cString) }
            try copyOwnerAndTimes(status, of: name, in: target)
        default:
            try check("mknod", "'\(name)'") {
                mknodat(target.rawValue, name.cString, status.st_mode & (S_IFMT | 0o7777), status.st_rdev)
            }
            try copyOwnerAndTimes(status, of: name, in: target)
        }
    }

    /// Copies a file's data, hole by hole, sharing its blocks where the file system can.
    private static func copyData(
        _ from: FileDescriptor, _ to: FileDescriptor, size: off_t
    ) throws(SystemCallError) {
        if apus_ioctl_int(to.rawValue, ficlone, from.rawValue) == 0 { return }
        try check("ftruncate", "fd \(to.rawValue)") { ftruncate(to.rawValue, size) }
        var offset: off_t = 0
        while offset < size {
            let start = lseek(from.rawValue, offset, seekData)
            if start < 0 { break }  // ENXIO: only a hole is left
            let end = lseek(from.rawValue, start, seekHole)
            var input = start
            var output = start
            while input < end {
                let copied = try check("copy_file_range", "fd \(from.rawValue)") {
                    copyRange(from.rawValue, &input, to.rawValue, &output, min(Int(end - input), 1 << 30))
                }
                if copied == 0 { break }  // the file became shorter meanwhile
            }
            offset = end
        }
    }

    /// Copies bytes from one offset to another and moves both on.
    ///
    /// - Returns: As copy_file_range(2), which refuses (`EXDEV`) to copy between file systems of two kinds.
    private static func copyRange(
        _ from: CInt, _ input: inout off_t, _ to: CInt, _ output: inout off_t, _ count: Int
    ) -> CInt {
        let copied = copy_file_range(from, &input, to, &output, count, 0)
        guard copied < 0, errno == EXDEV else { return CInt(truncatingIfNeeded: copied) }
        guard lseek(to, output, SEEK_SET) >= 0 else { return -1 }
        let sent = sendfile(to, from, &input, count)
        output += max(0, off_t(sent))
        return CInt(truncatingIfNeeded: sent)
    }

    static func copyMetadata(
        _ status: FileStatus, from: FileDescriptor, to: FileDescriptor
    ) throws(SystemCallError) {
        try giveAway { () throws(SystemCallError) in
            try check("fchown", "fd \(to.rawValue)") { fchown(to.rawValue, status.st_uid, status.st_gid) }
        }
        try copyAttributes(from, to)
        try check("fchmod", "fd \(to.rawValue)") { fchmod(to.rawValue, status.st_mode & 0o7777) }
        var times = [status.st_atim, status.st_mtim]
        try check("futimens", "fd \(to.rawValue)") { futimens(to.rawValue, &times) }
    }

    private static func copyOwnerAndTimes(
        _ status: FileStatus, of name: FileName, in target: FileDescriptor
    ) throws(SystemCallError) {
        try giveAway { () throws(SystemCallError) in
            try check("fchownat", "'\(name)'") {
                fchownat(target.rawValue, name.cString, status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW)
            }
        }
        var times = [status.st_atim, status.st_mtim]
        try check("utimensat", "'\(name)'") {
            utimensat(target.rawValue, name.cString, &times, AT_SYMLINK_NOFOLLOW)
        }
    }

    /// Gives a file its owner; with an ordinary user, who may not give files away, it stays theirs: root's in the container.
    /// So does a file of somebody who has no ID in this user namespace (`EINVAL`).
    private static func giveAway(_ chown: () throws(SystemCallError) -> CInt) throws(SystemCallError) {
        do {
            _ = try chown()
        } catch  where error.errno == .notPermitted && geteuid() != 0 || error.errno == .invalidArgument {
            return
        }
    }

    /// Copies extended attributes; those that this user may not set (`trusted.`, `security.`) stay behind.
    private static func copyAttributes(_ from: FileDescriptor, _ to: FileDescriptor) throws(SystemCallError) {
        var names = [CChar](repeating: 0, count: 65536)
        let length = flistxattr(from.rawValue, &names, names.count)
        guard length > 0 else { return }
        for name in names[..<length].split(separator: 0) {
            let name = String(decoding: name.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if OverlayMarks.isMark(name) { continue }
            var value = [UInt8](repeating: 0, count: 65536)
            let size = fgetxattr(from.rawValue, name, &value, value.count)
            guard size >= 0 else { continue }
            if fsetxattr(to.rawValue, name, value, size, 0) < 0, name.hasPrefix("user.") {
                throw SystemCallError("fsetxattr", "'\(name)'", Errno(rawValue: Glibc.errno))
            }
        }
    }

    /// `FICLONE` of ioctl_ficlone(2), whose macro Swift cannot import.
    private static let ficlone: UInt = 0x4004_9409
    /// `SEEK_DATA` and `SEEK_HOLE` of lseek(2).
    private static let seekData: CInt = 3
    private static let seekHole: CInt = 4
}
