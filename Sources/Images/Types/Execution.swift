public import OCI

extension ImageConfig {
    /// What containers of an image do where their user does not say otherwise.
    ///
    /// - Note: OCI Image Specification, config.md, "config"; Healthcheck, Shell and OnBuild are Docker's.
    public struct Execution: JSONMappable, Sendable, Hashable {
        public var user: String?
        public var env: [String]?
        public var entrypoint: [String]?
        public var cmd: [String]?
        public var workingDir: String?
        public var stopSignal: String?
        /// In seconds.
        public var stopTimeout: Int?
        public var labels: [String: String]?
        public var healthcheck: Healthcheck?
        public var shell: [String]?
        public var onBuild: [String]?
        /// Paths; see `volumePaths`.
        private var volumes: [String: Nothing]?
        /// `80/tcp`; see `ports`.
        private var exposedPorts: [String: Nothing]?

        public init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("User", &user)
            fields.optional("ExposedPorts", &exposedPorts)
            fields.optional("Env", &env)
            fields.optional("Entrypoint", &entrypoint)
            fields.optional("Cmd", &cmd)
            fields.optional("Healthcheck", &healthcheck)
            fields.optional("Volumes", &volumes)
            fields.optional("WorkingDir", &workingDir)
            fields.optional("Labels", &labels)
            fields.optional("OnBuild", &onBuild)
            fields.optional("StopSignal", &stopSignal)
            fields.optional("StopTimeout", &stopTimeout)
            fields.optional("Shell", &shell)
        }

        /// Where volumes are mounted, sorted.
        public var volumePaths: [String] {
            get { volumes.map { $0.keys.sorted() } ?? [] }
            set { volumes = Self.set(newValue) }
        }

        /// What the image listens on, sorted: `80/tcp`.
        public var ports: [String] {
            get { exposedPorts.map { $0.keys.sorted() } ?? [] }
            set { exposedPorts = Self.set(newValue) }
        }

        private static func set(_ names: [String]) -> [String: Nothing]? {
            names.isEmpty ? nil : Dictionary(names.map { ($0, Nothing()) }, uniquingKeysWith: { one, _ in one })
        }
    }

    /// How it is found out whether a container is well.
    public struct Healthcheck: JSONMappable, Sendable, Hashable {
        /// `["CMD", …]`, `["CMD-SHELL", line]`, `["NONE"]`.
        public var test: [String]?
        /// In nanoseconds, as the three others.
        public var interval: Int64?
        public var timeout: Int64?
        public var startPeriod: Int64?
        public var startInterval: Int64?
        public var retries: Int?

        public init(test: [String]? = nil) { self.test = test }

        package init() { self.init(test: nil) }

        package mutating func map(_ fields: JSONFields) {
            fields.optional("Test", &test)
            fields.optional("Interval", &interval)
            fields.optional("Timeout", &timeout)
            fields.optional("StartPeriod", &startPeriod)
            fields.optional("StartInterval", &startInterval)
            fields.optional("Retries", &retries)
        }
    }

    /// The value of each member of a set, as Go writes sets.
    private struct Nothing: JSONMappable, Sendable, Hashable {
        mutating func map(_: JSONFields) {}
    }
}
