import CLinux
import Glibc
import Linux
import OCI
import Synchronization
import SystemPackage

/// A container's directories in the hierarchies of cgroup v1, one for each that it needs.
final class CgroupV1: Cgroup {
    let id: String
    /// What `--cgroup-parent` asked for.
    private let parent: String?
    private let directories: Mutex<[String: CgroupDirectory]>

    /// What every container has: for its statistics, to be paused and to be ended without a race. Each costs a run
    /// about 0.06 ms; the freezer can count the processes too.
    private static let usual: [Controller] = [.memory, .freezer, .cpuacct]

    private init(id: String, parent: String?, directories: [String: CgroupDirectory]) {
        self.id = id
        self.parent = parent
        self.directories = Mutex(directories)
    }

    var record: CgroupRecord {
        CgroupRecord(kind: .v1, id: id, directories: directories.withLock { $0.mapValues(\.path) })
    }

    // MARK: making and finding

    /// Makes the directories that every container has, as far as this process may.
    ///
    /// - Returns: `nil` when it may make none.
    static func create(id: String, parent: String?) throws -> CgroupV1? {
        let cgroup = CgroupV1(id: id, parent: parent, directories: [:])
        do {
            for controller in usual { _ = try cgroup.directory(of: controller, making: true) }
        } catch {
            cgroup.removeQuietly()
            throw error
        }
        return cgroup.directories.withLock { $0.isEmpty } ? nil : cgroup
    }

    /// Opens what `record` says, as far as it is still there.
    static func open(_ record: CgroupRecord) throws -> CgroupV1 {
        var directories: [String: CgroupDirectory] = [:]
        for (hierarchy, path) in record.directories {
            guard CgroupName.isValid(hierarchy), path.hasPrefix("\(Hierarchies.mountPoint)/\(hierarchy)/"),
                path.hasSuffix("/\(record.id)"), CgroupName.isValid(path: path)
            else { throw Failure("open cgroup", path, "no cgroup of container '\(record.id)'") }
            directories[hierarchy] = try CgroupDirectory.ifThere(path)
        }
        return CgroupV1(id: record.id, parent: nil, directories: directories)
    }

    /// Finds directories by the names that `create` gives them.
    static func leftover(id: String) -> CgroupV1? {
        var directories: [String: CgroupDirectory] = [:]
        for hierarchy in Set(Controller.allCases.map(Hierarchies.name)) {
            for parent in parents(in: hierarchy, asked: nil) {
                // `try?`: a path where nothing was left is the usual answer.
                guard let directory = try? CgroupDirectory("\(parent)/\(id)") else { continue }
                directories[hierarchy] = directory
                break
            }
        }
        return directories.isEmpty ? nil : CgroupV1(id: id, parent: nil, directories: directories)
    }

    /// Where directories for containers go in a hierarchy, the preferred place first: where the engines have theirs,
    /// or, without the rights to that, below the cgroup that this process is in.
    private static func parents(in hierarchy: String, asked: String?) -> [String] {
        let mount = "\(Hierarchies.mountPoint)/\(hierarchy)"
        if let asked, asked.hasPrefix("/") { return [mount + asked] }
        return ["\(mount)/\(asked ?? "apus")"]
    }

    private static func ownParent(in hierarchy: String, asked: String?) -> String? {
        if let asked, asked.hasPrefix("/") { return nil }
        return Hierarchies.ownCgroup(in: hierarchy).map { "\($0)/\(asked ?? "apus")" }
    }

    /// The directory with a controller's files, made if need be.
    ///
    /// - Returns: `nil` where the hierarchy is not mounted or this process may make no directory in it.
    private func directory(of controller: Controller, making: Bool) throws(SystemCallError) -> CgroupDirectory? {
        let hierarchy = Hierarchies.name(of: controller)
        if let known = directories.withLock({ $0[hierarchy] }) { return known }
        guard making else { return nil }
        guard let made = try makeDirectory(in: hierarchy) else { return nil }
        if controller == .cpuset { try Self.fillCpuset(made) }
        directories.withLock { $0[hierarchy] = made }
        return made
    }

    private func makeDirectory(in hierarchy: String) throws(SystemCallError) -> CgroupDirectory? {
        for parent in Self.parents(in: hierarchy, asked: parent) {
            if let made = try makeDirectory(in: hierarchy, below: parent) { return made }
        }
        guard let own = Self.ownParent(in: hierarchy, asked: parent) else { return nil }
        return try makeDirectory(in: hierarchy, below: own)
    }

    private func makeDirectory(
        in hierarchy: String, below parent: String
    ) throws(SystemCallError) -> CgroupDirectory? {
        let path = "\(parent)/\(id)"
        do {
            if try !Self.make(path, below: parent, mount: "\(Hierarchies.mountPoint)/\(hierarchy)") {
                // Left by an Apus that was killed: what settings it has are not ours.
                try CgroupDirectory.removeTree(path)
                try Self.make(path, below: parent, mount: parent)
            }
            return try CgroupDirectory(path)
        } catch
            where [.permissionDenied, .notPermitted, .readOnlyFileSystem, .noSuchFileOrDirectory].contains(error.errno)
        {
            return nil
        } catch  where error.errno == .notSupported {
            // No hierarchy, but the tmpfs that they are mounted on.
            try FileDescriptor.workingDirectory.remove(path, directory: true)
            return nil
        }
    }

    /// Makes a directory, and those above it that are missing, but never a mount point.
    @discardableResult
    private static func make(_ path: String, below parent: String, mount: String) throws(SystemCallError) -> Bool {
        do {
            return try FileDescriptor.workingDirectory.makeDirectory(path)
        } catch  where error.errno == .noSuchFileOrDirectory {
            guard FileSystem(at: mount) == .cgroup1 else { throw error }
            try FileDescriptor.workingDirectory.makeDirectories(parent)
            return try FileDescriptor.workingDirectory.makeDirectory(path)
        }
    }

    /// Gives a cpuset the processors and memory nodes of the one above: a new one has none and takes no process.
    private static func fillCpuset(_ directory: CgroupDirectory) throws(SystemCallError) {
        let parentPath = String(directory.path[..<directory.path.lastIndex(of: "/")!])
        let parent = try CgroupDirectory(parentPath)
        for file in ["cpuset.cpus", "cpuset.mems"] {
            var value = try parent.read(file)
            if value.isEmpty {
                try fillCpuset(parent)
                value = try parent.read(file)
            }
            try directory.write(value, to: file)
        }
    }

    // MARK: joining

    func cloneTarget() throws -> FileDescriptor? { nil }

    func joinFiles() throws -> [FileDescriptor] {
        var files: [FileDescriptor] = []
        do {
            for directory in directories.withLock({ Array($0.values) }) {
                files.append(try directory.open("tasks", O_WRONLY))
            }
        } catch {
            for file in files { file.closeQuietly() }
            throw error
        }
        return files
    }

    // MARK: limits

    func apply(_ resources: Spec.Resources, policy: LimitsPolicy) throws -> [LimitRecord] {
        try apply(resources, policy: policy, isNew: false)
    }

    func apply(_ resources: Spec.Resources, policy: LimitsPolicy, isNew: Bool) throws -> [LimitRecord] {
        let before = directories.withLock { Set($0.keys) }
        var application = LimitApplication(
            policy: policy, mechanism: .v1, remedy: Self.remedy,
            directory: { controller throws(SystemCallError) in try self.directory(of: controller, making: true) })
        try application.apply(LimitPlan(.v1, isNew: isNew).limits(of: resources))
        let added = directories.withLock { $0.filter { !before.contains($0.key) }.map(\.value) }
        if !isNew && !added.isEmpty { try populate(added) }
        return application.records
    }

    /// Moves the processes into hierarchies that a later limit brought in, again until none was forked meanwhile.
    private func populate(_ added: [CgroupDirectory]) throws {
        for directory in added {
            for _ in 0..<100 {
                let inside = Set(try directory.processes())
                let missing = try processes().filter { !inside.contains($0) }
                if missing.isEmpty { break }
                for pid in missing { try directory.take(pid) }
            }
        }
    }

    static func remedy(_ controller: Controller) -> String {
        let name = Hierarchies.name(of: controller)
        if geteuid() != 0 {
            return "run as root (cgroup v1 does not serve ordinary users), or boot with cgroup v2 "
                + "(systemd.unified_cgroup_hierarchy=1)"
        }
        return FileSystem(at: "\(Hierarchies.mountPoint)/\(name)") == .cgroup1
            ? "mount \(Hierarchies.mountPoint)/\(name) writable"
            : "mount the hierarchy: mount -t cgroup -o \(name) cgroup \(Hierarchies.mountPoint)/\(name)"
    }

    // MARK: looking

    func statistics() throws -> CgroupStatistics {
        var statistics = CgroupStatistics()
        if let accounting = try directory(of: .cpuacct, making: false) {
            statistics.cpu = try CgroupStatistics.CPU(v1: accounting, limits: directory(of: .cpu, making: false))
        }
        statistics.memory = try directory(of: .memory, making: false).flatMap(CgroupStatistics.Memory.init(v1:))
        statistics.pids =
            try directory(of: .pids, making: false).flatMap(CgroupStatistics.Pids.init)
            ?? listing().map { CgroupStatistics.Pids(current: UInt64(try $0.threads())) }
        statistics.io = try directory(of: .blkio, making: false).flatMap(CgroupStatistics.IO.init(v1:))
        return statistics
    }

    func processes() throws -> [pid_t] { try listing()?.processes() ?? [] }

    /// A directory that lists the processes: all hierarchies have the same ones.
    private func listing() throws -> CgroupDirectory? {
        try directory(of: .freezer, making: false) ?? directories.withLock { $0.values.first }
    }

    // MARK: stopping and ending

    func freeze() throws {
        guard let freezer = try directory(of: .freezer, making: false) else {
            throw Failure("pause", id, "no cgroup with the controller 'freezer'", remedy: Self.remedy(.freezer))
        }
        let deadline = Deadline(seconds: 2)
        repeat {
            // Again each time: a process that forked in between may have been missed.
            try freezer.write("FROZEN", to: "freezer.state")
            if try freezer.read("freezer.state") == "FROZEN" { return }
            deadline.nap()  // the freezer reports no event
        } while !deadline.isOver
        try freezer.write("THAWED", to: "freezer.state")
        throw Failure("pause", id, "a process did not stop within 2 s")
    }

    func thaw() throws {
        try directory(of: .freezer, making: false)?.write("THAWED", to: "freezer.state")
    }

    func kill() throws {
        let freezer = try directory(of: .freezer, making: false)
        let deadline = Deadline(seconds: 2)
        while !deadline.isOver {
            let pids = try processes()
            if pids.isEmpty { return }
            try killAll(freezer)
            Processes.waitForEnd(of: pids, until: deadline)
        }
    }

    /// Signals every process. While they are stopped none forks, and no number passes to another process.
    private func killAll(_ freezer: CgroupDirectory?) throws {
        if let freezer { try freezer.write("FROZEN", to: "freezer.state") }
        defer { if let freezer { thawQuietly(freezer) } }
        for pid in try processes() where pid != getpid() { Glibc.kill(pid, SIGKILL) }
    }

    private func thawQuietly(_ freezer: CgroupDirectory) {
        // `try?`: it fails only when the directory is gone, and with it whatever could be stopped.
        try? freezer.write("THAWED", to: "freezer.state")
    }

    func remove() throws {
        let deadline = Deadline(seconds: 2)
        for path in directories.withLock({ $0.values.map(\.path) }) {
            try Removal.remove(path, until: deadline) { try self.processes() }
        }
        directories.withLock { $0 = [:] }
    }

    private func removeQuietly() {
        // `try?`: this undoes a failed creation, whose error is the one to tell; nothing has joined yet.
        try? remove()
    }

    // MARK: memory running out

    func oomKills() throws -> UInt64 {
        try directory(of: .memory, making: false)?.readNumber("oom_kill", in: "memory.oom_control") ?? 0
    }

    /// - Note: cgroup-v1 memory.rst, "OOM Control".
    func oomNotifier() throws -> FileDescriptor? {
        guard let memory = try directory(of: .memory, making: false), memory.has("cgroup.event_control") else {
            return nil
        }
        let event = FileDescriptor(rawValue: try check("eventfd") { apus_eventfd(0, CInt(O_CLOEXEC | O_NONBLOCK)) })
        do {
            let control = try memory.open("memory.oom_control", O_RDONLY)
            defer { control.closeQuietly() }
            try memory.write("\(event.rawValue) \(control.rawValue)", to: "cgroup.event_control")
        } catch {
            event.closeQuietly()
            throw error
        }
        return event
    }
}
