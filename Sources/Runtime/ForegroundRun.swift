import CLinux
import Cgroups
import Glibc
import Linux
import OCI
import Sandbox
import SystemPackage

extension RuntimeStore {
    /// Makes a container, runs its command at once, and returns.
    public func runDetached(_ options: CreateOptions) throws {
        let made = try Creation(self, options, waits: false, detaches: true).perform()
        defer { made.process.pidfd.closeQuietly() }
        try made.container.runPoststart(made.record, made.spec, made.process)
    }

    /// Makes a container, runs its command, and serves it until it has ended.
    ///
    /// - Parameter keep: Whether the container is still there then.
    /// - Returns: The command's exit status, or 128 and the number of the signal that ended it.
    public func runInForeground(_ options: CreateOptions, keep: Bool) throws -> Int32 {
        let signals = try ForegroundProcess.holdSignals()
        let made = try Creation(self, options, waits: false, detaches: false).perform()
        return try ForegroundRun(made: made, signals: signals).serve(keep: keep)
    }
}

/// A container whose command runs as a child of this process, with its streams or with a terminal that is copied to them.
struct ForegroundRun {
    let made: Creation.Made
    let signals: SignalDescriptor

    func serve(keep: Bool) throws -> Int32 {
        // Others may have to do with it from now on.
        made.container.unlock()
        let status: ExitStatus
        do {
            try made.container.runPoststart(made.record, made.spec, made.process)
            status = try ForegroundProcess(process: made.process, console: made.console, signals: signals).wait()
        } catch {
            made.process.endQuietly()
            try? cleanUp(keep: keep)  // `try?`: the first error is the one to report
            throw error
        }
        try cleanUp(keep: keep)
        return status.code
    }

    private func cleanUp(keep: Bool) throws {
        // The last process of a PID namespace takes all others along; without one, the cgroup finds them.
        if !made.spec.makes(.pid) { try made.cgroup?.kill() }
        if keep { return }
        // Unless somebody has deleted it already.
        guard try made.container.lockIfPresent() else { return }
        // Others may have changed it: a pause may have put it into one more hierarchy.
        let record = try made.container.record()
        try made.container.end(record, spec: made.spec, opened: made.cgroup)
        try made.container.removeFiles()
    }
}

extension ProcessHandle {
    /// Kills and reaps this child.
    fileprivate func endQuietly() {
        _ = try? send(SIGKILL)  // `try?`: it has ended, which is what is wanted
        _ = try? reap()  // `try?`: as above
    }
}
