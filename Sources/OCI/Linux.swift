extension Spec {
    /// What only Linux has.
    ///
    /// - Note: config-linux.md.
    public struct Linux: JSONMappable, Sendable, Equatable {
        /// User ids of a new user namespace.
        public var uidMappings: [IDMapping]?
        /// Group ids of a new user namespace.
        public var gidMappings: [IDMapping]?
        /// Kernel parameters, by dotted name, of the container's own namespaces.
        public var sysctl: [String: String]?
        public var resources: Resources?
        /// Where the cgroup goes: a path, or `slice:prefix:name` for systemd.
        public var cgroupsPath: String?
        /// Kinds that are not listed are shared with the caller.
        public var namespaces: [Namespace]?
        /// Nodes beyond the default ones.
        public var devices: [Device]?
        /// Network devices of the host to move into the container's network namespace, by their name there.
        public var netDevices: [String: NetDevice]?
        public var seccomp: Seccomp?
        /// `private`, `slave`, `shared` or `unbindable`, each also with an `r` before it.
        public var rootfsPropagation: String?
        /// Paths that the container cannot read.
        public var maskedPaths: [String]?
        /// Paths that the container cannot write.
        public var readonlyPaths: [String]?
        /// SELinux label for the mounts.
        public var mountLabel: String?
        public var intelRdt: IntelRdt?
        public var memoryPolicy: MemoryPolicy?
        public var personality: Personality?
        /// Offsets of a new time namespace, by clock: `monotonic`, `boottime`.
        public var timeOffsets: [String: TimeOffset]?

        public init(
            uidMappings: [IDMapping]? = nil, gidMappings: [IDMapping]? = nil, sysctl: [String: String]? = nil,
            resources: Resources? = nil, cgroupsPath: String? = nil, namespaces: [Namespace]? = nil,
            devices: [Device]? = nil, netDevices: [String: NetDevice]? = nil, seccomp: Seccomp? = nil,
            rootfsPropagation: String? = nil, maskedPaths: [String]? = nil, readonlyPaths: [String]? = nil,
            mountLabel: String? = nil, intelRdt: IntelRdt? = nil, memoryPolicy: MemoryPolicy? = nil,
            personality: Personality? = nil, timeOffsets: [String: TimeOffset]? = nil
        ) {
            self.uidMappings = uidMappings
            self.gidMappings = gidMappings
            self.sysctl = sysctl
            self.resources = resources
            self.cgroupsPath = cgroupsPath
            self.namespaces = namespaces
            self.devices = devices
            self.netDevices = netDevices
            self.seccomp = seccomp
            self.rootfsPropagation = rootfsPropagation
            self.maskedPaths = maskedPaths
            self.readonlyPaths = readonlyPaths
            self.mountLabel = mountLabel
            self.intelRdt = intelRdt
            self.memoryPolicy = memoryPolicy
            self.personality = personality
            self.timeOffsets = timeOffsets
        }

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("uidMappings", &uidMappings)
            fields.optional("gidMappings", &gidMappings)
            fields.optional("sysctl", &sysctl)
            fields.optional("resources", &resources)
            fields.optional("cgroupsPath", &cgroupsPath)
            fields.optional("namespaces", &namespaces)
            fields.optional("devices", &devices)
            fields.optional("netDevices", &netDevices)
            fields.optional("seccomp", &seccomp)
            fields.optional("rootfsPropagation", &rootfsPropagation)
            fields.optional("maskedPaths", &maskedPaths)
            fields.optional("readonlyPaths", &readonlyPaths)
            fields.optional("mountLabel", &mountLabel)
            fields.optional("intelRdt", &intelRdt)
            fields.optional("memoryPolicy", &memoryPolicy)
            fields.optional("personality", &personality)
            fields.optional("timeOffsets", &timeOffsets)
        }
    }

    /// The kinds of namespace.
    public enum NamespaceType: String, JSONValue, Sendable, CaseIterable {
        case pid, network, mount, ipc, uts, user, cgroup, time
    }

    /// A namespace that the container is put into.
    public struct Namespace: JSONMappable, Sendable, Equatable {
        public var type: NamespaceType
        /// A namespace file to join, absolute; `nil` makes a new one.
        public var path: String?

        public init(type: NamespaceType, path: String? = nil) {
            self.type = type
            self.path = path
        }

        package init() { self.init(type: .mount) }

        package mutating func map(_ fields: JSONFields) {
            fields.required("type", &type)
            fields.optional("path", &path)
        }
    }

    /// A range of ids in a user namespace.
    ///
    /// - Note: user_namespaces(7), "User and group ID mappings".
    public struct IDMapping: JSONMappable, Sendable, Equatable {
        /// The first id inside.
        public var containerID: UInt32
        /// The first id outside.
        public var hostID: UInt32
        /// How many.
        public var size: UInt32

        public init(containerID: UInt32, hostID: UInt32, size: UInt32) {
            self.containerID = containerID
            self.hostID = hostID
            self.size = size
        }

        package init() { self.init(containerID: 0, hostID: 0, size: 0) }

        package mutating func map(_ fields: JSONFields) {
            fields.required("containerID", &containerID)
            fields.required("hostID", &hostID)
            fields.required("size", &size)
        }
    }

    /// A device node to make in the container.
    public struct Device: JSONMappable, Sendable, Equatable {
        /// Absolute in the container.
        public var path: String
        /// `c` or `u` character, `b` block, `p` FIFO.
        public var type: String
        public var major: Int64
        public var minor: Int64
        /// Permission bits.
        public var fileMode: UInt32?
        public var uid: UInt32?
        public var gid: UInt32?

        public init(
            path: String, type: String, major: Int64 = 0, minor: Int64 = 0, fileMode: UInt32? = nil,
            uid: UInt32? = nil, gid: UInt32? = nil
        ) {
            self.path = path
            self.type = type
            self.major = major
            self.minor = minor
            self.fileMode = fileMode
            self.uid = uid
            self.gid = gid
        }

        package init() { self.init(path: "", type: "") }

        package mutating func map(_ fields: JSONFields) {
            fields.required("path", &path)
            fields.required("type", &type)
            fields.defaulted("major", &major)
            fields.defaulted("minor", &minor)
            fields.optional("fileMode", &fileMode)
            fields.optional("uid", &uid)
            fields.optional("gid", &gid)
        }
    }

    /// What a network device of the host becomes in the container.
    public struct NetDevice: JSONMappable, Sendable, Equatable {
        /// Its name there; `nil` keeps the one that it has.
        public var name: String?

        public init(name: String? = nil) {
            self.name = name
        }

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("name", &name)
        }
    }

    /// An execution domain.
    ///
    /// - Note: personality(2).
    public struct Personality: JSONMappable, Sendable, Equatable {
        /// `LINUX` or `LINUX32`.
        public var domain: String
        public var flags: [String]?

        public init(domain: String, flags: [String]? = nil) {
            self.domain = domain
            self.flags = flags
        }

        package init() { self.init(domain: "") }

        package mutating func map(_ fields: JSONFields) {
            fields.required("domain", &domain)
            fields.optional("flags", &flags)
        }
    }

    /// How far a clock of a time namespace is from the host's.
    ///
    /// - Note: time_namespaces(7).
    public struct TimeOffset: JSONMappable, Sendable, Equatable {
        /// In seconds.
        public var secs: Int64?
        /// In nanoseconds, below 1000000000.
        public var nanosecs: UInt32?

        public init(secs: Int64? = nil, nanosecs: UInt32? = nil) {
            self.secs = secs
            self.nanosecs = nanosecs
        }

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("secs", &secs)
            fields.optional("nanosecs", &nanosecs)
        }
    }
}

extension Spec {
    /// Whether the container gets a namespace of this type of its own, or joins one by its path.
    public func has(_ type: NamespaceType) -> Bool {
        linux?.namespaces?.contains { $0.type == type } ?? false
    }

    /// Whether a new namespace of this type is made for the container.
    public func makes(_ type: NamespaceType) -> Bool {
        linux?.namespaces?.contains { $0.type == type && $0.path == nil } ?? false
    }
}
