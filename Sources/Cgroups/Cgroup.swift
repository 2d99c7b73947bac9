public import Glibc
public import OCI
public import SystemPackage

/// The processes of one container as the kernel groups them: limited, counted, stopped and ended together.
///
/// - Note: Linux admin guide, "Control Group v2" and "Control Groups version 1".
public protocol Cgroup {
    /// What another process needs to find this cgroup again. `apply` may add to it: store it anew after that.
    var record: CgroupRecord { get }

    /// Its directories as the container sees them.
    var views: [CgroupShown] { get }

    /// The directory that stands for all of them; `nil` for one that is gone.
    var mainDirectory: CgroupDirectory? { get }

    /// The directory with the limit of processes; `nil` where there is none.
    var processDirectory: CgroupDirectory? { get }

    /// The cgroup v2 directory to clone into (`CLONE_INTO_CGROUP`), which the caller closes; `nil` on v1.
    ///
    /// Where a login session lies outside of the part of the tree that its user may write, this process is first
    /// moved beside the container, by the user's systemd.
    func cloneTarget() throws -> FileDescriptor?

    /// To be called when the container's first process is in the cgroup: what held it for systemd until then may go.
    func didStart()

    /// On v1 the `tasks` file of each hierarchy, opened for writing, which the caller closes; empty on v2.
    ///
    /// The new process, while it has one thread, writes `0` to each. Not `cgroup.procs`: moving a whole thread group
    /// waits for every processor (6 ms for the first one, measured), moving oneself does not (0.01 ms).
    func joinFiles() throws -> [FileDescriptor]

    /// Sets or changes limits; what `resources` does not name stays as it is.
    ///
    /// - Returns: What became of each limit that was asked.
    /// - Throws: `Failure` for the first limit that `policy` does not let pass.
    @discardableResult
    func apply(_ resources: Spec.Resources, policy: LimitsPolicy) throws -> [LimitRecord]

    /// What its processes use now and have used.
    func statistics() throws -> CgroupStatistics

    /// The processes in it and in the cgroups below it, as far as this PID namespace shows them.
    func processes() throws -> [pid_t]

    /// Stops every process in it, and returns when all are stopped (at most two seconds).
    func freeze() throws

    /// Lets stopped processes go on.
    func thaw() throws

    /// Sends SIGKILL to every process in it, also to those that fork meanwhile.
    func kill() throws

    /// Removes it and whatever was made below it, once its processes have ended (at most two seconds).
    ///
    /// - Throws: `Failure` when processes outlive that.
    func remove() throws

    /// How many of its processes the kernel has killed for want of memory; 0 where nothing counts them.
    func oomKills() throws -> UInt64

    /// A descriptor that becomes readable when memory runs out in it, which the caller closes.
    ///
    /// - Returns: `nil` where the kernel offers none.
    func oomNotifier() throws -> FileDescriptor?
}

extension Cgroup {
    public func didStart() {}

    /// Sets or changes limits, all of which must hold.
    @discardableResult
    public func apply(_ resources: Spec.Resources) throws -> [LimitRecord] {
        try apply(resources, policy: .strict)
    }
}

/// What to do about a limit that nothing on this machine can enforce.
public enum LimitsPolicy: String, JSONValue, Sendable, CaseIterable {
    /// Fail, and say what would help.
    case strict
    /// Go on, and record that it is not enforced.
    case bestEffort = "best-effort"
}

/// What holds a limit.
public enum LimitMechanism: String, JSONValue, Sendable {
    case v2
    case v1
    /// A cgroup v2 below one that systemd delegated.
    case systemd
    /// setrlimit(2), for each process by itself: `--ulimit`.
    case rlimit
    case none
}

/// What was asked of one limit and what came of it.
public struct LimitRecord: JSONMappable, Sendable, Equatable {
    /// The option's name: `memory`, `cpus`, `pids-limit`.
    public var limit: String
    /// The value for people: `256 MiB`.
    public var asked: String
    /// What holds it; `none` where nothing does.
    public var mechanism: LimitMechanism
    /// Whether it holds.
    public var enforced: Bool

    public init(limit: String, asked: String, mechanism: LimitMechanism, enforced: Bool) {
        self.limit = limit
        self.asked = asked
        self.mechanism = mechanism
        self.enforced = enforced
    }

    package init() { self.init(limit: "", asked: "", mechanism: .none, enforced: false) }

    package mutating func map(_ fields: JSONFields) {
        fields.required("limit", &limit)
        fields.required("asked", &asked)
        fields.required("mechanism", &mechanism)
        fields.required("enforced", &enforced)
    }
}

/// Where a cgroup lies, for another process to open it.
public struct CgroupRecord: JSONMappable, Sendable, Equatable {
    /// The generation of cgroups that it is in.
    public enum Kind: String, JSONValue, Sendable {
        case v1
        case v2
    }

    public var kind: Kind
    /// The container's id, which the directories are named after.
    public var id: String
    /// Absolute paths by v1 hierarchy (`memory`, `cpu,cpuacct`); on v2 the only one is under `unified`.
    public var directories: [String: String]
    /// The uppermost cgroup that Apus may change, on v2: the directory lies below it.
    public var base: String?
    /// The systemd unit that holds it.
    public var unit: String?
    /// What was asked to be above it, on v1, where a later limit may need a further directory.
    public var parent: String?

    public init(
        kind: Kind, id: String, directories: [String: String], base: String? = nil, unit: String? = nil,
        parent: String? = nil
    ) {
        self.kind = kind
        self.id = id
        self.directories = directories
        self.base = base
        self.unit = unit
        self.parent = parent
    }

    package init() { self.init(kind: .v2, id: "", directories: [:]) }

    package mutating func map(_ fields: JSONFields) {
        fields.required("kind", &kind)
        fields.required("id", &id)
        fields.required("directories", &directories)
        fields.optional("base", &base)
        fields.optional("unit", &unit)
        fields.optional("parent", &parent)
    }
}

/// A cgroup directory that a container sees below /sys/fs/cgroup.
public struct CgroupShown: Sendable {
    /// The hierarchy's name on v1 (`memory`); empty on v2, where it is /sys/fs/cgroup itself.
    public let name: String
    /// The absolute path outside.
    public let path: String

    public init(name: String, path: String) {
        self.name = name
        self.path = path
    }
}

/// What the processes of a cgroup use and have used. A part is `nil` where its controller is not at work.
public struct CgroupStatistics: Sendable, Equatable {
    /// Time on processors, since the cgroup was made.
    public struct CPU: Sendable, Equatable {
        /// Nanoseconds.
        public var usage: UInt64 = 0
        /// Nanoseconds in user mode.
        public var user: UInt64 = 0
        /// Nanoseconds in the kernel.
        public var system: UInt64 = 0
        /// Periods in which a CPU limit was in force.
        public var periods: UInt64 = 0
        /// Those in which the limit was reached.
        public var throttledPeriods: UInt64 = 0
        /// Nanoseconds spent waiting for the next period.
        public var throttledTime: UInt64 = 0
    }

    /// Memory, now.
    public struct Memory: Sendable, Equatable {
        /// Bytes, file cache included.
        public var usage: UInt64 = 0
        /// Bytes; `nil` for none.
        public var limit: UInt64?
        /// The most that `usage` has been; `nil` before Linux 5.19 on v2.
        public var peak: UInt64?
        /// Bytes in swap; `nil` without swap accounting.
        public var swap: UInt64?
        /// Bytes of file cache that the kernel would drop first (`inactive_file`).
        public var cache: UInt64 = 0
    }

    /// Processes and threads, now.
    public struct Pids: Sendable, Equatable {
        /// Processes and threads.
        public var current: UInt64 = 0
        /// `nil` for none.
        public var limit: UInt64?
    }

    /// Block input and output, on all devices, since the cgroup was made.
    public struct IO: Sendable, Equatable {
        /// Bytes read.
        public var readBytes: UInt64 = 0
        /// Bytes written.
        public var writeBytes: UInt64 = 0
        /// Requests to read.
        public var readOperations: UInt64 = 0
        /// Requests to write.
        public var writeOperations: UInt64 = 0
    }

    public var cpu: CPU?
    public var memory: Memory?
    public var pids: Pids?
    public var io: IO?

    public init(cpu: CPU? = nil, memory: Memory? = nil, pids: Pids? = nil, io: IO? = nil) {
        self.cpu = cpu
        self.memory = memory
        self.pids = pids
        self.io = io
    }
}
