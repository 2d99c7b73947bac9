import Archives
import CLinux
import Glibc
public import Linux
import SystemPackage

/// Writes a directory as a tar stream that depends on nothing but what is in it: sorted, owners as numbers, no times but
/// those of modification.
public struct TreeWriter {
    /// Owners in the archive, from those on disk.
    public typealias Owners = (_ uid: UInt32, _ gid: UInt32) -> (uid: UInt32, gid: UInt32)

    private let writer: TarWriter
    private let isLayer: Bool
    private let owners: Owners
    private let leavesOut: (String) -> Bool
    /// The first name of each file that has several.
    private var links: [FileIdentity: [UInt8]] = [:]

    private struct FileIdentity: Hashable {
        let device: dev_t
        let inode: ino_t
    }

    /// - Parameters:
    ///   - isLayer: Whether it is the upper directory of an overlay, whose marks of what is gone become those of layers.
    ///   - leavesOut: Asked with the path of each file in the root, as `/etc/hosts`: what was only made to mount upon.
    public init(
        to sink: @escaping ByteSink, isLayer: Bool, owners: @escaping Owners = { ($0, $1) },
        leavesOut: @escaping (String) -> Bool = { _ in false }
    ) throws(Failure) {
        writer = try TarWriter(to: sink)
        self.isLayer = isLayer
        self.owners = owners
        self.leavesOut = leavesOut
    }

    /// Writes all that is in `directory`, and the end.
    public mutating func write(_ directory: FileDescriptor) throws(Failure) {
        if isLayer, OverlayMarks.isOpaque(directory) { try addWhiteout(Whiteout.opaqueName) }
        try writeEntries(of: directory, [])
        try writer.finish()
    }

    private mutating func writeEntries(of directory: FileDescriptor, _ prefix: [UInt8]) throws(Failure) {
        let text = String(decoding: prefix, as: UTF8.self)
        let names = try attempt("read", text) { () throws(SystemCallError) in try directory.fileNames().sorted() }
        for name in names {
            let path = prefix + name.cString.dropLast().map { UInt8(bitPattern: $0) }
            let text = String(decoding: path, as: UTF8.self)
            if leavesOut("/\(text)") { continue }
            let status = try attempt("read", text) { () throws(SystemCallError) in try directory.status(of: name) }
            try write(name, status, in: directory, path)
        }
    }

    private mutating func write(
        _ name: FileName, _ status: FileStatus, in directory: FileDescriptor, _ path: [UInt8]
    ) throws(Failure) {
        let text = String(decoding: path, as: UTF8.self)
        switch status.st_mode & S_IFMT {
        case S_IFDIR: try writeDirectory(name, status, in: directory, path)
        case S_IFREG:
            if let first = firstName(status, path) {
                return try writer.add(entry(path, .hardLink(target: first), status))
            }
            let file = try attempt("read", text) { () throws(SystemCallError) in
                try directory.open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            }
            defer { file.closeQuietly() }
            if isLayer, status.st_size == 0, OverlayMarks.isWhiteout(file) { return try addWhiteout(of: path) }
            var entry = entry(path, .file, status)
            entry.size = Int64(status.st_size)
            entry.attributes = try attributes(of: file, text)
            // Holes as zeros: Docker and podman cannot write out again a layer with GNU's sparse entries.
            try writer.add(entry, dataOf: file)
        case S_IFLNK:
            if let first = firstName(status, path) {
                return try writer.add(entry(path, .hardLink(target: first), status))
            }
            guard let target = directory.linkTarget(of: name) else {
                throw Failure("read", text, "is no symlink any more")
            }
            let bytes = target.cString.dropLast().map { UInt8(bitPattern: $0) }
            try writer.add(entry(path, .symlink(target: bytes), status))
        case S_IFCHR where isLayer && status.isWhiteout: try addWhiteout(of: path)
        case S_IFCHR: try writer.add(entry(path, .characterDevice(status.st_rdev), status))
        case S_IFBLK: try writer.add(entry(path, .blockDevice(status.st_rdev), status))
        case S_IFIFO: try writer.add(entry(path, .fifo, status))
        default: return  // a socket: nothing can be in an archive of it
        }
    }

    private mutating func writeDirectory(
        _ name: FileName, _ status: FileStatus, in directory: FileDescriptor, _ path: [UInt8]
    ) throws(Failure) {
        let text = String(decoding: path, as: UTF8.self)
        let below = try attempt("read", text) { () throws(SystemCallError) in
            try directory.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        }
        defer { below.closeQuietly() }
        var entry = entry(path + [UInt8(ascii: "/")], .directory, status)
        entry.attributes = try attributes(of: below, text)
        try writer.add(entry)
        if isLayer {
            guard !OverlayMarks.isRedirected(below) else {
                throw Failure("archive", text, "overlayfs has renamed this directory where no layer can say so")
            }
            if OverlayMarks.isOpaque(below) { try addWhiteout(path + [UInt8(ascii: "/")] + Whiteout.opaqueName) }
        }
        try writeEntries(of: below, path + [UInt8(ascii: "/")])
    }

    /// - Returns: The name by which the file is in the archive already; `nil` if it is not.
    private mutating func firstName(_ status: FileStatus, _ path: [UInt8]) -> [UInt8]? {
        guard status.st_nlink > 1 else { return nil }
        let identity = FileIdentity(device: status.st_dev, inode: status.st_ino)
        if let first = links[identity] { return first }
        links[identity] = path
        return nil
    }

    private func entry(_ path: [UInt8], _ kind: TarEntry.Kind, _ status: FileStatus) -> TarEntry {
        let owner = owners(status.st_uid, status.st_gid)
        return TarEntry(
            name: path, kind: kind, mode: status.st_mode & 0o7777, uid: Int64(owner.uid), gid: Int64(owner.gid),
            modified: status.st_mtim)
    }

    private func attributes(of file: FileDescriptor, _ text: String) throws(Failure) -> [TarEntry.Attribute] {
        try attempt("read attributes", text) { () throws(SystemCallError) in
            try FileAttributes.all(of: file).map { TarEntry.Attribute(name: $0.name, value: $0.value) }
        }
    }

    private func addWhiteout(of path: [UInt8]) throws(Failure) {
        let start = path.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
        try addWhiteout(path[..<start] + Whiteout.prefix + path[start...])
    }

    private func addWhiteout(_ name: [UInt8]) throws(Failure) {
        try writer.add(TarEntry(name: name, kind: .file, mode: 0, uid: 0, gid: 0, modified: timespec()))
    }
}

/// The marks that overlayfs leaves in an upper directory.
///
/// - Note: the kernel's filesystems/overlayfs.rst, "whiteouts and opaque directories".
enum OverlayMarks {
    static func isOpaque(_ directory: FileDescriptor) -> Bool { value("opaque", of: directory) == [UInt8(ascii: "y")] }

    static func isWhiteout(_ file: FileDescriptor) -> Bool { value("whiteout", of: file) != nil }

    static func isRedirected(_ directory: FileDescriptor) -> Bool { value("redirect", of: directory) != nil }

    private static func value(_ name: String, of file: FileDescriptor) -> [UInt8]? {
        for space in ["trusted", "user"] {
            var value = [UInt8](repeating: 0, count: 16)
            let length = fgetxattr(file.rawValue, "\(space).overlay.\(name)", &value, value.count)
            if length >= 0 { return Array(value[..<length]) }
            if errno == ERANGE { return [] }
        }
        return nil
    }
}
