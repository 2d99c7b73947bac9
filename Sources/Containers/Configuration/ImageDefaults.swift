public import Linux

/// What containers of an image do where their user does not say otherwise.
///
/// - Note: OCI image-spec, config.md; Docker's reference of `run`, "Override image defaults".
public struct ImageDefaults: Sendable, Equatable {
    public var entrypoint: [String] = []
    public var command: [String] = []
    /// `NAME=value` each.
    public var environment: [String] = []
    public var user = ""
    /// Absolute, or empty.
    public var workingDirectory = ""
    /// Absolute paths.
    public var volumes: [String] = []
    /// A name or a number, or empty.
    public var stopSignal = ""
    /// In seconds.
    public var stopTimeout: Int?
    public var labels: [String: String] = [:]
    /// Its command may be empty: then there is none to be had.
    public var healthCheck: HealthCheck?

    public init() {}
}

extension ContainerConfig {
    /// What its user said in a way that the values themselves do not show.
    public struct ImageOverrides: Sendable, Equatable {
        /// Whether there was an entry point, maybe an empty one: the image's command then does not count either.
        public var entrypoint = false
        /// Whether health is not to be checked.
        public var noHealthCheck = false

        public init() {}
    }

    /// Takes from an image what its user has not asked for.
    ///
    /// - Throws: When neither says what to run, and for an image that wants what cannot be.
    public mutating func apply(_ image: ImageDefaults, _ overrides: ImageOverrides) throws(Failure) {
        if !overrides.entrypoint {
            if command.isEmpty { command = image.command }
            entrypoint = image.entrypoint
        }
        guard let program = arguments.first else {
            throw Failure(
                "run", root.description, "no command given, and the image names none",
                remedy: "give one after the image")
        }
        if program.isEmpty { throw Failure("run", "''", "an empty command") }
        environment = image.environment.filter { !Self.hasVariable($0, environment) } + environment
        if user.isEmpty { user = image.user }
        if workingDirectory == nil, !image.workingDirectory.isEmpty {
            // Builders before Docker 1.13 wrote relative ones, from the root.
            let path = image.workingDirectory
            workingDirectory = path.hasPrefix("/") ? path : "/\(path)"
        }
        addVolumes(image.volumes)
        if stopSignal == nil, !image.stopSignal.isEmpty {
            do throws(Failure) {
                stopSignal = try Signal(parsing: image.stopSignal).rawValue
            } catch {
                throw Failure(
                    "run", root.description, "its stop signal '\(image.stopSignal)' is none",
                    remedy: "give one with --stop-signal")
            }
        }
        if stopTimeout == nil { stopTimeout = image.stopTimeout }
        labels = image.labels.merging(labels) { _, own in own }
        if !overrides.noHealthCheck { try mergeHealthCheck(image.healthCheck) }
    }

    private static func hasVariable(_ variable: String, _ environment: [String]) -> Bool {
        let name = variable.utf8.prefix { $0 != UInt8(ascii: "=") }
        return environment.contains { $0.utf8.prefix { $0 != UInt8(ascii: "=") }.elementsEqual(name) }
    }

    /// Each becomes an anonymous volume, unless something else is mounted there.
    private mutating func addVolumes(_ paths: [String]) {
        for path in paths {
            var destination = path.hasPrefix("/") ? path : "/\(path)"
            while destination.utf8.count > 1, destination.hasSuffix("/") { destination.removeLast() }
            if destination == "/" || mounts.contains(where: { $0.destination == destination }) { continue }
            mounts.append(MountRequest(kind: .volume, destination: destination))
        }
    }

    /// Flags change single values of an image's check, whose command they can leave to it.
    private mutating func mergeHealthCheck(_ image: HealthCheck?) throws(Failure) {
        guard var check = healthCheck else {
            healthCheck = image
            return
        }
        if check.command.isEmpty {
            guard let image else {
                throw Failure("run", "--health-...", "needs --health-cmd", remedy: "the image checks nothing")
            }
            check.command = image.command
            check.arguments = image.arguments
        }
        check.interval = check.interval ?? image?.interval
        check.timeout = check.timeout ?? image?.timeout
        check.startPeriod = check.startPeriod ?? image?.startPeriod
        check.startInterval = check.startInterval ?? image?.startInterval
        check.retries = check.retries ?? image?.retries
        healthCheck = check
    }
}
