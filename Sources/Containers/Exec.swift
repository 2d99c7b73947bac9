import CLinux
import Cgroups
import Glibc
public import Linux
import OCI
import Sandbox
import SystemPackage

/// A further command in a running container.
public struct Exec {
    private let container: Container
    private let options: ExecOptions
    private let state: ContainerState
    private let spec: Spec
    private let seccomp: BPFProgram?

    /// Reads the container's records.
    ///
    /// - Throws: When it is not running, or paused.
    public init(_ container: Container, _ options: ExecOptions) throws(Failure) {
        self.container = container
        self.options = options
        state = try container.loadState()
        guard case .running(let running) = state.status else {
            throw Failure(
                "exec", state.name, "the container is not running", remedy: "start it with 'apus start \(state.name)'")
        }
        guard !running.paused else {
            throw Failure("exec", state.name, "the container is paused", remedy: "use 'apus unpause \(state.name)'")
        }
        spec = try container.loadSpec()
        seccomp = options.privileged ? nil : try container.seccompProgram(running.seccomp, spec)
    }

    /// Runs the command and waits for its end; with `detach` only for its start.
    ///
    /// This process is in the container's namespaces from then on, unless the command has a terminal.
    ///
    /// - Returns: How the command ended, or that the user left it.
    public func run() throws -> AttachClient.Ending {
        if options.tty && !options.detach { return try runWithTerminal() }
        // Before there is a command that somebody could want to end: a signal waits until it can be passed on.
        if !options.detach { try handledSignals.block() }
        let launch = try launch(streams: streams(), diesWithParent: !options.detach)
        _ = try launch.waitUntilRunning()
        if options.detach { return .exited(0) }
        return .exited(try ExecSession(launch.process).serve())
    }

    /// Another process holds the command and its terminal, so that the user can leave them (`--detach-keys`).
    private func runWithTerminal() throws -> AttachClient.Ending {
        let (ours, theirs) = try AttachClient.makePair()
        let pid = try check("fork") { apus_fork() }
        if pid == 0 {
            ours.closeQuietly()
            TerminalHolder(client: theirs).hold { try launch(streams: .terminal, diesWithParent: true) }
        }
        theirs.closeQuietly()
        var client = AttachClient.Options()
        client.sendsInput = options.interactive
        client.hasTerminal = true
        client.detachKeys = options.detachKeys
        return try AttachClient(socket: ours, client).run()
    }

    private func streams() throws(Failure) -> StandardStreams {
        do throws(SystemCallError) {
            let null = try FileDescriptor.workingDirectory.open("/dev/null", O_RDWR)
            if options.detach { return .descriptors(input: null, output: null, error: null, owned: false) }
            return .descriptors(
                input: options.interactive ? FileDescriptor(rawValue: STDIN_FILENO) : null,
                output: FileDescriptor(rawValue: STDOUT_FILENO), error: FileDescriptor(rawValue: STDERR_FILENO),
                owned: false)
        } catch {
            throw Failure("open", "/dev/null", error)
        }
    }

    private func launch(streams: StandardStreams, diesWithParent: Bool) throws -> Launch {
        let initProcess = try container.runningProcess(state, to: "exec")
        defer { initProcess.pidfd.closeQuietly() }
        let cgroup = try state.cgroup.map { try Cgroups.open($0) }
        let placement = CgroupPlacement(target: try cgroup?.cloneTarget(), joinFiles: try cgroup?.joinFiles() ?? [])
        defer { placement.close() }
        var join = Join(
            process: process(), spec: spec, seccomp: seccomp, streams: streams, cgroup: placement,
            diesWithParent: diesWithParent)
        if let seccomp, seccomp.flags.contains(.newListener) {
            join.seccompListener = try container.seccompListener(
                container.loadConfig(), spec, .running, initProcess.pid)
        }
        return try join.launch(into: initProcess)
    }

    /// The container's own process with what the options change.
    private func process() -> Spec.Process {
        var process = spec.process ?? Spec.Process()
        process.args = options.command
        process.terminal = options.tty
        if options.tty { process.consoleSize = Self.consoleSize() }
        process.env = environment(process.env ?? [])
        if let directory = options.workingDirectory { process.cwd = directory }
        if let user = options.user {
            process.user = Spec.User(umask: process.user.umask, username: user)
            process.env?.removeAll { $0.hasPrefix("HOME=") }
        }
        if options.privileged {
            // Joining a user namespace gives all of them; otherwise nobody can give what he does not have.
            let joinsUserNamespace = spec.has(.user)
            let all = (joinsUserNamespace ? CapabilitySet.all : Capabilities.bounding()).names
            process.capabilities = .init(bounding: all, effective: all, permitted: all)
            process.noNewPrivileges = false
        }
        return process
    }

    private func environment(_ own: [String]) -> [String] {
        var result = own
        if options.tty && !own.contains(where: { $0.hasPrefix("TERM=") }) { result.append("TERM=xterm") }
        for entry in options.environment {
            let name = entry.prefix { $0 != "=" } + "="
            result.removeAll { $0.hasPrefix(name) }
            result.append(entry)
        }
        return result
    }

    private static func consoleSize() -> Spec.ConsoleSize? {
        // Without a terminal of its own the command starts with the kernel's default size.
        guard let size = FileDescriptor(rawValue: STDIN_FILENO).windowSizeIfTerminal() else { return nil }
        return Spec.ConsoleSize(height: UInt64(size.rows), width: UInt64(size.columns))
    }
}

/// All signals but the faults of this very process.
private let handledSignals = SignalSet.all.subtracting(
    [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP].map { Signal(rawValue: $0) })

/// Serves a command in the foreground that has its caller's own streams: passes signals on and waits for its end.
private final class ExecSession {
    private let process: ProcessHandle
    private let loop = EventLoop()

    init(_ process: ProcessHandle) {
        self.process = process
    }

    /// - Returns: The command's exit code.
    func serve() throws -> Int32 {
        let signals = try SignalDescriptor(handledSignals)
        loop.watch(signals.descriptor) { [unowned self] _ in
            while let arrival = try signals.next() { try take(arrival.signal.rawValue) }
        }
        loop.watch(process.pidfd) { [unowned self] _ in loop.stop() }
        try loop.run()
        return try process.reap()?.code ?? 125
    }

    private func take(_ signal: CInt) throws {
        switch signal {
        case SIGCHLD, SIGPIPE, SIGURG, SIGWINCH, SIGTSTP, SIGTTIN, SIGTTOU: return
        default: try process.send(signal)
        }
    }
}

/// The process that holds a command with a terminal for a client, and goes on holding it when the client detaches.
private struct TerminalHolder {
    let client: FileDescriptor

    /// Starts the command and serves it to its end.
    func hold(_ launch: () throws -> Launch) -> Never {
        let loop = EventLoop()
        let server = AttachServer(loop: loop)
        server.adopt(client, isOwner: true)
        do {
            try check("setsid") { setsid() }
            try handledSignals.block()
            let launch = try launch()
            let console = try launch.waitUntilRunning()
            try server.finish(.exited(serve(launch.process, console, server, loop)))
        } catch {
            let failure = error as? Failure ?? Failure("exec", "", "\(error)")
            try? server.finish(.failed(failure))  // `try?`: a client that is gone has no use for it
        }
        CurrentProcess.exitNow(0)
    }

    private func serve(
        _ process: ProcessHandle, _ console: FileDescriptor?, _ server: AttachServer, _ loop: EventLoop
    ) throws -> Int32 {
        var ends = ContainerStart.SupervisorEnds()
        ends.terminal = console
        let streams = try SupervisedStreams(ends, log: nil, server: server, relays: false, loop: loop)
        server.onSignal = { try process.send($0) }
        server.onOwnerGone = { try process.send(SIGKILL) }
        loop.watch(process.pidfd) { _ in loop.stop() }
        try loop.run()
        try streams.drain()
        return try process.reap()?.code ?? 125
    }
}
