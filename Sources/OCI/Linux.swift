extension Spec {
    /// What only Linux has.
    ///
    /// - Note: config-linux.md.
    public struct Linux: Codable, Sendable, Equatable {
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
        public var personality: Personality?
        /// Offsets of a new time namespace, by clock: `monotonic`, `boottime`.
        public var timeOffsets: [String: TimeOffset]?

        public init(
            uidMappings: [IDMapping]? = nil, gidMappings: [IDMapping]? = nil, sysctl: [String: String]? = nil,
            resources: Resources? = nil, cgroupsPath: String? = nil, namespaces: [Namespace]? = nil,
            devices: [Device]? = nil, seccomp: Seccomp? = nil, rootfsPropagation: String? = nil,
            maskedPaths: [String]? = nil, readonlyPaths: [String]? = nil, mountLabel: String? = nil,
            intelRdt: IntelRdt? = nil, personality: Personality? = nil, timeOffsets: [String: TimeOffset]? = nil
        ) {
            self.uidMappings = uidMappings
            self.gidMappings = gidMappings
            self.sysctl = sysctl
            self.resources = resources
            self.cgroupsPath = cgroupsPath
            self.namespaces = namespaces
            self.devices = devices
            self.seccomp = seccomp
            self.rootfsPropagation = rootfsPropagation
            self.maskedPaths = maskedPaths
            self.readonlyPaths = readonlyPaths
            self.mountLabel = mountLabel
            self.intelRdt = intelRdt
            self.personality = personality
            self.timeOffsets = timeOffsets
        }
    }

    /// The kinds of namespace.
    public enum NamespaceType: String, Codable, Sendable, CaseIterable {
        case pid, network, mount, ipc, uts, user, cgroup, time
    }

    /// A namespace that the container is put into.
    public struct Namespace: Codable, Sendable, Equatable {
        public var type: NamespaceType
        /// A namespace file to join, absolute; `nil` makes a new one.
        public var path: String?

        public init(type: NamespaceType, path: String? = nil) {
            self.type = type
            self.path = path
        }
    }

    /// A range of ids in a user namespace.
    ///
    /// - Note: user_namespaces(7), "User and group ID mappings".
    public struct IDMapping: Codable, Sendable, Equatable {
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
    }

    /// A device node to make in the container.
    public struct Device: Codable, Sendable, Equatable {
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
    }

    /// An execution domain.
    ///
    /// - Note: personality(2).
    public struct Personality: Codable, Sendable, Equatable {
        /// `LINUX` or `LINUX32`.
        public var domain: String
        public var flags: [String]?

        public init(domain: String, flags: [String]? = nil) {
            self.domain = domain
            self.flags = flags
        }
    }

    /// How far a clock of a time namespace is from the host's.
    ///
    /// - Note: time_namespaces(7).
    public struct TimeOffset: Codable, Sendable, Equatable {
        /// In seconds.
        public var secs: Int64?
        /// In nanoseconds, below 1000000000.
        public var nanosecs: UInt32?

        public init(secs: Int64? = nil, nanosecs: UInt32? = nil) {
            self.secs = secs
            self.nanosecs = nanosecs
        }
    }

    /// Intel's cache and memory bandwidth allocation.
    ///
    /// - Note: the kernel's resctrl.rst.
    public struct IntelRdt: Codable, Sendable, Equatable {
        /// The name of the class of service.
        public var closID: String?
        public var l3CacheSchema: String?
        public var memBwSchema: String?
        public var enableCMT: Bool?
        public var enableMBM: Bool?

        public init(
            closID: String? = nil, l3CacheSchema: String? = nil, memBwSchema: String? = nil, enableCMT: Bool? = nil,
            enableMBM: Bool? = nil
        ) {
            self.closID = closID
            self.l3CacheSchema = l3CacheSchema
            self.memBwSchema = memBwSchema
            self.enableCMT = enableCMT
            self.enableMBM = enableMBM
        }
    }
}

extension Spec.Device {
    /// Takes missing numbers for 0: a FIFO has none.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        path = try container.decode(String.self, forKey: .path)
        type = try container.decode(String.self, forKey: .type)
        major = try container.decodeIfPresent(Int64.self, forKey: .major) ?? 0
        minor = try container.decodeIfPresent(Int64.self, forKey: .minor) ?? 0
        fileMode = try container.decodeIfPresent(UInt32.self, forKey: .fileMode)
        uid = try container.decodeIfPresent(UInt32.self, forKey: .uid)
        gid = try container.decodeIfPresent(UInt32.self, forKey: .gid)
    }
}
