public import Cgroups
import Glibc
public import Linux

/// What is recorded of one container, apart from what its user asked for.
public struct ContainerState: Sendable, Codable {
    /// The format of this record; another one is refused rather than guessed.
    public var schemaVersion = ContainerState.currentSchema
    /// The only format that this version reads and writes.
    public static let currentSchema = 1

    /// 64 hexadecimal digits.
    public let id: String
    public var name: String
    public let created: Timestamp
    /// What its root is made from, as the user wrote it: `@host`, a directory.
    public let image: String
    /// The program and its arguments.
    public let command: [String]
    public let labels: [String: String]
    /// Whether it is removed when it ends (`--rm`).
    public var autoRemove: Bool
    public var status: Status
    /// Where it is among the cgroups while it runs.
    public var cgroup: CgroupRecord?
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

    /// Where a container is in its life. Each case carries what exists in it.
    public enum Status: Sendable, Codable {
        case created
        case running(RunningProcess)
        case exited(Ending)
    }

    /// A running container's init.
    public struct RunningProcess: Sendable, Codable {
        /// In the PID namespace of the supervisor.
        public let pid: Int32
        /// In clock ticks since boot: with it, the number cannot be mistaken for another process.
        public let startTime: UInt64
        /// The boot that both belong to.
        public let bootID: String
        public let startedAt: Timestamp
        /// Whether its cgroup is frozen.
        public var paused: Bool
        /// The supervisor's process ID.
        public let supervisor: Int32

        public init(pid: Int32, startTime: UInt64, bootID: String, startedAt: Timestamp, supervisor: Int32) {
            self.pid = pid
            self.startTime = startTime
            self.bootID = bootID
            self.startedAt = startedAt
            self.paused = false
            self.supervisor = supervisor
        }

        /// Takes hold of the process, if it is still that one.
        public func open() throws(SystemCallError) -> ProcessHandle? {
            guard bootID == Boot.id else { return nil }
            return try ProcessHandle.open(pid, startTime: startTime)
        }
    }

    /// How a container ended.
    public struct Ending: Sendable, Codable {
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
    }

    /// What the health command says.
    public struct Health: Sendable, Codable {
        /// The verdict; `starting` until the first success, or too many failures.
        public enum Status: String, Sendable, Codable { case starting, healthy, unhealthy }
        public var status: Status
        /// Failures since the last success.
        public var failingStreak: Int
        /// The newest results, oldest first; at most five.
        public var log: [Probe]

        /// One run of the health command.
        public struct Probe: Sendable, Codable {
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
        }

        public init() {
            status = .starting
            failingStreak = 0
            log = []
        }
    }
}
