extension Spec {
    /// A filter on system calls.
    ///
    /// - Note: config-linux.md, "Seccomp"; seccomp(2).
    public struct Seccomp: JSONMappable, Sendable, Equatable {
        /// For calls that no rule names.
        public var defaultAction: Action
        /// The errno for `errno` and `trace`; `EPERM` if `nil`.
        public var defaultErrnoRet: UInt32?
        /// `SCMP_ARCH_X86_64`…, beside the native one.
        public var architectures: [String]?
        /// `SECCOMP_FILTER_FLAG_LOG`…
        public var flags: [String]?
        /// A socket that gets the descriptor for `notify`.
        public var listenerPath: String?
        /// Sent along, as it is.
        public var listenerMetadata: String?
        public var syscalls: [SyscallRule]?

        public init(
            defaultAction: Action, defaultErrnoRet: UInt32? = nil, architectures: [String]? = nil,
            flags: [String]? = nil, listenerPath: String? = nil, listenerMetadata: String? = nil,
            syscalls: [SyscallRule]? = nil
        ) {
            self.defaultAction = defaultAction
            self.defaultErrnoRet = defaultErrnoRet
            self.architectures = architectures
            self.flags = flags
            self.listenerPath = listenerPath
            self.listenerMetadata = listenerMetadata
            self.syscalls = syscalls
        }

        package init() { self.init(defaultAction: .kill) }

        package mutating func map(_ fields: JSONFields) {
            fields.required("defaultAction", &defaultAction)
            fields.optional("defaultErrnoRet", &defaultErrnoRet)
            fields.optional("architectures", &architectures)
            fields.optional("flags", &flags)
            fields.optional("listenerPath", &listenerPath)
            fields.optional("listenerMetadata", &listenerMetadata)
            fields.optional("syscalls", &syscalls)
        }
    }
}

extension Spec.Seccomp {
    /// What happens on a system call.
    public enum Action: String, JSONValue, Sendable, CaseIterable {
        case kill = "SCMP_ACT_KILL"
        case killProcess = "SCMP_ACT_KILL_PROCESS"
        case killThread = "SCMP_ACT_KILL_THREAD"
        case trap = "SCMP_ACT_TRAP"
        case errno = "SCMP_ACT_ERRNO"
        case trace = "SCMP_ACT_TRACE"
        case allow = "SCMP_ACT_ALLOW"
        case log = "SCMP_ACT_LOG"
        case notify = "SCMP_ACT_NOTIFY"
    }

    /// How an argument is compared.
    public enum Comparison: String, JSONValue, Sendable, CaseIterable {
        case notEqual = "SCMP_CMP_NE"
        case less = "SCMP_CMP_LT"
        case lessOrEqual = "SCMP_CMP_LE"
        case equal = "SCMP_CMP_EQ"
        case greaterOrEqual = "SCMP_CMP_GE"
        case greater = "SCMP_CMP_GT"
        /// `argument & value == valueTwo`.
        case maskedEqual = "SCMP_CMP_MASKED_EQ"
    }

    /// An action for some system calls.
    public struct SyscallRule: JSONMappable, Sendable, Equatable {
        public var names: [String]
        public var action: Action
        /// The errno for `errno` and `trace`.
        public var errnoRet: UInt32?
        /// All of them must hold.
        public var args: [Argument]?

        public init(names: [String], action: Action, errnoRet: UInt32? = nil, args: [Argument]? = nil) {
            self.names = names
            self.action = action
            self.errnoRet = errnoRet
            self.args = args
        }

        package init() { self.init(names: [], action: .kill) }

        package mutating func map(_ fields: JSONFields) {
            fields.required("names", &names)
            fields.required("action", &action)
            fields.optional("errnoRet", &errnoRet)
            fields.optional("args", &args)
        }
    }

    /// A condition on one argument of a system call.
    public struct Argument: JSONMappable, Sendable, Equatable {
        /// 0 to 5.
        public var index: UInt32
        public var value: UInt64
        /// Only for `maskedEqual`.
        public var valueTwo: UInt64?
        public var op: Comparison

        public init(index: UInt32, value: UInt64, valueTwo: UInt64? = nil, op: Comparison) {
            self.index = index
            self.value = value
            self.valueTwo = valueTwo
            self.op = op
        }

        package init() { self.init(index: 0, value: 0, op: .equal) }

        package mutating func map(_ fields: JSONFields) {
            fields.required("index", &index)
            fields.required("value", &value)
            fields.optional("valueTwo", &valueTwo)
            fields.required("op", &op)
        }
    }
}
