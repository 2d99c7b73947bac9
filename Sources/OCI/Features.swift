/// What a runtime can do, whatever the machine that it is on can.
///
/// - Note: OCI Runtime Specification, features.md. `nil` means unknown, unlike an empty list.
public struct Features: JSONMappable, Sendable, Equatable {
    /// The oldest version of the specification that it takes.
    public var ociVersionMin: String
    /// The newest version of the specification that it takes.
    public var ociVersionMax: String
    /// Kinds of hook, as fields of `hooks`.
    public var hooks: [String]?
    /// Those that are not a file system's own.
    public var mountOptions: [String]?
    public var linux: Linux?
    /// Of the runtime itself, such as its version.
    public var annotations: [String: String]?
    /// Annotations of a container that change what the runtime does; a prefix where it ends with a dot.
    public var potentiallyUnsafeConfigAnnotations: [String]?

    public init(
        ociVersionMin: String, ociVersionMax: String, hooks: [String]? = nil, mountOptions: [String]? = nil,
        linux: Linux? = nil, annotations: [String: String]? = nil, potentiallyUnsafeConfigAnnotations: [String]? = nil
    ) {
        self.ociVersionMin = ociVersionMin
        self.ociVersionMax = ociVersionMax
        self.hooks = hooks
        self.mountOptions = mountOptions
        self.linux = linux
        self.annotations = annotations
        self.potentiallyUnsafeConfigAnnotations = potentiallyUnsafeConfigAnnotations
    }

    package init() { self.init(ociVersionMin: "", ociVersionMax: "") }

    package mutating func map(_ fields: JSONFields) {
        fields.required("ociVersionMin", &ociVersionMin)
        fields.required("ociVersionMax", &ociVersionMax)
        fields.optional("hooks", &hooks)
        fields.optional("mountOptions", &mountOptions)
        fields.optional("linux", &linux)
        fields.optional("annotations", &annotations)
        fields.optional("potentiallyUnsafeConfigAnnotations", &potentiallyUnsafeConfigAnnotations)
    }
}

extension Features {
    /// What only Linux has.
    ///
    /// - Note: features-linux.md.
    public struct Linux: JSONMappable, Sendable, Equatable {
        public var namespaces: [String]?
        /// `CAP_CHOWN`…
        public var capabilities: [String]?
        public var cgroup: Cgroup?
        public var seccomp: Seccomp?
        public var apparmor: Support?
        public var selinux: Support?
        public var intelRdt: IntelRdt?
        /// Since 1.3.
        public var memoryPolicy: MemoryPolicy?
        public var mountExtensions: MountExtensions?
        /// Since 1.3.
        public var netDevices: Support?

        public init(
            namespaces: [String]? = nil, capabilities: [String]? = nil, cgroup: Cgroup? = nil, seccomp: Seccomp? = nil,
            apparmor: Support? = nil, selinux: Support? = nil, intelRdt: IntelRdt? = nil,
            memoryPolicy: MemoryPolicy? = nil, mountExtensions: MountExtensions? = nil, netDevices: Support? = nil
        ) {
            self.namespaces = namespaces
            self.capabilities = capabilities
            self.cgroup = cgroup
            self.seccomp = seccomp
            self.apparmor = apparmor
            self.selinux = selinux
            self.intelRdt = intelRdt
            self.memoryPolicy = memoryPolicy
            self.mountExtensions = mountExtensions
            self.netDevices = netDevices
        }

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("namespaces", &namespaces)
            fields.optional("capabilities", &capabilities)
            fields.optional("cgroup", &cgroup)
            fields.optional("seccomp", &seccomp)
            fields.optional("apparmor", &apparmor)
            fields.optional("selinux", &selinux)
            fields.optional("intelRdt", &intelRdt)
            fields.optional("memoryPolicy", &memoryPolicy)
            fields.optional("mountExtensions", &mountExtensions)
            fields.optional("netDevices", &netDevices)
        }
    }

    /// Whether something can be done.
    public struct Support: JSONMappable, Sendable, Equatable {
        public var enabled: Bool?

        public init(
            enabled: Bool? = nil
        ) {
            self.enabled = enabled
        }

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("enabled", &enabled)
        }
    }

    /// Ways to have cgroups.
    public struct Cgroup: JSONMappable, Sendable, Equatable {
        public var v1: Bool?
        public var v2: Bool?
        /// Through the machine's systemd.
        public var systemd: Bool?
        /// Through a user's systemd.
        public var systemdUser: Bool?
        public var rdma: Bool?

        public init(
            v1: Bool? = nil, v2: Bool? = nil, systemd: Bool? = nil, systemdUser: Bool? = nil, rdma: Bool? = nil
        ) {
            self.v1 = v1
            self.v2 = v2
            self.systemd = systemd
            self.systemdUser = systemdUser
            self.rdma = rdma
        }

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("v1", &v1)
            fields.optional("v2", &v2)
            fields.optional("systemd", &systemd)
            fields.optional("systemdUser", &systemdUser)
            fields.optional("rdma", &rdma)
        }
    }

    /// Filters on system calls.
    public struct Seccomp: JSONMappable, Sendable, Equatable {
        public var enabled: Bool?
        /// `SCMP_ACT_ERRNO`…
        public var actions: [String]?
        /// `SCMP_CMP_EQ`…
        public var operators: [String]?
        /// `SCMP_ARCH_X86_64`…
        public var archs: [String]?
        /// `SECCOMP_FILTER_FLAG_LOG`…
        public var knownFlags: [String]?
        /// Those of `knownFlags` that this kernel and libseccomp have.
        public var supportedFlags: [String]?

        public init(
            enabled: Bool? = nil, actions: [String]? = nil, operators: [String]? = nil, archs: [String]? = nil,
            knownFlags: [String]? = nil, supportedFlags: [String]? = nil
        ) {
            self.enabled = enabled
            self.actions = actions
            self.operators = operators
            self.archs = archs
            self.knownFlags = knownFlags
            self.supportedFlags = supportedFlags
        }

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("enabled", &enabled)
            fields.optional("actions", &actions)
            fields.optional("operators", &operators)
            fields.optional("archs", &archs)
            fields.optional("knownFlags", &knownFlags)
            fields.optional("supportedFlags", &supportedFlags)
        }
    }

    /// Cache and memory bandwidth allocation.
    public struct IntelRdt: JSONMappable, Sendable, Equatable {
        public var enabled: Bool?
        /// Since 1.3: the field of that name.
        public var schemata: Bool?
        /// Since 1.3: `enableMonitoring`.
        public var monitoring: Bool?

        public init(
            enabled: Bool? = nil, schemata: Bool? = nil, monitoring: Bool? = nil
        ) {
            self.enabled = enabled
            self.schemata = schemata
            self.monitoring = monitoring
        }

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("enabled", &enabled)
            fields.optional("schemata", &schemata)
            fields.optional("monitoring", &monitoring)
        }
    }

    /// NUMA memory policies.
    public struct MemoryPolicy: JSONMappable, Sendable, Equatable {
        /// `MPOL_BIND`…
        public var modes: [String]?
        /// `MPOL_F_STATIC_NODES`…
        public var flags: [String]?

        public init(
            modes: [String]? = nil, flags: [String]? = nil
        ) {
            self.modes = modes
            self.flags = flags
        }

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("modes", &modes)
            fields.optional("flags", &flags)
        }
    }

    /// Mounts beyond the ordinary.
    public struct MountExtensions: JSONMappable, Sendable, Equatable {
        /// `uidMappings` and `gidMappings` of a mount.
        public var idmap: Support?

        public init(
            idmap: Support? = nil
        ) {
            self.idmap = idmap
        }

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("idmap", &idmap)
        }
    }
}
