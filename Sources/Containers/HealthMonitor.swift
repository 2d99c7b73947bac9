import CLinux
import Glibc
import Linux
import SystemPackage

/// Runs a container's health command every now and then, and records what it says.
///
/// - Note: Docker's Dockerfile reference, "HEALTHCHECK": its defaults, and what start period and retries mean.
final class HealthMonitor {
    private let container: Container
    private let healthCheck: HealthCheck
    /// What is hidden of what it prints.
    private let mask: SecretMask?
    private let loop: EventLoop
    private let started = Clock.monotonic()
    private var timer: Int?
    private var probe: RunningProbe?
    private var hasPassed = false
    private var stopped = false

    /// A health command that runs now.
    private final class RunningProbe {
        let process: ProcessHandle
        let output: FileDescriptor
        let start = Timestamp.now
        var text: [UInt8] = []
        var timedOut = false
        var deadline: Int?

        init(_ process: ProcessHandle, _ output: FileDescriptor) {
            self.process = process
            self.output = output
        }
    }

    private static let second: Int64 = 1_000_000_000
    /// The most bytes of output that a record keeps, and the most results.
    private static let outputLimit = 4096
    private static let logLimit = 5

    init(_ container: Container, _ healthCheck: HealthCheck, mask: SecretMask?, loop: EventLoop) {
        self.container = container
        self.healthCheck = healthCheck
        self.mask = mask
        self.loop = loop
        scheduleNext()
    }

    /// Ends a command that runs, and runs no more.
    func stop() throws {
        stopped = true
        if let timer { loop.cancel(timer) }
        guard let probe else { return }
        try probe.process.send(SIGKILL)
        try close(probe)
    }

    private var isStarting: Bool {
        Int64(Clock.monotonic() - started) < (healthCheck.startPeriod ?? 0) && !hasPassed
    }

    private func scheduleNext() {
        let usual = healthCheck.interval ?? 30 * Self.second
        let interval = isStarting ? healthCheck.startInterval ?? min(usual, 5 * Self.second) : usual
        timer = loop.after(nanoseconds: UInt64(max(interval, 1))) { [unowned self] in try begin() }
    }

    private func begin() throws {
        let (read, write) = try FileDescriptor.makePipe(flags: O_NONBLOCK)
        guard let process = try Clone.clone() else { runCommand(output: write) }
        write.closeQuietly()
        let probe = RunningProbe(process, read)
        self.probe = probe
        loop.watch(read) { [unowned self] _ in takeOutput(of: probe) }
        loop.watch(process.pidfd) { [unowned self] _ in try end(probe) }
        probe.deadline = loop.after(nanoseconds: UInt64(healthCheck.timeout ?? 30 * Self.second)) {
            probe.timedOut = true
            try probe.process.send(SIGKILL)
        }
    }

    /// In the child: becomes an `exec` whose output goes to the pipe.
    private func runCommand(output: FileDescriptor) -> Never {
        var options = ExecOptions()
        options.command = healthCheck.arguments ?? ["/bin/sh", "-c", healthCheck.command]
        do {
            try CurrentProcess.dieWithParent()
            for stream in [STDOUT_FILENO, STDERR_FILENO] {
                try check("dup2") { dup2(output.rawValue, stream) }
            }
            // The supervisor's lock and sockets are not for this process; the records are opened anew.
            let (id, path) = (container.id, container.store.path)
            try check("close_range") { apus_close_range(3, UInt32.max, 0) }
            let store = try ContainerStore(path: path)
            guard case .exited(let code) = try Exec(store.open(id: id), options).run() else {
                CurrentProcess.exitNow(125)
            }
            CurrentProcess.exitNow(code)
        } catch {
            Report.line("\(error)")
            CurrentProcess.exitNow((error as? Failure)?.exitCode ?? 125)
        }
    }

    private func takeOutput(of probe: RunningProbe) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(probe.output.rawValue, &buffer, buffer.count)
        guard count > 0 else {
            if count == 0 || errno != EAGAIN { loop.unwatch(probe.output) }
            return
        }
        probe.text += buffer[..<min(count, Self.outputLimit - probe.text.count)]
    }

    private func end(_ probe: RunningProbe) throws {
        takeOutput(of: probe)
        let exitCode = try close(probe)
        let timeout = healthCheck.timeout ?? 30 * Self.second
        let text =
            probe.timedOut
            ? "the health command took longer than \(Wording.seconds(timeout))"
            : String(decoding: shown(probe.text).filter { $0 != 0 }, as: UTF8.self)  // no record holds a NUL
        try record(
            .init(start: probe.start, end: .now, exitCode: probe.timedOut ? -1 : exitCode, output: text))
        if !stopped { scheduleNext() }
    }

    private func shown(_ text: [UInt8]) -> [UInt8] {
        guard let mask else { return text }
        var stream = SecretMask.Stream(mask)
        return stream.pass(text[...]) + stream.finish()
    }

    @discardableResult
    private func close(_ probe: RunningProbe) throws -> Int32 {
        self.probe = nil
        if let deadline = probe.deadline { loop.cancel(deadline) }
        loop.unwatch(probe.output)
        loop.unwatch(probe.process.pidfd)
        probe.output.closeQuietly()
        defer { probe.process.pidfd.closeQuietly() }
        return try probe.process.reap()?.code ?? 0
    }

    private func record(_ result: ContainerState.Health.Probe) throws {
        let passed = result.exitCode == 0
        let counts = passed || !isStarting
        if passed { hasPassed = true }
        try container.updateState { state in
            var health = state.health ?? .init()
            health.log = Array((health.log + [result]).suffix(Self.logLimit))
            if passed {
                health.failingStreak = 0
                health.status = .healthy
            } else if counts {
                health.failingStreak += 1
                if health.failingStreak >= healthCheck.retries ?? 3 { health.status = .unhealthy }
            }
            state.health = health
        }
    }
}
