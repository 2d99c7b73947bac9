import CLinux
import Cgroups
import Glibc
public import Linux
import OCI
import Reports
import Sandbox
import SystemPackage

/// Runs a command of the machine in place and under limits, in the foreground, with this process as its supervisor.
///
/// Nothing is recorded: what has to be found when this process is killed is the cgroup, whose name says who made it.
public final class LimitedRun {
    let config: LimitConfig
    let loop = EventLoop()
    private let ignored: [Signal]
    private var signals: SignalDescriptor?
    private var previousMask = SignalSet()
    private(set) var process: ProcessHandle?
    private(set) var cgroup: (any Cgroup)?
    private(set) var limits: [LimitRecord] = []
    /// Why this process ended the command, if it did.
    private var cut: LimitVerdict.Cut?
    /// A signal from the terminal, which the command has got as well.
    private var terminalSignal: Signal?
    private var lifeGuard: LifeGuard?
    private var guardTimer: Int?
    private var output: LimitedOutput?
    /// For an allow-list.
    private var network: LimitNetwork?
    /// How many packets it has refused.
    private var refusedPackets: UInt64?
    private let reports: LimitReports?
    private var notes = LimitNotes()
    private var held = HeldOtherwise(LimitConfig(), [])
    private var mark: FamilyMark?
    /// Who had the most memory when there was too much.
    private var sampledVictim: LimitVerdict.Victim?

    /// - Parameters:
    ///   - ignored: The signals that the caller ignored, where this process has taken up another action.
    ///   - reports: `nil` for none, for which nothing is then counted.
    public init(_ config: LimitConfig, ignored: [Signal], reports: LimitReports? = nil) {
        self.config = config
        self.ignored = ignored
        self.reports = reports
    }

    /// Runs the command to its end, and ends all that it has started.
    ///
    /// - Returns: The exit status.
    /// - Throws: What kept it from running, or from being limited; nothing is left then.
    public func run() throws -> Int32 {
        do {
            try prepareSignals()
            try start()
            cgroup?.removeAbandonedNeighbours()
            watch()
            try loop.run()
        } catch {
            abandon()
            try reports?.write(failure: error, of: config.command, notes)
            throw error
        }
        let (verdict, usage) = try finish()
        let report = reports.map { makeReport($0, verdict, usage) }
        try leaveCgroup()
        if let line = verdict.line { Report.line(line) }
        var status = verdict.exitCode
        if let reports, let report { status = try reports.deliver(report, status: status) }
        endLikeTheCommand(verdict)
        return status
    }

    // MARK: Starting

    private func prepareSignals() throws(Failure) {
        do throws(SystemCallError) {
            // Faults of this very process must still end it at once; what stops and continues the terminal's foreground
            // group stops and continues this process too, or the shell would never notice.
            let left: [CInt] = [
                SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT,
            ]
            let handled = SignalSet.all.subtracting(left.map { Signal(rawValue: $0) })
            previousMask = try handled.block()
            signals = try SignalDescriptor(handled)
        } catch {
            throw Failure("prepare signals", "", error)
        }
    }

    private func start() throws {
        var spec = try config.makeSpec()
        network = try config.isolation.egress.map { rules throws(Failure) in try LimitNetwork(rules) }
        try network?.pinNames(in: &spec)
        let id = OwnedCgroupName.make(lingers: config.lingers)
        (cgroup, limits) = try namingFlags {
            try Cgroups.create(
                id: id, resources: spec.linux?.resources, policy: config.policy, parent: nil,
                counts: config.cpuTime != nil || reports != nil)
        }
        try cgroup?.hold()
        try holdOtherwise(&spec)
        let output = try config.outputSize.map { try LimitedOutput(limit: $0, loop: loop) }
        self.output = output
        defer { output?.closeCommandEnds() }
        let own = [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO].map { FileDescriptor(rawValue: $0) }
        let placement = CgroupPlacement(
            target: try cgroup?.cloneTarget(), joinFiles: try cgroup?.joinFiles() ?? [])
        defer { placement.close() }
        var sandbox = Sandbox(
            spec: spec, root: .directory("/"), mountPoint: "/", seccomp: nil,
            streams: .descriptors(
                input: own[0], output: output?.commandOutput ?? own[1], error: output?.commandError ?? own[2],
                owned: output != nil),
            cgroup: placement)
        var inPlace = InPlace(signalMask: previousMask, ignoredSignals: ignored)
        if let confinement = config.isolation.confinement {
            let gaps = confinement.gaps
            if !gaps.isEmpty { Report.line("--sandbox landlock does not hold: \(gaps.joined(separator: "; "))") }
            inPlace.confinement = confinement
            sandbox.seccomp = try confinement.filter()
        } else {
            inPlace.isReadOnly = config.isolation.readOnly
        }
        sandbox.inPlace = inPlace
        if let network { sandbox.connect = { (pid) throws(Failure) in try network.connect(pid) } }
        sandbox.usesInit = config.isolation.newPIDs
        // Without a cgroup nobody else could find what is left when this process is killed.
        if mark != nil, let estate { lifeGuard = try LifeGuard(over: nil, estate: estate) }
        let launch = try sandbox.launch()
        process = launch.process
        do throws(Failure) {
            _ = try launch.waitUntilRunning { Report.line($0) }
        } catch {
            process = nil  // it has been reaped
            throw error
        }
        network?.started()
    }

    /// Sees to what no cgroup does: limits, and knowing which processes are the command's.
    private func holdOtherwise(_ spec: inout Spec) throws {
        held = HeldOtherwise(config, limits)
        for substitute in held.substitutes {
            Report.line("--\(substitute.flag): no cgroup can hold it here: \(substitute.text)")
        }
        if var process = spec.process {
            held.apply(to: &process)
            if cgroup == nil {
                let mark = FamilyMark(value: OwnedCgroupName.make(lingers: config.lingers))
                process.env?.append(mark.variable)
                self.mark = mark
            }
            spec.process = process
        }
        // Those whose parents end are then children of this process: to be found, and so that what they have used is told.
        if adopts { try CurrentProcess.adoptOrphans() }
    }

    private var adopts: Bool { reports != nil || looksAtFamily }

    /// Whether the command's processes are looked at one by one.
    private var looksAtFamily: Bool { cgroup == nil || held.holds("memory") || held.holds("pids") }

    /// What the engine calls a limit, its user has another name for.
    private func namingFlags<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch var failure as Failure {
            if failure.step.hasPrefix("limit ") {
                failure.step = "--\(Self.flag(of: String(failure.step.dropFirst("limit ".count))))"
            }
            throw failure
        }
    }

    /// The flag that a limit of a cgroup comes from.
    static func flag(of limit: String) -> String {
        switch limit {
        case "pids-limit": "pids"
        case "memory-swap": "swap"
        case "cpuset-cpus": "cpuset"
        case _ where limit.hasPrefix("device-"): "io-\(limit.dropFirst("device-".count))"
        default: limit
        }
    }

    // MARK: While it runs

    private func watch() {
        guard let process, let signals else { return }
        loop.watch(signals.descriptor) { [unowned self] _ in try takeSignals() }
        loop.watch(process.pidfd) { [unowned self] _ in loop.stop() }
        if lifeGuard == nil { makeGuardLater(over: process) }
        if let timeout = config.timeout {
            loop.after(nanoseconds: UInt64(timeout)) { [unowned self] in try end(.timeout, SIGTERM, config.killAfter) }
        }
        if config.cpuTime != nil { sampleCPUTime() }
        if let reports, reports.wantsSamples {
            if let cgroup {
                notes.sampler = UsageSampler(cgroup, loop: loop, begin: notes.begin)
            } else {
                notes.familySeries = SampleSeries()
            }
        }
        if holdsByLooking || notes.familySeries != nil { sampleFamily() }
        output?.onLimit = { [unowned self] in try end(.output, SIGKILL, 0) }
        output?.begin()
    }

    private func makeGuardLater(over process: ProcessHandle) {
        guardTimer = loop.after(nanoseconds: LifeGuard.delay) { [unowned self] in
            lifeGuard = try LifeGuard.ifThereIsRoom(over: process, estate: estate)
            if lifeGuard == nil { makeGuardLater(over: process) }
        }
    }

    private var estate: LifeGuard.Estate? {
        if config.lingers { return nil }
        return cgroup.map { .cgroup($0.record) } ?? mark.map { .family($0) }
    }

    private func takeSignals() throws {
        while let arrival = try signals?.next() {
            switch arrival.signal.rawValue {
            case SIGCHLD where adopts: try reapOrphans()
            case SIGCHLD, SIGPIPE, SIGURG, SIGWINCH: continue
            // The terminal has sent it to the whole foreground group, the command included.
            case SIGINT where arrival.fromKernel, SIGQUIT where arrival.fromKernel, SIGHUP where arrival.fromKernel:
                terminalSignal = arrival.signal
            default: try process?.send(arrival.signal.rawValue)
            }
        }
    }

    /// Asks the command to end, and kills it with all that it has started when it has not within `grace` nanoseconds.
    private func end(_ cut: LimitVerdict.Cut, _ signal: CInt, _ grace: Int64) throws {
        guard self.cut == nil else { return }
        self.cut = cut
        guard grace > 0, signal != SIGKILL else { return try killAll() }
        try process?.send(signal)
        // One that is stopped takes no signal otherwise.
        try process?.send(SIGCONT)
        loop.after(nanoseconds: UInt64(grace)) { [unowned self] in try killAll() }
    }

    private func killAll() throws {
        try process?.send(SIGKILL)
        try cgroup?.kill()
        if looksAtFamily { for member in family().members { Glibc.kill(member.pid, SIGKILL) } }
    }

    private func family() -> ProcessFamily {
        ProcessFamily.look(but: [lifeGuard?.pid, network?.helper].compactMap(\.self))
    }

    private var holdsByLooking: Bool { held.holds("memory") || held.holds("pids") }

    /// Looks at memory and number of all processes, as often as takes two percent of a processor at most, and for charts
    /// alone a quarter of one percent.
    private func sampleFamily() {
        let begin = Clock.thread()
        let family = family()
        notes.note(family)
        if held.holds("memory"), let limit = config.resources.memory, family.memory > UInt64(limit) {
            sampledVictim = family.largest.map { .init(pid: $0.pid, name: ProcessStatus($0.pid)?.command) }
            try? end(.memory, SIGKILL, 0)  // `try?`: whoever has ended already need not be killed
        } else if held.holds("pids"), let limit = config.resources.pids, family.threads > UInt64(limit) {
            try? end(.pids, SIGKILL, 0)  // `try?`: as above
        } else {
            let cost = Clock.thread() - begin
            let pause = max(cost * (holdsByLooking ? 50 : 400), SampleSeries.firstInterval)
            loop.after(nanoseconds: pause) { [unowned self] in sampleFamily() }
        }
    }

    /// Looks at the CPU time that all processes have used, again as soon as it may have reached the limit: on all
    /// processors at once it grows by so much faster than the clock.
    private func sampleCPUTime() {
        guard let limit = config.cpuTime else { return }
        let used = cpuTimeUsed()
        if used >= UInt64(limit) {
            // `try?`: one that has ended already has used no more than that
            try? end(.cpuTime, SIGXCPU, min(config.killAfter, 1_000_000_000))
            return
        }
        let processors = UInt64(max(1, sysconf(CInt(_SC_NPROCESSORS_ONLN))))
        loop.after(nanoseconds: max((UInt64(limit) - used) / processors, 5_000_000)) { [unowned self] in
            sampleCPUTime()
        }
    }

    /// In nanoseconds.
    private func cpuTimeUsed() -> UInt64 {
        guard let cgroup else { return family().cpuTime + notes.orphans.userTime + notes.orphans.systemTime }
        // `try?`: what cannot be read now is read the next time
        return (try? cgroup.statistics().cpu?.usage) ?? 0
    }

    // MARK: Ending

    private func finish() throws -> (LimitVerdict, ResourceUsage) {
        guard let process else { throw Failure("run command", "", "it was never started") }
        try dismissGuard()
        if reports != nil { notes.atEnd = try cgroup?.containerStatistics() }
        if notes.familySeries != nil { notes.note(family()) }
        let memoryKills = try cgroup?.oomKills() ?? 0
        // Its name is to be had until it is reaped.
        let name = memoryKills > 0 ? ProcessStatus(process.pid)?.command : nil
        var (status, usage) = try process.reapWithUsage()
        // The namespace's init ends as a shell would.
        if config.isolation.newPIDs, case .exited(let code) = status, (129...192).contains(code) {
            status = .signaled(code - 128, coreDumped: false)
        }
        process.pidfd.closeQuietly()
        self.process = nil
        refusedPackets = try network?.refused()
        network?.end()
        if !config.lingers {
            try cgroup?.kill()
            if looksAtFamily { notes.orphans.add(try ProcessFamily.kill(but: [])) }
        }
        try output?.drain()
        if adopts { try reapOrphans() }
        if reports != nil {
            usage.add(notes.orphans)
            notes.total = try cgroup?.containerStatistics()
        }
        var verdict = LimitVerdict(config: config, status: status, cut: cut ?? outputCut, memoryKills: memoryKills)
        verdict.output = output?.passed
        if cut == .memory {
            verdict.victim = sampledVictim
            verdict.memoryKills = 1
            verdict.memoryPeak = notes.familyMemory
        }
        if let cgroup, cut != .memory {
            try look(at: cgroup, &verdict, command: LimitVerdict.Victim(pid: process.pid, name: name))
        }
        return (verdict, usage)
    }

    private func reapOrphans() throws {
        notes.orphans.add(try CurrentProcess.reapOrphans(but: process?.pid).usage)
    }

    /// The limit may have been reached by what was still in the pipes.
    private var outputCut: LimitVerdict.Cut? { output?.hasReachedLimit == true ? .output : nil }

    private func look(at cgroup: any Cgroup, _ verdict: inout LimitVerdict, command: LimitVerdict.Victim) throws {
        verdict.refusedForks = config.resources.pids == nil ? 0 : try cgroup.refusedForks()
        if verdict.refusedForks > 0 { verdict.processPeak = cgroup.processPeak() }
        guard verdict.memoryKills > 0 else { return }
        verdict.memoryPeak = try cgroup.statistics().memory?.peak
        verdict.victim = KernelLog.lastKilled(inCgroup: cgroup.record.id)
        // Without the log: the command itself it was if it was killed and nobody else can have been.
        if verdict.victim == nil, verdict.memoryKills == 1, cut == nil, case .signaled(SIGKILL, _) = verdict.status {
            verdict.victim = command
        }
    }

    // MARK: Reporting

    private func makeReport(
        _ reports: LimitReports, _ verdict: LimitVerdict, _ usage: ResourceUsage
    ) -> UsageReport {
        var report = notes.makeReport(config.command, version: reports.version)
        report.fill(usage: usage, notes, of: cgroup)
        report.network.refusedConnections = refusedPackets
        verdict.fill(&report.outcome)
        report.limits = ReportedLimits(config: config, records: limits, held: held, verdict: verdict, report: report)
            .all()
        return report
    }

    private func leaveCgroup() throws {
        guard let cgroup else {
            let left = config.lingers ? family().members.filter { !$0.isZombie }.map { "\($0.pid)" } : []
            if !left.isEmpty { Report.line("processes go on: \(left.joined(separator: ", "))") }
            return
        }
        if config.lingers, try !cgroup.processes().isEmpty {
            Report.line("processes go on in '\(cgroup.path)': \(try cgroup.processes().count)")
        } else {
            try cgroup.remove()
        }
        self.cgroup = nil
    }

    private func dismissGuard() throws {
        if let guardTimer { loop.cancel(guardTimer) }
        try lifeGuard?.dismiss()
        lifeGuard = nil
    }

    /// A shell that runs a script goes on after Ctrl-C unless the program ended by that signal, too.
    private func endLikeTheCommand(_ verdict: LimitVerdict) {
        guard let terminalSignal, verdict.cut == nil, case .signaled(let number, _) = verdict.status,
            number == terminalSignal.rawValue
        else { return }
        var none = rlimit()
        _ = apus_prlimit(0, CInt(RLIMIT_CORE.rawValue), &none, nil)
        signal(number, SIG_DFL)
        // `try?`: otherwise the exit status says it
        _ = try? SignalSet([terminalSignal]).unblock()
        raise(number)
    }

    private func abandon() {
        // The first error is the one to report.
        _ = try? process?.send(SIGKILL)  // `try?`: as just said, and so below
        _ = try? process?.reap()  // `try?`: as above
        network?.end()
        try? lifeGuard?.dismiss()  // `try?`: as above
        try? cgroup?.kill()  // `try?`: as above
        try? cgroup?.remove()  // `try?`: as above
    }
}
