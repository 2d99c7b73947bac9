import Cgroups
import Glibc
import Linux
import Reports

/// What became of each limit, for the report.
struct ReportedLimits {
    let config: LimitConfig
    /// What became of those that a cgroup holds.
    let records: [LimitRecord]
    /// What holds those that no cgroup does.
    let held: HeldOtherwise
    let verdict: LimitVerdict
    let report: UsageReport

    /// In the order of the command's help.
    func all() -> [UsageReport.Limit] {
        var limits: [UsageReport.Limit] = []
        limits += memory() + processors()
        if let timeout = config.timeout {
            limits.append(
                limit(
                    "timeout", Wording.seconds(timeout), timeout, .nanoseconds, .timer, peak: report.wall,
                    hit: verdict.cut == .timeout))
        }
        if let time = config.cpuTime {
            limits.append(
                limit(
                    "cpu-time", Wording.seconds(time), time, .nanoseconds, .sampling, peak: report.cpu.total,
                    hit: verdict.cut == .cpuTime))
        }
        return limits + files()
    }

    private func memory() -> [UsageReport.Limit] {
        var limits: [UsageReport.Limit] = []
        if let memory = config.resources.memory {
            var limit = held("memory", Wording.size(UInt64(memory)), memory, .bytes)
            limit.peak = report.memory.total.peak
            limit.hit = verdict.memoryKills > 0 && !verdict.ranOutBelowLimit
            limits.append(limit)
        }
        if let swap = config.swap {
            var limit = held("swap", Wording.size(UInt64(swap)), swap, .bytes)
            limit.peak = report.memory.swap.peak
            limit.hit = limit.peak.map { $0 > 0 && $0 >= UInt64(swap) }
            limits.append(limit)
        }
        if let pids = config.resources.pids {
            var limit = held("pids", "\(pids)", pids, .processes)
            limit.peak = report.processes.peak
            limit.hit = verdict.refusedForks > 0 && !verdict.refusedBelowLimit || verdict.cut == .pids
            limits.append(limit)
        }
        if let files = config.openFiles { limits.append(limit("open-files", "\(files)", files, .files, .rlimit)) }
        return limits
    }

    private func processors() -> [UsageReport.Limit] {
        var limits: [UsageReport.Limit] = []
        if let cpus = config.resources.nanoCPUs {
            let millis = cpus / 1_000_000
            var limit = held("cpus", Wording.thousandths(millis), millis, .millicpus)
            let highest = report.samples?.highestRate { $0.cpu }.map { UInt64(($0 * 1000).rounded()) }
            // What is sampled lies across two periods of the limit, each of which may be used up at once.
            limit.peak = highest.map { limit.enforced ? min($0, UInt64(millis)) : $0 }
            limit.hit = report.cpu.throttledPeriods.map { $0 > 0 }
            limits.append(limit)
        }
        if let cpuset = config.resources.cpusetCPUs { limits.append(held("cpuset", cpuset, nil, nil)) }
        if let nice = config.nice { limits.append(limit("nice", "\(nice)", Int64(nice), .level, .scheduler)) }
        return limits
    }

    private func files() -> [UsageReport.Limit] {
        var limits: [UsageReport.Limit] = []
        if let size = config.fileSize {
            limits.append(
                limit("file-size", Wording.size(UInt64(size)), size, .bytes, .rlimit, hit: verdict.hitFileSize))
        }
        if let size = config.outputSize {
            limits.append(
                limit(
                    "output-size", Wording.size(UInt64(size)), size, .bytes, .pipe, peak: verdict.output,
                    hit: verdict.cut == .output))
        }
        let rates: [(String, [DeviceRate], UsageReport.Unit)] = [
            ("io-read-bps", config.resources.readBytesPerSecond, .bytesPerSecond),
            ("io-write-bps", config.resources.writeBytesPerSecond, .bytesPerSecond),
            ("io-read-iops", config.resources.readOperationsPerSecond, .operationsPerSecond),
            ("io-write-iops", config.resources.writeOperationsPerSecond, .operationsPerSecond),
        ]
        for (name, asked, unit) in rates {
            for rate in asked {
                let text = rate.path.isEmpty ? "\(rate.rate)" : "\(rate.path):\(rate.rate)"
                limits.append(held(name, text, Int64(clamping: rate.rate), unit))
            }
        }
        if let priority = config.ioPriority {
            let kind = priority.kind.split(separator: "_").last ?? ""
            limits.append(limit("ionice", "\(kind):\(priority.level)", priority.level, .level, .scheduler))
        }
        return limits
    }

    private func limit(
        _ name: String, _ asked: String, _ value: Int64, _ unit: UsageReport.Unit, _ mechanism: UsageReport.Mechanism,
        peak: UInt64? = nil, hit: Bool? = nil
    ) -> UsageReport.Limit {
        var limit = UsageReport.Limit(
            name: name, asked: asked, value: value, unit: unit, mechanism: mechanism, enforced: true)
        limit.peak = peak
        limit.hit = hit
        return limit
    }

    /// One that a cgroup holds, if anything does.
    private func held(_ name: String, _ asked: String, _ value: Int64?, _ unit: UsageReport.Unit?) -> UsageReport.Limit
    {
        var limit = UsageReport.Limit(name: name, asked: asked, value: value, unit: unit)
        let matching = records.filter { LimitedRun.flag(of: $0.limit) == name }
        limit.enforced = !matching.isEmpty && matching.allSatisfy(\.enforced)
        if limit.enforced { limit.mechanism = matching.first.flatMap { UsageReport.Mechanism($0.mechanism) } }
        if let substitute = held.substitutes.first(where: { $0.flag == name }) {
            limit.mechanism = substitute.mechanism
            limit.note = substitute.text
        }
        return limit
    }
}

extension UsageReport.Mechanism {
    /// - Returns: `nil` where nothing holds it.
    init?(_ mechanism: LimitMechanism) {
        switch mechanism {
        case .v2: self = .cgroupV2
        case .v1: self = .cgroupV1
        case .systemd: self = .systemd
        case .rlimit: self = .rlimit
        case .none: return nil
        }
    }
}

extension Wording {
    /// `1.5` for 1500.
    static func thousandths(_ number: Int64) -> String {
        if number % 1000 == 0 { return "\(number / 1000)" }
        var digits = "\(1000 + number % 1000)".dropFirst()
        while digits.last == "0" { digits.removeLast() }
        return "\(number / 1000).\(digits)"
    }
}
