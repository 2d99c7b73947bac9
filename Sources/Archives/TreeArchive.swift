import CArchive
import Glibc
public import Linux
public import SystemPackage

/// Writes files as a tar stream: in pax format, with links, holes, attributes, access lists and exact times.
public struct TreeArchive: ~Copyable {
    private let disk: OpaquePointer
    private let output: OpaquePointer
    private let links: OpaquePointer
    private let file: String
    private let name: String

    /// - Parameters:
    ///   - file: A name in the working directory, or `.` for what is in it. A symlink is archived itself.
    ///   - name: What it is called in the archive.
    public init(of file: String, as name: String) {
        Archive.useUTF8()
        self.file = file
        self.name = name
        disk = archive_read_disk_new()
        output = archive_write_new()
        links = archive_entry_linkresolver_new()
    }

    deinit {
        archive_read_free(disk)
        archive_write_free(output)
        archive_entry_linkresolver_free(links)
    }

    /// Writes the archive to `stream`.
    ///
    /// - Throws: For the first file that cannot be read. Sockets are left out: nothing can be in an archive of them.
    public func write(to stream: FileDescriptor) throws(Failure) {
        archive_write_set_format_pax(output)
        // As a stream, not as on a tape: the last block is not filled up.
        archive_write_set_bytes_in_last_block(output, 1)
        guard archive_write_open_fd(output, stream.rawValue) == ARCHIVE_OK else {
            throw Archive.failure("write archive", name, output)
        }
        archive_entry_linkresolver_set_strategy(links, archive_format(output))
        archive_read_disk_set_symlink_physical(disk)
        archive_read_disk_set_behavior(disk, CInt(ARCHIVE_READDISK_NO_FFLAGS))
        guard archive_read_disk_open(disk, file) == ARCHIVE_OK else { throw Archive.failure("read", file, disk) }
        while try writeNext() {}
        guard archive_write_close(output) == ARCHIVE_OK else { throw Archive.failure("write archive", name, output) }
    }

    private func writeNext() throws(Failure) -> Bool {
        guard let entry = archive_entry_new() else { throw Failure("read", file, Errno.noMemory.reason) }
        defer { archive_entry_free(entry) }
        let result = archive_read_next_header2(disk, entry)
        if result == ARCHIVE_EOF { return false }
        let bytes = Archive.bytes(archive_entry_pathname(entry))
        let path = String(decoding: bytes, as: UTF8.self)
        if Archive.isBad(result) { throw Archive.failure("read", path, disk) }
        archive_read_disk_descend(disk)
        if archive_entry_filetype(entry) == APUS_AE_IFSOCK { return true }
        Archive.withCString(Array(name.utf8) + bytes.dropFirst(file.utf8.count)) {
            archive_entry_set_pathname(entry, $0)
        }
        // Users and groups go by number: the other side has other names.
        archive_entry_set_uname(entry, nil)
        archive_entry_set_gname(entry, nil)
        try write(entry, path)
        return true
    }

    private func write(_ entry: OpaquePointer, _ path: String) throws(Failure) {
        var first: OpaquePointer? = entry
        var deferred: OpaquePointer?
        archive_entry_linkify(links, &first, &deferred)
        // In tar each link after the first is a reference, and nothing is ever held back.
        guard let first else { return }
        if Archive.isBad(archive_write_header(output, first)) { throw Archive.failure("archive", path, output) }
        if archive_entry_size(first) > 0 { try writeData(path) }
        if Archive.isBad(archive_write_finish_entry(output)) { throw Archive.failure("archive", path, output) }
    }

    private func writeData(_ path: String) throws(Failure) {
        var written: Int64 = 0
        while true {
            var buffer: UnsafeRawPointer?
            var size = 0
            var offset: Int64 = 0
            let result = archive_read_data_block(disk, &buffer, &size, &offset)
            if result == ARCHIVE_EOF { return }
            if Archive.isBad(result) { throw Archive.failure("read", path, disk) }
            try writeZeros(offset - written, path)
            let count = archive_write_data(output, buffer, size)
            if count < 0 { throw Archive.failure("archive", path, output) }
            written = offset + Int64(size)
        }
    }

    /// The library wants the holes too, and leaves them out of the archive by itself.
    private func writeZeros(_ count: Int64, _ path: String) throws(Failure) {
        var rest = count
        while rest > 0 {
            let size = min(rest, Int64(Self.zeros.count))
            let written = Self.zeros.withUnsafeBytes { archive_write_data(output, $0.baseAddress, Int(size)) }
            if written < 0 { throw Archive.failure("archive", path, output) }
            if written == 0 { return }  // the file became longer meanwhile
            rest -= Int64(written)
        }
    }

    private static let zeros = [UInt8](repeating: 0, count: 1 << 16)
}
