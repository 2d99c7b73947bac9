public import OCI

/// What makes a run a job: what it gets, what must not show, and what it leaves behind.
public struct JobOptions: JSONMappable, Sendable, Equatable {
    /// Whether names, locale, time zone, mask and environment are the same wherever and whoever runs it.
    public var isReproducible = false
    /// Files in memory; of them only that they exist is kept.
    public var secrets: [SecretRequest] = []
    /// Whether their values are hidden in logs and attached output.
    public var masksSecrets = false
    /// Directories that jobs share by name.
    public var caches: [CacheRequest] = []
    /// How long to wait for them at most, in nanoseconds; without end if `nil`.
    public var cacheWait: Int64?
    /// What is copied out of it at its end.
    public var artifacts: [ArtifactRequest] = []
    /// The most bytes of each of them; 1 GiB if `nil`.
    public var artifactLimit: Int64?
    /// A directory of the caller's whose files are the caller's again afterwards.
    public var workspace: WorkspaceRequest?

    public init() {}

    /// Whether the container needs a directory of its own however shortly it lives.
    var needsDirectory: Bool { workspace != nil || caches.contains { $0.mode == .copyOnWrite } }

    package mutating func map(_ fields: JSONFields) {
        fields.required("isReproducible", &isReproducible)
        fields.required("secrets", &secrets)
        fields.required("masksSecrets", &masksSecrets)
        fields.required("caches", &caches)
        fields.optional("cacheWait", &cacheWait)
        fields.required("artifacts", &artifacts)
        fields.optional("artifactLimit", &artifactLimit)
        fields.optional("workspace", &workspace)
    }
}

/// A file in memory that a container gets, as asked for: where its value comes from, never the value.
public struct SecretRequest: JSONMappable, Sendable, Equatable {
    /// Where its value is read at each start.
    public enum Source: JSONChoice, Sendable, Equatable {
        /// A file of the host, absolute.
        case file(path: String)
        /// A variable in the environment of whoever starts the container.
        case variable(name: String)

        package init() { self = .file(path: "") }

        package mutating func map(_ choices: JSONChoices) {
            if let path = choices.value("file", path) { self = .file(path: path) }
            if let name = choices.value("variable", name) { self = .variable(name: name) }
        }

        private var path: String? {
            if case .file(let path) = self { path } else { nil }
        }

        private var name: String? {
            if case .variable(let name) = self { name } else { nil }
        }
    }

    /// A file name.
    public var id: String
    public var source: Source
    /// Absolute in the container.
    public var target: String
    /// The owner's; those of the container's user if `nil`.
    public var uid: UInt32?
    public var gid: UInt32?
    /// Permission bits, 0 to 0o777.
    public var mode: UInt32

    /// Where those are that name no other place.
    public static let directory = "/run/secrets"

    public init(
        id: String, source: Source, target: String? = nil, uid: UInt32? = nil, gid: UInt32? = nil, mode: UInt32 = 0o400
    ) {
        self.id = id
        self.source = source
        self.target = target ?? "\(Self.directory)/\(id)"
        self.uid = uid
        self.gid = gid
        self.mode = mode
    }

    package init() { self.init(id: "", source: .file(path: "")) }

    package mutating func map(_ fields: JSONFields) {
        fields.required("id", &id)
        fields.required("source", &source)
        fields.required("target", &target)
        fields.optional("uid", &uid)
        fields.optional("gid", &gid)
        fields.required("mode", &mode)
        fields.check("mode", mode <= 0o777, expected: "permission bits up to 511")
    }
}

/// A directory that jobs share by name.
public struct CacheRequest: JSONMappable, Sendable, Equatable {
    /// How several jobs use one cache.
    public enum Mode: String, JSONValue, Sendable {
        /// One job at a time.
        case locked
        /// All at once, in the same files.
        case shared
        /// Each on what the last successful one has left; one that succeeds leaves what it has.
        case copyOnWrite = "copy-on-write"
    }

    public var name: String
    /// Absolute in the container.
    public var destination: String
    public var mode: Mode

    public init(name: String, destination: String, mode: Mode) {
        self.name = name
        self.destination = destination
        self.mode = mode
    }

    package init() { self.init(name: "", destination: "", mode: .locked) }

    package mutating func map(_ fields: JSONFields) {
        fields.required("name", &name)
        // It becomes part of a path.
        fields.check("name", Names.isValid(name), expected: "a name")
        fields.required("destination", &destination)
        fields.required("mode", &mode)
    }
}

/// Files that are copied out of a container at its end.
public struct ArtifactRequest: JSONMappable, Sendable, Equatable {
    /// A path in the container, with wildcards.
    public var pattern: String
    /// A directory of the host, absolute.
    public var destination: String

    public init(pattern: String, destination: String) {
        self.pattern = pattern
        self.destination = destination
    }

    package init() { self.init(pattern: "", destination: "") }

    package mutating func map(_ fields: JSONFields) {
        fields.required("pattern", &pattern)
        fields.required("destination", &destination)
    }
}

/// The directory that a job works in.
public struct WorkspaceRequest: JSONMappable, Sendable, Equatable {
    /// A directory of the host, absolute.
    public var source: String
    /// Absolute in the container.
    public var destination: String
    /// Who it belonged to when the container was made.
    public var uid: UInt32 = 0
    public var gid: UInt32 = 0

    public init(source: String, destination: String) {
        self.source = source
        self.destination = destination
    }

    package init() { self.init(source: "", destination: "") }

    package mutating func map(_ fields: JSONFields) {
        fields.required("source", &source)
        fields.required("destination", &destination)
        fields.required("uid", &uid)
        fields.required("gid", &gid)
    }
}

extension ContainerConfig {
    /// Changes what makes it a job; a job without anything special is none.
    public mutating func setJob(_ change: (inout JobOptions) -> Void) {
        var options = job ?? JobOptions()
        change(&options)
        job = options == JobOptions() ? nil : options
    }

    var isReproducible: Bool { job?.isReproducible ?? false }
}
