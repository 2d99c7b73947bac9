import CArchive
import Glibc
public import Linux
public import SystemPackage

/// Takes files out of a tar stream, plain or compressed, into the working directory.
///
/// The stream may be hostile: names with `..` and names that lead through a symlink are refused, absolute ones are taken
/// from the working directory.
public struct Extraction: ~Copyable {
    private let input: OpaquePointer
    private let disk: OpaquePointer
    private let keepsOwners: Bool

    /// - Parameter keepsOwners: Whether files get the archive's user and group IDs, rather than this process' own.
    public init(keepsOwners: Bool) {
        Archive.useUTF8()
        self.keepsOwners = keepsOwners
        input = archive_read_new()
        disk = archive_write_disk_new()
        archive_read_support_format_tar(input)
        archive_read_support_filter_gzip(input)
        archive_read_support_filter_bzip2(input)
        archive_read_support_filter_xz(input)
        archive_read_support_filter_zstd(input)
        let flags =
            ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_ACL | ARCHIVE_EXTRACT_XATTR
            | ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT
            | ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS
        archive_write_disk_set_options(disk, CInt(flags) | (keepsOwners ? CInt(ARCHIVE_EXTRACT_OWNER) : 0))
    }

    deinit {
        archive_read_free(input)
        archive_write_free(disk)
    }

    /// The first entry, by which its receiver decides where everything goes.
    public struct Head: Sendable {
        /// In bytes, as they are in the archive.
        public let name: [UInt8]
        /// Whether it is a directory, rather than a file of any other kind.
        public let isDirectory: Bool
    }

    /// Reads the archive from `stream` to its end.
    ///
    /// - Parameter place: Is given the first entry, goes where the files belong, and says what each name becomes.
    ///   It is not called for an empty stream.
    /// - Returns: The size of the archive in bytes, uncompressed.
    public func read(
        from stream: FileDescriptor, place: (Head) throws(Failure) -> NameChange
    ) throws(Failure) -> Int64 {
        // Block by block as they come: what is written slowly is not waited for.
        guard archive_read_open_fd(input, stream.rawValue, 1 << 16) == ARCHIVE_OK else {
            throw Archive.failure("read archive", "", input)
        }
        var names: NameChange?
        while true {
            var next: OpaquePointer?
            let result = archive_read_next_header(input, &next)
            if result == ARCHIVE_EOF { break }
            guard !Archive.isBad(result), let entry = next else { throw Archive.failure("read archive", "", input) }
            let name = Archive.bytes(archive_entry_pathname(entry))
            let isDirectory = archive_entry_filetype(entry) == APUS_AE_IFDIR
            if names == nil { names = try place(Head(name: name, isDirectory: isDirectory)) }
            if let names { try extract(entry, name, names) }
        }
        guard archive_write_close(disk) >= ARCHIVE_WARN else { throw Archive.failure("write", "", disk) }
        return archive_filter_bytes(input, 0)
    }

    private func extract(_ entry: OpaquePointer, _ name: [UInt8], _ names: NameChange) throws(Failure) {
        Archive.withCString(names.apply(name)) { archive_entry_set_pathname(entry, $0) }
        if let target = archive_entry_hardlink(entry) {
            Archive.withCString(names.apply(Archive.bytes(target))) { archive_entry_set_hardlink(entry, $0) }
        }
        let name = String(decoding: name, as: UTF8.self)
        Self.keepHarmlessAttributes(entry)
        if !keepsOwners {
            // So that bits such as setuid, which hold for the owner, are kept.
            archive_entry_set_uid(entry, Int64(geteuid()))
            archive_entry_set_gid(entry, Int64(getegid()))
        }
        try checked(archive_write_header(disk, entry), name)
        if archive_entry_size(entry) > 0 { try extractData(name) }
        try checked(archive_write_finish_entry(disk), name)
    }

    private func extractData(_ name: String) throws(Failure) {
        while true {
            var buffer: UnsafeRawPointer?
            var size = 0
            var offset: Int64 = 0
            let result = archive_read_data_block(input, &buffer, &size, &offset)
            if result == ARCHIVE_EOF { return }
            if Archive.isBad(result) { throw Archive.failure("read archive", name, input) }
            guard archive_write_data_block(disk, buffer, size, offset) >= ARCHIVE_WARN else {
                throw Archive.failure("write", name, disk)
            }
        }
    }

    /// A warning is about what was left out: attributes that a file system does not take are no loss that anybody was
    /// promised, owners are.
    private func checked(_ result: CInt, _ name: String) throws(Failure) {
        if Archive.isBad(result) { throw Archive.failure("write", name, disk) }
        let error = archive_errno(disk)
        if result == ARCHIVE_WARN, keepsOwners, error == EPERM || error == EINVAL {
            throw Archive.failure("write", name, disk)
        }
    }

    /// Only what belongs to the files themselves: other attributes are the marks of overlays and security modules.
    private static func keepHarmlessAttributes(_ entry: OpaquePointer) {
        var kept: [(name: String, value: [UInt8])] = []
        archive_entry_xattr_reset(entry)
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        while archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK {
            guard let name else { continue }
            let text = String(cString: name)
            let isHarmless = text.hasPrefix("user.") && !text.hasPrefix("user.overlay.")
            guard isHarmless || text == "security.capability" else { continue }
            kept.append((text, Array(UnsafeRawBufferPointer(start: value, count: size))))
        }
        archive_entry_xattr_clear(entry)
        for (name, value) in kept { archive_entry_xattr_add_entry(entry, name, value, value.count) }
    }
}

/// What an archive's first name becomes, and with it all names below it.
///
/// Names are bytes, as they are to the kernel: what is no UTF-8 stays what it is.
public struct NameChange: Sendable, Equatable {
    private let old: [UInt8]
    private let new: [UInt8]?

    /// Nothing changes but that no name is absolute.
    public static let none = NameChange(from: [], to: nil)

    /// - Parameter new: `nil` leaves names as they are.
    public init(from old: [UInt8], to new: String?) {
        self.old = Self.trimmed(old)
        self.new = new.map { Array($0.utf8) }
    }

    /// The name that `name` becomes.
    public func apply(_ name: [UInt8]) -> [UInt8] {
        let name = Self.trimmed(name)
        guard let new else { return name }
        if name == old { return new }
        let isBelow = name.starts(with: old) && name[old.count] == Self.slash
        return isBelow ? new + name[old.count...] : name
    }

    private static let slash = UInt8(ascii: "/")

    /// Without slashes at either end; what is nothing then is the directory itself.
    private static func trimmed(_ name: [UInt8]) -> [UInt8] {
        var text = name.drop { $0 == slash }
        while text.last == slash { text.removeLast() }
        return text.isEmpty ? [UInt8(ascii: ".")] : Array(text)
    }
}
