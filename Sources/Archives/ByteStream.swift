import CArchive
import Glibc
public import Linux

/// Where an archive's bytes come from: fills the buffer as far as it can, and gives 0 at the end.
public typealias ByteSource = (UnsafeMutableRawBufferPointer) throws(Failure) -> Int

/// Bytes of a stream, decompressed if it is compressed by gzip, zstd, bzip2 or xz: their first bytes tell.
///
/// What is read is valid until the next call.
public final class Decompression {
    private let archive: OpaquePointer
    private var input: Input
    private var isAtEnd = false

    /// How many bytes have been taken from the source.
    public var consumed: Int64 { input.count }

    public init(of source: @escaping ByteSource) throws(Failure) {
        archive = archive_read_new()
        input = Input(source)
        archive_read_support_format_raw(archive)
        archive_read_support_format_empty(archive)
        archive_read_support_filter_gzip(archive)
        archive_read_support_filter_zstd(archive)
        archive_read_support_filter_bzip2(archive)
        archive_read_support_filter_xz(archive)
        var entry: OpaquePointer?
        guard input.open(archive) == ARCHIVE_OK else { throw failure() }
        let result = archive_read_next_header(archive, &entry)
        isAtEnd = result == ARCHIVE_EOF
        if !isAtEnd, Archive.isBad(result) { throw failure() }
    }

    deinit { archive_read_free(archive) }

    /// - Returns: `nil` at the end.
    public func next() throws(Failure) -> UnsafeRawBufferPointer? {
        guard !isAtEnd else { return nil }
        var buffer: UnsafeRawPointer?
        var size = 0
        var offset: Int64 = 0
        let result = archive_read_data_block(archive, &buffer, &size, &offset)
        if result == ARCHIVE_EOF {
            isAtEnd = true
            return nil
        }
        guard !Archive.isBad(result), input.failure == nil else { throw failure() }
        return UnsafeRawBufferPointer(start: buffer, count: size)
    }

    private func failure() -> Failure { input.failure ?? Archive.failure("decompress", "", archive) }
}

/// Hands a `ByteSource` to libarchive.
private final class Input {
    private let source: ByteSource
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 4096)
    private(set) var count: Int64 = 0
    /// What the source failed with: libarchive knows only that it did.
    private(set) var failure: Failure?

    init(_ source: @escaping ByteSource) { self.source = source }

    deinit { buffer.deallocate() }

    func open(_ archive: OpaquePointer) -> CInt {
        archive_read_open(
            archive, Unmanaged.passUnretained(self).toOpaque(), nil,
            { _, context, start in
                Unmanaged<Input>.fromOpaque(context!).takeUnretainedValue().read(start!)
            }, nil)
    }

    private func read(_ start: UnsafeMutablePointer<UnsafeRawPointer?>) -> Int {
        do throws(Failure) {
            let count = try source(buffer)
            self.count += Int64(count)
            start.pointee = UnsafeRawPointer(buffer.baseAddress)
            return count
        } catch {
            failure = error
            return Int(ARCHIVE_FATAL)
        }
    }
}

/// The entries of a tar stream that is not compressed, one after the other.
public final class TarReader {
    private let archive: OpaquePointer
    private let source: () throws(Failure) -> UnsafeRawBufferPointer?
    private var sourceFailure: Failure?

    /// - Parameter source: Gives the bytes piece by piece, each valid until it is called again; `nil` at the end.
    public init(_ source: @escaping () throws(Failure) -> UnsafeRawBufferPointer?) throws(Failure) {
        Archive.useUTF8()
        self.source = source
        archive = archive_read_new()
        archive_read_support_format_tar(archive)
        archive_read_support_format_empty(archive)
        let result = archive_read_open(
            archive, Unmanaged.passUnretained(self).toOpaque(), nil,
            { _, context, start in
                Unmanaged<TarReader>.fromOpaque(context!).takeUnretainedValue().read(start!)
            }, nil)
        guard result == ARCHIVE_OK else { throw failure("") }
    }

    deinit { archive_read_free(archive) }

    private func read(_ start: UnsafeMutablePointer<UnsafeRawPointer?>) -> Int {
        do throws(Failure) {
            // An empty piece would be the end to libarchive.
            var piece = try source()
            while let some = piece, some.isEmpty { piece = try source() }
            start.pointee = piece?.baseAddress
            return piece?.count ?? 0
        } catch {
            sourceFailure = error
            return Int(ARCHIVE_FATAL)
        }
    }

    /// - Returns: `nil` at the end of the archive, after which the stream may go on.
    public func next() throws(Failure) -> TarEntry? {
        var entry: OpaquePointer?
        let result = archive_read_next_header(archive, &entry)
        if result == ARCHIVE_EOF, sourceFailure == nil { return nil }
        guard sourceFailure == nil, !Archive.isBad(result), let entry else { throw failure("") }
        return TarEntry(entry)
    }

    /// The next piece of the current entry's data, and where in the file it belongs: between pieces there are holes.
    ///
    /// - Returns: `nil` at the end of the entry.
    public func nextBlock() throws(Failure) -> (bytes: UnsafeRawBufferPointer, offset: Int64)? {
        var buffer: UnsafeRawPointer?
        var size = 0
        var offset: Int64 = 0
        let result = archive_read_data_block(archive, &buffer, &size, &offset)
        if result == ARCHIVE_EOF, sourceFailure == nil { return nil }
        guard sourceFailure == nil, !Archive.isBad(result) else { throw failure("") }
        return (UnsafeRawBufferPointer(start: buffer, count: size), offset)
    }

    private func failure(_ subject: String) -> Failure {
        sourceFailure ?? Archive.failure("read archive", subject, archive)
    }
}
