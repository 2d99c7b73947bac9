import Glibc
import Linux

/// A piece of work in a thread of its own.
final class Worker: @unchecked Sendable {
    private var thread = pthread_t()
    private let body: () throws(Failure) -> Void
    /// Of the thread until it was waited for.
    private var result: Result<Void, Failure> = .success(())
    private var isRunning: Bool

    init(_ body: @escaping @Sendable () throws(Failure) -> Void) throws(Failure) {
        self.body = body
        isRunning = true
        let context = Unmanaged.passRetained(self).toOpaque()
        let error = pthread_create(
            &thread, nil,
            { context in
                Unmanaged<Worker>.fromOpaque(context!).takeRetainedValue().run()
                return nil
            }, context)
        guard error == 0 else {
            isRunning = false
            Unmanaged<Worker>.fromOpaque(context).release()
            throw Failure("start", "thread", String(cString: strerror(error)))
        }
    }

    private func run() {
        do throws(Failure) {
            try body()
        } catch {
            result = .failure(error)
        }
    }

    /// Waits for its end.
    ///
    /// - Throws: What the work threw.
    func finish() throws(Failure) {
        if isRunning { pthread_join(thread, nil) }
        isRunning = false
        try result.get()
    }
}

/// Lets a number of threads at a time do something.
final class Slots: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init(_ count: UInt32) { sem_init(semaphore, 0, count) }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func use<Result>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        while sem_wait(semaphore) != 0 {}
        defer { sem_post(semaphore) }
        return try body()
    }
}
