import Cgroups
import Glibc
import Linux
import OCI
public import Reports
import SystemPackage

/// Where the report of a command goes, and what it is compared with.
public struct LimitReports {
    /// By how much the peak of memory may have grown.
    public struct AllowedGrowth {
        let allowed: Percentage
        let baseline: UsageReport
        /// The baseline's file, for messages.
        let name: String

        public init(_ allowed: Percentage, over baseline: UsageReport, named name: String) {
            self.allowed = allowed
            self.baseline = baseline
            self.name = name
        }
    }

    let destinations: [ReportDestination]
    let version: String
    let growth: AllowedGrowth?
    /// Makes the text that standard error gets; `nil` for none.
    let summarize: ((UsageReport) -> String)?

    /// - Parameter version: Of this Apus.
    public init(
        _ destinations: [ReportDestination], version: String, growth: AllowedGrowth? = nil,
        summarize: ((UsageReport) -> String)? = nil
    ) {
        self.destinations = destinations
        self.version = version
        self.growth = growth
        self.summarize = summarize
    }

    /// Whether what happens over time is looked at: pages show it, and `apus report show` makes pages of JSON.
    var wantsSamples: Bool { !destinations.isEmpty }

    /// Writes the files and the summary, and says when the peak has grown by more than is allowed.
    ///
    /// - Parameter status: The command's exit status.
    /// - Returns: The exit status of `apus`: another than the command's if it is 0 and its memory has grown.
    func deliver(_ report: UsageReport, status: Int32) throws(Failure) -> Int32 {
        try write(report)
        guard let growth,
            let verdict = try PeakGrowth.verdict(
                of: report, over: growth.baseline, named: growth.name, allowed: growth.allowed)
        else { return status }
        Report.line(verdict)
        return status == 0 ? PeakGrowth.exitStatus : status
    }

    private func write(_ report: UsageReport) throws(Failure) {
        for destination in destinations { try destination.write(report.bytes(destination.format)) }
        if let summarize { Report.raw(summarize(report)) }
    }
}

/// What is noted for the report while a command runs.
struct LimitNotes {
    let started = Timestamp.now
    let begin = Clock.monotonic()
    var sampler: UsageSampler?
    /// What looks at each process have seen, where no cgroup tells of all together.
    var familySeries: SampleSeries?
    /// What those have used that were reaped besides the command.
    var orphans = ResourceUsage()
    /// The most resident memory that a look has seen, in bytes, where no cgroup counts it.
    var familyMemory: UInt64 = 0
    /// The most processes and threads that a look has seen.
    var familyThreads: UInt64 = 0
    /// The counters when the command itself had ended.
    var atEnd: ContainerStatistics?
    /// The counters when everything had.
    var total: ContainerStatistics?

    /// Takes over a look at each process.
    mutating func note(_ family: ProcessFamily) {
        familyMemory = max(familyMemory, family.memory)
        familyThreads = max(familyThreads, family.threads)
        guard familySeries != nil else { return }
        var sample = UsageReport.Sample(time: Clock.monotonic() - begin)
        sample.memory = family.memory
        sample.cpu = family.cpuTime + orphans.userTime + orphans.systemTime
        sample.processes = family.threads
        familySeries?.add(sample)
    }

    /// A report with everything that does not depend on how the command went.
    func makeReport(_ command: [String], version: String) -> UsageReport {
        var report = UsageReport()
        report.version = version
        report.command = command
        if let directory = getcwd(nil, 0) {
            report.workingDirectory = String(cString: directory)
            free(directory)
        }
        report.describeSurroundings()
        report.start = started.rfc3339
        report.end = Timestamp.now.rfc3339
        report.wall = Clock.monotonic() - begin
        return report
    }
}

extension UsageReport {
    /// Takes over all that was noted.
    mutating func fill(usage: ResourceUsage, _ notes: LimitNotes, of cgroup: (any Cgroup)?) {
        if let cgroup, let total = notes.total { fill(total, atEnd: notes.atEnd ?? total, of: cgroup) }
        fill(usage)
        if notes.familyMemory > 0, memory.total.peak == nil { memory.total.peak = notes.familyMemory }
        if notes.familyThreads > 0, processes.peak == nil { processes.peak = notes.familyThreads }
        guard let sampler = notes.sampler else {
            samples = notes.familySeries?.samples
            return
        }
        samples = sampler.finish()
        fillPeaks(sampler.peaks)
    }
}

extension LimitReports {
    /// What kept a command from running is a report, too.
    func write(failure error: any Error, of command: [String], _ notes: LimitNotes) throws(Failure) {
        var report = notes.makeReport(command, version: version)
        report.outcome.status = (error as? Failure)?.exitCode ?? 125
        report.outcome.reason = report.outcome.status == 125 ? .setup : .exec
        report.outcome.message = "\(error)"
        try write(report)
    }
}

extension LimitVerdict {
    var reason: UsageReport.Reason {
        switch cut {
        case .timeout: return .timeout
        case .cpuTime: return .cpuTime
        case .output: return .output
        case .memory: return .oom
        case .pids: return .signal
        case nil: break
        }
        if memoryKills > 0 { return .oom }
        if hitFileSize { return .disk }
        if case .signaled = status { return .signal }
        return .exited
    }

    /// The limit that cut the command; `nil` if none did.
    var cuttingLimit: String? {
        switch reason {
        case .signal where cut == .pids: "pids"
        case .timeout: "timeout"
        case .cpuTime: "cpu-time"
        case .output: "output-size"
        case .oom: config.resources.memory == nil || ranOutBelowLimit ? nil : "memory"
        case .disk: "file-size"
        default: nil
        }
    }

    func fill(_ outcome: inout UsageReport.Outcome) {
        outcome.reason = reason
        outcome.status = exitCode
        switch status {
        case .exited(let code): outcome.exitCode = code
        case .signaled(let signal, _): outcome.signal = signal
        }
        outcome.limit = cuttingLimit
        outcome.message = line
        if memoryKills > 0, let victim { outcome.killed = .init(pid: victim.pid, name: victim.name) }
    }
}
