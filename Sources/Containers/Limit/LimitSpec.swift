import CLinux
import Glibc
import Linux
import OCI
import SystemPackage

/// From what was asked to the Spec that the engine runs in place.
extension LimitConfig {
    /// The Spec of a command with the machine's own root and none of its own namespaces.
    func makeSpec() throws(Failure) -> Spec {
        var process = Spec.Process(
            user: Spec.User(uid: getuid(), gid: getgid()), args: command, env: Self.environment(), cwd: "/")
        process.rlimits = rlimits()
        if let nice { process.scheduler = Spec.Scheduler(policy: Self.policy(), nice: nice) }
        if let ioPriority { process.ioPriority = Spec.IOPriority(class: ioPriority.kind, priority: ioPriority.level) }
        var spec = Spec(
            process: process, root: Spec.Root(path: "/"), linux: Spec.Linux(resources: try cgroupResources()))
        if !isolation.isNone { try isolation.apply(to: &spec) }
        return spec
    }

    /// This process' own, as it is, also what is no assignment.
    private static func environment() -> [String] {
        var variables: [String] = []
        var entry = apus_environment()
        while let variable = entry?.pointee {
            variables.append(String(cString: variable))
            entry = entry?.advanced(by: 1)
        }
        return variables
    }

    /// The scheduling policy that this process has, which the command keeps.
    private static func policy() -> String {
        switch sched_getscheduler(0) & ~SCHED_RESET_ON_FORK {
        case SCHED_BATCH: "SCHED_BATCH"
        case SCHED_IDLE: "SCHED_IDLE"
        default: "SCHED_OTHER"
        }
    }

    private func rlimits() -> [Spec.Rlimit]? {
        var limits: [Spec.Rlimit] = []
        if let fileSize { limits.append(Self.rlimit("RLIMIT_FSIZE", fileSize)) }
        if let openFiles { limits.append(Self.rlimit("RLIMIT_NOFILE", openFiles)) }
        return limits.isEmpty ? nil : limits
    }

    static func rlimit(_ type: String, _ value: Int64) -> Spec.Rlimit {
        Spec.Rlimit(type: type, hard: UInt64(value), soft: UInt64(value))
    }

    /// - Returns: `nil` when no limit was asked for that a cgroup holds.
    func cgroupResources() throws(Failure) -> Spec.Resources? {
        var memory: Spec.Memory?
        if let limit = resources.memory {
            memory = Spec.Memory(limit: limit, swap: swap.map { limit &+ $0 })
        }
        var cpu: Spec.CPU?
        if let nanoCPUs = resources.nanoCPUs { cpu = Spec.CPU(quota: nanoCPUs / 10_000, period: 100_000) }
        if let cpus = resources.cpusetCPUs {
            cpu = cpu ?? Spec.CPU()
            cpu?.cpus = cpus
        }
        let wanted = Spec.Resources(
            memory: memory, cpu: cpu, pids: resources.pids.map { Spec.Pids(limit: $0) }, blockIO: try blockIO())
        return wanted == Spec.Resources() ? nil : wanted
    }

    private func blockIO() throws(Failure) -> Spec.BlockIO? {
        let block = Spec.BlockIO(
            throttleReadBpsDevice: try throttles(resources.readBytesPerSecond, "--io-read-bps"),
            throttleWriteBpsDevice: try throttles(resources.writeBytesPerSecond, "--io-write-bps"),
            throttleReadIOPSDevice: try throttles(resources.readOperationsPerSecond, "--io-read-iops"),
            throttleWriteIOPSDevice: try throttles(resources.writeOperationsPerSecond, "--io-write-iops"))
        return block == Spec.BlockIO() ? nil : block
    }

    private func throttles(_ rates: [DeviceRate], _ flag: String) throws(Failure) -> [Spec.ThrottleDevice]? {
        var throttles: [Spec.ThrottleDevice] = []
        for rate in rates {
            if rate.path.isEmpty {
                let disks = Disks.all()
                if disks.isEmpty {
                    throw Failure(
                        flag, "\(rate.rate)", "no disks are to be seen in /sys/block", remedy: "give DEVICE:RATE")
                }
                throttles += disks.map { Spec.ThrottleDevice(major: $0.major, minor: $0.minor, rate: rate.rate) }
            } else {
                var status = FileStatus()
                guard stat(rate.path, &status) == 0, status.st_mode & S_IFMT == S_IFBLK else {
                    throw Failure(flag, "'\(rate.path)'", "not a block device")
                }
                throttles.append(
                    Spec.ThrottleDevice(
                        major: Int64(apus_major(status.st_rdev)), minor: Int64(apus_minor(status.st_rdev)),
                        rate: rate.rate))
            }
        }
        return throttles.isEmpty ? nil : throttles
    }
}

/// The machine's whole disks.
private enum Disks {
    /// By their numbers: what /sys/block lists, but for what lies in memory or in files of other disks.
    static func all() -> [(major: Int64, minor: Int64)] {
        let here = FileDescriptor.workingDirectory
        // `try?`: without it there are none to be seen, and the caller says so
        guard let directory = try? here.open("/sys/block", O_RDONLY | O_DIRECTORY) else { return [] }
        defer { directory.closeQuietly() }
        let names = (try? directory.entries()) ?? []  // `try?`: as above
        return names.filter { name in !["loop", "ram", "zram", "nbd"].contains { name.hasPrefix($0) } }.compactMap {
            let text = FileDescriptor.contentsIfReadable(of: "/sys/block/\($0)/dev", limit: 64)
            let numbers = text?.split { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "\n") }
                .compactMap { Int64(String(decoding: $0, as: UTF8.self)) }
            guard let numbers, numbers.count == 2 else { return nil }
            return (numbers[0], numbers[1])
        }
    }
}
