import CLinux
import Glibc
import Linux
import SystemPackage

/// Waits for descriptors and deadlines, and calls whoever asked: the one loop of a supervisor, in its one thread.
///
/// - Note: poll(2).
final class EventLoop {
    private struct Watch {
        let descriptor: FileDescriptor
        let events: Int16
        let handler: (Int16) throws -> Void
    }

    private final class Timer {
        let id: Int
        let deadline: UInt64
        let handler: () throws -> Void
        var next: Timer?

        init(id: Int, deadline: UInt64, handler: @escaping () throws -> Void) {
            self.id = id
            self.deadline = deadline
            self.handler = handler
        }
    }

    // A handful: a search among them costs less than a dictionary's first use does, and a chain less than an array's.
    private var watches: [Watch] = []
    private var firstTimer: Timer?
    private var nextTimer = 0
    private var stopped = false

    /// Whether memory that waiting does not need is given back before the next wait.
    var trimsMemory = false

    /// Calls `handler` whenever `descriptor` is ready for `events`, or has an error or a hangup.
    func watch(_ descriptor: FileDescriptor, _ events: Int32 = POLLIN, _ handler: @escaping (Int16) throws -> Void) {
        let watch = Watch(descriptor: descriptor, events: Int16(events), handler: handler)
        if let index = watches.firstIndex(where: { $0.descriptor == descriptor }) {
            watches[index] = watch
        } else {
            watches.append(watch)
        }
    }

    /// Forgets a descriptor, which its owner may close then.
    func unwatch(_ descriptor: FileDescriptor) {
        watches.removeAll { $0.descriptor == descriptor }
    }

    /// Calls `handler` once, `delay` nanoseconds from now.
    ///
    /// - Returns: A number to cancel it by.
    @discardableResult
    func after(nanoseconds delay: UInt64, _ handler: @escaping () throws -> Void) -> Int {
        nextTimer += 1
        let timer = Timer(id: nextTimer, deadline: Clock.monotonic() + delay, handler: handler)
        insert(timer, in: &firstTimer)
        return nextTimer
    }

    /// The chain is in the order of its deadlines.
    private func insert(_ timer: Timer, in chain: inout Timer?) {
        if let first = chain, first.deadline <= timer.deadline { return insert(timer, in: &first.next) }
        timer.next = chain
        chain = timer
    }

    /// Forgets a timer; one that has run already is no error.
    func cancel(_ timer: Int) {
        remove(timer, from: &firstTimer)
    }

    private func remove(_ timer: Int, from chain: inout Timer?) {
        guard let first = chain else { return }
        if first.id == timer {
            chain = first.next
        } else {
            remove(timer, from: &first.next)
        }
    }

    /// Makes `run` return after the handler that calls this.
    func stop() {
        stopped = true
    }

    /// Serves descriptors and timers until a handler stops it.
    func run() throws {
        stopped = false
        while !stopped {
            try turn(timeout: -1)
        }
    }

    /// Serves what is ready now, and returns without waiting.
    ///
    /// - Returns: Whether anything was.
    func serveReady() throws -> Bool {
        try turn(timeout: 0)
    }

    @discardableResult
    private func turn(timeout: CInt) throws -> Bool {
        let wait = timeout == 0 ? 0 : millisecondsToNextTimer()
        let count = watches.count
        let ready = try withUnsafeTemporaryAllocation(of: pollfd.self, capacity: count) { entries in
            for (index, watch) in watches.enumerated() {
                entries.initializeElement(
                    at: index, to: pollfd(fd: watch.descriptor.rawValue, events: watch.events, revents: 0))
            }
            if trimsMemory {
                trimsMemory = false
                // Nothing comes between this and the wait: what is touched comes back with the pages around it.
                for run in MemoryTrim.untouchedPages() { madvise(run.iov_base, run.iov_len, CInt(MADV_DONTNEED)) }
            }
            let ready = poll(entries.baseAddress, nfds_t(count), wait)
            if ready < 0 && errno != EINTR { throw SystemCallError("poll", "", Errno(rawValue: errno)) }
            for entry in entries[..<count] where ready > 0 && entry.revents != 0 {
                // An earlier handler of this turn may have removed it.
                try watches.first { $0.descriptor.rawValue == entry.fd }?.handler(entry.revents)
            }
            return ready
        }
        try runDueTimers()
        return ready > 0
    }

    /// Those that are due now; a timer that one of them adds has its turn later.
    private func runDueTimers() throws {
        let now = Clock.monotonic()
        let last = nextTimer
        while let timer = firstTimer, timer.deadline <= now, timer.id <= last {
            firstTimer = timer.next
            try timer.handler()
        }
    }

    /// - Returns: Rounded up, so that a timer is due when poll returns; -1 for no timer.
    private func millisecondsToNextTimer() -> CInt {
        guard let next = firstTimer?.deadline else { return -1 }
        let now = Clock.monotonic()
        return next <= now ? 0 : CInt(clamping: (next - now + 999_999) / 1_000_000)
    }
}

/// The clocks that containers are timed by.
enum Clock {
    /// Nanoseconds since some point in the past; never goes back.
    static func monotonic() -> UInt64 { read(CLOCK_MONOTONIC) }

    /// Nanoseconds that this thread has been on a processor.
    static func thread() -> UInt64 { read(CLOCK_THREAD_CPUTIME_ID) }

    /// Nanoseconds since 1970, in UTC.
    static func wall() -> UInt64 { read(CLOCK_REALTIME) }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
