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
            throw Failure("exec", state.name, "the container is paused", remedy: "apus unpause \(state.name)")
        }
        spec = try container.loadSpec()
        seccomp = options.privileged ? nil : try container.seccompProgram(container.loadConfig(), spec)
    }

    /// Runs the command and waits for its end; with `detach` only for its start.
    ///
    /// This process is in the container's namespaces from then on.
    ///
    /// - Returns: The command's exit code.
    public func run() throws -> Int32 {
        // Before there is a command that somebody could want to end: a signal waits until it can be passed on.
        if !options.detach { try ExecSession.handledSignals.block() }
        let launch = try launch(streams: streams(), diesWithParent: !options.detach)
        let console = try launch.waitUntilRunning()
        if options.detach { return 0 }
        return try ExecSession(launch.process, console: console).serve()
    }

    private func streams() throws(Failure) -> StandardStreams {
        if options.tty && !options.detach { return .terminal }
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
        return try Join(
            process: process(), spec: spec, seccomp: seccomp, streams: streams, cgroup: placement,
            diesWithParent: diesWithParent
        ).launch(into: initProcess)
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
            let joinsUserNamespace = spec.linux?.namespaces?.contains { $0.type == .user } ?? false
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
        // `try?`: without a terminal of its own the command starts with the kernel's default size
        guard let size = try? FileDescriptor(rawValue: STDIN_FILENO).windowSize() else { return nil }
        return Spec.ConsoleSize(height: UInt64(size.rows), width: UInt64(size.columns))
    }
}

/// Serves a command in the foreground: its terminal, the signals of its caller, and its end.
private final class ExecSession {
    private let process: ProcessHandle
    private let console: FileDescriptor?
    private let loop = EventLoop()
    private var output: OutputPump?

    init(_ process: ProcessHandle, console: FileDescriptor?) {
        self.process = process
        self.console = console
    }

    /// All but the faults of this very process.
    static let handledSignals = SignalSet.all.subtracting(
        [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP].map { Signal(rawValue: $0) })

    func serve() throws -> Int32 {
        let signals = try SignalDescriptor(Self.handledSignals)
        loop.watch(signals.descriptor) { [unowned self] _ in
            while let arrival = try signals.next() { try take(arrival.signal.rawValue) }
        }
        loop.watch(process.pidfd) { [unowned self] _ in loop.stop() }
        let restore = try attachTerminal()
        defer { restore() }
        try loop.run()
        try output?.drain()
        return try process.reap()?.code ?? 125
    }

    private func take(_ signal: CInt) throws {
        switch signal {
        case SIGCHLD, SIGPIPE, SIGURG, SIGTSTP, SIGTTIN, SIGTTOU: return
        case SIGWINCH:
            // `try?`: a terminal that has no size any more is gone
            if let size = try? FileDescriptor(rawValue: STDIN_FILENO).windowSize() { try console?.setWindowSize(size) }
        default: try process.send(signal)
        }
    }

    /// Joins the command's terminal to this process' streams.
    ///
    /// - Returns: What gives the caller's terminal its settings back.
    private func attachTerminal() throws -> () -> Void {
        guard let console else { return {} }
        let stdin = FileDescriptor(rawValue: STDIN_FILENO)
        let stdout = FileDescriptor(rawValue: STDOUT_FILENO)
        output = try OutputPump(console, loop: loop) { bytes in
            try stdout.writeFully(bytes)
            return true
        }
        let input = try InputPump(console.duplicate(as: nil), isTerminal: true, loop: loop)
        var buffer = [UInt8](repeating: 0, count: 4096)
        loop.watch(stdin) { [unowned self] _ in
            let count = Glibc.read(stdin.rawValue, &buffer, buffer.count)
            if count > 0 {
                try input.write(buffer[..<count])
            } else {
                loop.unwatch(stdin)
                try input.end()
            }
        }
        guard stdin.isTerminal else { return {} }
        let settings = try stdin.setRaw()
        return { stdin.restore(settings) }
    }
}
