import Glibc
import Linux
import SystemPackage

/// A file that one thread writes while others read it, as far as it is there: the page cache is the buffer between them.
final class GrowingFile: @unchecked Sendable {
    let file: Held
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    // All below under the mutex.
    private var length: Int64
    private var end: Result<Void, Failure>?

    /// - Parameter isWhole: Whether nothing is added any more.
    init(_ file: Held, length: Int64, isWhole: Bool) {
        self.file = file
        self.length = length
        end = isWhole ? .success(()) : nil
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        pthread_cond_destroy(changed)
        mutex.deallocate()
        changed.deallocate()
    }

    /// Says that bytes up to `length` are there now; less than before if it begins anew.
    func grow(to length: Int64) {
        withLock { self.length = length }
    }

    /// Says that this is all, or that there will be no more; the first one counts.
    func finish(_ result: Result<Void, Failure>) {
        withLock { if end == nil { end = result } }
    }

    /// Reads what is there from `offset` on, and waits for it if nothing is there yet.
    ///
    /// - Returns: 0 at the end.
    /// - Throws: What the writer failed with.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(Failure) -> Int {
        let (available, end) = waitForBytes(beyond: offset)
        if case .failure(let failure)? = end { throw failure }
        let count = min(Int64(buffer.count), available - offset)
        guard count > 0 else { return 0 }
        return try attempt("read blob", "") { () throws(SystemCallError) in
            try file.descriptor.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(count)]), at: offset)
        }
    }

    private func waitForBytes(beyond offset: Int64) -> (Int64, Result<Void, Failure>?) {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while length <= offset, end == nil { pthread_cond_wait(changed, mutex) }
        return (length, end)
    }

    private func withLock(_ body: () -> Void) {
        pthread_mutex_lock(mutex)
        body()
        pthread_cond_broadcast(changed)
        pthread_mutex_unlock(mutex)
    }
}
