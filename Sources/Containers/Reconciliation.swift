import CLinux
import Cgroups
import Glibc
import Linux
import Networks
import SystemPackage

/// Brings a container whose starter or supervisor was killed to the state that it should have left behind.
///
/// The caller holds the container's `alive` lock, so nobody else works on it.
struct Reconciliation {
    let store: ContainerStore
    let id: String

    /// Kills what still runs, removes its cgroup, and records the end or removes the container.
    func run() throws(Failure) {
        try store.networks.leaveAll(container: id)
        guard store.directory.has("containers/\(id)") else {
            try removeCgroups(nil)
            return try Container(id: id, store: store, directory: FileDescriptor(rawValue: -1)).removeFiles(name: nil)
        }
        let container = try store.open(id: id)
        defer { container.close() }
        let state: ContainerState?
        do throws(Failure) {
            state = try container.loadStateIfPresent()
        } catch {
            return  // a damaged record stays for `ps` to report and `rm -f` to remove
        }
        guard let state else {
            try removeCgroups(nil)
            try giveBackWorkspace(of: container)
            return try container.removeFiles(name: store.nameOf(id))  // killed before there was anything to keep
        }
        if case .running(let running) = state.status {
            try kill(running)
            try giveBackWorkspace(of: container)
        }
        try removeCgroups(state.cgroup)
        if state.autoRemove, !isCreated(state) { return try container.removeFiles(name: state.name) }
        if case .running(let running) = state.status { try record(running, container) }
    }

    private func giveBackWorkspace(of container: Container) throws(Failure) {
        // `try?`: without a config it had none, and a damaged one `inspect` tells of
        if let config = try? container.loadConfig() { try container.giveBackWorkspace(config) }
    }

    private func isCreated(_ state: ContainerState) -> Bool {
        if case .created = state.status { return true }
        return false
    }

    private func kill(_ running: ContainerState.RunningProcess) throws(Failure) {
        do throws(SystemCallError) {
            guard let process = try running.open() else { return }
            defer { process.pidfd.closeQuietly() }
            try process.send(SIGKILL)
            var entry = pollfd(fd: process.pidfd.rawValue, events: Int16(POLLIN), revents: 0)
            _ = poll(&entry, 1, 10_000)
        } catch {
            throw Failure("kill container", String(id.prefix(12)), error)
        }
    }

    /// By the record, and by the names that a killed Apus would have given them before it wrote one.
    private func removeCgroups(_ record: CgroupRecord?) throws(Failure) {
        do {
            if let record { try Self.remove(Cgroups.open(record)) }
            for cgroup in Cgroups.leftover(id: id) { try Self.remove(cgroup) }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure("remove cgroup", String(id.prefix(12)), "\(error)")
        }
    }

    private static func remove(_ cgroup: any Cgroup) throws {
        try cgroup.kill()
        try cgroup.remove()
    }

    private func record(_ running: ContainerState.RunningProcess, _ container: Container) throws(Failure) {
        do {
            try container.updateState { state in
                let sameBoot = running.bootID == Boot.id
                state.status = .exited(
                    .init(
                        exitCode: 137, startedAt: running.startedAt,
                        error: sameBoot ? "its supervisor was killed" : "the machine was restarted"))
                state.cgroup = nil
            }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure("write state", String(id.prefix(12)), "\(error)")
        }
    }
}
