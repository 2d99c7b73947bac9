import CLinux
import Glibc
import SystemPackage

/// What a process and those of its children that it has waited for have used, as the kernel tells whoever reaps it.
///
/// - Note: getrusage(2).
public struct ResourceUsage: Sendable, Equatable {
    /// In nanoseconds.
    public var userTime: UInt64 = 0
    /// In nanoseconds.
    public var systemTime: UInt64 = 0
    /// The largest resident set of any one of them, in bytes.
    public var largestResidentSet: UInt64 = 0
    /// Page faults that wanted no input.
    public var minorFaults: UInt64 = 0
    /// Page faults that had to wait for a disk.
    public var majorFaults: UInt64 = 0
    /// In blocks of 512 bytes.
    public var blocksRead: UInt64 = 0
    /// In blocks of 512 bytes.
    public var blocksWritten: UInt64 = 0
    /// Switches to another process because this one waited.
    public var voluntarySwitches: UInt64 = 0
    /// Switches to another process although this one could have gone on.
    public var involuntarySwitches: UInt64 = 0

    public init() {}

    init(_ usage: rusage) {
        userTime = Self.nanoseconds(usage.ru_utime)
        systemTime = Self.nanoseconds(usage.ru_stime)
        largestResidentSet = UInt64(clamping: usage.ru_maxrss) << 10
        minorFaults = UInt64(clamping: usage.ru_minflt)
        majorFaults = UInt64(clamping: usage.ru_majflt)
        blocksRead = UInt64(clamping: usage.ru_inblock)
        blocksWritten = UInt64(clamping: usage.ru_oublock)
        voluntarySwitches = UInt64(clamping: usage.ru_nvcsw)
        involuntarySwitches = UInt64(clamping: usage.ru_nivcsw)
    }

    private static func nanoseconds(_ time: timeval) -> UInt64 {
        UInt64(clamping: time.tv_sec) * 1_000_000_000 + UInt64(clamping: time.tv_usec) * 1000
    }

    /// Adds what another process has used.
    public mutating func add(_ other: ResourceUsage) {
        userTime += other.userTime
        systemTime += other.systemTime
        largestResidentSet = max(largestResidentSet, other.largestResidentSet)
        minorFaults += other.minorFaults
        majorFaults += other.majorFaults
        blocksRead += other.blocksRead
        blocksWritten += other.blocksWritten
        voluntarySwitches += other.voluntarySwitches
        involuntarySwitches += other.involuntarySwitches
    }
}

extension ProcessHandle {
    /// Reaps this child, which has ended or is waited for.
    ///
    /// - Returns: How it ended, and what it has used.
    /// - Note: wait4(2).
    public func reapWithUsage() throws(SystemCallError) -> (status: ExitStatus, usage: ResourceUsage) {
        var status: CInt = 0
        var usage = rusage()
        try check("wait4", "\(pid)") { wait4(pid, &status, 0, &usage) }
        return (ExitStatus(waitStatus: status), ResourceUsage(usage))
    }
}

extension CurrentProcess {
    /// Makes this process the parent of those below it whose parent ends.
    ///
    /// - Note: prctl(2), `PR_SET_CHILD_SUBREAPER`.
    public static func adoptOrphans() throws(SystemCallError) {
        try check("prctl", "PR_SET_CHILD_SUBREAPER") { apus_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }
    }

    /// Reaps the children that have ended, but for one.
    ///
    /// - Parameter kept: Who is left for another to reap.
    /// - Returns: What those who were reaped have used; whether children are left, `kept` included.
    public static func reapOrphans(but kept: pid_t?) throws(SystemCallError) -> (usage: ResourceUsage, more: Bool) {
        var total = ResourceUsage()
        while true {
            var info = siginfo_t()
            do throws(SystemCallError) {
                try check("waitid") { waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) }
            } catch  where error.errno == .noChildProcess {
                return (total, false)
            }
            let pid = apus_siginfo_pid(&info)
            if pid == 0 || pid == kept { return (total, true) }
            var status: CInt = 0
            var usage = rusage()
            try check("wait4", "\(pid)") { wait4(pid, &status, 0, &usage) }
            total.add(ResourceUsage(usage))
        }
    }
}
