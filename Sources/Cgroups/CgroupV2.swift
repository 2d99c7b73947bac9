import CLinux
import Glibc
import Linux
import OCI
import SystemPackage

/// A container's directory in the one tree of cgroup v2.
final class CgroupV2: Cgroup {
    let id: String
    let directory: CgroupDirectory
    /// The uppermost cgroup that Apus may change: above it others rule.
    let base: String
    /// The systemd unit that `base` is the cgroup of.
    let unit: String?
    /// That unit, where it is one of this container alone.
    let scope: SystemdScope?

    init(id: String, directory: CgroupDirectory, base: String, unit: String?, scope: SystemdScope? = nil) {
        self.id = id
        self.directory = directory
        self.base = base
        self.unit = unit
        self.scope = scope
    }

    var mainDirectory: CgroupDirectory? { directory }
    var processDirectory: CgroupDirectory? { directory }

    var views: [CgroupShown] { [CgroupShown(name: "", path: directory.path)] }

    var record: CgroupRecord {
        CgroupRecord(kind: .v2, id: id, directories: ["unified": directory.path], base: base, unit: unit)
    }

    /// Opens what `record` says; it may be gone.
    static func open(_ record: CgroupRecord) throws -> any Cgroup {
        guard let path = record.directories["unified"], record.directories.count == 1, let base = record.base,
            path.hasPrefix(base + "/"), base == Hierarchies.mountPoint || base.hasPrefix(Hierarchies.mountPoint + "/"),
            CgroupName.isValid(path: path), path.hasSuffix("/\(record.id)"),
            record.unit.map({ DelegatedUnit.isOurs($0) && base.hasSuffix("/\($0)") || $0 == record.id }) ?? true
        else {
            throw Failure(
                "open cgroup", record.directories["unified"] ?? "", "no cgroup of container '\(record.id)'")
        }
        let scope = record.unit == record.id ? try SystemdScope(recorded: record.id, record.id) : nil
        guard let directory = try CgroupDirectory.ifThere(path) else {
            return RemovedCgroup(record: record, scope: scope)
        }
        return CgroupV2(id: record.id, directory: directory, base: base, unit: record.unit, scope: scope)
    }

    // MARK: joining

    func cloneTarget() throws -> FileDescriptor? {
        if geteuid() != 0 { try comeNear() }
        return try directory.descriptor.open(".", O_RDONLY | O_DIRECTORY)
    }

    func joinFiles() throws -> [FileDescriptor] { [] }

    func didStart() { scope?.dismissPlaceholder() }

    /// Brings this process into the part of the tree that its user may write: the kernel lets nobody move a process,
    /// or clone one, between cgroups whose common ancestor is not his.
    private func comeNear() throws {
        guard let unit = scope == nil ? unit : DelegatedUnit.name(in: nil) else { return }
        let base = scope == nil ? base : DelegatedUnit.path(in: nil)
        if let own = Hierarchies.ownCgroup(in: nil), own.hasPrefix(DelegatedUnit.managerRoot + "/") { return }
        let leaf = ControllersV2.leaf
        if scope != nil, !DelegatedUnit.isReady(base) { try DelegatedUnit.start(in: nil) }
        try FileDescriptor.workingDirectory.makeDirectory("\(base)/\(leaf)")
        try DelegatedUnit.attach(getpid(), to: unit, below: "/\(leaf)")
    }

    // MARK: limits

    func apply(_ resources: Spec.Resources, policy: LimitsPolicy) throws -> [LimitRecord] {
        try apply(resources, policy: policy, isNew: false)
    }

    func apply(
        _ resources: Spec.Resources, policy: LimitsPolicy, isNew: Bool, assumesSwap: Bool = true
    ) throws -> [LimitRecord] {
        if !isNew { try checkUse(resources.memory) }
        let plan = LimitPlan(.v2, isNew: isNew, assumesSwap: assumesSwap) { file in
            try? self.directory.read(file)  // `try?`: a file that cannot be read has no value to keep
        }
        var application = LimitApplication(
            policy: policy, mechanism: unit == nil ? .v2 : .systemd, isUndoable: !isNew, remedy: RemedyV2.forController,
            directory: { controller throws(SystemCallError) in
                // These are no controllers to the kernel.
                if controller == .devices || controller == .core { return self.directory }
                return try ControllersV2.enable(controller, in: self.directory.path, below: self.base)
                    ? self.directory : nil
            })
        try application.apply(plan.limits(of: resources))
        // What systemd isn't told it sets back when its configuration is read anew.
        if !isNew { try scope?.set(SystemdProperties(resources, .v2)) }
        return application.records
    }

    /// A limit below what is in use would have the kernel end processes: refused if that was asked.
    private func checkUse(_ memory: Spec.Memory?) throws {
        guard memory?.checkBeforeUpdate == true, let limit = memory?.limit, limit > 0,
            let usage = try directory.readIfThere("memory.current").flatMap({ Int64($0) }), usage > limit
        else { return }
        throw Failure("limit memory", Quantity.bytes(limit), "\(Quantity.bytes(usage)) are in use")
    }

    // MARK: looking

    func statistics() throws -> CgroupStatistics {
        CgroupStatistics(
            cpu: try .init(v2: directory), memory: try .init(v2: directory), pids: try .init(directory),
            io: try .init(v2: directory))
    }

    func processes() throws -> [pid_t] { try directory.processes() }

    // MARK: stopping and ending

    func freeze() throws {
        try directory.write("1", to: "cgroup.freeze")
        guard try !directory.waitForEvent("frozen", 1, until: Deadline(seconds: 2)) else { return }
        try directory.write("0", to: "cgroup.freeze")
        throw Failure("pause", id, "a process did not stop within 2 s")
    }

    func thaw() throws { try directory.write("0", to: "cgroup.freeze") }

    func kill() throws {
        do throws(SystemCallError) {
            try directory.write("1", to: "cgroup.kill")
        } catch {
            if error.isGone { return }
            guard error.errno == .noSuchFileOrDirectory else { throw error }
            return try killEach()
        }
        _ = try directory.waitForEvent("populated", 0, until: Deadline(seconds: 2))
    }

    /// Before Linux 5.14: one by one while they are stopped, so that none forks; SIGKILL ends those too.
    private func killEach() throws {
        let deadline = Deadline(seconds: 2)
        try directory.write("1", to: "cgroup.freeze")
        repeat {
            for pid in try processes() where pid != getpid() { Glibc.kill(pid, SIGKILL) }
        } while try !directory.waitForEvent("populated", 0, until: Deadline(milliseconds: 100)) && !deadline.isOver
        try directory.write("0", to: "cgroup.freeze")
    }

    func remove() throws {
        scope?.dismissPlaceholder()
        try removeDirectory()
        try scope?.stop()
    }

    private func removeDirectory() throws {
        let deadline = Deadline(seconds: 2)
        while true {
            do throws(SystemCallError) {
                return try CgroupDirectory.removeTree(directory.path)
            } catch {
                guard error.errno == .resourceBusy else { throw error }
            }
            if deadline.isOver { throw Removal.failure(directory.path, try processes()) }
            if try directory.waitForEvent("populated", 0, until: deadline) {
                deadline.nap()  // the last process lets go a moment after the event
            }
        }
    }

    // MARK: memory running out

    func oomKills() throws -> UInt64 { try directory.readNumber("oom_kill", in: "memory.events") }

    func oomNotifier() throws -> FileDescriptor? {
        guard directory.has("memory.events") else { return nil }
        let notifier = FileDescriptor(
            rawValue: try check("inotify_init1") { inotify_init1(CInt(O_CLOEXEC | O_NONBLOCK)) })
        do {
            try check("inotify_add_watch", "'\(directory.path)/memory.events'") {
                inotify_add_watch(notifier.rawValue, directory.path + "/memory.events", UInt32(IN_MODIFY))
            }
        } catch {
            notifier.closeQuietly()
            throw error
        }
        return notifier
    }
}

extension CgroupDirectory {
    /// Waits until `cgroup.events` gives `key` this value, or the deadline is over.
    ///
    /// - Returns: Whether it did. A cgroup that is gone is not populated.
    /// - Note: cgroup-v2, "Core Interface Files": a change makes poll(2) report `POLLPRI`.
    func waitForEvent(_ key: String, _ value: UInt64, until deadline: Deadline) throws(SystemCallError) -> Bool {
        do {
            let events = try open("cgroup.events", O_RDONLY)
            defer { events.closeQuietly() }
            while true {
                try check("lseek", "'\(path)/cgroup.events'") { CInt(lseek(events.rawValue, 0, SEEK_SET)) }
                let text = String(decoding: try events.readAll(limit: 4096), as: UTF8.self)
                if Self.keyed(text)[key] == value { return true }
                if deadline.isOver { return false }
                var entry = pollfd(fd: events.rawValue, events: Int16(POLLPRI), revents: 0)
                poll(&entry, 1, deadline.milliseconds)
            }
        } catch  where error.isGone || error.errno == .noSuchFileOrDirectory {
            return true
        }
    }
}

/// A cgroup v2 of a record that is no longer there: nothing runs in it, and nothing is left to remove.
struct RemovedCgroup: Cgroup {
    let record: CgroupRecord
    /// Its unit, which systemd keeps when it counts as failed.
    let scope: SystemdScope?
    var views: [CgroupShown] { [] }
    var mainDirectory: CgroupDirectory? { nil }
    var processDirectory: CgroupDirectory? { nil }

    private var gone: Failure { Failure("open cgroup", record.id, "it is gone") }

    func cloneTarget() throws -> FileDescriptor? { throw gone }
    func joinFiles() throws -> [FileDescriptor] { [] }
    func apply(_ resources: Spec.Resources, policy: LimitsPolicy) throws -> [LimitRecord] { throw gone }
    func statistics() throws -> CgroupStatistics { CgroupStatistics() }
    func processes() throws -> [pid_t] { [] }
    func freeze() throws { throw gone }
    func thaw() throws {}
    func kill() throws {}
    func remove() throws { try scope?.stop() }
    func oomKills() throws -> UInt64 { 0 }
    func oomNotifier() throws -> FileDescriptor? { nil }
}
