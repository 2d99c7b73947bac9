import CLinux
import Cgroups
import Glibc
import Linux
import OCI
import Reports
import SystemPackage

/// From the kernel's counters to a report.
extension UsageReport {
    /// What is true of this process and this machine.
    mutating func describeSurroundings() {
        host.processors = Int(sysconf(CInt(_SC_NPROCESSORS_ONLN)))
        let (pages, size) = (sysconf(CInt(_SC_PHYS_PAGES)), sysconf(CInt(_SC_PAGESIZE)))
        if pages > 0, size > 0 { host.memory = UInt64(pages) * UInt64(size) }
        var names = utsname()
        if uname(&names) == 0 {
            host.name = Self.text(names.nodename)
            host.kernel = Self.text(names.release)
            host.architecture = Self.text(names.machine)
        }
        host.cgroups = Cgroups.kind
        let id = geteuid()
        user = User(id: id, name: Self.name(of: id))
    }

    /// From the machine's passwd, of which one that is missing knows nobody.
    private static func name(of id: uid_t) -> String? {
        let passwd = FileDescriptor.contentsIfReadable(of: "/etc/passwd", limit: 4 << 20) ?? []
        for line in passwd.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 3, omittingEmptySubsequences: false)
            if fields.count == 4, fields[2].elementsEqual("\(id)".utf8) {
                return String(decoding: fields[0], as: UTF8.self)
            }
        }
        return nil
    }

    private static func text<Field>(_ field: Field) -> String {
        withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// Takes over what the kernel has counted for a cgroup.
    ///
    /// - Parameter atEnd: What there was when the command itself had ended and what it left was not yet killed.
    mutating func fill(_ statistics: ContainerStatistics, atEnd: ContainerStatistics, of cgroup: any Cgroup) {
        accounting = cgroup.record.kind == .v1 ? .cgroupV1 : cgroup.record.unit == nil ? .cgroupV2 : .systemd
        fill(cpu: statistics.cpu)
        fill(memory: statistics.memory, atEnd: atEnd.memory)
        fill(io: statistics.blkio)
        processes.current = atEnd.pids.current ?? 0
        processes.peak = cgroup.processPeak()
        memory.swap.peak = cgroup.swapPeak()
        pressure.cpu = Stall(statistics.cpu.psi)
        pressure.memory = Stall(statistics.memory.psi)
        pressure.io = Stall(statistics.blkio.psi)
    }

    private mutating func fill(cpu usage: ContainerStatistics.CPU) {
        guard let total = usage.usage.total else { return }
        cpu.total = total
        cpu.user = usage.usage.user
        cpu.system = usage.usage.kernel
        cpu.periods = usage.throttling.periods
        // The statistics leave out what is 0.
        let isLimited = usage.throttling.periods != nil
        cpu.throttledPeriods = usage.throttling.throttledPeriods ?? (isLimited ? 0 : nil)
        cpu.throttled = usage.throttling.throttledTime ?? (isLimited ? 0 : nil)
    }

    private mutating func fill(memory used: ContainerStatistics.Memory, atEnd: ContainerStatistics.Memory) {
        let now = atEnd.raw ?? [:]
        memory.total = Bytes(current: atEnd.usage.usage ?? 0, peak: used.usage.max)
        memory.anonymous.current = now["anon"] ?? now["total_rss"]
        memory.file.current = now["file"] ?? now["total_cache"]
        memory.kernel.current = now["kernel"] ?? atEnd.kernel.usage
        memory.shared.current = now["shmem"] ?? now["total_shmem"]
        memory.sockets.current = now["sock"] ?? atEnd.kernelTCP.usage
        memory.swap.current = now["total_swap"] ?? Self.swap(atEnd)
        memory.kernel.peak = used.kernel.max
        memory.sockets.peak = used.kernelTCP.max
        pageFaults.minor = nil
        if let faults = used.raw?["pgfault"] ?? used.raw?["total_pgfault"] {
            let major = used.raw?["pgmajfault"] ?? used.raw?["total_pgmajfault"] ?? 0
            pageFaults.major = major
            pageFaults.minor = faults >= major ? faults - major : 0
        }
    }

    /// Takes over the highest that looks have seen, where the kernel keeps no peak of its own.
    mutating func fillPeaks(_ seen: CgroupMeter.MemoryKinds) {
        let points = samples?.points ?? []
        memory.total.raise(to: points.compactMap(\.memory).max())
        memory.swap.raise(to: points.compactMap(\.swap).max())
        memory.anonymous.raise(to: seen.anonymous)
        memory.file.raise(to: seen.file)
        memory.kernel.raise(to: seen.kernel)
        memory.shared.raise(to: seen.shared)
        memory.sockets.raise(to: seen.sockets)
    }

    /// The statistics have memory and swap together.
    private static func swap(_ memory: ContainerStatistics.Memory) -> UInt64? {
        guard let both = memory.swap.usage, let alone = memory.usage.usage else { return nil }
        return both >= alone ? both - alone : 0
    }

    private mutating func fill(io block: ContainerStatistics.BlockIO) {
        func sum(_ entries: [ContainerStatistics.BlockIO.Entry]?, _ kind: String) -> UInt64? {
            entries.map { $0.filter { $0.op == kind }.reduce(0) { $0 + ($1.value ?? 0) } }
        }
        io.read = sum(block.serviceBytes, "Read")
        io.written = sum(block.serviceBytes, "Write")
        io.readOperations = sum(block.serviced, "Read")
        io.writeOperations = sum(block.serviced, "Write")
    }

    /// Takes over what processes that were waited for have used, where no cgroup tells of all.
    mutating func fill(_ usage: ResourceUsage) {
        memory.largestProcess = usage.largestResidentSet
        contextSwitches.voluntary = usage.voluntarySwitches
        contextSwitches.involuntary = usage.involuntarySwitches
        if cpu.total == nil {
            cpu.total = usage.userTime + usage.systemTime
            cpu.user = usage.userTime
            cpu.system = usage.systemTime
        }
        if pageFaults == PageFaults() {
            pageFaults.minor = usage.minorFaults
            pageFaults.major = usage.majorFaults
        }
        if io == IO(), accounting == nil {
            io.read = usage.blocksRead * 512
            io.written = usage.blocksWritten * 512
        }
        if accounting == nil { accounting = .rusage }
    }
}

extension UsageReport.Bytes {
    /// Makes `highest` its peak if it has none. What it was at the end was seen, too.
    fileprivate mutating func raise(to highest: UInt64?) {
        guard peak == nil, let highest = [highest, current].compactMap({ $0 }).max() else { return }
        peak = highest
    }
}

extension UsageReport.Stall {
    /// The kernel has microseconds.
    fileprivate init(_ pressure: ContainerStatistics.Pressure?) {
        self.init(some: pressure.map { $0.some.total * 1000 }, full: pressure.map { $0.full.total * 1000 })
    }
}
