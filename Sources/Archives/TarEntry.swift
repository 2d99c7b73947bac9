import CArchive
import Glibc

/// One file in an archive. Names are bytes, as they are to the kernel.
public struct TarEntry: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        case file
        case directory
        case symlink(target: [UInt8])
        /// Another name of a file that came before.
        case hardLink(target: [UInt8])
        case characterDevice(dev_t)
        case blockDevice(dev_t)
        case fifo
        /// Anything else, which has no place in an archive.
        case other
    }

    public var name: [UInt8]
    public var kind: Kind
    /// Permission bits, with setuid, setgid and sticky.
    public var mode: mode_t
    public var uid: Int64
    public var gid: Int64
    public var modified: timespec
    /// Of a file, in bytes, with its holes.
    public var size: Int64
    /// Extended attributes, by their full names.
    public var attributes: [Attribute]

    public struct Attribute: Sendable, Equatable {
        public var name: String
        public var value: [UInt8]

        public init(name: String, value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    public init(
        name: [UInt8], kind: Kind, mode: mode_t, uid: Int64, gid: Int64, modified: timespec, size: Int64 = 0,
        attributes: [Attribute] = []
    ) {
        self.name = name
        self.kind = kind
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.modified = modified
        self.size = size
        self.attributes = attributes
    }

    init(_ entry: OpaquePointer) {
        name = Archive.bytes(archive_entry_pathname(entry))
        mode = mode_t(archive_entry_perm(entry)) & 0o7777
        uid = archive_entry_uid(entry)
        gid = archive_entry_gid(entry)
        modified = timespec(tv_sec: archive_entry_mtime(entry), tv_nsec: archive_entry_mtime_nsec(entry))
        size = archive_entry_size(entry)
        kind = Self.kind(entry)
        attributes = Self.attributes(entry)
    }

    private static func kind(_ entry: OpaquePointer) -> Kind {
        if let target = archive_entry_hardlink(entry) { return .hardLink(target: Archive.bytes(target)) }
        return switch mode_t(archive_entry_filetype(entry)) {
        case S_IFREG: .file
        case S_IFDIR: .directory
        case S_IFLNK: .symlink(target: Archive.bytes(archive_entry_symlink(entry)))
        case S_IFCHR: .characterDevice(archive_entry_rdev(entry))
        case S_IFBLK: .blockDevice(archive_entry_rdev(entry))
        case S_IFIFO: .fifo
        default: .other
        }
    }

    private static func attributes(_ entry: OpaquePointer) -> [Attribute] {
        guard archive_entry_xattr_reset(entry) > 0 else { return [] }
        var result: [Attribute] = []
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        while archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK {
            guard let name else { continue }
            let bytes = Array(UnsafeRawBufferPointer(start: value, count: size))
            // The same one may be there twice, in two spellings of two programs.
            let text = String(cString: name)
            result.removeAll { $0.name == text }
            result.append(Attribute(name: text, value: bytes))
        }
        return result
    }

    public static func == (one: TarEntry, other: TarEntry) -> Bool {
        one.name == other.name && one.kind == other.kind && one.mode == other.mode && one.uid == other.uid
            && one.gid == other.gid && one.modified.tv_sec == other.modified.tv_sec
            && one.modified.tv_nsec == other.modified.tv_nsec && one.size == other.size
            && one.attributes == other.attributes
    }
}
