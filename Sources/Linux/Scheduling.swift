import CLinux
import Glibc
import SystemPackage

/// When this process runs among others.
///
/// - Note: sched_setattr(2), `struct sched_attr`.
public struct SchedulingAttributes: Sendable, Hashable {
    /// `SCHED_*` of linux/sched.h.
    public var policy: UInt32
    /// `SCHED_FLAG_*` of linux/sched.h.
    public var flags: UInt64
    /// -20 (most of the CPU) to 19.
    public var nice: Int32
    /// 1 to 99 for the real-time policies, else 0.
    public var priority: UInt32
    /// In nanoseconds; for the deadline policy alone, as the next two.
    public var runtime: UInt64
    public var deadline: UInt64
    public var period: UInt64

    public init(
        policy: UInt32, flags: UInt64 = 0, nice: Int32 = 0, priority: UInt32 = 0, runtime: UInt64 = 0,
        deadline: UInt64 = 0, period: UInt64 = 0
    ) {
        self.policy = policy
        self.flags = flags
        self.nice = nice
        self.priority = priority
        self.runtime = runtime
        self.deadline = deadline
        self.period = period
    }
}

extension CurrentProcess {
    /// Changes the scheduling policy of this process; what it forks has it too.
    ///
    /// - Throws: `EPERM` for a better one than it has, without CAP_SYS_NICE, and for a real-time policy in a cgroup
    ///   without real-time budget; `EINVAL` for values that do not belong together; `EBUSY` when the deadlines of all
    ///   processes cannot be met.
    /// - Note: sched_setattr(2).
    public static func schedule(_ wanted: SchedulingAttributes) throws(SystemCallError) {
        var attributes = apus_sched_attr()
        attributes.size = UInt32(MemoryLayout<apus_sched_attr>.size)
        attributes.policy = wanted.policy
        attributes.flags = wanted.flags
        attributes.nice = wanted.nice
        attributes.priority = wanted.priority
        attributes.runtime = wanted.runtime
        attributes.deadline = wanted.deadline
        attributes.period = wanted.period
        try check("sched_setattr") { apus_sched_setattr(&attributes) }
    }

    /// Changes the priority of this process for block input and output; what it forks has it too.
    ///
    /// - Parameters:
    ///   - kind: `IOPRIO_CLASS_*` of linux/ioprio.h.
    ///   - level: 0 (highest) to 7 within the class.
    /// - Throws: `EPERM` for the real-time class without CAP_SYS_NICE and CAP_SYS_ADMIN.
    /// - Note: ioprio_set(2).
    public static func setIOPriority(kind: Int32, level: Int32) throws(SystemCallError) {
        try check("ioprio_set") { apus_ioprio_set(CInt(IOPRIO_WHO_PROCESS), 0, kind << 13 | level) }
    }

    /// Keeps this process on these CPUs; what it forks stays on them too.
    ///
    /// - Throws: `EINVAL` when none of them is one that it may run on.
    /// - Note: sched_setaffinity(2).
    public static func setAffinity(_ processors: NumberList) throws(SystemCallError) {
        try check("sched_setaffinity") {
            apus_sched_setaffinity(processors.words, processors.words.count * MemoryLayout<UInt>.size)
        }
    }

    /// Says which memory nodes this process' memory comes from; what it forks and executes has the same policy.
    ///
    /// - Parameters:
    ///   - mode: `MPOL_*` of linux/mempolicy.h, its flags included.
    ///   - nodes: `nil` for a mode that wants none.
    /// - Throws: `EINVAL` for nodes that this machine or the process' cpuset does not have.
    /// - Note: set_mempolicy(2).
    public static func setMemoryPolicy(_ mode: Int32, nodes: NumberList?) throws(SystemCallError) {
        // The kernel takes the count for one more than it is.
        try check("set_mempolicy") { apus_set_mempolicy(mode, nodes?.words, UInt(nodes.map { $0.bitCount + 1 } ?? 0)) }
    }
}
