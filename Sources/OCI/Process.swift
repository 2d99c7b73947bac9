extension Spec {
    /// The process that a container runs.
    ///
    /// - Note: config.md, "Process".
    public struct Process: JSONMappable, Sendable, Equatable {
        /// Whether it has a pseudo-terminal.
        public var terminal: Bool?
        /// The terminal's size at the start.
        public var consoleSize: ConsoleSize?
        /// The user that it runs as; root where `config.json` names none.
        public var user: User
        /// What execve(2) gets; the first is found through `PATH`.
        public var args: [String]?
        /// `NAME=value` each.
        public var env: [String]?
        /// The working directory, absolute in the container.
        public var cwd: String
        public var capabilities: Capabilities?
        public var rlimits: [Rlimit]?
        /// Keeps setuid files and file capabilities from giving more rights.
        public var noNewPrivileges: Bool?
        public var apparmorProfile: String?
        /// -1000 (never killed) to 1000 (first).
        public var oomScoreAdj: Int64?
        public var scheduler: Scheduler?
        public var selinuxLabel: String?
        public var ioPriority: IOPriority?
        /// For processes that join a running container.
        public var execCPUAffinity: CPUAffinity?

        public init(
            terminal: Bool? = nil, consoleSize: ConsoleSize? = nil, user: User = User(uid: 0), args: [String]? = nil,
            env: [String]? = nil, cwd: String = "/", capabilities: Capabilities? = nil, rlimits: [Rlimit]? = nil,
            noNewPrivileges: Bool? = nil, apparmorProfile: String? = nil, oomScoreAdj: Int64? = nil,
            scheduler: Scheduler? = nil, selinuxLabel: String? = nil, ioPriority: IOPriority? = nil,
            execCPUAffinity: CPUAffinity? = nil
        ) {
            self.terminal = terminal
            self.consoleSize = consoleSize
            self.user = user
            self.args = args
            self.env = env
            self.cwd = cwd
            self.capabilities = capabilities
            self.rlimits = rlimits
            self.noNewPrivileges = noNewPrivileges
            self.apparmorProfile = apparmorProfile
            self.oomScoreAdj = oomScoreAdj
            self.scheduler = scheduler
            self.selinuxLabel = selinuxLabel
            self.ioPriority = ioPriority
            self.execCPUAffinity = execCPUAffinity
        }

        package init() { self.init(args: nil) }

        package mutating func map(_ fields: JSONFields) {
            fields.optional("terminal", &terminal)
            fields.optional("consoleSize", &consoleSize)
            fields.defaulted("user", &user)
            fields.optional("args", &args)
            fields.optional("env", &env)
            fields.required("cwd", &cwd)
            fields.optional("capabilities", &capabilities)
            fields.optional("rlimits", &rlimits)
            fields.optional("noNewPrivileges", &noNewPrivileges)
            fields.optional("apparmorProfile", &apparmorProfile)
            fields.optional("oomScoreAdj", &oomScoreAdj)
            fields.optional("scheduler", &scheduler)
            fields.optional("selinuxLabel", &selinuxLabel)
            fields.optional("ioPriority", &ioPriority)
            fields.optional("execCPUAffinity", &execCPUAffinity)
        }
    }

    /// A terminal's size in characters.
    public struct ConsoleSize: JSONMappable, Sendable, Equatable {
        public var height: UInt64
        public var width: UInt64

        public init(height: UInt64, width: UInt64) {
            self.height = height
            self.width = width
        }

        package init() { self.init(height: 0, width: 0) }

        package mutating func map(_ fields: JSONFields) {
            fields.required("height", &height)
            fields.required("width", &width)
        }
    }

    /// Who a process runs as, in ids of the container.
    public struct User: JSONMappable, Sendable, Equatable {
        public var uid: UInt32
        public var gid: UInt32
        /// File mode creation mask, 0 to 0o777.
        public var umask: UInt32?
        public var additionalGids: [UInt32]?
        /// A name to look up inside the container's root.
        public var username: String?

        public init(
            uid: UInt32 = 0, gid: UInt32 = 0, umask: UInt32? = nil, additionalGids: [UInt32]? = nil,
            username: String? = nil
        ) {
            self.uid = uid
            self.gid = gid
            self.umask = umask
            self.additionalGids = additionalGids
            self.username = username
        }

        package init() { self.init(uid: 0) }

        package mutating func map(_ fields: JSONFields) {
            fields.defaulted("uid", &uid)
            fields.defaulted("gid", &gid)
            fields.optional("umask", &umask)
            fields.optional("additionalGids", &additionalGids)
            fields.optional("username", &username)
        }
    }

    /// Capability sets, by names such as `CAP_CHOWN`.
    ///
    /// - Note: capabilities(7), "Thread capability sets".
    public struct Capabilities: JSONMappable, Sendable, Equatable {
        public var bounding: [String]?
        public var effective: [String]?
        public var inheritable: [String]?
        public var permitted: [String]?
        public var ambient: [String]?

        public init(
            bounding: [String]? = nil, effective: [String]? = nil, inheritable: [String]? = nil,
            permitted: [String]? = nil, ambient: [String]? = nil
        ) {
            self.bounding = bounding
            self.effective = effective
            self.inheritable = inheritable
            self.permitted = permitted
            self.ambient = ambient
        }

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("bounding", &bounding)
            fields.optional("effective", &effective)
            fields.optional("inheritable", &inheritable)
            fields.optional("permitted", &permitted)
            fields.optional("ambient", &ambient)
        }
    }

    /// A resource limit of one process.
    ///
    /// - Note: setrlimit(2).
    public struct Rlimit: JSONMappable, Sendable, Equatable {
        /// `RLIMIT_NOFILE`…
        public var type: String
        /// The most that the process may raise it to; the largest number means no limit.
        public var hard: UInt64
        /// The limit in force; the largest number means no limit.
        public var soft: UInt64

        public init(type: String, hard: UInt64, soft: UInt64) {
            self.type = type
            self.hard = hard
            self.soft = soft
        }

        package init() { self.init(type: "", hard: 0, soft: 0) }

        package mutating func map(_ fields: JSONFields) {
            fields.required("type", &type)
            fields.required("hard", &hard)
            fields.required("soft", &soft)
        }
    }

    /// A CPU scheduling policy.
    ///
    /// - Note: sched_setattr(2).
    public struct Scheduler: JSONMappable, Sendable, Equatable {
        /// `SCHED_OTHER`, `SCHED_FIFO`, `SCHED_DEADLINE`…
        public var policy: String
        /// -20 to 19.
        public var nice: Int32?
        /// 1 to 99 for the real-time policies.
        public var priority: Int32?
        /// `SCHED_FLAG_RESET_ON_FORK`…
        public var flags: [String]?
        /// In nanoseconds.
        public var runtime: UInt64?
        /// In nanoseconds.
        public var deadline: UInt64?
        /// In nanoseconds.
        public var period: UInt64?

        public init(
            policy: String, nice: Int32? = nil, priority: Int32? = nil, flags: [String]? = nil,
            runtime: UInt64? = nil, deadline: UInt64? = nil, period: UInt64? = nil
        ) {
            self.policy = policy
            self.nice = nice
            self.priority = priority
            self.flags = flags
            self.runtime = runtime
            self.deadline = deadline
            self.period = period
        }

        package init() { self.init(policy: "") }

        package mutating func map(_ fields: JSONFields) {
            fields.required("policy", &policy)
            fields.optional("nice", &nice)
            fields.optional("priority", &priority)
            fields.optional("flags", &flags)
            fields.optional("runtime", &runtime)
            fields.optional("deadline", &deadline)
            fields.optional("period", &period)
        }
    }

    /// Priority for block input and output.
    ///
    /// - Note: ioprio_set(2).
    public struct IOPriority: JSONMappable, Sendable, Equatable {
        /// `IOPRIO_CLASS_RT`, `IOPRIO_CLASS_BE` or `IOPRIO_CLASS_IDLE`.
        public var `class`: String
        /// 0 (highest) to 7.
        public var priority: Int64?

        public init(`class`: String, priority: Int64? = nil) {
            self.class = `class`
            self.priority = priority
        }

        package init() { self.init(class: "") }

        package mutating func map(_ fields: JSONFields) {
            fields.required("class", &`class`)
            fields.optional("priority", &priority)
        }
    }

    /// The CPUs of a process that joins a container, as lists such as `0-3,7`.
    public struct CPUAffinity: JSONMappable, Sendable, Equatable {
        /// Until it has joined the container's cgroup.
        public var initial: String?
        /// From then on.
        public var `final`: String?

        public init(initial: String? = nil, `final`: String? = nil) {
            self.initial = initial
            self.final = `final`
        }

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("initial", &initial)
            fields.optional("final", &final)
        }
    }
}
