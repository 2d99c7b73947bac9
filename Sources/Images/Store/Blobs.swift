import CLinux
import Glibc
public import Linux
import OCI
import SystemPackage

extension ImageStore {
    /// Whether a blob is there; it may go at any time, unless it is held.
    public func has(blob digest: Digest) -> Bool { directory.has(Self.path(of: digest)) }

    /// Opens a blob and keeps it from being removed for as long as the result lives.
    ///
    /// - Returns: `nil` if there is none.
    public func openIfThere(blob digest: Digest) throws(Failure) -> Held? {
        let path = Self.path(of: digest)
        do throws(SystemCallError) {
            while true {
                let file = Held(try directory.open(path, O_RDONLY | O_NOFOLLOW))
                _ = try file.descriptor.lock(exclusive: false, wait: true)
                if try isSame(file.descriptor, path) { return file }
            }
        } catch  where error.errno == .noSuchFileOrDirectory {
            return nil
        } catch {
            throw Failure("open blob", "\(digest)", error)
        }
    }

    /// As `openIfThere(blob:)`.
    ///
    /// - Throws: Also when there is none.
    public func open(blob digest: Digest) throws(Failure) -> Held {
        guard let file = try openIfThere(blob: digest) else {
            throw Failure("open blob", "\(digest)", "is not in the store", remedy: "pull the image again")
        }
        return file
    }

    /// The content of a small blob, whose digest is checked.
    ///
    /// - Parameter limit: In bytes.
    public func contents(of digest: Digest, limit: Int) throws(Failure) -> [UInt8] {
        let file = try open(blob: digest)
        let bytes = try attempt("read blob", "\(digest)") { () throws(SystemCallError) in
            try file.descriptor.readAll(limit: limit)
        }
        var hasher = Digest.Hasher(digest.algorithm)
        bytes.withUnsafeBytes { hasher.update($0) }
        guard hasher.finish() == digest else {
            throw Failure(
                "read blob", "\(digest)", "its content is damaged", remedy: "remove the image and pull it again")
        }
        return bytes
    }

    /// Stores bytes that are at hand, and keeps them from being removed for as long as the result lives.
    @discardableResult
    public func add(_ bytes: [UInt8], as mediaType: MediaType) throws(Failure) -> (Descriptor, Held) {
        let descriptor = Descriptor(mediaType: mediaType, digest: .of(bytes), size: Int64(bytes.count))
        let ingest = try ingest(descriptor)
        if !ingest.isComplete {
            try ingest.restart()
            try bytes.withUnsafeBufferPointer { (buffer) throws(Failure) in
                try ingest.append(UnsafeRawBufferPointer(buffer))
            }
        }
        return (descriptor, try ingest.finish())
    }
}

/// Content that is written before its digest is known.
public final class BlobWriter {
    private let store: ImageStore
    private let name: String
    private let file: Held
    private var hasher = Digest.Hasher()
    /// In bytes, so far.
    public private(set) var size: Int64 = 0
    private var isStored = false

    init(in store: ImageStore) throws(Failure) {
        self.store = store
        (name, file) = try attempt("make blob", "") { () throws(SystemCallError) in
            try store.makeTemporary("blob", isDirectory: false)
        }
    }

    deinit {
        if !isStored { unlinkat(store.directory.rawValue, name, 0) }
    }

    public func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        hasher.update(bytes)
        try attempt("write blob", "") { () throws(SystemCallError) in try file.descriptor.writeAll(bytes, at: size) }
        size += Int64(bytes.count)
    }

    /// Puts it among the blobs; one that is there already stays as it is.
    ///
    /// - Returns: What it is, kept from being removed for as long as the second lives.
    public func finish(as mediaType: MediaType) throws(Failure) -> (Descriptor, Held) {
        let descriptor = Descriptor(mediaType: mediaType, digest: hasher.finish(), size: size)
        if let held = try store.openIfThere(blob: descriptor.digest) { return (descriptor, held) }
        try attempt("store blob", "\(descriptor.digest)") { () throws(SystemCallError) in
            try check("fsync", "'\(name)'") { fsync(file.descriptor.rawValue) }
            try check("rename", "'\(name)'") {
                renameat(
                    store.directory.rawValue, name, store.directory.rawValue, ImageStore.path(of: descriptor.digest))
            }
        }
        isStored = true
        return (descriptor, file)
    }
}

extension ImageStore {
    /// Begins content whose digest is not known yet.
    public func newBlob() throws(Failure) -> BlobWriter { try BlobWriter(in: self) }
}

extension FileDescriptor {
    /// Writes all of `bytes` at `offset`.
    func writeAll(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(SystemCallError) {
        var written = 0
        while written < bytes.count {
            let count = Glibc.pwrite(
                rawValue, bytes.baseAddress! + written, bytes.count - written, off_t(offset) + written)
            if count < 0 {
                let error = Errno(rawValue: errno)
                if error == .interrupted { continue }
                throw SystemCallError("pwrite", "fd \(rawValue)", error)
            }
            written += count
        }
    }

    /// Reads at `offset` what is there, at most the size of `buffer`.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(SystemCallError) -> Int {
        while true {
            let count = Glibc.pread(rawValue, buffer.baseAddress, buffer.count, off_t(offset))
            if count >= 0 { return count }
            let error = Errno(rawValue: errno)
            if error != .interrupted { throw SystemCallError("pread", "fd \(rawValue)", error) }
        }
    }
}
