import CLinux
import Cgroups
import Glibc
import Linux
import SystemPackage

/// One row of `stats`: what a container uses, as text in Docker's shape.
public struct ContainerUsage: Sendable, Equatable {
    public var cpu = "--"
    public var memory = "-- / --"
    public var memoryShare = "--"
    public var network = "-- / --"
    public var block = "-- / --"
    public var processes = "--"

    /// What nobody counts: a container without a cgroup, or one whose record is damaged.
    public init() {}

    /// A container that is not running uses nothing.
    public static var stopped: ContainerUsage {
        var usage = ContainerUsage()
        (usage.cpu, usage.memory, usage.memoryShare) = ("0.00%", "0B / 0B", "0.00%")
        (usage.network, usage.block, usage.processes) = ("0B / 0B", "0B / 0B", "0")
        return usage
    }

    /// Between two samples of a running container.
    ///
    /// - Parameters:
    ///   - previous: An earlier one of the same run; without it, there is no share of the processors yet.
    ///   - machineMemory: In bytes: the limit of a container that has none.
    public init(_ sample: ContainerSample, since previous: ContainerSample?, machineMemory: UInt64) {
        let traffic = sample.network ?? NetworkTraffic()
        network = "\(ByteSize.decimal(traffic.received)) / \(ByteSize.decimal(traffic.sent))"
        guard let now = sample.cgroup else { return }
        if let usage = now.cpu?.usage { cpu = Self.cpuShare(usage, sample.time, previous) }
        if let memory = now.memory { take(memory, machineMemory) }
        if let pids = now.pids { processes = "\(pids.current)" }
        if let io = now.io { block = "\(ByteSize.decimal(io.readBytes)) / \(ByteSize.decimal(io.writeBytes))" }
    }

    /// 100 % is one processor.
    private static func cpuShare(_ usage: UInt64, _ time: UInt64, _ previous: ContainerSample?) -> String {
        guard let previous, let before = previous.cgroup?.cpu?.usage, time > previous.time, usage >= before else {
            return "0.00%"
        }
        return percent(Double(usage - before) / Double(time - previous.time))
    }

    /// Without the file cache that the kernel would drop first, as Docker counts it.
    private mutating func take(_ statistics: CgroupStatistics.Memory, _ machineMemory: UInt64) {
        let used = statistics.usage > statistics.cache ? statistics.usage - statistics.cache : 0
        let limit = min(statistics.limit ?? machineMemory, machineMemory)
        memory = "\(ByteSize.binary(used)) / \(ByteSize.binary(limit))"
        memoryShare = limit == 0 ? "0.00%" : Self.percent(Double(used) / Double(limit))
    }

    /// With two decimals.
    private static func percent(_ share: Double) -> String {
        let hundredths = UInt64((share * 10_000).rounded())
        let fraction = hundredths % 100
        return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)%"
    }

    /// This machine's memory in bytes.
    public static var machineMemory: UInt64 {
        // Where /proc/meminfo is hidden the limit of the unlimited is not known, and shown as 0.
        let bytes = FileDescriptor.contentsIfReadable(of: "/proc/meminfo", limit: 1 << 16)
        let line = (bytes ?? []).split(separator: UInt8(ascii: "\n")).first { $0.starts(with: "MemTotal:".utf8) }
        let number = line?.split(separator: UInt8(ascii: " ")).dropFirst().first
        return number.flatMap { UInt64(String(decoding: $0, as: UTF8.self)) }.map { $0 * 1024 } ?? 0
    }
}

/// Sizes in bytes as Docker prints them.
public enum ByteSize {
    /// With powers of 1024 and four digits: `1.953MiB`.
    public static func binary(_ bytes: UInt64) -> String {
        text(bytes, base: 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"], digits: 4)
    }

    /// With powers of 1000 and three digits: `2.05MB`.
    public static func decimal(_ bytes: UInt64) -> String {
        text(bytes, base: 1000, ["B", "kB", "MB", "GB", "TB", "PB"], digits: 3)
    }

    /// - Note: the format `%.4g` or `%.3g` of printf(3), without an exponent.
    private static func text(_ bytes: UInt64, base: Double, _ units: [String], digits: Int) -> String {
        var value = Double(bytes)
        var unit = 0
        while value >= base, unit < units.count - 1 {
            value /= base
            unit += 1
        }
        let whole = "\(UInt64(value))".count
        var scale: UInt64 = 1
        for _ in 0..<max(0, digits - whole) { scale *= 10 }
        let scaled = UInt64((value * Double(scale)).rounded())
        var fraction = String(scaled % scale + scale).dropFirst()
        while fraction.last == "0" { fraction.removeLast() }
        return "\(scaled / scale)\(scale == 1 || fraction.isEmpty ? "" : ".\(fraction)")\(units[unit])"
    }
}
