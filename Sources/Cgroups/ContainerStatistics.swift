import Glibc
import Linux
public import OCI

extension Cgroup {
    /// What the container's processes use and have used, in the form that `events` prints.
    public func containerStatistics() throws -> ContainerStatistics {
        var statistics = ContainerStatistics()
        // A container that lives has the hierarchy for processor time only once it is looked at.
        if let cgroup = self as? CgroupV1 { try cgroup.bringIn(.cpuacct) }
        switch record.kind {
        case .v1: try statistics.fill(v1: record.directories)
        case .v2: try statistics.fill(v2: record.directories["unified"] ?? "")
        }
        return statistics
    }
}

extension ContainerStatistics {
    fileprivate mutating func fill(v1 paths: [String: String]) throws {
        for (hierarchy, path) in paths {
            guard let directory = try CgroupDirectory.ifThere(path) else { continue }
            for controller in hierarchy.split(separator: ",") {
                try fill(v1: Controller(rawValue: String(controller)), directory)
            }
        }
    }

    private mutating func fill(v1 controller: Controller?, _ directory: CgroupDirectory) throws {
        switch controller {
        case .cpuacct: try cpu.usage.fill(v1: directory)
        case .cpu: try cpu.throttling.fill(directory, time: "throttled_time", nanoseconds: 1)
        case .cpuset: try cpuset.fill(directory)
        case .memory: try memory.fill(v1: directory)
        case .pids: try pids.fill(directory)
        case .blkio: try blkio.fill(v1: directory)
        case .hugetlb: try fillHugetlb(directory, limit: "limit_in_bytes", usage: "usage_in_bytes")
        default: break
        }
    }

    fileprivate mutating func fill(v2 path: String) throws {
        guard let directory = try CgroupDirectory.ifThere(path) else { return }
        let usage = try CgroupStatistics.CPU(v2: directory)
        cpu.usage.total = usage?.usage
        cpu.usage.user = usage?.user ?? 0
        cpu.usage.kernel = usage?.system ?? 0
        try cpu.throttling.fill(directory, time: "throttled_usec", nanoseconds: 1000)
        cpu.psi = try Pressure(directory, "cpu.pressure")
        try cpuset.fill(directory)
        try memory.fill(v2: directory)
        try pids.fill(directory)
        try blkio.fill(v2: directory)
        try fillHugetlb(directory, limit: "max", usage: "current")
    }

    /// By the page sizes that the directory has files for: `hugetlb.2MB.current`.
    private mutating func fillHugetlb(_ directory: CgroupDirectory, limit: String, usage: String) throws {
        for name in try directory.descriptor.entries() {
            let parts = name.split(separator: ".")
            guard parts.count == 3, parts[0] == "hugetlb", parts[2] == usage else { continue }
            var entry = Hugetlb()
            entry.usage = try directory.number(name).shown
            entry.max = try directory.number("hugetlb.\(parts[1]).max_usage_in_bytes").shown
            entry.failcnt =
                try directory.has("hugetlb.\(parts[1]).events")
                ? directory.readNumber("max", in: "hugetlb.\(parts[1]).events")
                : directory.number("hugetlb.\(parts[1]).failcnt") ?? 0
            hugetlb[String(parts[1])] = entry
        }
    }
}

extension UInt64? {
    /// `nil` also for 0, which is left out.
    fileprivate var shown: UInt64? { self == 0 ? nil : self }
}

extension CgroupDirectory {
    /// The number in a file, all ones for `max`; `nil` without the file.
    fileprivate func number(_ file: String) throws -> UInt64? {
        try readIfThere(file).flatMap { $0 == "max" ? .max : UInt64($0) }
    }
}

extension ContainerStatistics.Pressure {
    /// Lines such as `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`.
    ///
    /// - Note: accounting/psi.rst.
    fileprivate init?(_ directory: CgroupDirectory, _ file: String) throws {
        guard let text = try? directory.readIfThere(file) else { return nil }  // `try?`: a kernel booted with psi=0
        self.init(text)
    }

    init(_ text: String) {
        self.init()
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.first == "some" { some = Share(words.dropFirst()) }
            if words.first == "full" { full = Share(words.dropFirst()) }
        }
    }
}

extension ContainerStatistics.Pressure.Share {
    fileprivate init(_ words: ArraySlice<Substring>) {
        self.init()
        for word in words {
            let sides = word.split(separator: "=", maxSplits: 1)
            guard sides.count == 2 else { continue }
            switch sides[0] {
            case "avg10": avg10 = Self.decimal(sides[1])
            case "avg60": avg60 = Self.decimal(sides[1])
            case "avg300": avg300 = Self.decimal(sides[1])
            case "total": total = UInt64(sides[1]) ?? 0
            default: break
            }
        }
    }

    /// The kernel always writes two decimals.
    private static func decimal(_ text: Substring) -> JSONDecimal {
        JSONDecimal(hundredths: UInt64(text.filter { $0 != "." }) ?? 0)
    }
}

extension ContainerStatistics.CPU.Usage {
    fileprivate mutating func fill(v1 directory: CgroupDirectory) throws {
        let usage = try CgroupStatistics.CPU(v1: directory, limits: nil)
        total = usage?.usage
        user = usage?.user ?? 0
        kernel = usage?.system ?? 0
        percpu = try Self.list(directory, "cpuacct.usage_percpu")
        percpuKernel = try Self.list(directory, "cpuacct.usage_percpu_sys")
        percpuUser = try Self.list(directory, "cpuacct.usage_percpu_user")
    }

    private static func list(_ directory: CgroupDirectory, _ file: String) throws -> [UInt64]? {
        try directory.readIfThere(file).map { $0.split(separator: " ").compactMap { UInt64($0) } }
    }
}

extension ContainerStatistics.CPU.Throttling {
    fileprivate mutating func fill(_ directory: CgroupDirectory, time: String, nanoseconds: UInt64) throws {
        let values = try directory.readKeyed("cpu.stat")
        periods = values["nr_periods"].shown
        throttledPeriods = values["nr_throttled"].shown
        throttledTime = (values[time].map { $0 &* nanoseconds }).shown
    }
}

extension ContainerStatistics.CPUSet {
    fileprivate mutating func fill(_ directory: CgroupDirectory) throws {
        cpus = try Self.list(directory, "cpus")
        mems = try Self.list(directory, "mems")
        func number(_ file: String) throws -> UInt64 {
            try directory.readIfThere("cpuset.\(file)").flatMap { UInt64($0) } ?? 0
        }
        cpuExclusive = try number("cpu_exclusive")
        memHardwall = try number("mem_hardwall")
        memExclusive = try number("mem_exclusive")
        memoryMigrate = try number("memory_migrate")
        memorySpreadPage = try number("memory_spread_page")
        memorySpreadSlab = try number("memory_spread_slab")
        memoryPressure = try number("memory_pressure")
        schedLoadBalance = try number("sched_load_balance")
        schedRelaxDomainLevel =
            try directory.readIfThere("cpuset.sched_relax_domain_level").flatMap { Int64($0) } ?? 0
    }

    private static func list(_ directory: CgroupDirectory, _ what: String) throws -> [UInt16]? {
        let own = try directory.readIfThere("cpuset.\(what)") ?? ""
        let text = try own.isEmpty ? directory.readIfThere("cpuset.\(what).effective") ?? "" : own
        guard let mask = SystemdProperties.mask(text) else { return nil }
        return (0..<mask.count * 8).filter { mask[$0 / 8] & 1 << UInt8($0 % 8) != 0 }.map { UInt16($0) }
    }
}

extension ContainerStatistics.Memory {
    fileprivate mutating func fill(v1 directory: CgroupDirectory) throws {
        let values = try directory.readKeyed("memory.stat")
        cache = values["cache"].shown
        raw = values
        usage = try Entry(v1: directory, "memory")
        swap = try Entry(v1: directory, "memory.memsw")
        kernel = try Entry(v1: directory, "memory.kmem")
        kernelTCP = try Entry(v1: directory, "memory.kmem.tcp")
    }

    fileprivate mutating func fill(v2 directory: CgroupDirectory) throws {
        let values = try directory.readKeyed("memory.stat")
        cache = values["file"].shown
        raw = values
        usage.usage = try directory.number("memory.current").shown
        usage.limit = try directory.number("memory.max") ?? 0
        usage.max = try directory.number("memory.peak").shown
        usage.failcnt = try directory.readNumber("max", in: "memory.events")
        // As on v1 this is memory and swap together.
        if let swapped = try directory.number("memory.swap.current") {
            swap.usage = Optional(swapped &+ (usage.usage ?? 0)).shown
            let limit = try directory.number("memory.swap.max") ?? 0
            let (sum, overflow) = limit.addingReportingOverflow(usage.limit)
            swap.limit = overflow ? .max : sum
            swap.failcnt = try directory.readNumber("max", in: "memory.swap.events")
        }
        psi = try ContainerStatistics.Pressure(directory, "memory.pressure")
    }
}

extension ContainerStatistics.Memory.Entry {
    fileprivate init(v1 directory: CgroupDirectory, _ prefix: String) throws {
        self.init()
        limit = try directory.number("\(prefix).limit_in_bytes") ?? 0
        usage = try directory.number("\(prefix).usage_in_bytes").shown
        max = try directory.number("\(prefix).max_usage_in_bytes").shown
        failcnt = try directory.number("\(prefix).failcnt") ?? 0
    }
}

extension ContainerStatistics.Pids {
    fileprivate mutating func fill(_ directory: CgroupDirectory) throws {
        current = try directory.number("pids.current").shown
        // As in runc 0 is no limit.
        limit = try directory.number("pids.max").flatMap { $0 == .max ? nil : $0 }
    }
}

extension ContainerStatistics.BlockIO {
    /// From the BFQ scheduler where it counts, else from the throttling that always does.
    fileprivate mutating func fill(v1 directory: CgroupDirectory) throws {
        func entries(_ names: String...) throws -> [Entry]? {
            for name in names {
                let entries = try directory.readIfThere("blkio.\(name)").map(Self.entries) ?? []
                if !entries.isEmpty { return entries }
            }
            return nil
        }
        serviceBytes = try entries("bfq.io_service_bytes_recursive", "throttle.io_service_bytes_recursive")
        serviced = try entries("bfq.io_serviced_recursive", "throttle.io_serviced_recursive")
        queued = try entries("bfq.io_queued_recursive", "io_queued_recursive")
        serviceTime = try entries("bfq.io_service_time_recursive", "io_service_time_recursive")
        waitTime = try entries("bfq.io_wait_time_recursive", "io_wait_time_recursive")
        merged = try entries("bfq.io_merged_recursive", "io_merged_recursive")
        time = try entries("bfq.time_recursive", "time_recursive")
        sectors = try entries("bfq.sectors_recursive", "sectors_recursive")
    }

    /// Lines `8:0 Read 4096`, or `8:0 4096`; the sum at the end names no device.
    static func entries(_ text: String) -> [Entry] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 2 || words.count == 3, let (major, minor) = device(words[0]),
                let value = UInt64(words.last!)
            else { return nil }
            return Entry(major, minor, words.count == 3 ? String(words[1]) : nil, value)
        }
    }

    private static func device(_ text: Substring) -> (UInt64, UInt64)? {
        let halves = text.split(separator: ":")
        guard halves.count == 2, let major = UInt64(halves[0]), let minor = UInt64(halves[1]) else { return nil }
        return (major, minor)
    }

    fileprivate mutating func fill(v2 directory: CgroupDirectory) throws {
        psi = try ContainerStatistics.Pressure(directory, "io.pressure")
        guard let text = try directory.readIfThere("io.stat") else { return }
        fill(v2: text)
    }

    /// Lines such as `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0`.
    mutating func fill(v2 text: String) {
        var bytes: [Entry] = []
        var operations: [Entry] = []
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard let first = words.first, let (major, minor) = Self.device(first) else { continue }
            for word in words.dropFirst() {
                let sides = word.split(separator: "=")
                guard sides.count == 2, let value = UInt64(sides[1]) else { continue }
                let op = ["r": "Read", "w": "Write", "d": "Discard"][String(sides[0].prefix(1))]
                if sides[0].hasSuffix("bytes") { bytes.append(Entry(major, minor, op, value)) }
                if sides[0].hasSuffix("ios") { operations.append(Entry(major, minor, op, value)) }
            }
        }
        serviceBytes = bytes.isEmpty ? nil : bytes
        serviced = operations.isEmpty ? nil : operations
    }
}
