import CLinux
import Glibc
import OCI

extension LimitPlan {
    /// - Note: sched-design-CFS.rst, sched-bwc.rst; cgroup-v2, "CPU Interface Files".
    func cpuLimits(_ cpu: Spec.CPU) -> [Limit] {
        var limits: [Limit] = []
        if let shares = cpu.shares, shares != 0 { limits.append(sharesLimit(shares)) }
        limits += version == .v1 ? bandwidthV1(cpu) : bandwidthV2(cpu)
        if let burst = cpu.burst {
            let file = version == .v1 ? "cpu.cfs_burst_us" : "cpu.max.burst"
            limits.append(
                Limit(
                    name: "cpu-burst", asked: "\(burst) µs", controller: .cpu,
                    writes: [Limit.Write(file, "\(burst)")], lifts: burst == 0, range: "at most the quota"))
        }
        if let idle = cpu.idle {
            limits.append(
                Limit(
                    name: "cpu-idle", asked: "\(idle)", controller: .cpu,
                    writes: [Limit.Write("cpu.idle", "\(idle)")], lifts: idle == 0, range: "0 or 1"))
        }
        return limits + realtime(cpu)
    }

    /// `cpu.weight` of v2 for the shares of v1: 2 to 262144 become 1 to 10000.
    ///
    /// - Note: The conversion that runc, crun and systemd agreed on.
    static func weight(ofShares shares: UInt64) -> UInt64 {
        1 + (Swift.min(Swift.max(shares, 2), 262144) - 2) * 9999 / 262142
    }

    private func sharesLimit(_ shares: UInt64) -> Limit {
        let write =
            version == .v1
            ? Limit.Write("cpu.shares", "\(shares)") : Limit.Write("cpu.weight", "\(Self.weight(ofShares: shares))")
        var limit = Limit(name: "cpu-shares", asked: "\(shares)", controller: .cpu, writes: [write])
        // The kernel would take another value without a word.
        if !(2...262144).contains(shares) { limit.impossible = "the kernel takes 2 to 262144" }
        return limit
    }

    private static let range = "quota: at least 1000 µs (0.01 CPU in the usual period); period: 1000 to 1000000 µs"

    private func bandwidthV1(_ cpu: Spec.CPU) -> [Limit] {
        var limits: [Limit] = []
        if let period = cpu.period, period != 0 {
            limits.append(
                Limit(
                    name: "cpu-period", asked: "\(period) µs", controller: .cpu,
                    writes: [Limit.Write("cpu.cfs_period_us", "\(period)")], lifts: period == 100_000,
                    range: Self.range))
        }
        if let quota = cpu.quota, quota != 0 {
            limits.append(
                Limit(
                    name: "cpus", asked: cpus(quota, cpu.period), controller: .cpu,
                    writes: [Limit.Write("cpu.cfs_quota_us", quota > 0 ? "\(quota)" : "-1")], lifts: quota < 0,
                    range: Self.range))
        }
        return limits
    }

    /// v2 has quota and period in one file: the half that was not asked stays what it is.
    private func bandwidthV2(_ cpu: Spec.CPU) -> [Limit] {
        let quota = cpu.quota ?? 0
        let period = cpu.period ?? 0
        guard quota != 0 || period != 0 else { return [] }
        let now = (quota == 0 || period == 0) && !isNew ? current("cpu.max") : nil
        let halves = (now ?? "").split(separator: " ").map(String.init)
        let first = quota > 0 ? "\(quota)" : quota < 0 ? "max" : halves.first ?? "max"
        let second = period != 0 ? "\(period)" : halves.count == 2 ? halves[1] : "100000"
        return [
            Limit(
                name: "cpus", asked: cpus(Int64(first) ?? -1, UInt64(second)), controller: .cpu,
                writes: [Limit.Write("cpu.max", "\(first) \(second)")], lifts: first == "max" && quota < 0,
                range: Self.range)
        ]
    }

    private func cpus(_ quota: Int64, _ period: UInt64?) -> String {
        quota < 0 ? "unlimited" : Quantity.ratio(quota, (period ?? 0) == 0 ? 100_000 : period!)
    }

    private func realtime(_ cpu: Spec.CPU) -> [Limit] {
        let values: [(String, String, Int64?)] = [
            ("cpu-rt-period", "cpu.rt_period_us", cpu.realtimePeriod.map { Int64(clamping: $0) }),
            ("cpu-rt-runtime", "cpu.rt_runtime_us", cpu.realtimeRuntime),
        ]
        return values.compactMap { name, file, value in
            guard let value, value != 0 else { return nil }
            var limit = Limit(
                name: name, asked: "\(value) µs", controller: .cpu, writes: [Limit.Write(file, "\(value)")])
            if version == .v2 { limit.impossible = "cgroup v2 has nothing of the kind, only cgroup v1 does" }
            return limit
        }
    }

    /// - Note: cgroup-v1 cpusets.rst; cgroup-v2, "Cpuset Interface Files".
    func cpusetLimits(_ cpu: Spec.CPU) -> [Limit] {
        let values = [
            ("cpuset-cpus", "cpuset.cpus", cpu.cpus, "the processors here are in /sys/devices/system/cpu/online"),
            ("cpuset-mems", "cpuset.mems", cpu.mems, "the memory nodes here are in /sys/devices/system/node/online"),
        ]
        return values.compactMap { name, file, list, range in
            guard let list, !list.isEmpty else { return nil }
            return Limit(
                name: name, asked: list, controller: .cpuset, writes: [Limit.Write(file, list)], range: range)
        }
    }
}

extension CgroupStatistics.CPU {
    /// From the v1 hierarchies with `cpuacct` and, where a limit is in force, `cpu`.
    init?(v1 accounting: CgroupDirectory, limits: CgroupDirectory?) throws {
        guard let usage = try accounting.readIfThere("cpuacct.usage").flatMap({ UInt64($0) }) else { return nil }
        self.init(usage: usage)
        let ticks = try accounting.readKeyed("cpuacct.stat")
        let nanoseconds = UInt64(1_000_000_000 / Swift.max(sysconf(CInt(_SC_CLK_TCK)), 1))
        user = (ticks["user"] ?? 0) * nanoseconds
        system = (ticks["system"] ?? 0) * nanoseconds
        let values = try limits?.readKeyed("cpu.stat") ?? [:]
        periods = values["nr_periods"] ?? 0
        throttledPeriods = values["nr_throttled"] ?? 0
        throttledTime = values["throttled_time"] ?? 0
    }

    /// From a cgroup v2, which counts CPU time with or without the controller.
    init?(v2 directory: CgroupDirectory) throws {
        let values = try directory.readKeyed("cpu.stat")
        guard let usage = values["usage_usec"] else { return nil }
        self.init(usage: usage * 1000)
        user = (values["user_usec"] ?? 0) * 1000
        system = (values["system_usec"] ?? 0) * 1000
        periods = values["nr_periods"] ?? 0
        throttledPeriods = values["nr_throttled"] ?? 0
        throttledTime = (values["throttled_usec"] ?? 0) * 1000
    }
}
