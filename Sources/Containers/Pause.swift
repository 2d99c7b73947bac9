import Cgroups
import Linux

/// Stopping all processes of a container where they are, and letting them go on.
extension Container {
    /// - Throws: When it is not running, paused already, or has no cgroup to do it with.
    public func pause() throws {
        try setPaused(true, "pause container") { try $0.freeze() }
    }

    /// - Throws: When it is not paused.
    public func unpause() throws {
        try setPaused(false, "unpause container") { try $0.thaw() }
    }

    private func setPaused(_ paused: Bool, _ step: String, _ change: (any Cgroup) throws -> Void) throws {
        try updateState { state in
            let process = try runningProcess(state, to: step)
            process.pidfd.closeQuietly()
            guard case .running(var running) = state.status else { return }
            guard running.paused != paused else {
                throw Failure(step, state.name, paused ? "it is paused already" : "it is not paused")
            }
            guard let record = state.cgroup else {
                throw Failure(
                    step, state.name, "it has no cgroup to stop its processes with",
                    remedy: "'apus doctor' says how this machine can give it one")
            }
            try change(Cgroups.open(record))
            running.paused = paused
            state.status = .running(running)
        }
    }
}
