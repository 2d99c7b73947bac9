import Cgroups
import Glibc
import Linux
import SystemPackage

extension ContainerStore {
    /// Removes a container with everything that belongs to it.
    ///
    /// - Parameter force: Whether to kill it first if it runs, and to remove it when its record is damaged.
    /// - Throws: When it is running, without `force`.
    public func remove(_ container: Container, force: Bool) throws {
        // A supervisor that removes its container itself, or one that another command starts meanwhile, may win the race.
        for _ in 0..<100 {
            if let alive = try lockAlive(container.id, wait: false) {
                defer { releaseAlive(container.id, alive) }
                return try removeUnsupervised(container, force: force)
            }
            guard force else {
                let name = try container.loadState().name
                throw Failure(
                    "remove container", name, "it is running",
                    remedy: "stop it with 'apus stop \(name)', or use 'apus rm -f \(name)'")
            }
            guard directory.has("containers/\(container.id)") else { return }  // another removal was faster
            try container.end()
        }
        throw Failure("remove container", container.shortID, "others keep starting it")
    }

    private func removeUnsupervised(_ container: Container, force: Bool) throws {
        guard directory.has("containers/\(container.id)") else { return }
        let name: String?
        do throws(Failure) {
            try Reconciliation(store: self, id: container.id).run()
            name = try container.loadStateIfPresent()?.name
        } catch {
            guard force else { throw error }
            name = try nameOf(container.id)
            for cgroup in Cgroups.leftover(id: container.id) {
                try cgroup.kill()
                try cgroup.remove()
            }
        }
        guard directory.has("containers/\(container.id)") else { return }
        try container.removeFiles(name: name)
    }

    /// The name that stands for `id`, for a container whose own record cannot say it.
    func nameOf(_ id: String) throws(Failure) -> String? {
        do throws(SystemCallError) {
            let names = try directory.open("names", O_RDONLY | O_DIRECTORY)
            defer { names.closeQuietly() }
            return try names.entries().first { idNamed($0) == id }
        } catch {
            throw Failure("list names", path, error)
        }
    }
}

extension Container {
    /// Kills it and waits until its supervisor is gone; a damaged record does not prevent that.
    fileprivate func end() throws {
        do {
            try stop(signal: .kill, grace: 0)
        } catch is Failure {
            try AttachSocket.sendSignal(SIGKILL, in: directory)
            if directory.has("state.json") { return try waitUntilUnsupervised() }
            // Being made, or just being removed by another: a matter of milliseconds.
            while !directory.has("state.json"), try isSupervised() { poll(nil, 0, 2) }
        }
    }
}

extension ContainerStore {
    /// Gives a container another name.
    ///
    /// - Throws: When another container has it, or it is no name.
    public func rename(_ container: Container, to name: String) throws {
        let lock = try container.lockRecords()
        defer { lock.closeQuietly() }
        var state = try container.loadState()
        var config = try container.loadConfig()
        let old = state.name
        guard name != old else { throw Failure("rename container", name, "it has that name already") }
        try container.write([], as: Container.renamingMark)
        defer { unlinkat(container.directory.rawValue, Container.renamingMark, 0) }
        try reserve(name, for: container.id)
        do {
            state.name = name
            config.name = name
            try container.save(config)
            try container.save(state)
        } catch {
            try? release(name, of: container.id)  // `try?`: the first error is the one to report
            throw error
        }
        try release(old, of: container.id)
    }
}
