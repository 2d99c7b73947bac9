import CLinux
import Glibc
public import Linux
import OCI
import SystemPackage

/// A blob on its way into the store: bytes are appended as they come, and what is there survives an interruption.
///
/// One process at a time has it (an exclusive lock on the partial file). One thread appends; a layer's unpacking may
/// follow in another.
public final class BlobIngest: @unchecked Sendable {
    public let descriptor: Descriptor
    /// Whether the blob is in the store already, so that nothing has to be appended; `finish` is due all the same.
    public let isComplete: Bool
    /// How many bytes are there, of an earlier attempt at first.
    public private(set) var offset: Int64
    /// Whether some of them are of an earlier attempt: if the digest is wrong in the end, they may be at fault.
    public private(set) var isResumed: Bool

    let growing: GrowingFile
    private let store: ImageStore
    private let name: String
    private var hasher: Digest.Hasher

    /// - Parameter file: Locked; the blob itself if it is in the store already.
    init(_ descriptor: Descriptor, in store: ImageStore, _ file: Held, isComplete: Bool) throws(Failure) {
        self.descriptor = descriptor
        self.store = store
        self.isComplete = isComplete
        name = Self.name(of: descriptor.digest)
        var hasher = Digest.Hasher(descriptor.digest.algorithm)
        let subject = "\(descriptor.digest)"
        offset = try attempt("resume blob", subject) { () throws(SystemCallError) in
            let size = Int64(try file.descriptor.status().st_size)
            guard !isComplete else { return size }
            // Longer than it should be: nothing in it can be trusted.
            if size > descriptor.size {
                try check("ftruncate", subject) { ftruncate(file.descriptor.rawValue, 0) }
                return 0
            }
            return try Self.hash(file.descriptor, size, into: &hasher)
        }
        self.hasher = hasher
        isResumed = !isComplete && offset > 0
        growing = GrowingFile(file, length: offset, isWhole: isComplete)
    }

    deinit {
        growing.finish(.failure(Failure("store blob", "\(descriptor.digest)", "interrupted")))
    }

    static func name(of digest: Digest) -> String { "ingest/\(digest.algorithm.rawValue)-\(digest.hex)" }

    /// Takes what is there of an earlier attempt into the digest.
    private static func hash(
        _ file: FileDescriptor, _ size: Int64, into hasher: inout Digest.Hasher
    ) throws(SystemCallError) -> Int64 {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
        defer { buffer.deallocate() }
        var offset: Int64 = 0
        while offset < size {
            let count = try file.read(into: buffer, at: offset)
            if count == 0 { break }
            hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += Int64(count)
        }
        return offset
    }

    /// Adds the bytes that come next.
    ///
    /// - Throws: When they are more than were announced, or cannot be written. Those that are there stay.
    public func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        guard !bytes.isEmpty else { return }
        guard offset + Int64(bytes.count) <= descriptor.size else {
            throw discard("has more than the \(descriptor.size) bytes that were announced")
        }
        try attempt("store blob", "\(descriptor.digest)") { () throws(SystemCallError) in
            try growing.file.descriptor.writeAll(bytes, at: offset)
        }
        hasher.update(bytes)
        offset += Int64(bytes.count)
        growing.grow(to: offset)
    }

    /// Forgets what is there, for a source that cannot go on from the middle. No layer may be unpacked from it yet.
    public func restart() throws(Failure) {
        guard offset > 0 else { return }
        try attempt("store blob", "\(descriptor.digest)") { () throws(SystemCallError) in
            try check("ftruncate", name) { ftruncate(growing.file.descriptor.rawValue, 0) }
        }
        growing.grow(to: 0)
        offset = 0
        isResumed = false
        hasher = Digest.Hasher(descriptor.digest.algorithm)
    }

    /// Tells those who follow that no more will come. What is there stays, for another attempt.
    public func fail(_ failure: Failure) { growing.finish(.failure(failure)) }

    /// Checks size and digest and puts the blob into the store.
    ///
    /// - Returns: The blob, kept from being removed for as long as the result lives.
    /// - Throws: When it is not what was announced; then all that came is thrown away.
    public func finish() throws(Failure) -> Held {
        if isComplete { return growing.file }
        guard offset == descriptor.size else {
            let failure = Failure(
                "store blob", "\(descriptor.digest)", "ended after \(offset) of \(descriptor.size) bytes")
            growing.finish(.failure(failure))
            throw failure
        }
        let digest = hasher.finish()
        guard digest == descriptor.digest else { throw discard("what came has the digest \(digest)") }
        do throws(SystemCallError) {
            try publish()
        } catch {
            let failure = Failure("store blob", "\(descriptor.digest)", error)
            growing.finish(.failure(failure))
            throw failure
        }
        growing.finish(.success(()))
        return growing.file
    }

    private func publish() throws(SystemCallError) {
        let path = ImageStore.path(of: descriptor.digest)
        let file = growing.file.descriptor
        try check("fchmod", name) { fchmod(file.rawValue, 0o644) }
        // What has a digest for its name is trusted to have it, also after a power cut.
        try check("fsync", name) { fsync(file.rawValue) }
        try check("rename", name) { renameat(store.directory.rawValue, name, store.directory.rawValue, path) }
        // Whoever waits for this blob waits for this.
        _ = try file.lock(exclusive: false, wait: true)
        // The kernel lets go of one lock before it takes the other: in between it may have been pruned.
        guard try store.isSame(file, path) else { throw SystemCallError("flock", "'\(path)'", .noSuchFileOrDirectory) }
    }

    private func discard(_ reason: String) -> Failure {
        unlinkat(store.directory.rawValue, name, 0)
        let failure = Failure("store blob", "\(descriptor.digest)", reason)
        growing.finish(.failure(failure))
        return failure
    }
}

extension ImageStore {
    /// Begins to store a blob, goes on with an earlier attempt, or finds it there.
    ///
    /// Waits while another process stores the same one. Whoever waits must not meanwhile have another one half stored that
    /// does not go on by itself: two processes could wait for each other.
    public func ingest(_ descriptor: Descriptor) throws(Failure) -> BlobIngest {
        guard let ingest = try ingest(descriptor, wait: true) else {
            throw Failure("store blob", "\(descriptor.digest)", "is being stored by another process")
        }
        return ingest
    }

    /// As `ingest(_:)`.
    ///
    /// - Returns: `nil` while another process stores it, unless `wait`.
    public func ingest(_ descriptor: Descriptor, wait: Bool) throws(Failure) -> BlobIngest? {
        while true {
            if let blob = try openIfThere(blob: descriptor.digest) {
                let size = try attempt("open blob", "\(descriptor.digest)") { () throws(SystemCallError) in
                    Int64(try blob.descriptor.status().st_size)
                }
                guard size == descriptor.size else {
                    throw Failure(
                        "store blob", "\(descriptor.digest)",
                        "has \(size) bytes, not the \(descriptor.size) that were announced")
                }
                return try BlobIngest(descriptor, in: self, blob, isComplete: true)
            }
            switch try attempt(
                "store blob", "\(descriptor.digest)",
                { () throws(SystemCallError) in try lockPartial(descriptor, wait) })
            {
            case .locked(let file): return try BlobIngest(descriptor, in: self, file, isComplete: false)
            case .busy: return nil
            case .changed: continue
            }
        }
    }

    private enum PartialLock {
        case locked(Held)
        case busy
        /// Another process had it, and has stored it or given up.
        case changed
    }

    private func lockPartial(_ descriptor: Descriptor, _ wait: Bool) throws(SystemCallError) -> PartialLock {
        let name = BlobIngest.name(of: descriptor.digest)
        let file = Held(try directory.open(name, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600))
        if try file.descriptor.lock(wait: false) {
            guard try isSame(file.descriptor, name) else { return .changed }
            guard has(blob: descriptor.digest) else { return .locked(file) }
            // Stored since the caller looked: this file is a new one that nobody needs.
            unlinkat(directory.rawValue, name, 0)
            return .changed
        }
        // A shared lock: who stores it holds one from then on, and would let no exclusive one pass until the end.
        guard try file.descriptor.lock(exclusive: false, wait: wait) else { return .busy }
        return .changed
    }
}
