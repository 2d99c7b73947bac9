public import Cgroups
import Glibc
public import Linux
public import Networks
public import OCI

/// What is recorded of one container, apart from what its user asked for.
public struct ContainerState: JSONMappable, Sendable {
    /// The format of this record; another one is refused rather than guessed.
    private var schemaVersion = ContainerState.currentSchema
    /// The only format that this version reads and writes.
    static let currentSchema = 2

    /// 64 hexadecimal digits.
    public private(set) var id: String
    public var name: String
    public private(set) var created: Timestamp
    /// What its root is made from, as the user wrote it: `@host`, a directory.
    public private(set) var image: String
    /// The program and its arguments.
    public private(set) var command: [String]
    public private(set) var labels: [String: String]
    /// Whether it is removed when it ends (`--rm`).
    public var autoRemove: Bool
    public var status: Status
    /// Where it is among the cgroups while it runs.
    public var cgroup: CgroupRecord?
    /// How it was connected when it was started last; `nil` without a network of its own.
    public var network: NetworkState?
    /// What became of each limit.
    public var limits: [LimitRecord]
    /// How often its restart policy has started it again.
    public var restarts: Int
    /// Whether its user stopped it, which `--restart unless-stopped` heeds.
    public var stoppedByUser: Bool
    /// `nil` without a health check.
    public var health: Health?

    public init(
        id: String, name: String, created: Timestamp, image: String, command: [String], labels: [String: String],
        autoRemove: Bool
    ) {
        self.id = id
        self.name = name
        self.created = created
        self.image = image
        self.command = command
        self.labels = labels
        self.autoRemove = autoRemove
        self.status = .created
        self.limits = []
        self.restarts = 0
        self.stoppedByUser = false
    }

    package init() {
        self.init(
            id: "", name: "", created: .init(nanoseconds: 0), image: "", command: [], labels: [:], autoRemove: false)
    }

    package mutating func map(_ fields: JSONFields) {
        fields.required("schemaVersion", &schemaVersion)
        fields.check("schemaVersion", schemaVersion == Self.currentSchema, expected: "\(Self.currentSchema)")
        fields.required("id", &id)
        fields.required("name", &name)
        fields.required("created", &created)
        fields.required("image", &image)
        fields.required("command", &command)
        fields.required("labels", &labels)
        fields.required("autoRemove", &autoRemove)
        fields.required("status", &status)
        fields.optional("cgroup", &cgroup)
        fields.optional("network", &network)
        fields.required("limits", &limits)
        fields.required("restarts", &restarts)
        fields.check("restarts", 0...Int(Int32.max) ~= restarts, expected: "a number from 0 on")
        fields.required("stoppedByUser", &stoppedByUser)
        fields.optional("health", &health)
    }

    /// Where a container is in its life. Each case carries what exists in it.
    public enum Status: JSONChoice, Sendable {
        case created
        case running(RunningProcess)
        case exited(Ending)

        package init() { self = .created }

        package mutating func map(_ choices: JSONChoices) {
            if choices.word("created", isCreated) { self = .created }
            if let running = choices.value("running", running) { self = .running(running) }
            if let ending = choices.value("exited", ending) { self = .exited(ending) }
        }

        private var isCreated: Bool {
            if case .created = self { true } else { false }
        }

        private var running: RunningProcess? {
            if case .running(let running) = self { running } else { nil }
        }

        private var ending: Ending? {
            if case .exited(let ending) = self { ending } else { nil }
        }
    }

    /// A running container's init.
    public struct RunningProcess: JSONMappable, Sendable {
        /// In the PID namespace of the supervisor.
        public private(set) var pid: Int32
        /// In clock ticks since boot: with it, the number cannot be mistaken for another process.
        public private(set) var startTime: UInt64
        /// The boot that both belong to.
        public private(set) var bootID: String
        public private(set) var startedAt: Timestamp
        /// Whether its cgroup is frozen.
        public var paused: Bool
        /// The supervisor's process ID.
        public private(set) var supervisor: Int32
        /// The filter that it has, and that each further command gets.
        public private(set) var seccomp: SeccompChoice

        public init(
            pid: Int32, startTime: UInt64, bootID: String, startedAt: Timestamp, supervisor: Int32,
            seccomp: SeccompChoice
        ) {
            self.pid = pid
            self.startTime = startTime
            self.bootID = bootID
            self.startedAt = startedAt
            self.paused = false
            self.supervisor = supervisor
            self.seccomp = seccomp
        }

        package init() {
            self.init(
                pid: 0, startTime: 0, bootID: "", startedAt: .init(nanoseconds: 0), supervisor: 0, seccomp: .standard)
        }

        package mutating func map(_ fields: JSONFields) {
            fields.required("pid", &pid)
            fields.check("pid", pid > 0, expected: "a process ID")
            fields.required("startTime", &startTime)
            fields.required("bootID", &bootID)
            fields.required("startedAt", &startedAt)
            fields.required("paused", &paused)
            fields.required("supervisor", &supervisor)
            fields.check("supervisor", supervisor > 0, expected: "a process ID")
            fields.required("seccomp", &seccomp)
        }

        /// Takes hold of the process, if it is still that one.
        public func open() throws(SystemCallError) -> ProcessHandle? {
            guard bootID == Boot.id else { return nil }
            return try ProcessHandle.open(pid, startTime: startTime)
        }
    }

    /// How a container ended.
    public struct Ending: JSONMappable, Sendable {
        /// As Docker has them: 124, 125, 126, 127, 128 and a signal, or the command's own.
        public var exitCode: Int32
        /// Whether the kernel killed one of its processes for want of memory.
        public var oomKilled: Bool
        /// `nil` for a command that never ran.
        public var startedAt: Timestamp?
        public var finishedAt: Timestamp
        /// Why Apus could not run it, or what became of it.
        public var error: String

        public init(
            exitCode: Int32, oomKilled: Bool = false, startedAt: Timestamp?, finishedAt: Timestamp = .now,
            error: String = ""
        ) {
            self.exitCode = exitCode
            self.oomKilled = oomKilled
            self.startedAt = startedAt
            self.finishedAt = finishedAt
            self.error = error
        }

        package init() { self.init(exitCode: 0, startedAt: nil, finishedAt: .init(nanoseconds: 0)) }

        package mutating func map(_ fields: JSONFields) {
            fields.required("exitCode", &exitCode)
            fields.check("exitCode", 0...255 ~= exitCode, expected: "0 to 255")
            fields.required("oomKilled", &oomKilled)
            fields.optional("startedAt", &startedAt)
            fields.required("finishedAt", &finishedAt)
            fields.required("error", &error)
        }
    }

    /// What the health command says.
    public struct Health: JSONMappable, Sendable {
        /// The verdict; `starting` until the first success, or too many failures.
        public enum Status: String, JSONValue, Sendable { case starting, healthy, unhealthy }
        public var status: Status
        /// Failures since the last success.
        public var failingStreak: Int
        /// The newest results, oldest first; at most five.
        public var log: [Probe]

        /// One run of the health command.
        public struct Probe: JSONMappable, Sendable {
            public var start: Timestamp
            public var end: Timestamp
            public var exitCode: Int32
            public var output: String

            public init(start: Timestamp, end: Timestamp, exitCode: Int32, output: String) {
                self.start = start
                self.end = end
                self.exitCode = exitCode
                self.output = output
            }

            package init() {
                self.init(start: .init(nanoseconds: 0), end: .init(nanoseconds: 0), exitCode: 0, output: "")
            }

            package mutating func map(_ fields: JSONFields) {
                fields.required("start", &start)
                fields.required("end", &end)
                fields.required("exitCode", &exitCode)
                fields.required("output", &output)
            }
        }

        public init() {
            status = .starting
            failingStreak = 0
            log = []
        }

        package mutating func map(_ fields: JSONFields) {
            fields.required("status", &status)
            fields.required("failingStreak", &failingStreak)
            fields.check("failingStreak", 0...Int(Int32.max) ~= failingStreak, expected: "a number from 0 on")
            fields.required("log", &log)
        }
    }
}
