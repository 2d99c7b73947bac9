extension Spec {
    /// Limits of the container's cgroup.
    ///
    /// - Note: config-linux.md, "Control groups".
    public struct Resources: JSONMappable, Sendable, Equatable {
        /// Applied in order; later ones win.
        public var devices: [DeviceRule]?
        public var memory: Memory?
        public var cpu: CPU?
        public var pids: Pids?
        public var blockIO: BlockIO?
        public var hugepageLimits: [HugepageLimit]?
        public var network: Network?
        /// By device name.
        public var rdma: [String: Rdma]?
        /// cgroup v2 files and what to write into them, as they are.
        public var unified: [String: String]?

        public init(
            devices: [DeviceRule]? = nil, memory: Memory? = nil, cpu: CPU? = nil, pids: Pids? = nil,
            blockIO: BlockIO? = nil, hugepageLimits: [HugepageLimit]? = nil, network: Network? = nil,
            rdma: [String: Rdma]? = nil, unified: [String: String]? = nil
        ) {
            self.devices = devices
            self.memory = memory
            self.cpu = cpu
            self.pids = pids
            self.blockIO = blockIO
            self.hugepageLimits = hugepageLimits
            self.network = network
            self.rdma = rdma
            self.unified = unified
        }

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("devices", &devices)
            fields.optional("memory", &memory)
            fields.optional("cpu", &cpu)
            fields.optional("pids", &pids)
            fields.optional("blockIO", &blockIO)
            fields.optional("hugepageLimits", &hugepageLimits)
            fields.optional("network", &network)
            fields.optional("rdma", &rdma)
            fields.optional("unified", &unified)
        }
    }

    /// Access to a device.
    public struct DeviceRule: JSONMappable, Sendable, Equatable {
        public var allow: Bool
        /// `a` all (also `nil`), `c` character, `b` block.
        public var type: String?
        /// `nil` or -1 means every one.
        public var major: Int64?
        /// `nil` or -1 means every one.
        public var minor: Int64?
        /// Of `r` read, `w` write and `m` make; `nil` means all.
        public var access: String?

        public init(allow: Bool, type: String? = nil, major: Int64? = nil, minor: Int64? = nil, access: String? = nil) {
            self.allow = allow
            self.type = type
            self.major = major
            self.minor = minor
            self.access = access
        }

        package init() { self.init(allow: false) }

        package mutating func map(_ fields: JSONFields) {
            fields.required("allow", &allow)
            fields.optional("type", &type)
            fields.optional("major", &major)
            fields.optional("minor", &minor)
            fields.optional("access", &access)
        }
    }

    /// Memory, in bytes; -1 means no limit.
    public struct Memory: JSONMappable, Sendable, Equatable {
        public var limit: Int64?
        /// What it is reclaimed down to when the host is short.
        public var reservation: Int64?
        /// Memory and swap together.
        public var swap: Int64?
        /// Obsolete; the kernel no longer has it.
        public var kernel: Int64?
        /// TCP buffers; cgroup v1 only.
        public var kernelTCP: Int64?
        /// 0 to 100; cgroup v1 only.
        public var swappiness: UInt64?
        /// Pauses processes instead; cgroup v1 only.
        public var disableOOMKiller: Bool?
        /// cgroup v1 only.
        public var useHierarchy: Bool?
        /// Refuses a limit below what is in use.
        public var checkBeforeUpdate: Bool?

        public init(
            limit: Int64? = nil, reservation: Int64? = nil, swap: Int64? = nil, kernel: Int64? = nil,
            kernelTCP: Int64? = nil, swappiness: UInt64? = nil, disableOOMKiller: Bool? = nil,
            useHierarchy: Bool? = nil, checkBeforeUpdate: Bool? = nil
        ) {
            self.limit = limit
            self.reservation = reservation
            self.swap = swap
            self.kernel = kernel
            self.kernelTCP = kernelTCP
            self.swappiness = swappiness
            self.disableOOMKiller = disableOOMKiller
            self.useHierarchy = useHierarchy
            self.checkBeforeUpdate = checkBeforeUpdate
        }

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("limit", &limit)
            fields.optional("reservation", &reservation)
            fields.optional("swap", &swap)
            fields.optional("kernel", &kernel)
            fields.optional("kernelTCP", &kernelTCP)
            fields.optional("swappiness", &swappiness)
            fields.optional("disableOOMKiller", &disableOOMKiller)
            fields.optional("useHierarchy", &useHierarchy)
            fields.optional("checkBeforeUpdate", &checkBeforeUpdate)
        }
    }

    /// CPU time and placement.
    public struct CPU: JSONMappable, Sendable, Equatable {
        /// Weight against the neighbours, 2 to 262144; 1024 is usual.
        public var shares: UInt64?
        /// CPU time in each period, in microseconds; -1 means no limit.
        public var quota: Int64?
        /// Unused quota that may be saved up, in microseconds.
        public var burst: UInt64?
        /// In microseconds, 1000 to 1000000.
        public var period: UInt64?
        /// In microseconds.
        public var realtimeRuntime: Int64?
        /// In microseconds.
        public var realtimePeriod: UInt64?
        /// A list such as `0-3,7`.
        public var cpus: String?
        /// Memory nodes, as a list.
        public var mems: String?
        /// 1 makes it run only when nothing else wants to.
        public var idle: Int64?

        public init(
            shares: UInt64? = nil, quota: Int64? = nil, burst: UInt64? = nil, period: UInt64? = nil,
            realtimeRuntime: Int64? = nil, realtimePeriod: UInt64? = nil, cpus: String? = nil, mems: String? = nil,
            idle: Int64? = nil
        ) {
            self.shares = shares
            self.quota = quota
            self.burst = burst
            self.period = period
            self.realtimeRuntime = realtimeRuntime
            self.realtimePeriod = realtimePeriod
            self.cpus = cpus
            self.mems = mems
            self.idle = idle
        }

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("shares", &shares)
            fields.optional("quota", &quota)
            fields.optional("burst", &burst)
            fields.optional("period", &period)
            fields.optional("realtimeRuntime", &realtimeRuntime)
            fields.optional("realtimePeriod", &realtimePeriod)
            fields.optional("cpus", &cpus)
            fields.optional("mems", &mems)
            fields.optional("idle", &idle)
        }
    }

    /// How many processes and threads there may be.
    public struct Pids: JSONMappable, Sendable, Equatable {
        /// -1 means no limit; `nil` leaves it as it is.
        public var limit: Int64?

        public init(limit: Int64? = nil) {
            self.limit = limit
        }

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("limit", &limit)
        }
    }

    /// Block device weights and rates.
    public struct BlockIO: JSONMappable, Sendable, Equatable {
        /// 10 to 1000.
        public var weight: UInt16?
        /// cgroup v1 only.
        public var leafWeight: UInt16?
        public var weightDevice: [WeightDevice]?
        /// Rates in bytes a second.
        public var throttleReadBpsDevice: [ThrottleDevice]?
        /// Rates in bytes a second.
        public var throttleWriteBpsDevice: [ThrottleDevice]?
        /// Rates in operations a second.
        public var throttleReadIOPSDevice: [ThrottleDevice]?
        /// Rates in operations a second.
        public var throttleWriteIOPSDevice: [ThrottleDevice]?

        public init(
            weight: UInt16? = nil, leafWeight: UInt16? = nil, weightDevice: [WeightDevice]? = nil,
            throttleReadBpsDevice: [ThrottleDevice]? = nil, throttleWriteBpsDevice: [ThrottleDevice]? = nil,
            throttleReadIOPSDevice: [ThrottleDevice]? = nil, throttleWriteIOPSDevice: [ThrottleDevice]? = nil
        ) {
            self.weight = weight
            self.leafWeight = leafWeight
            self.weightDevice = weightDevice
            self.throttleReadBpsDevice = throttleReadBpsDevice
            self.throttleWriteBpsDevice = throttleWriteBpsDevice
            self.throttleReadIOPSDevice = throttleReadIOPSDevice
            self.throttleWriteIOPSDevice = throttleWriteIOPSDevice
        }

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("weight", &weight)
            fields.optional("leafWeight", &leafWeight)
            fields.optional("weightDevice", &weightDevice)
            fields.optional("throttleReadBpsDevice", &throttleReadBpsDevice)
            fields.optional("throttleWriteBpsDevice", &throttleWriteBpsDevice)
            fields.optional("throttleReadIOPSDevice", &throttleReadIOPSDevice)
            fields.optional("throttleWriteIOPSDevice", &throttleWriteIOPSDevice)
        }
    }

    /// The weight of one block device.
    public struct WeightDevice: JSONMappable, Sendable, Equatable {
        public var major: Int64
        public var minor: Int64
        /// 10 to 1000.
        public var weight: UInt16?
        /// cgroup v1 only.
        public var leafWeight: UInt16?

        public init(major: Int64, minor: Int64, weight: UInt16? = nil, leafWeight: UInt16? = nil) {
            self.major = major
            self.minor = minor
            self.weight = weight
            self.leafWeight = leafWeight
        }

        package init() { self.init(major: 0, minor: 0) }

        package mutating func map(_ fields: JSONFields) {
            fields.required("major", &major)
            fields.required("minor", &minor)
            fields.optional("weight", &weight)
            fields.optional("leafWeight", &leafWeight)
        }
    }

    /// The rate of one block device.
    public struct ThrottleDevice: JSONMappable, Sendable, Equatable {
        public var major: Int64
        public var minor: Int64
        /// Bytes or operations a second.
        public var rate: UInt64

        public init(major: Int64, minor: Int64, rate: UInt64) {
            self.major = major
            self.minor = minor
            self.rate = rate
        }

        package init() { self.init(major: 0, minor: 0, rate: 0) }

        package mutating func map(_ fields: JSONFields) {
            fields.required("major", &major)
            fields.required("minor", &minor)
            fields.required("rate", &rate)
        }
    }

    /// A limit on huge pages of one size.
    public struct HugepageLimit: JSONMappable, Sendable, Equatable {
        /// `2MB`, `1GB`…
        public var pageSize: String
        /// In bytes.
        public var limit: UInt64

        public init(pageSize: String, limit: UInt64) {
            self.pageSize = pageSize
            self.limit = limit
        }

        package init() { self.init(pageSize: "", limit: 0) }

        package mutating func map(_ fields: JSONFields) {
            fields.required("pageSize", &pageSize)
            fields.required("limit", &limit)
        }
    }

    /// Marks and priorities for outgoing packets; cgroup v1 only.
    public struct Network: JSONMappable, Sendable, Equatable {
        public var classID: UInt32?
        public var priorities: [InterfacePriority]?

        public init(classID: UInt32? = nil, priorities: [InterfacePriority]? = nil) {
            self.classID = classID
            self.priorities = priorities
        }

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("classID", &classID)
            fields.optional("priorities", &priorities)
        }
    }

    /// The priority of packets on one interface.
    public struct InterfacePriority: JSONMappable, Sendable, Equatable {
        public var name: String
        public var priority: UInt32

        public init(name: String, priority: UInt32) {
            self.name = name
            self.priority = priority
        }

        package init() { self.init(name: "", priority: 0) }

        package mutating func map(_ fields: JSONFields) {
            fields.required("name", &name)
            fields.required("priority", &priority)
        }
    }

    /// A limit on RDMA resources of one device.
    public struct Rdma: JSONMappable, Sendable, Equatable {
        public var hcaHandles: UInt32?
        public var hcaObjects: UInt32?

        public init(hcaHandles: UInt32? = nil, hcaObjects: UInt32? = nil) {
            self.hcaHandles = hcaHandles
            self.hcaObjects = hcaObjects
        }

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("hcaHandles", &hcaHandles)
            fields.optional("hcaObjects", &hcaObjects)
        }
    }
}
