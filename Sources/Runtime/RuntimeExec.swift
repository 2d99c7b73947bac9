import Cgroups
import Glibc
import Linux
import OCI
import Sandbox
import SystemPackage

extension RuntimeStore {
    /// Runs a further command in a container, and waits for its end unless it is detached.
    ///
    /// This process is in the container's namespaces from then on: whatever it needs of the machine it holds by then.
    ///
    /// - Returns: The command's exit status, or 128 and the number of the signal that ended it; 0 for a detached one.
    public func exec(_ options: ExecOptions) throws -> Int32 {
        try RuntimeExec(self, options).run()
    }

    /// The compiled filter of a container.
    func filter(of spec: Spec) throws(Failure) -> BPFProgram? {
        guard let profile = spec.linux?.seccomp else { return nil }
        return try SeccompCache(directory: seccompCachePath).program(for: profile)
    }
}

/// A further command in a container.
private struct RuntimeExec {
    let options: ExecOptions
    let container: RuntimeContainer
    let record: RuntimeRecord
    let spec: Spec
    let process: Spec.Process
    let seccomp: BPFProgram?

    init(_ store: RuntimeStore, _ options: ExecOptions) throws {
        self.options = options
        container = try store.container(options.id)
        record = try container.record()
        spec = try container.spec()
        let process = try options.process(in: spec)
        do throws(SpecError) {
            let examined = try SpecCheck.examine(process, joining: spec)
            self.process = examined.process
            for warning in examined.warnings { Report.warning(warning) }
        } catch {
            throw Failure("process", error.path, error.reason)
        }
        seccomp = try store.filter(of: spec)
    }

    func run() throws -> Int32 {
        try requireConsole()
        try CreateOptions.requireOpen(descriptors: options.preservedDescriptors)
        let initProcess = try runningInit()
        defer { initProcess.pidfd.closeQuietly() }
        let pidFile = try options.pidFile.map { path throws(Failure) in try PIDFile(Paths.absolute(path)) }
        let socket = try options.consoleSocket.map { path throws(Failure) in try EngineSocket(connecting: path) }
        let pidfdSocket = try options.pidfdSocket.map { path throws(Failure) in try EngineSocket(connecting: path) }
        let signals = options.detaches ? nil : try ForegroundProcess.holdSignals()
        let launch = try launch(into: initProcess)
        var console = try launch.waitUntilRunning()
        do throws(Failure) {
            if let master = console, let socket {
                try socket.send(terminal: master)
                master.closeQuietly()
                console = nil
            }
            try pidFile?.write(launch.process.pid)
            try pidfdSocket?.send(process: launch.process)
        } catch {
            launch.abandon()
            throw error
        }
        guard let signals else { return 0 }
        return try ForegroundProcess(process: launch.process, console: console, signals: signals).wait().code
    }

    private func runningInit() throws -> ProcessHandle {
        guard let process = try container.initProcess(record) else {
            throw Failure("", "", "cannot exec in a stopped container")
        }
        if !options.ignoresPause, record.cgroup?.isFrozen ?? false {
            process.pidfd.closeQuietly()
            throw Failure("", "", "cannot exec in a paused container (use --ignore-paused to override)")
        }
        return process
    }

    private func requireConsole() throws(Failure) {
        let hasTerminal = process.terminal ?? false
        if options.detaches && hasTerminal && options.consoleSocket == nil {
            throw Failure("", "", "cannot allocate tty if runc will detach without setting console socket")
        }
        if options.consoleSocket != nil && !(options.detaches && hasTerminal) {
            throw Failure("", "", "--console-socket is for detached commands with a terminal")
        }
    }

    private func launch(into initProcess: ProcessHandle) throws -> Launch {
        let placement = try placement(initProcess)
        defer { placement.close() }
        try setOOMScore()
        let hasTerminal = process.terminal ?? false
        var join = Join(
            process: process, spec: spec, seccomp: seccomp,
            streams: hasTerminal
                ? .terminal
                : .descriptors(
                    input: FileDescriptor(rawValue: STDIN_FILENO), output: FileDescriptor(rawValue: STDOUT_FILENO),
                    error: FileDescriptor(rawValue: STDERR_FILENO), owned: true),
            cgroup: placement, diesWithParent: !options.detaches)
        join.engine.preservedDescriptors = options.preservedDescriptors
        join.seccompListener = SeccompListener(spec.linux?.seccomp, state: record.state(.running))
        join.engine.keepsKeyring = record.noNewKeyring ?? false
        return try join.launch(into: initProcess)
    }

    /// For this process, while the machine's /proc is there: the command inherits it.
    private func setOOMScore() throws(Failure) {
        guard let score = process.oomScoreAdj else { return }
        try step("set OOM score", "\(score)") { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.write("\(score)", to: "/proc/self/oom_score_adj")
        }
    }

    private func placement(_ initProcess: ProcessHandle) throws -> CgroupPlacement {
        if let cgroup = try container.cgroup(record) {
            return try ExecCgroup(options.cgroups).placement(in: cgroup, with: initProcess)
        }
        if let name = options.cgroups.first { throw Failure("join cgroup", name, "the container has none") }
        return CgroupPlacement()
    }
}
