public import OCI

extension UsageReport {
    /// One limit: what was asked, what held it, and what came of it.
    public struct Limit: JSONMappable, Sendable, Equatable {
        /// The option's name without dashes: `memory`, `cpus`, `pids`, `timeout`.
        public var name: String
        /// The value for people: `512 MiB`, `1.5`, `10m`.
        public var asked: String
        /// The same as a number of `unit`s; `nil` for what is none, such as a set of processors.
        public var value: Int64?
        public var unit: Unit?
        /// What held it; `nil` if nothing did.
        public var mechanism: Mechanism?
        /// Whether it held.
        public var enforced: Bool
        /// Why it did not, or what it does not hold.
        public var note: String?
        /// The highest that was seen of what it limits, in `unit`s.
        public var peak: UInt64?
        /// Whether it was reached, which need not have ended the command; `nil` if nobody can tell.
        public var hit: Bool?

        public init(
            name: String, asked: String, value: Int64? = nil, unit: Unit? = nil, mechanism: Mechanism? = nil,
            enforced: Bool = false
        ) {
            self.name = name
            self.asked = asked
            self.value = value
            self.unit = unit
            self.mechanism = mechanism
            self.enforced = enforced
        }

        package init() { self.init(name: "", asked: "") }

        package mutating func map(_ fields: JSONFields) {
            fields.required("name", &name)
            fields.required("asked", &asked)
            fields.optional("value", &value)
            fields.optional("unit", &unit)
            fields.optional("mechanism", &mechanism)
            fields.required("enforced", &enforced)
            fields.optional("note", &note)
            fields.optional("peak", &peak)
            fields.optional("hit", &hit)
        }
    }

    /// What a limit's value and peak are numbers of.
    public enum Unit: String, JSONValue, Sendable, CaseIterable {
        case bytes
        case nanoseconds
        /// Processes and threads.
        case processes
        /// Open files.
        case files
        /// Thousandths of a processor: 1500 is one and a half.
        case millicpus
        case bytesPerSecond = "bytes-per-second"
        case operationsPerSecond = "operations-per-second"
        /// No more than an order: a nice value, a weight.
        case level
    }

    /// What holds a limit, or what a figure comes from. Later versions may know others.
    public struct Mechanism: RawRepresentable, JSONValue, Sendable, Hashable {
        public let rawValue: String

        public init(rawValue: String) { self.rawValue = rawValue }

        public static let cgroupV2 = Mechanism(rawValue: "cgroup-v2")
        public static let cgroupV1 = Mechanism(rawValue: "cgroup-v1")
        /// A cgroup v2 below one that systemd delegated.
        public static let systemd = Mechanism(rawValue: "systemd")
        /// setrlimit(2), for each process by itself.
        public static let rlimit = Mechanism(rawValue: "rlimit")
        /// getrusage(2), of processes that have ended.
        public static let rusage = Mechanism(rawValue: "rusage")
        /// Apus looks from time to time.
        public static let sampling = Mechanism(rawValue: "sampling")
        public static let timer = Mechanism(rawValue: "timer")
        /// Apus passes the output on, and counts.
        public static let pipe = Mechanism(rawValue: "pipe")
        /// setpriority(2), ioprio_set(2), sched_setaffinity(2).
        public static let scheduler = Mechanism(rawValue: "scheduler")
        public static let namespace = Mechanism(rawValue: "namespace")
        public static let landlock = Mechanism(rawValue: "landlock")
        public static let seccomp = Mechanism(rawValue: "seccomp")
    }
}
