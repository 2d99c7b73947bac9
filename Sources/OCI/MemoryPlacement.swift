extension Spec {
    /// Intel's cache and memory bandwidth allocation.
    ///
    /// - Note: config-linux.md, "IntelRdt"; the kernel's resctrl.rst.
    public struct IntelRdt: JSONMappable, Sendable, Equatable {
        /// The name of the class of service; `nil` for one of the container's own, named by its id.
        public var closID: String?
        /// Lines of the `schemata` file, written as they are, after the two below.
        public var schemata: [String]?
        /// `L3:0=7f0;1=1f`.
        public var l3CacheSchema: String?
        /// `MB:0=20;1=70`, in percent, or in MB/s where the kernel is set up so.
        public var memBwSchema: String?
        /// Makes a monitoring group for the container.
        public var enableMonitoring: Bool?
        /// Specification 1.1 and 1.2 only.
        public var enableCMT: Bool?
        /// Specification 1.1 and 1.2 only.
        public var enableMBM: Bool?

        public init(
            closID: String? = nil, schemata: [String]? = nil, l3CacheSchema: String? = nil, memBwSchema: String? = nil,
            enableMonitoring: Bool? = nil, enableCMT: Bool? = nil, enableMBM: Bool? = nil
        ) {
            self.closID = closID
            self.schemata = schemata
            self.l3CacheSchema = l3CacheSchema
            self.memBwSchema = memBwSchema
            self.enableMonitoring = enableMonitoring
            self.enableCMT = enableCMT
            self.enableMBM = enableMBM
        }

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("closID", &closID)
            fields.optional("schemata", &schemata)
            fields.optional("l3CacheSchema", &l3CacheSchema)
            fields.optional("memBwSchema", &memBwSchema)
            fields.optional("enableMonitoring", &enableMonitoring)
            fields.optional("enableCMT", &enableCMT)
            fields.optional("enableMBM", &enableMBM)
        }
    }

    /// Which memory nodes the container's memory comes from.
    ///
    /// - Note: config-linux.md, "Memory policy"; set_mempolicy(2).
    public struct MemoryPolicy: JSONMappable, Sendable, Equatable {
        /// `MPOL_DEFAULT`, `MPOL_BIND`, `MPOL_INTERLEAVE`…
        public var mode: String
        /// A list of nodes such as `0-3,7`; some modes want none.
        public var nodes: String?
        /// `MPOL_F_NUMA_BALANCING`, `MPOL_F_RELATIVE_NODES`, `MPOL_F_STATIC_NODES`.
        public var flags: [String]?

        public init(mode: String, nodes: String? = nil, flags: [String]? = nil) {
            self.mode = mode
            self.nodes = nodes
            self.flags = flags
        }

        package init() { self.init(mode: "") }

        package mutating func map(_ fields: JSONFields) {
            fields.required("mode", &mode)
            fields.optional("nodes", &nodes)
            fields.optional("flags", &flags)
        }
    }
}
