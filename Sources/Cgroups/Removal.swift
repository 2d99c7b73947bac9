import CLinux
import Glibc
import Linux
import SystemPackage

/// A point in time after which waiting ends.
struct Deadline {
    private let end: UInt64

    init(milliseconds: UInt64) { end = Self.now + milliseconds * 1_000_000 }
    init(seconds: UInt64) { self.init(milliseconds: seconds * 1000) }

    var isOver: Bool { Self.now >= end }

    /// What is left, in milliseconds, for poll(2).
    var milliseconds: CInt {
        let now = Self.now
        return now < end ? CInt(clamping: (end - now) / 1_000_000 + 1) : 0
    }

    /// Nanoseconds of the clock that only goes forward.
    private static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Waits one millisecond, for what reports no event.
    func nap() { poll(nil, 0, 1) }
}

/// Processes that this one need not be the parent of.
enum Processes {
    /// Waits until all of `pids` have ended, or the deadline is over.
    static func waitForEnd(of pids: [pid_t], until deadline: Deadline) {
        for pid in pids.prefix(512) {  // few at a time: each takes a descriptor
            guard let process = try? ProcessHandle.open(pid) else { continue }  // `try?`: the caller looks again
            defer { process.pidfd.closeQuietly() }
            var entry = pollfd(fd: process.pidfd.rawValue, events: Int16(POLLIN), revents: 0)
            poll(&entry, 1, deadline.milliseconds)
        }
    }
}

/// How cgroups go away.
enum Removal {
    /// Removes the cgroup at `path` with those below it as soon as their processes have ended.
    ///
    /// - Throws: `Failure` naming the processes that outlive the deadline.
    static func remove(_ path: String, until deadline: Deadline, processes: () throws -> [pid_t]) throws {
        while true {
            do throws(SystemCallError) {
                return try CgroupDirectory.removeTree(path)
            } catch  where error.errno == .resourceBusy {
                let pids = try processes()
                if deadline.isOver { throw failure(path, pids) }
                Processes.waitForEnd(of: pids, until: deadline)
                // A process is off the list a moment before it lets go of its cgroup.
                deadline.nap()
            }
        }
    }

    static func failure(_ path: String, _ pids: [pid_t]) -> Failure {
        let few = pids.prefix(5).map { "\($0)" }.joined(separator: ", ")
        let reason =
            pids.isEmpty ? "still in use" : "process \(few)\(pids.count > 5 ? "…" : "") has not ended within 2 s"
        return Failure("remove cgroup", path, reason)
    }
}
