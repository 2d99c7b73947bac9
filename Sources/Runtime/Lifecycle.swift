import CLinux
import Cgroups
import Glibc
public import Linux
import OCI
import Sandbox
import SystemPackage

extension RuntimeContainer {
    /// Lets a created container's command run.
    ///
    /// - Throws: When it has been started before, or cannot be run; it is killed if a hook fails.
    public func start() throws(Failure) {
        try lock()
        let record = try record()
        switch try status(record) {
        case .created: break
        case .creating: throw Failure("start", id, "cannot start a container that is still being created")
        case .running, .paused: throw Failure("start", id, "cannot start an already running container")
        case .stopped: throw Failure("start", id, "cannot start a container that has stopped")
        }
        guard let process = try initProcess(record) else {
            throw Failure("start", id, "cannot start a container that has stopped")
        }
        defer { process.pidfd.closeQuietly() }
        try StartGate.open(in: directory, for: process)
        removeGate()
        try runPoststart(record, try spec(), process)
    }

    private func removeGate() {
        try? directory.remove(StartGate.name)  // `try?`: nobody waits there any more, which is what counts
    }

    /// A container whose poststart hook fails is killed, as runc has it.
    func runPoststart(_ record: RuntimeRecord, _ spec: Spec, _ process: ProcessHandle) throws(Failure) {
        guard let hooks = spec.hooks?.poststart else { return }
        do throws(Failure) {
            try HookPoint.poststart.run(hooks, record.state(.running))
        } catch {
            _ = try? process.send(SIGKILL)  // `try?`: it has ended by itself
            throw error
        }
    }

    /// Sends a signal to init, or to all processes.
    ///
    /// - Throws: For a container that has ended, unless all are meant: then whatever is left gets it.
    public func kill(_ signal: Signal, all: Bool) throws {
        let record = try record()
        let process = try initProcess(record)
        defer { process?.pidfd.closeQuietly() }
        if all { return try signalAll(signal, record) }
        guard let process, try process.send(signal.rawValue) else {
            throw Failure("kill", id, "container not running")
        }
        guard signal == .kill else { return }
        // In the namespace of others init takes nobody along.
        if try !spec().makes(.pid) { try signalAll(signal, record) }
        // Where its processes are stopped they get it when they go on.
        if record.cgroup?.isFrozen ?? false { try cgroup(record)?.thaw() }
    }

    private func signalAll(_ signal: Signal, _ record: RuntimeRecord) throws {
        guard let cgroup = try cgroup(record) else {
            guard let process = try initProcess(record) else { return }
            defer { process.pidfd.closeQuietly() }
            let others = try ProcessTree.processes(of: process.pid).filter { $0 != process.pid }
            for pid in others { Glibc.kill(pid, signal.rawValue) }
            try process.send(signal.rawValue)
            return
        }
        if signal == .kill { return try killAll(record) }
        for pid in try cgroup.processes() { Glibc.kill(pid, signal.rawValue) }
    }

    /// What killing took beside the recorded cgroups: `delete` does not look for it, and here nobody has the lock to
    /// record it.
    private func removeAdded(to cgroup: any Cgroup, _ record: RuntimeRecord) {
        for (hierarchy, path) in cgroup.record.directories where record.cgroup?.directories[hierarchy] == nil {
            rmdir(path)  // with a process in it, which is then being made, it is `delete` that kills again
        }
    }

    /// Removes a container that has ended.
    ///
    /// - Parameter force: Whether one that has not is killed.
    public func delete(force: Bool) throws {
        guard try lockIfPresent() else {
            if force { return }
            throw Failure("", id, "container does not exist")
        }
        // A record that cannot be read must not keep what it is about.
        let record = force ? (try? recordIfPresent()) ?? nil : try recordIfPresent()  // `try?`: as just said
        guard let record else {
            // Its maker was killed before there was anything but files, or the record is damaged.
            guard force || !directory.has("state.json") else { throw Failure("", id, "container does not exist") }
            try endUnrecorded()
            return try removeFiles()
        }
        let status = try status(record)
        guard force || status == .stopped || status == .created || status == .creating else {
            throw Failure("", "", "cannot delete container \(id) that is not stopped: \(status.rawValue)")
        }
        try end(record, spec: try? spec())  // `try?`: then it has no hooks that anybody could know of
        try removeFiles()
    }

    /// Without a record its cgroup is known by what its Spec asks for; without the whole of a Spec it has none yet.
    private func endUnrecorded() throws {
        try dismissInit()
        guard let spec = try? spec() else { return }  // `try?`: as just said
        let path = spec.linux?.cgroupsPath
        let isUnit = path?.utf8.count { $0 == UInt8(ascii: ":") } == 2
        for cgroup in try Cgroups.leftover(CgroupRequest(id: id, path: path, systemd: isUnit)) {
            try cgroup.kill()
            try cgroup.remove()
        }
    }

    /// Ends what is left of it, and runs the hooks for that.
    ///
    /// - Parameter opened: Its cgroup, if that is open already.
    func end(_ record: RuntimeRecord, spec: Spec?, opened: (any Cgroup)? = nil) throws {
        let cgroup = try opened?.record == record.cgroup ? opened : cgroup(record)
        if let process = try initProcess(record) {
            try process.send(SIGKILL)
            try cgroup?.kill()
            var entry = pollfd(fd: process.pidfd.rawValue, events: Int16(POLLIN), revents: 0)
            _ = poll(&entry, 1, 10_000)
            process.pidfd.closeQuietly()
        } else {
            try dismissInit()
            try cgroup?.kill()
        }
        try cgroup?.remove()
        guard let spec else { return }
        try removeClass(spec)
        if let hooks = spec.hooks?.poststop { runPoststop(hooks, record) }
    }

    /// One that waits, but whose maker was killed before it could record it, has perhaps no cgroup to be found by.
    private func dismissInit() throws(Failure) {
        do throws(SystemCallError) {
            try StartGate.dismiss(in: directory)
        } catch {
            throw Failure("end init", id, error)
        }
    }

    /// Removes what it has of resctrl.
    func removeClass(_ spec: Spec) throws(Failure) {
        if let wish = spec.linux?.intelRdt { try IntelRdtGroup(wish, id: id).remove() }
    }

    /// One that fails is told of, and changes nothing: what is to be cleaned up is.
    private func runPoststop(_ hooks: [Spec.Hook], _ record: RuntimeRecord) {
        var state = record.state(.stopped)
        state.pid = nil
        for hook in hooks {
            do throws(Failure) {
                try HookPoint.poststop.run([hook], state)
            } catch {
                Report.warning("\(error)")
            }
        }
    }

    /// Removes its directory: from then on its ID is free.
    func removeFiles() throws(Failure) {
        let path = "\(store.path)/\(id)"
        do throws(SystemCallError) {
            for name in [Self.recordName, Self.specName] { try directory.remove(name) }
            // What is usually all: a directory with more in it is read and emptied.
            if rmdir(path) != 0 { try FileDescriptor.workingDirectory.removeTree(path) }
        } catch {
            throw Failure("remove container", id, error)
        }
    }
}
