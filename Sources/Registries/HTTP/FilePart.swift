import Glibc
import Linux
import NIOCore
import SystemPackage

/// A part of a file that is sent as it is read, a piece at a time.
struct FilePart: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    /// Open for reading, until the last piece was sent.
    let file: SystemPackage.FileDescriptor
    /// In bytes from the file's beginning.
    let start: Int64
    /// In bytes.
    let count: Int64
    /// Told how many bytes have been read so far.
    let progress: @Sendable (Int64) -> Void

    func makeAsyncIterator() -> Iterator { Iterator(part: self) }

    /// All of it, for what is small.
    func bytes() async throws(RequestFailure) -> [UInt8] {
        var bytes: [UInt8] = []
        do {
            for try await piece in self { bytes += piece.readableBytesView }
        } catch let failure as RequestFailure {
            throw failure
        } catch {
            throw RequestFailure("\(error)")
        }
        return bytes
    }

    struct Iterator: AsyncIteratorProtocol {
        /// In bytes; as much as fits a socket's buffer.
        private static let pieceSize: Int64 = 256 << 10

        let part: FilePart
        private var sent: Int64 = 0

        init(part: FilePart) { self.part = part }

        mutating func next() async throws -> ByteBuffer? {
            let wanted = Int(Swift.min(Self.pieceSize, part.count - sent))
            guard wanted > 0 else { return nil }
            var buffer = ByteBufferAllocator().buffer(capacity: wanted)
            let offset = part.start + sent
            let read = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: wanted) { space in
                Int(
                    try check("pread") {
                        CInt(pread(part.file.rawValue, space.baseAddress, wanted, off_t(offset)))
                    })
            }
            guard read > 0 else { throw RequestFailure("the file became shorter while it was sent") }
            sent += Int64(read)
            part.progress(sent)
            return buffer
        }
    }
}
