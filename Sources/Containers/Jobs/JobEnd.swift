import Linux
import SystemPackage

extension Supervisor {
    /// Does what a job leaves behind: artifacts whatever has become of it, its caches' new versions if it succeeded, and
    /// the workspace's files with their owner.
    ///
    /// - Returns: The ending, with what failed; a success that lacks something it was to bring is none.
    func finishJob(_ ending: ContainerState.Ending) -> ContainerState.Ending {
        guard let job = config.job else { return ending }
        var ending = ending
        var failure: Failure?
        if let view {
            failure = Artifacts(
                options: job, workingDirectory: config.workingDirectory ?? "/", mounts: view.mounts, spec: view.spec
            ).copy()
            view.mounts.closeQuietly()
        }
        view = nil
        do throws(Failure) {
            try container.giveBackWorkspace(config)
        } catch {
            Report.line("\(error)")
            failure = failure ?? error
        }
        do throws(Failure) {
            if ending.exitCode == 0 { try container.publishCaches(caches) }
            caches.close()
            try container.tidyCaches(caches)
        } catch {
            Report.line("warning: \(error)")  // the job itself lacks nothing
        }
        if let failure {
            if ending.exitCode == 0 { ending.exitCode = failure.exitCode }
            ending.error = ending.error.isEmpty ? "\(failure)" : "\(ending.error); \(failure)"
        }
        return ending
    }
}
