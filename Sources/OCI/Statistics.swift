/// A line that `events` prints.
///
/// - Note: runc, types/events.go, whose names and units these are: a field that is 0 is left out where runc does so.
public struct ContainerEvent: JSONMappable, Sendable {
    /// `stats` or `oom`.
    public var type: String
    /// The container's.
    public var id: String
    public var data: ContainerStatistics?

    public init(type: String, id: String, data: ContainerStatistics? = nil) {
        self.type = type
        self.id = id
        self.data = data
    }

    package init() { self.init(type: "", id: "") }

    package mutating func map(_ fields: JSONFields) {
        fields.required("type", &type)
        fields.required("id", &id)
        fields.optional("data", &data)
    }
}

/// What a container uses and has used.
public struct ContainerStatistics: JSONMappable, Sendable {
    public var cpu = CPU()
    public var cpuset = CPUSet()
    public var memory = Memory()
    public var pids = Pids()
    public var blkio = BlockIO()
    /// By page size.
    public var hugetlb: [String: Hugetlb] = [:]
    public var intelRdt = IntelRdt()
    public var networkInterfaces: [NetworkInterface]?

    public init() {}

    package mutating func map(_ fields: JSONFields) {
        fields.required("cpu", &cpu)
        fields.required("cpuset", &cpuset)
        fields.required("memory", &memory)
        fields.required("pids", &pids)
        fields.required("blkio", &blkio)
        fields.required("hugetlb", &hugetlb)
        fields.required("intel_rdt", &intelRdt)
        fields.optional("network_interfaces", &networkInterfaces)
    }

    /// How much of the time processes waited for something, in percent over 10, 60 and 300 seconds, and in all.
    public struct Pressure: JSONMappable, Sendable, Equatable {
        public struct Share: JSONMappable, Sendable, Equatable {
            public var avg10 = JSONDecimal()
            public var avg60 = JSONDecimal()
            public var avg300 = JSONDecimal()
            /// Microseconds.
            public var total: UInt64 = 0

            public init() {}

            package mutating func map(_ fields: JSONFields) {
                fields.required("avg10", &avg10)
                fields.required("avg60", &avg60)
                fields.required("avg300", &avg300)
                fields.required("total", &total)
            }
        }

        public var some = Share()
        public var full = Share()

        public init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.required("some", &some)
            fields.required("full", &full)
        }
    }

    /// Times in nanoseconds.
    public struct CPU: JSONMappable, Sendable {
        public struct Usage: JSONMappable, Sendable {
            public var total: UInt64?
            public var percpu: [UInt64]?
            public var percpuKernel: [UInt64]?
            public var percpuUser: [UInt64]?
            public var kernel: UInt64 = 0
            public var user: UInt64 = 0

            package init() {}

            package mutating func map(_ fields: JSONFields) {
                fields.optional("total", &total)
                fields.optional("percpu", &percpu)
                fields.optional("percpu_kernel", &percpuKernel)
                fields.optional("percpu_user", &percpuUser)
                fields.required("kernel", &kernel)
                fields.required("user", &user)
            }
        }

        public struct Throttling: JSONMappable, Sendable {
            public var periods: UInt64?
            public var throttledPeriods: UInt64?
            public var throttledTime: UInt64?

            package init() {}

            package mutating func map(_ fields: JSONFields) {
                fields.optional("periods", &periods)
                fields.optional("throttledPeriods", &throttledPeriods)
                fields.optional("throttledTime", &throttledTime)
            }
        }

        public var usage = Usage()
        public var throttling = Throttling()
        public var psi: Pressure?

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.required("usage", &usage)
            fields.required("throttling", &throttling)
            fields.optional("psi", &psi)
        }
    }

    /// Processors and memory nodes; the numbers are those of the v1 files with these names.
    public struct CPUSet: JSONMappable, Sendable {
        public var cpus: [UInt16]?
        public var cpuExclusive: UInt64 = 0
        public var mems: [UInt16]?
        public var memHardwall: UInt64 = 0
        public var memExclusive: UInt64 = 0
        public var memoryMigrate: UInt64 = 0
        public var memorySpreadPage: UInt64 = 0
        public var memorySpreadSlab: UInt64 = 0
        public var memoryPressure: UInt64 = 0
        public var schedLoadBalance: UInt64 = 0
        public var schedRelaxDomainLevel: Int64 = 0

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("cpus", &cpus)
            fields.required("cpu_exclusive", &cpuExclusive)
            fields.optional("mems", &mems)
            fields.required("mem_hardwall", &memHardwall)
            fields.required("mem_exclusive", &memExclusive)
            fields.required("memory_migrate", &memoryMigrate)
            fields.required("memory_spread_page", &memorySpreadPage)
            fields.required("memory_spread_slab", &memorySpreadSlab)
            fields.required("memory_pressure", &memoryPressure)
            fields.required("sched_load_balance", &schedLoadBalance)
            fields.required("sched_relax_domain_level", &schedRelaxDomainLevel)
        }
    }

    /// In bytes.
    public struct Memory: JSONMappable, Sendable {
        public struct Entry: JSONMappable, Sendable {
            /// 2^64 - 1 for none on v2, the largest number of whole pages on v1.
            public var limit: UInt64 = 0
            public var usage: UInt64?
            public var max: UInt64?
            /// How often the limit was reached.
            public var failcnt: UInt64 = 0

            package init() {}

            package mutating func map(_ fields: JSONFields) {
                fields.required("limit", &limit)
                fields.optional("usage", &usage)
                fields.optional("max", &max)
                fields.required("failcnt", &failcnt)
            }
        }

        public var cache: UInt64?
        public var usage = Entry()
        /// Memory and swap together.
        public var swap = Entry()
        public var kernel = Entry()
        public var kernelTCP = Entry()
        /// `memory.stat` as it is.
        public var raw: [String: UInt64]?
        public var psi: Pressure?

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("cache", &cache)
            fields.required("usage", &usage)
            fields.required("swap", &swap)
            fields.required("kernel", &kernel)
            fields.required("kernelTCP", &kernelTCP)
            fields.optional("raw", &raw)
            fields.optional("psi", &psi)
        }
    }

    /// Processes and threads.
    public struct Pids: JSONMappable, Sendable {
        public var current: UInt64?
        public var limit: UInt64?

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("current", &current)
            fields.optional("limit", &limit)
        }
    }

    /// Block devices, each operation by itself.
    public struct BlockIO: JSONMappable, Sendable {
        public struct Entry: JSONMappable, Sendable {
            public var major: UInt64?
            public var minor: UInt64?
            /// `Read`, `Write`, `Sync`, `Async`, `Discard`, `Total`.
            public var op: String?
            public var value: UInt64?

            package init() {}

            package init(_ major: UInt64, _ minor: UInt64, _ op: String?, _ value: UInt64) {
                self.major = major == 0 ? nil : major
                self.minor = minor == 0 ? nil : minor
                self.op = op
                self.value = value == 0 ? nil : value
            }

            package mutating func map(_ fields: JSONFields) {
                fields.optional("major", &major)
                fields.optional("minor", &minor)
                fields.optional("op", &op)
                fields.optional("value", &value)
            }
        }

        public var serviceBytes: [Entry]?
        public var serviced: [Entry]?
        public var queued: [Entry]?
        public var serviceTime: [Entry]?
        public var waitTime: [Entry]?
        public var merged: [Entry]?
        public var time: [Entry]?
        public var sectors: [Entry]?
        public var psi: Pressure?

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("ioServiceBytesRecursive", &serviceBytes)
            fields.optional("ioServicedRecursive", &serviced)
            fields.optional("ioQueueRecursive", &queued)
            fields.optional("ioServiceTimeRecursive", &serviceTime)
            fields.optional("ioWaitTimeRecursive", &waitTime)
            fields.optional("ioMergedRecursive", &merged)
            fields.optional("ioTimeRecursive", &time)
            fields.optional("sectorsRecursive", &sectors)
            fields.optional("psi", &psi)
        }
    }

    /// Huge pages of one size, in bytes.
    public struct Hugetlb: JSONMappable, Sendable {
        public var usage: UInt64?
        public var max: UInt64?
        /// How often the limit was reached.
        public var failcnt: UInt64 = 0

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("usage", &usage)
            fields.optional("max", &max)
            fields.required("failcnt", &failcnt)
        }
    }

    /// Schemata of the container's class of service.
    public struct IntelRdt: JSONMappable, Sendable {
        public var l3CacheSchemaRoot: String?
        public var l3CacheSchema: String?
        public var memBwSchemaRoot: String?
        public var memBwSchema: String?

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("l3_cache_schema_root", &l3CacheSchemaRoot)
            fields.optional("l3_cache_schema", &l3CacheSchema)
            fields.optional("mem_bw_schema_root", &memBwSchemaRoot)
            fields.optional("mem_bw_schema", &memBwSchema)
        }
    }

    /// One interface of the container's network namespace.
    public struct NetworkInterface: JSONMappable, Sendable, Equatable {
        public var name = ""
        public var hostInterfaceName = ""
        public var rxBytes: UInt64 = 0
        public var rxPackets: UInt64 = 0
        public var rxErrors: UInt64 = 0
        public var rxDropped: UInt64 = 0
        public var txBytes: UInt64 = 0
        public var txPackets: UInt64 = 0
        public var txErrors: UInt64 = 0
        public var txDropped: UInt64 = 0

        package init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.required("Name", &name)
            fields.required("HostInterfaceName", &hostInterfaceName)
            fields.required("RxBytes", &rxBytes)
            fields.required("RxPackets", &rxPackets)
            fields.required("RxErrors", &rxErrors)
            fields.required("RxDropped", &rxDropped)
            fields.required("TxBytes", &txBytes)
            fields.required("TxPackets", &txPackets)
            fields.required("TxErrors", &txErrors)
            fields.required("TxDropped", &txDropped)
        }
    }
}

/// A number with a fraction, in hundredths, as the kernel's pressure files have it.
public struct JSONDecimal: Sendable, Equatable, JSONValue {
    /// 1234 for `12.34`.
    public var hundredths: UInt64

    public init(hundredths: UInt64 = 0) { self.hundredths = hundredths }

    /// Further decimals are cut off.
    package static func read(from fields: JSONFields, at place: JSONPlace) -> JSONDecimal? {
        guard place.kind == .number else {
            fields.fail(place, expected: "a number")
            return nil
        }
        let node = place.document.nodes[place.index]
        let halves = place.document.bytes[Int(node.start)..<Int(node.end)].split(separator: UInt8(ascii: "."))
        let decimals = Array((halves.count > 1 ? Array(halves[1]) : []) + Array("00".utf8)).prefix(2)
        guard let first = halves.first, let value = UInt64(String(decoding: first + decimals, as: UTF8.self)) else {
            fields.fail(place, expected: "a number without sign and exponent")
            return nil
        }
        return JSONDecimal(hundredths: value)
    }

    package func write(to fields: JSONFields) {
        (hundredths / 100).write(to: fields)
        let rest = hundredths % 100
        guard rest != 0 else { return }
        fields.output.append(UInt8(ascii: "."))
        fields.output.append(UInt8(ascii: "0") + UInt8(rest / 10))
        if rest % 10 != 0 { fields.output.append(UInt8(ascii: "0") + UInt8(rest % 10)) }
    }
}
