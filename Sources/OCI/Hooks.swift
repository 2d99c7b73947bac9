extension Spec {
    /// Programs to run at points of the container's life; each gets its state on standard input.
    ///
    /// - Note: config.md, "POSIX-platform Hooks".
    public struct Hooks: JSONMappable, Sendable, Equatable {
        /// Obsolete; runs where `createRuntime` does, before it.
        public var prestart: [Hook]?
        /// In the caller's namespaces, before pivot_root(2).
        public var createRuntime: [Hook]?
        /// In the container's namespaces, before pivot_root(2).
        public var createContainer: [Hook]?
        /// In the container, before its own program.
        public var startContainer: [Hook]?
        /// In the caller's namespaces, after the start.
        public var poststart: [Hook]?
        /// In the caller's namespaces, after the end.
        public var poststop: [Hook]?

        public init(
            prestart: [Hook]? = nil, createRuntime: [Hook]? = nil, createContainer: [Hook]? = nil,
            startContainer: [Hook]? = nil, poststart: [Hook]? = nil, poststop: [Hook]? = nil
        ) {
            self.prestart = prestart
            self.createRuntime = createRuntime
            self.createContainer = createContainer
            self.startContainer = startContainer
            self.poststart = poststart
            self.poststop = poststop
        }

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("prestart", &prestart)
            fields.optional("createRuntime", &createRuntime)
            fields.optional("createContainer", &createContainer)
            fields.optional("startContainer", &startContainer)
            fields.optional("poststart", &poststart)
            fields.optional("poststop", &poststop)
        }
    }

    /// One program.
    public struct Hook: JSONMappable, Sendable, Equatable {
        /// Absolute.
        public var path: String
        /// As for execv(3), the first is the name.
        public var args: [String]?
        public var env: [String]?
        /// In seconds, more than 0.
        public var timeout: Int64?

        public init(path: String, args: [String]? = nil, env: [String]? = nil, timeout: Int64? = nil) {
            self.path = path
            self.args = args
            self.env = env
            self.timeout = timeout
        }

        package init() { self.init(path: "") }

        package mutating func map(_ fields: JSONFields) {
            fields.required("path", &path)
            fields.optional("args", &args)
            fields.optional("env", &env)
            fields.optional("timeout", &timeout)
        }
    }
}
