import CLinux
import Cgroups
import Glibc
import Linux
import Networks
import OCI
import Reports
import Sandbox
public import SystemPackage

/// Runs one container from its start to its end, in a process of its own or as the foreground `apus run` itself.
///
/// It holds the container's `alive` lock all the time, so that whoever finds the lock free knows that it was killed.
public final class Supervisor {
    /// Where the container's streams go besides its log.
    public enum Attachment {
        /// Nowhere.
        case none
        /// They are this process' own streams.
        case inherited
        /// This process copies them from and to its own.
        case relayed
        /// A client takes them, over a connected socket.
        ///
        /// - Parameter outlived: Whether the container goes on when the client is gone, rather than ending with it.
        case client(FileDescriptor, outlived: Bool)

        /// Whether the command that started the container waits for it in this very process.
        var isForeground: Bool {
            switch self {
            case .inherited, .relayed: true
            case .none, .client: false
            }
        }
    }

    private(set) var container: Container
    private(set) var config: ContainerConfig
    let attachment: Attachment
    let loop = EventLoop()
    private let alive: FileDescriptor
    /// Keeps the image's layers; the kernel lets go of it when this process ends.
    private let heldLayers: FileDescriptor?
    private let signals: SignalDescriptor
    private let previousMask: SignalSet

    var initProcess: ProcessHandle?
    var cgroup: (any Cgroup)?
    private var attachServer: AttachServer?
    private var streams: SupervisedStreams?
    private var reason = EndReason.own
    private var restartDelay: UInt64 = 100_000_000
    private var restarts = 0
    private var lifeGuard: LifeGuard?
    private var guardTimer: Int?
    /// For the first start.
    var network: NetworkPreparation?
    /// Where it is told what the container has used; `nil` for nowhere.
    var reports: LimitReports?
    private var notes = LimitNotes()
    private var report: UsageReport?
    /// Whether there is a record that other commands may have changed.
    private var isRecorded = false
    /// Of the life that has ended last.
    private var refusedPackets: UInt64?

    /// The container's caches, held until it has ended.
    var caches = HeldCaches.none
    /// Its mount namespace, for what is copied out of it at its end.
    var view: (mounts: FileDescriptor, spec: Spec)?

    /// What comes before each line that this process copies to its own streams.
    public var lineMarks = LineMarks()
    /// Further mounts, which no config can ask for.
    var stepMounts: [Spec.Mount] = []
    /// Further variables, which no record may hold.
    var stepEnvironment: [String] = []
    /// Whether a signal that asks this process to end kills the container, which is of no use unfinished.
    var endsOnSignals = false
    /// Called when a container that goes with its end has ended, with its exit code.
    var beforeRemoval: (Int32) throws -> Void = { _ in }

    /// Called once, when the container's command runs for the first time.
    public var onStarted: () -> Void = {}

    /// What made the container end.
    private enum EndReason { case own, timeout, ownerGone, stopped }

    /// - Parameter alive: The container's lock file, locked; the supervisor gives it back at the end.
    init(_ container: Container, config: ContainerConfig, attachment: Attachment, alive: FileDescriptor) throws(Failure)
    {
        self.container = container
        self.config = config
        self.attachment = attachment
        self.alive = alive
        heldLayers = try container.holdLayers(config)
        do throws(SystemCallError) {
            // Faults of this very process must still end it at once.
            let faults: [Signal] = [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP].map { Signal(rawValue: $0) }
            let handled = SignalSet.all.subtracting(faults)
            previousMask = try handled.block()
            signals = try SignalDescriptor(handled)
        } catch {
            throw Failure("prepare signals", "", error)
        }
    }

    /// Starts the container, serves it until it has ended for good, and records or removes it.
    ///
    /// - Parameter removeIfNotStarted: Whether a container whose command never ran leaves nothing behind.
    /// - Returns: Its exit code.
    /// - Throws: What kept it from starting.
    public func run(removeIfNotStarted: Bool) throws -> Int32 {
        defer { previousMaskRestored() }
        loop.watch(signals.descriptor) { [unowned self] _ in try takeSignals() }
        var hasRun = false
        do {
            while true {
                let ending = try runOnce()
                hasRun = true
                // Asked again after the wait, in which the user may have stopped it.
                guard try shouldRestart(after: ending), try waitBeforeRestart(ending) else {
                    let ending = finishJob(ending)
                    return try finish(ending)
                }
            }
        } catch {
            try abandon(error, remove: removeIfNotStarted && !hasRun)
            throw error
        }
    }

    // MARK: One life

    private func runOnce() throws -> ContainerState.Ending {
        reason = .own
        // Who finds this killed at any moment gives the files back that init gives away.
        if config.job?.workspace != nil, !container.directory.has("config.json") { try container.save(config) }
        var starting = ContainerStart(container, config, alive: alive)
        starting.caches = caches
        starting.stepMounts = stepMounts
        starting.stepEnvironment = stepEnvironment
        caches.sign(container, name: config.name)
        starting.counts = reports != nil
        if reports != nil { notes = LimitNotes() }
        let start = try starting.begin(streams: streamPlan(), network: network.take())
        cgroup = start.cgroup
        initProcess = start.process
        defer { release(start) }
        view?.mounts.closeQuietly()
        view = start.view.map { ($0, start.spec) }
        let mask = config.job?.masksSecrets ?? false ? SecretMask(start.secrets) : nil
        let streams = try makeStreams(start, mask)
        self.streams = streams
        let started = Timestamp.now
        watchEnd(start.process)
        if attachment.isForeground && config.removeAtEnd {
            // Whatever ends within its first moments needs no record, as it leaves nothing behind.
            loop.after(nanoseconds: 5_000_000) { [unowned self] in try recordRunning(start, at: started) }
            container.removeVolatileMark()
        } else {
            try recordRunning(start, at: started)
        }
        onStarted()
        onStarted = {}
        watchTimeout()
        if let reports, reports.wantsSamples, let cgroup {
            notes.sampler = UsageSampler(cgroup, loop: loop, begin: notes.begin)
        }
        guardForeground(start.process)
        let health = config.healthCheck.map { HealthMonitor(container, $0, mask: mask, loop: loop) }
        if !attachment.isForeground { loop.trimsMemory = true }
        try loop.run()
        try health?.stop()
        return try collect(start, started, streams)
    }

    private func release(_ start: ContainerStart.Started) {
        start.connection?.end()
        loop.unwatch(start.process.pidfd)
        start.process.pidfd.closeQuietly()
        initProcess = nil
    }

    private func watchEnd(_ process: ProcessHandle) {
        loop.watch(process.pidfd) { [unowned self] _ in loop.stop() }
    }

    /// A foreground run takes its container along even when it is killed and the container's init has changed its user.
    private func guardForeground(_ process: ProcessHandle) {
        guard attachment.isForeground, !config.initProcess else { return }
        guardTimer = loop.after(nanoseconds: LifeGuard.delay) { [unowned self] in
            lifeGuard = try LifeGuard.ifThereIsRoom(over: process)
            if lifeGuard == nil { guardForeground(process) }
        }
    }

    private func dismissGuard() throws {
        if let guardTimer { loop.cancel(guardTimer) }
        try lifeGuard?.dismiss()
        lifeGuard = nil
    }

    private func watchTimeout() {
        guard let timeout = config.timeout else { return }
        loop.after(nanoseconds: UInt64(timeout)) { [unowned self] in
            reason = .timeout
            try stopOrKill()
        }
    }

    /// Asks the container to end, and kills it when it has not within its stop timeout.
    private func stopOrKill() throws {
        guard let initProcess else { return }
        let signal = config.stopSignal ?? SIGTERM
        // An init without a handler never sees the signal: waiting for it would be for nothing.
        if initProcess.ignoresAsInit(signal) {
            try initProcess.send(SIGKILL)
            return
        }
        try initProcess.send(signal)
        let seconds = config.stopTimeout ?? 10
        guard seconds >= 0 else { return }  // -1: it may take as long as it wants
        loop.after(nanoseconds: UInt64(seconds) * 1_000_000_000) { [unowned self] in
            try self.initProcess?.send(SIGKILL)
        }
    }

    private func collect(
        _ start: ContainerStart.Started, _ started: Timestamp, _ streams: SupervisedStreams?
    ) throws -> ContainerState.Ending {
        try dismissGuard()
        if reports != nil { notes.atEnd = try cgroup?.containerStatistics() }
        let (status, usage) = try start.process.reapWithUsage()
        // The last process of a PID namespace takes all others along; without one, the cgroup finds them.
        if !start.spec.hasOwnPIDNamespace { try cgroup?.kill() }
        try streams?.drain()
        refusedPackets = (try? start.connection?.refusedPackets()) ?? nil  // `try?`: as of the count below
        let oomKills = (try? cgroup?.oomKills()) ?? 0  // `try?`: a count that cannot be read any more is none
        if let reports { report = try makeReport(reports, start, status, usage, oomKills) }
        try removeCgroup()
        let code =
            switch reason {
            case .timeout: Int32(124)
            case .own, .ownerGone, .stopped: status.code
            }
        let error = reason == .timeout ? "timeout of \(config.timeoutText) reached" : ""
        return ContainerState.Ending(exitCode: code, oomKilled: oomKills > 0, startedAt: started, error: error)
    }

    /// With what other commands have added to it: hierarchies of cgroup v1 that a new limit, a pause or a look needs.
    private func removeCgroup() throws {
        try cgroup?.remove()
        if isRecorded, cgroup?.record.kind == .v1 {
            // Whoever adds one holds the records, and looks first whether init lives.
            let lock = try container.lockRecords()
            defer { lock.closeQuietly() }
            let record = (try? container.loadStateIfPresent())?.cgroup  // `try?`: `rm` finds them by name
            if let record { try Cgroups.open(record).remove() }
            for added in Cgroups.leftover(id: container.id) { try added.remove() }
        }
        cgroup = nil
    }

    // MARK: Records

    private func recordRunning(_ start: ContainerStart.Started, at time: Timestamp) throws {
        if config.name == nil {
            let brief = container
            (container, config) = try brief.store.settle(brief.id, config)
            if brief.hasDirectory { brief.close() }
        }
        // Before the record: whoever reads that it runs can ask for its end.
        if case .inherited = attachment, attachServer == nil { try serve(on: .control) }
        let running = ContainerState.RunningProcess(
            pid: start.process.pid, startTime: ProcessStatus(start.process.pid)?.startTime ?? 0, bootID: Boot.id,
            startedAt: time, supervisor: getpid(), seccomp: config.effectiveSeccomp)
        let existed = try container.saveStart(config, start.spec)
        try container.writeState(initial: config) { state in
            state.status = .running(running)
            state.cgroup = start.cgroup?.record
            state.network = start.connection?.state
            state.limits = start.limits + start.spec.rlimitRecords
            state.health = config.healthCheck == nil ? nil : .init()
            if existed { try applyUpdate(since: start, &state) }
        }
        isRecorded = true
    }

    /// An `update` that came while the container was started has found nothing running, and left its limits for here.
    ///
    /// The caller holds the lock of the records: the next one finds it running.
    private func applyUpdate(since start: ContainerStart.Started, _ state: inout ContainerState) throws {
        let updated = try container.loadConfig()
        guard updated.resources != config.resources else { return }
        config = updated
        var spec = start.spec
        spec.linux?.resources = try container.makeSpec(updated).linux?.resources
        try LimitUpdate.apply(spec.linux?.resources, updated, &state)
        try container.save(spec)
    }

    /// - Returns: The exit status of who shows the container's output.
    private func finish(_ ending: ContainerState.Ending) throws -> Int32 {
        if config.removeAtEnd {
            try beforeRemoval(ending.exitCode)
            try container.removeFiles(name: currentName())
        } else {
            try container.updateState {
                $0.status = .exited(ending)
                $0.cgroup = nil
                $0.network?.refused = refusedPackets
            }
        }
        container.store.releaseAlive(container.id, alive)
        // Last: whoever hears of the end finds the name free, or the container ready to be started again.
        let notice = notice(of: ending)
        try attachServer?.finish(.exited(ending.exitCode, notice: notice))
        if attachment.isForeground, !notice.isEmpty { Report.line(notice) }
        guard let reports, let report else { return ending.exitCode }
        return try reports.deliver(report, status: ending.exitCode)
    }

    /// Its name, which `rename` may have changed.
    private func currentName() -> String? {
        guard config.name != nil else { return nil }  // not settled yet
        return (try? container.loadStateIfPresent())?.name ?? config.name  // `try?`: the one that it was made with
    }

    /// What the user should know about an end that was not the command's own doing; nothing about any other.
    private func notice(of ending: ContainerState.Ending) -> String {
        if ending.oomKilled {
            return "memory limit hit: the kernel killed a process of the container\(config.memoryLimitText)"
        }
        return reason == .timeout ? "timeout of \(config.timeoutText) reached: the container was stopped" : ""
    }

    private func makeReport(
        _ reports: LimitReports, _ start: ContainerStart.Started, _ status: ExitStatus, _ usage: ResourceUsage,
        _ oomKills: UInt64
    ) throws -> UsageReport {
        notes.total = try cgroup?.containerStatistics()
        let asked = LimitConfig(config)
        var verdict = LimitVerdict(config: asked, status: status, cut: reason == .timeout ? .timeout : nil)
        verdict.memoryKills = oomKills
        verdict.refusedForks = try cgroup?.refusedForks() ?? 0
        verdict.processPeak = cgroup?.processPeak()
        if oomKills > 0 { verdict.victim = KernelLog.lastKilled(inCgroup: container.id) }
        var report = notes.makeReport(config.arguments, version: reports.version)
        report.workingDirectory = start.spec.process?.cwd
        report.container = config.reported(as: container.id)
        report.fill(usage: usage, notes, of: cgroup)
        report.network.refusedConnections = refusedPackets
        verdict.fill(&report.outcome)
        report.limits =
            ReportedLimits(
                config: asked, records: start.limits, held: HeldOtherwise(LimitConfig(), []), verdict: verdict,
                report: report
            ).all()
        return report
    }

    private func abandon(_ error: any Error, remove: Bool) throws {
        // The first error is the one to report; the next command cleans up what is left.
        _ = try? initProcess?.send(SIGKILL)  // `try?`: as just said, and so below
        _ = try? initProcess?.reap()  // `try?`: as above
        try? cgroup?.kill()  // `try?`: as above
        try? cgroup?.remove()  // `try?`: as above
        let failure = error as? Failure
        let exitCode = failure?.exitCode ?? 125
        try? attachServer?.finish(.failed(failure ?? Failure("run container", "", "\(error)")))  // `try?`: as above
        if remove || config.removeAtEnd {
            try? container.removeFiles(name: currentName())  // `try?`: as above
        } else {
            _ = try? container.updateState {  // `try?`: as above
                $0.status = .exited(.init(exitCode: exitCode, startedAt: nil, error: "\(error)"))
                $0.cgroup = nil
            }
        }
        container.store.releaseAlive(container.id, alive)
    }

    // MARK: Restarting

    private func shouldRestart(after ending: ContainerState.Ending) throws -> Bool {
        if config.removeAtEnd || reason == .ownerGone || reason == .timeout { return false }
        takeUpdates()
        guard config.restart.wantsRestart(after: ending.exitCode, restarts: restarts) else { return false }
        return try !container.loadState().stoppedByUser
    }

    /// What `update` has changed since the start counts now: the restart policy, and the limits for the next start.
    private func takeUpdates() {
        if let updated = try? container.loadConfig() { config = updated }  // `try?`: it goes on as it was started
    }

    /// - Returns: Whether it is still to be started again.
    private func waitBeforeRestart(_ ending: ContainerState.Ending) throws -> Bool {
        restarts += 1
        try container.updateState {
            $0.restarts = restarts
            $0.status = .exited(ending)
        }
        // Docker's back-off: doubled each time, up to a minute, from the start again after ten seconds of running.
        let started = (ending.startedAt ?? ending.finishedAt).nanoseconds
        // The clock may have been set back meanwhile.
        let ran = max(ending.finishedAt.nanoseconds, started) - started
        restartDelay = ran > 10_000_000_000 ? 100_000_000 : min(restartDelay * 2, 60_000_000_000)
        let timer = loop.after(nanoseconds: restartDelay) { [unowned self] in loop.stop() }
        defer { loop.cancel(timer) }
        try loop.run()
        takeUpdates()
        guard reason != .stopped, config.restart.wantsRestart(after: ending.exitCode, restarts: restarts - 1) else {
            return false
        }
        return try !container.loadState().stoppedByUser
    }

    // MARK: Signals

    private func takeSignals() throws {
        while let arrival = try signals.next() {
            switch arrival.signal.rawValue {
            case SIGCHLD, SIGPIPE, SIGURG: continue
            case SIGWINCH: try streams?.takeWindowSize()
            case SIGTSTP, SIGTTIN, SIGTTOU: continue
            default: try forward(arrival.signal)
            }
        }
    }

    private func forward(_ signal: Signal) throws {
        let asksToEnd = [SIGTERM, SIGINT, SIGHUP, SIGQUIT].contains(signal.rawValue)
        if endsOnSignals, asksToEnd { reason = .stopped }
        if let initProcess, endsOnSignals, asksToEnd {
            try initProcess.send(SIGKILL)
        } else if let initProcess {
            try initProcess.send(signal.rawValue)
        } else if asksToEnd {
            reason = .stopped
            loop.stop()
        }
    }

    private func previousMaskRestored() {
        signals.descriptor.closeQuietly()
        _ = try? previousMask.setAsMask()  // `try?`: this process has nothing left to do but exit
    }
}

// MARK: - Streams

extension Supervisor {
    private func streamPlan() -> ContainerStart.Streams {
        if config.tty { return .terminal }
        if case .inherited = attachment { return .inherited(withInput: config.interactive) }
        return .pipes(withInput: config.interactive)
    }

    /// - Returns: `nil` where the container has this process' own streams.
    private func makeStreams(_ start: ContainerStart.Started, _ mask: SecretMask?) throws -> SupervisedStreams? {
        if start.streams.areInherited { return nil }
        if attachServer == nil {
            try serve(on: .attach)
            if case .client(let socket, let outlived) = attachment {
                attachServer?.adopt(socket, isOwner: !outlived)
            }
        }
        let streams = try SupervisedStreams(
            start.streams, log: makeLog(), server: attachServer, relays: relays,
            mask: mask, marks: lineMarks, loop: loop)
        return streams
    }

    private func serve(on socket: AttachSocket) throws {
        let server = try AttachServer(socket, in: container.directory, loop: loop)
        server.onSignal = { [unowned self] in try initProcess?.send($0) }
        server.onOwnerGone = { [unowned self] in
            reason = .ownerGone
            try initProcess?.send(SIGKILL)
        }
        attachServer = server
    }

    private var relays: Bool {
        if case .relayed = attachment { return true }
        return false
    }

    private func makeLog() throws -> LogWriter? {
        guard config.log.driver == .jsonFile else { return nil }
        return try LogWriter(
            directory: container.directory,
            rotation: .init(
                maximumSize: config.log.maximumSize.map { Int($0) }, maximumFiles: config.log.maximumFiles ?? 1))
    }
}
