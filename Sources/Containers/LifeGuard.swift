import CLinux
import Cgroups
import Glibc
import Linux
import SystemPackage

/// A process that kills a container when the foreground `apus run` that supervises it is killed.
///
/// Init asks the kernel for that itself (`PR_SET_PDEATHSIG`), but an init that changes its user, as the entrypoints of
/// many images do, loses it. Short runs end before one is made.
///
/// - Note: prctl(2), `PR_SET_PDEATHSIG`: "cleared … when the credentials change".
struct LifeGuard {
    private let process: ProcessHandle
    /// The end of a pipe that only the supervisor holds: when it is gone, however it went, the other end says so.
    private let life: FileDescriptor

    /// What a supervisor leaves behind when it is killed, where what init has started outlives init.
    enum Estate {
        case cgroup(CgroupRecord)
        /// Processes that are known by a variable of their environment.
        case family(FamilyMark)

        func end() {
            switch self {
            case .cgroup(let record):
                // `try?`: nobody can be told; whoever makes the next one tries again
                guard let left = try? Cgroups.open(record) else { return }
                try? left.kill()  // `try?`: as above
                try? left.remove()  // `try?`: as above
            case .family(let mark): mark.killAll()
            }
        }
    }

    /// The guard's own number.
    var pid: pid_t { process.pid }

    /// How long a container runs without one, in nanoseconds.
    static let delay: UInt64 = 100_000_000

    /// Starts watching over `initProcess`.
    ///
    /// - Parameters:
    ///   - initProcess: `nil` before there is one, where the estate tells all.
    ///   - estate: What ends and goes with the supervisor, too; `nil` where init takes all along.
    init(over initProcess: ProcessHandle?, estate: Estate? = nil) throws(SystemCallError) {
        let (read, write) = try FileDescriptor.makePipe()
        do throws(SystemCallError) {
            guard let process = try Clone.clone() else { Self.watch(initProcess, estate, supervisor: read) }
            self.process = process
        } catch {
            for end in [read, write] { end.closeQuietly() }
            throw error
        }
        read.closeQuietly()
        life = write
    }

    /// - Returns: `nil` where a limit of processes, of a cgroup above or a user, leaves no room for one: what is to be
    ///   watched over runs, and need not end for that.
    static func ifThereIsRoom(
        over initProcess: ProcessHandle, estate: Estate? = nil
    ) throws(SystemCallError) -> LifeGuard? {
        do throws(SystemCallError) {
            return try LifeGuard(over: initProcess, estate: estate)
        } catch {
            guard error.errno == .resourceTemporarilyUnavailable else { throw error }
            return nil
        }
    }

    /// Ends it, after the container has ended.
    func dismiss() throws(SystemCallError) {
        try process.send(SIGKILL)
        _ = try process.reap()
        process.pidfd.closeQuietly()
        life.closeQuietly()
    }

    /// In the new process: waits for the end of either, and touches nothing else.
    private static func watch(
        _ initProcess: ProcessHandle?, _ estate: Estate?, supervisor: FileDescriptor
    ) -> Never {
        let watched = [supervisor] + (initProcess.map { [$0.pidfd] } ?? [])
        var next: UInt32 = 0
        for kept in watched.map({ UInt32($0.rawValue) }).sorted() {
            if kept > next { _ = apus_close_range(next, kept - 1, 0) }
            next = kept + 1
        }
        _ = apus_close_range(next, UInt32.max, 0)
        setsid()
        var entries = watched.map { pollfd(fd: $0.rawValue, events: Int16(POLLIN), revents: 0) }
        while poll(&entries, nfds_t(entries.count), -1) < 0 {}
        if let initProcess, entries[1].revents == 0 { _ = apus_pidfd_send_signal(initProcess.pidfd.rawValue, SIGKILL) }
        if let estate { end(estate, supervisor) }
        CurrentProcess.exitNow(0)
    }

    /// Without a PID namespace what init has started outlives it: that ends with the supervisor alone, who otherwise ends
    /// this process before it does the same.
    private static func end(_ estate: Estate, _ supervisor: FileDescriptor) {
        var entry = pollfd(fd: supervisor.rawValue, events: Int16(POLLIN), revents: 0)
        while poll(&entry, 1, -1) < 0 {}
        estate.end()
    }
}
