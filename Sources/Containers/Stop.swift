import CLinux
import Cgroups
import Glibc
public import Linux
import SystemPackage

/// Ending containers by signals.
extension Container {
    /// Asks the container to end, kills it when it does not, and returns when it has.
    ///
    /// A container that is not running is no error. Whatever its restart policy says, it is not started again.
    ///
    /// - Parameters:
    ///   - signal: How to ask; `nil` for its own stop signal.
    ///   - seconds: How long to wait before SIGKILL, -1 for ever; `nil` for its own timeout.
    public func stop(signal: Signal? = nil, grace seconds: Int? = nil) throws {
        let config = try loadConfig()
        try updateState { $0.stoppedByUser = true }
        // A supervisor that is just starting it, or waits to start it again, has no process yet: then look again.
        while try !stopProcess(signal, seconds, config), try isSupervised() {
            try AttachSocket.sendSignal(SIGTERM, in: directory)
            poll(nil, 0, 5)
        }
        try waitUntilUnsupervised()
    }

    /// - Returns: Whether there was a process to stop.
    private func stopProcess(_ signal: Signal?, _ seconds: Int?, _ config: ContainerConfig) throws -> Bool {
        guard let state = try loadStateIfPresent(), let process = try openProcess(of: state) else { return false }
        defer { process.pidfd.closeQuietly() }
        let signal = signal?.rawValue ?? config.stopSignal ?? SIGTERM
        // An init without a handler never sees the signal: waiting for it would be for nothing.
        let isDeaf = process.ignoresAsInit(signal)
        try process.send(isDeaf ? SIGKILL : signal)
        try thawIfPaused(state, process)
        if try !process.waitForEnd(seconds: seconds ?? config.stopTimeout ?? 10) { try process.send(SIGKILL) }
        return true
    }

    /// Sends a signal to the container's init; after SIGKILL, returns when the container has ended.
    ///
    /// - Throws: When it is not running.
    public func kill(_ signal: Signal) throws {
        let state = try loadState()
        let process = try runningProcess(state, to: "kill container")
        defer { process.pidfd.closeQuietly() }
        // Before the signal: the supervisor looks at it as soon as the container has ended.
        let endsIt = try signal == .kill || signal.rawValue == loadConfig().stopSignal ?? SIGTERM
        if endsIt { try updateState { $0.stoppedByUser = true } }
        try process.send(signal.rawValue)
        guard signal == .kill else { return }
        try thawIfPaused(state, process)
        try waitUntilUnsupervised()
    }

    /// - Returns: `nil` when the container is not running.
    private func openProcess(of state: ContainerState) throws -> ProcessHandle? {
        guard case .running(let running) = state.status else { return nil }
        return try running.open()
    }

    /// A stopped process sees a signal only once it goes on.
    private func thawIfPaused(_ state: ContainerState, _ process: ProcessHandle) throws {
        guard case .running(let running) = state.status, running.paused, let record = state.cgroup else { return }
        do {
            try Cgroups.open(record).thaw()
        } catch {
            // On v2 SIGKILL ends a frozen process at once: its cgroup may be gone already.
            if !process.hasEnded() { throw error }
        }
    }
}

extension ProcessHandle {
    /// Waits for the process to end.
    ///
    /// - Parameter seconds: At most so long; -1 for ever.
    /// - Returns: Whether it has ended.
    func waitForEnd(seconds: Int) throws(SystemCallError) -> Bool {
        let deadline = Clock.monotonic() + UInt64(UInt32(clamping: seconds)) * 1_000_000_000
        while true {
            let now = Clock.monotonic()
            let left = now < deadline ? (deadline - now + 999_999) / 1_000_000 : 0
            var entry = pollfd(fd: pidfd.rawValue, events: Int16(POLLIN), revents: 0)
            let ready = try check("poll", "pidfd of \(pid)") {
                poll(&entry, 1, seconds < 0 ? -1 : CInt(clamping: left))
            }
            if ready > 0 { return true }
            if seconds >= 0 && left == 0 { return false }
        }
    }
}

extension AttachSocket {
    /// Has the supervisor of a container pass a signal on; one without a supervisor is no error.
    static func sendSignal(_ signal: Int32, in directory: FileDescriptor) throws(SystemCallError) {
        do throws(SystemCallError) {
            let socket = try connectToAny(in: directory)
            defer { socket.closeQuietly() }
            try AttachConnection(socket: socket).send(.signal(signal))
        } catch
            where [.connectionRefused, .noSuchFileOrDirectory, .brokenPipe, .connectionReset].contains(error.errno)
        {
            return
        }
    }
}
