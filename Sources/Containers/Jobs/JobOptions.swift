public import OCI

/// What makes a run a job: what it gets, what must not show, and what it leaves behind.
public struct JobOptions: JSONMappable, Sendable, Equatable {
    /// Whether names, locale, time zone, mask and environment are the same wherever and whoever runs it.
    public var isReproducible = false
    /// Files in memory; of them only that they exist is kept.
    public var secrets: [SecretRequest] = []
    /// Whether their values are hidden in logs and attached output.
    public var masksSecrets = false

    public init() {}

    package mutating func map(_ fields: JSONFields) {
        fields.required("isReproducible", &isReproducible)
        fields.required("secrets", &secrets)
        fields.required("masksSecrets", &masksSecrets)
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

extension ContainerConfig {
    /// Changes what makes it a job; a job without anything special is none.
    public mutating func setJob(_ change: (inout JobOptions) -> Void) {
        var options = job ?? JobOptions()
        change(&options)
        job = options == JobOptions() ? nil : options
    }

    var isReproducible: Bool { job?.isReproducible ?? false }
}
