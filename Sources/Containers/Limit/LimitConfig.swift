public import Cgroups
public import Networks

/// What `apus limit` was asked for: a command of the machine itself, in place, under limits.
public struct LimitConfig: Sendable, Equatable {
    /// The program and its arguments.
    public var command: [String] = []
    /// What a cgroup holds. `memorySwap` is not used: see `swap`. A rate whose path is empty is for every disk.
    public var resources = ResourceLimits()
    /// Swap beside the memory, in bytes; as much as memory if `nil`.
    public var swap: Int64?
    /// What to do about limits that nothing here can hold.
    public var policy = LimitsPolicy.strict
    /// By the clock, in nanoseconds.
    public var timeout: Int64?
    /// Between asking to end at the timeout and killing, in nanoseconds.
    public var killAfter: Int64 = 10_000_000_000
    /// Of all its processes together, in nanoseconds.
    public var cpuTime: Int64?
    /// The most bytes that a file may grow to.
    public var fileSize: Int64?
    /// The most descriptors of one process.
    public var openFiles: Int64?
    /// The most bytes on standard output and standard error together.
    public var outputSize: Int64?
    /// -20 (most of the CPU) to 19.
    public var nice: Int32?
    public var ioPriority: IOPriority?
    public var isolation = Isolation()
    /// Whether what it started may go on when it has ended.
    public var lingers = false

    /// What the command does not share with its caller.
    public struct Isolation: Sendable, Equatable {
        public var noNetwork = false
        /// What it may send to; anything if `nil`.
        public var egress: [EgressRule]?
        public var readOnly = false
        /// Absolute.
        public var writable: [String] = []
        public var privateTemporary = false
        /// Absolute.
        public var hidden: [String] = []
        public var newPIDs = false
        /// Whether Landlock and a filter do it rather than namespaces.
        public var usesLandlock = false

        public init() {}

        /// Whether names are among what it may send to.
        private var pinsNames: Bool {
            egress?.contains { Subnet($0.host) == nil && IPAddress($0.host) == nil } ?? false
        }

        var isNone: Bool { self == Isolation() }
        var changesMounts: Bool { pinsNames || readOnly || privateTemporary || !hidden.isEmpty || newPIDs }
    }

    /// When its requests to disks are served among those of others.
    public struct IOPriority: Sendable, Equatable {
        /// As a Spec names it: `IOPRIO_CLASS_BE`.
        public var kind: String
        /// 0 (first) to 7.
        public var level: Int64

        public init(kind: String, level: Int64) {
            self.kind = kind
            self.level = level
        }
    }

    public init() {}
}
