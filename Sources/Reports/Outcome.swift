public import OCI

extension UsageReport {
    /// How the command ended.
    public struct Outcome: JSONMappable, Sendable, Equatable {
        public var reason: Reason
        /// What the command itself exited with; `nil` when it was killed or never ran.
        public var exitCode: Int32?
        /// The number of the signal that ended it.
        public var signal: Int32?
        /// What Apus exited with.
        public var status: Int32
        /// The name of the limit that cut it, as in `limits`; `nil` if none did.
        public var limit: String?
        /// The verdict, as it stood on standard error, without `apus: `: `memory limit of 512 MiB hit: killed pid 71 …`.
        public var message: String?
        /// The process that a limit killed first.
        public var killed: KilledProcess?

        public init(reason: Reason = .exited, status: Int32 = 0) {
            self.reason = reason
            self.status = status
        }

        package init() { self.init(reason: .exited) }

        package mutating func map(_ fields: JSONFields) {
            fields.required("reason", &reason)
            fields.optional("exitCode", &exitCode)
            fields.optional("signal", &signal)
            fields.required("status", &status)
            fields.optional("limit", &limit)
            fields.optional("message", &message)
            fields.optional("killed", &killed)
        }

        /// Whether the command ran to its own end and found all well.
        public var isSuccess: Bool { reason == .exited && exitCode == 0 }

        /// Whether a limit of Apus' ended it.
        public var isCut: Bool {
            switch reason {
            case .oom, .timeout, .cpuTime, .disk, .output: true
            case .exited, .signal, .setup, .exec: limit != nil
            }
        }
    }

    /// Why the command ended.
    public enum Reason: String, JSONValue, Sendable, CaseIterable {
        /// By itself, well or not.
        case exited
        /// By a signal that no limit of Apus' sent.
        case signal
        /// The memory limit, or the machine, ran out of memory.
        case oom
        /// `--timeout` was over.
        case timeout
        /// `--cpu-time` was used up.
        case cpuTime = "cpu-time"
        /// It wrote more than it may to the disk: `--file-size`.
        case disk
        /// It printed more than `--output-size`.
        case output
        /// It never ran: what Apus had to prepare failed.
        case setup
        /// It never ran: it is not there, or cannot be executed.
        case exec
    }

    /// A process that a limit has killed.
    public struct KilledProcess: JSONMappable, Sendable, Equatable {
        /// As the machine sees it.
        public var pid: Int32?
        /// Its command name, of at most 15 bytes, as the kernel has it.
        public var name: String?

        public init(pid: Int32? = nil, name: String? = nil) {
            self.pid = pid
            self.name = name
        }

        package init() { self.init(pid: nil) }

        package mutating func map(_ fields: JSONFields) {
            fields.optional("pid", &pid)
            fields.optional("name", &name)
        }
    }
}
