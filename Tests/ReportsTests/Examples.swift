import OCI

@testable import Reports

extension UsageReport {
    static let examples = ["minimal": minimal, "whole": whole]

    /// No more than what each report has.
    static var minimal: UsageReport {
        var report = UsageReport()
        report.version = "0.1.0"
        report.command = ["true"]
        report.outcome.exitCode = 0
        return report
    }

    /// With every field that there is.
    static var whole: UsageReport {
        var report = minimal
        report.command = ["make", "-j", "all"]
        report.workingDirectory = "/src"
        report.user = User(id: 1000, name: "me")
        report.host.name = "build1"
        report.host.kernel = "6.18.3"
        report.host.architecture = "x86_64"
        report.host.processors = 8
        report.host.memory = 32 << 30
        report.host.cgroups = "v2"
        report.container = Container(
            id: String(repeating: "5f", count: 32), name: "job", image: "docker.io/library/debian:12")
        report.start = "2026-05-06T07:08:09.123456789Z"
        report.end = "2026-05-06T07:09:13.123456789Z"
        report.wall = 64_000_000_000
        report.accounting = .cgroupV2
        report.outcome = Outcome(reason: .oom, status: 137)
        report.outcome.exitCode = 2
        report.outcome.signal = 9
        report.outcome.limit = "memory"
        report.outcome.message = "memory limit of 512 MiB hit: killed pid 71 (cc1plus), peak 512 MiB"
        report.outcome.killed = KilledProcess(pid: 71, name: "cc1plus")
        report.fillFigures()
        report.fillLimits()
        report.samples = Samples(interval: 1_000_000_000, points: (0...64).map { Self.sample(second: $0) })
        return report
    }

    private mutating func fillFigures() {
        cpu.user = 90_000_000_000
        cpu.system = 6_000_000_000
        cpu.total = 96_000_000_000
        cpu.periods = 640
        cpu.throttledPeriods = 512
        cpu.throttled = 20_000_000_000
        memory.total = Bytes(current: 12 << 20, peak: 512 << 20)
        memory.anonymous = Bytes(current: 8 << 20, peak: 480 << 20)
        memory.file = Bytes(current: 2 << 20, peak: 30 << 20)
        memory.kernel = Bytes(current: 1 << 20, peak: 9 << 20)
        memory.shared = Bytes(current: 4096, peak: 1 << 20)
        memory.sockets = Bytes(current: 0, peak: 128 << 10)
        memory.swap = Bytes(current: 0, peak: 0)
        memory.largestProcess = 300 << 20
        pageFaults.minor = 123_456
        pageFaults.major = 7
        io.read = 200 << 20
        io.written = 90 << 20
        io.readOperations = 5000
        io.writeOperations = 2000
        processes.current = 3
        processes.peak = 21
        contextSwitches.voluntary = 9000
        contextSwitches.involuntary = 4000
        pressure.cpu = Stall(some: 12_000_000_000, full: 3_000_000_000)
        pressure.memory = Stall(some: 2_000_000_000, full: 1_000_000_000)
        pressure.io = Stall(some: 500_000_000, full: 100_000_000)
        network.refusedConnections = 2
    }

    private mutating func fillLimits() {
        var memory = Limit(
            name: "memory", asked: "512 MiB", value: 512 << 20, unit: .bytes, mechanism: .cgroupV2, enforced: true)
        memory.peak = 512 << 20
        memory.hit = true
        var pids = Limit(
            name: "pids", asked: "64", value: 64, unit: .processes, mechanism: .cgroupV2, enforced: true)
        pids.peak = 21
        pids.hit = false
        var cpus = Limit(name: "cpus", asked: "1.5", value: 1500, unit: .millicpus, mechanism: .systemd, enforced: true)
        cpus.peak = 1500
        cpus.hit = true
        var timeout = Limit(
            name: "timeout", asked: "10m", value: 600_000_000_000, unit: .nanoseconds, mechanism: .timer,
            enforced: true)
        timeout.peak = 64_000_000_000
        timeout.hit = false
        var cpuset = Limit(name: "cpuset", asked: "0-3")
        cpuset.note = "the controller 'cpuset' is not delegated"
        limits = [memory, pids, cpus, timeout, cpuset]
    }

    private static func sample(second: UInt64) -> Sample {
        var sample = Sample(time: second * 1_000_000_000)
        sample.memory = min(512, 20 + second * 8) << 20
        sample.swap = 0
        sample.cpu = second * 1_500_000_000
        sample.read = min(second, 40) * 5 << 20
        sample.written = second * 1 << 20
        sample.processes = 1 + second % 21
        return sample
    }
}
