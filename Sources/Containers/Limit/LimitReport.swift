import Cgroups
import Glibc
import Linux
import OCI
public import Reports
import SystemPackage

/// Where the report of a limited command goes, and what it is made of besides the kernel's counters.
public struct LimitReports {
    let destinations: [ReportDestination]
    let version: String
    /// Called with the report when it is whole.
    let render: (UsageReport, ReportDestination.Format) -> [UInt8]

    /// - Parameters:
    ///   - version: Of this Apus.
    ///   - render: The text of a report in a format.
    public init(
        _ destinations: [ReportDestination], version: String,
        render: @escaping (UsageReport, ReportDestination.Format) -> [UInt8]
    ) {
        self.destinations = destinations
        self.version = version
        self.render = render
    }

    func write(_ report: UsageReport) throws(Failure) {
        for destination in destinations { try destination.write(render(report, destination.format)) }
    }
}

/// What is noted for the report while a command runs.
struct LimitNotes {
    let started = Timestamp.now
    let begin = Clock.monotonic()
    var sampler: UsageSampler?
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
        samples = notes.sampler?.finish()
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
        case .oom: config.resources.memory == nil ? nil : "memory"
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
