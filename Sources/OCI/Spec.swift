/// A container as the OCI runtime specification writes it in `config.json`, for Linux.
///
/// Fields have the names of the JSON; what the specification lets out is `nil`. Parts for other systems are ignored.
///
/// - Note: OCI Runtime Specification 1.2 and 1.3, config.md.
public struct Spec: JSONMappable, Sendable, Equatable {
    /// The version of the specification that this was written for: `1.2.0`.
    public var ociVersion: String
    /// What to run; may be missing until `start`.
    public var process: Process?
    /// The root file system.
    public var root: Root?
    /// Wants a UTS namespace.
    public var hostname: String?
    /// The NIS domain name; wants a UTS namespace.
    public var domainname: String?
    /// In the order in which they are made.
    public var mounts: [Mount]?
    public var hooks: Hooks?
    public var annotations: [String: String]?
    public var linux: Linux?

    public init(
        ociVersion: String = "1.2.0", process: Process? = nil, root: Root? = nil, hostname: String? = nil,
        domainname: String? = nil, mounts: [Mount]? = nil, hooks: Hooks? = nil, annotations: [String: String]? = nil,
        linux: Linux? = nil
    ) {
        self.ociVersion = ociVersion
        self.process = process
        self.root = root
        self.hostname = hostname
        self.domainname = domainname
        self.mounts = mounts
        self.hooks = hooks
        self.annotations = annotations
        self.linux = linux
    }

    package init() { self.init(process: nil) }

    package mutating func map(_ fields: JSONFields) {
        fields.required("ociVersion", &ociVersion)
        fields.optional("process", &process)
        fields.optional("root", &root)
        fields.optional("hostname", &hostname)
        fields.optional("domainname", &domainname)
        fields.optional("mounts", &mounts)
        fields.optional("hooks", &hooks)
        fields.optional("annotations", &annotations)
        fields.optional("linux", &linux)
    }
}

extension Spec {
    /// The root file system.
    public struct Root: JSONMappable, Sendable, Equatable {
        /// Absolute, or relative to the bundle.
        public var path: String
        /// Whether the container sees it read-only.
        public var readonly: Bool?

        public init(path: String, readonly: Bool? = nil) {
            self.path = path
            self.readonly = readonly
        }

        package init() { self.init(path: "") }

        package mutating func map(_ fields: JSONFields) {
            fields.required("path", &path)
            fields.optional("readonly", &readonly)
        }
    }

    /// One mount in the container.
    public struct Mount: JSONMappable, Sendable, Equatable {
        /// Absolute path in the container.
        public var destination: String
        /// The file system, as in /proc/filesystems; `bind` or nothing for a bind mount.
        public var type: String?
        /// A device, a name, or for bind mounts a path: absolute, or relative to the bundle.
        public var source: String?
        /// As mount(8) has them in fstab: `ro`, `nosuid`, `rbind`, `rprivate`…
        public var options: [String]?
        /// For an idmapped mount: from the file system's ids to those of the container.
        public var uidMappings: [IDMapping]?
        public var gidMappings: [IDMapping]?

        public init(
            destination: String, type: String? = nil, source: String? = nil, options: [String]? = nil,
            uidMappings: [IDMapping]? = nil, gidMappings: [IDMapping]? = nil
        ) {
            self.destination = destination
            self.type = type
            self.source = source
            self.options = options
            self.uidMappings = uidMappings
            self.gidMappings = gidMappings
        }

        package init() { self.init(destination: "") }

        package mutating func map(_ fields: JSONFields) {
            fields.required("destination", &destination)
            fields.optional("type", &type)
            fields.optional("source", &source)
            fields.optional("options", &options)
            fields.optional("uidMappings", &uidMappings)
            fields.optional("gidMappings", &gidMappings)
        }
    }
}
