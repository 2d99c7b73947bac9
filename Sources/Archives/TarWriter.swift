import CArchive
import Glibc
public import Linux
public import SystemPackage

/// Where an archive's bytes go.
public typealias ByteSink = (UnsafeRawBufferPointer) throws(Failure) -> Void

/// Hands what libarchive writes to a `ByteSink`.
private final class Output {
    private let sink: ByteSink
    /// What the sink failed with: libarchive knows only that it did.
    private(set) var failure: Failure?

    init(_ sink: @escaping ByteSink) { self.sink = sink }

    func open(_ archive: OpaquePointer) -> CInt {
        archive_write_set_bytes_per_block(archive, 1 << 16)
        // As a stream, not as on a tape: the last block is not filled up.
        archive_write_set_bytes_in_last_block(archive, 1)
        return archive_write_open(
            archive, Unmanaged.passUnretained(self).toOpaque(), nil,
            { _, context, bytes, count in
                Unmanaged<Output>.fromOpaque(context!).takeUnretainedValue().write(bytes, count)
            }, nil)
    }

    private func write(_ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
        do throws(Failure) {
            try sink(UnsafeRawBufferPointer(start: bytes, count: count))
            return count
        } catch {
            failure = error
            return Int(ARCHIVE_FATAL)
        }
    }
}

/// Compresses a stream; the same bytes always become the same.
public final class Compression {
    public enum Kind: Sendable, Equatable {
        case none
        case gzip
        case zstd
    }

    private let archive: OpaquePointer
    private let output: Output
    private let kind: Kind
    private let sink: ByteSink

    public init(_ kind: Kind, to sink: @escaping ByteSink) throws(Failure) {
        self.kind = kind
        self.sink = sink
        archive = archive_write_new()
        output = Output(sink)
        guard kind != .none else { return }
        archive_write_set_format_raw(archive)
        if kind == .gzip {
            archive_write_add_filter_gzip(archive)
            archive_write_set_options(archive, "gzip:!timestamp")
        } else {
            archive_write_add_filter_zstd(archive)
        }
        guard output.open(archive) == ARCHIVE_OK, let entry = archive_entry_new() else { throw failure() }
        defer { archive_entry_free(entry) }
        TarEntry.setType(S_IFREG, of: entry)
        guard archive_write_header(archive, entry) == ARCHIVE_OK else { throw failure() }
    }

    deinit { archive_write_free(archive) }

    public func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        guard kind != .none else { return try sink(bytes) }
        var rest = bytes
        while !rest.isEmpty {
            let count = archive_write_data(archive, rest.baseAddress, rest.count)
            guard count > 0 else { throw failure() }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Writes what is left.
    public func finish() throws(Failure) {
        guard kind == .none || archive_write_close(archive) == ARCHIVE_OK else { throw failure() }
    }

    private func failure() -> Failure { output.failure ?? Archive.failure("compress", "", archive) }
}

/// Writes a tar stream in pax format, entry by entry; the same entries always become the same bytes.
public final class TarWriter {
    private let archive: OpaquePointer
    private let output: Output

    public init(to sink: @escaping ByteSink) throws(Failure) {
        Archive.useUTF8()
        archive = archive_write_new()
        output = Output(sink)
        archive_write_set_format_pax(archive)
        // In one spelling, which all tools read, rather than in two.
        archive_write_set_options(archive, "pax:xattrheader=SCHILY")
        guard output.open(archive) == ARCHIVE_OK else { throw failure("") }
    }

    deinit { archive_write_free(archive) }

    /// Adds an entry without data, or with the data that is at hand.
    public func add(_ entry: TarEntry, data: [UInt8] = []) throws(Failure) {
        var entry = entry
        entry.size = Int64(data.count)
        try addHeader(entry)
        try data.withUnsafeBufferPointer { (bytes) throws(Failure) in
            try write(UnsafeRawBufferPointer(bytes), entry)
        }
        try finishEntry(entry)
    }

    /// Adds a file whose data is read from its beginning.
    ///
    /// - Throws: Also when the file is shorter than `entry.size`.
    public func add(_ entry: TarEntry, dataOf file: FileDescriptor) throws(Failure) {
        try addHeader(entry)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 4096)
        defer { buffer.deallocate() }
        var written: Int64 = 0
        while written < entry.size {
            let count = Glibc.pread(
                file.rawValue, buffer.baseAddress, Int(min(Int64(buffer.count), entry.size - written)), off_t(written))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let reason = count < 0 ? Errno(rawValue: errno).reason : "it became shorter meanwhile"
                throw Failure("read", Self.text(entry), reason)
            }
            try write(UnsafeRawBufferPointer(rebasing: buffer[..<count]), entry)
            written += Int64(count)
        }
        try finishEntry(entry)
    }

    /// Writes what says that this is all.
    public func finish() throws(Failure) {
        guard archive_write_close(archive) == ARCHIVE_OK else { throw failure("") }
    }

    // MARK: Parts

    private func addHeader(_ entry: TarEntry) throws(Failure) {
        guard let header = archive_entry_new() else { throw Failure("archive", "", Errno.noMemory.reason) }
        defer { archive_entry_free(header) }
        entry.fill(header)
        if Archive.isBad(archive_write_header(archive, header)) { throw failure(Self.text(entry)) }
    }

    private func write(_ bytes: UnsafeRawBufferPointer, _ entry: TarEntry) throws(Failure) {
        var rest = bytes
        while !rest.isEmpty {
            let count = archive_write_data(archive, rest.baseAddress, rest.count)
            guard count >= 0 else { throw failure(Self.text(entry)) }
            if count == 0 { return }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    private func finishEntry(_ entry: TarEntry) throws(Failure) {
        if Archive.isBad(archive_write_finish_entry(archive)) { throw failure(Self.text(entry)) }
    }

    private func failure(_ subject: String) -> Failure {
        output.failure ?? Archive.failure("archive", subject, archive)
    }

    private static func text(_ entry: TarEntry) -> String { String(decoding: entry.name, as: UTF8.self) }
}

extension TarEntry {
    fileprivate static func setType(_ type: mode_t, of header: OpaquePointer) {
        archive_entry_set_filetype(header, UInt32(type))
    }

    fileprivate func fill(_ header: OpaquePointer) {
        Archive.withCString(name) { archive_entry_set_pathname(header, $0) }
        archive_entry_set_perm(header, mode)
        archive_entry_set_uid(header, uid)
        archive_entry_set_gid(header, gid)
        archive_entry_set_mtime(header, modified.tv_sec, modified.tv_nsec)
        archive_entry_set_size(header, size)
        switch kind {
        case .file, .other: Self.setType(S_IFREG, of: header)
        case .directory: Self.setType(S_IFDIR, of: header)
        case .fifo: Self.setType(S_IFIFO, of: header)
        case .symlink(let target):
            Self.setType(S_IFLNK, of: header)
            Archive.withCString(target) { archive_entry_set_symlink(header, $0) }
        case .hardLink(let target):
            Self.setType(S_IFREG, of: header)
            Archive.withCString(target) { archive_entry_set_hardlink(header, $0) }
        case .characterDevice(let device):
            Self.setType(S_IFCHR, of: header)
            archive_entry_set_rdev(header, device)
        case .blockDevice(let device):
            Self.setType(S_IFBLK, of: header)
            archive_entry_set_rdev(header, device)
        }
        for attribute in attributes {
            archive_entry_xattr_add_entry(header, attribute.name, attribute.value, attribute.value.count)
        }
    }
}
