import CLinux
import Glibc
import Linux
import OCI
import SystemPackage

/// A container's directories in the hierarchies of cgroup v1, one for each that it needs.
final class CgroupV1: Cgroup {
    let id: String
    /// What `--cgroup-parent` asked for.
    private let parent: String?
    private var directories: [Placed]
    /// Whether a directory that is there already is taken as it is.
    private let keepsOld: Bool
    /// Whether one was.
    private(set) var wasThere = false
    /// The systemd unit that it is the cgroup of.
    var scope: SystemdScope?

    /// Its directory in one hierarchy.
    private struct Placed {
        let hierarchy: String
        let directory: CgroupDirectory
        /// What it was made for, beside which the hierarchy may have others.
        var controller: Controller?
    }

    /// What every container has: to know its processes and their memory. Each hierarchy costs a run about 0.1 ms, so
    /// those of the freezer and of processor time join a container that lives, when it is paused or looked at.
    private static let usual: [Controller] = [.memory]

    /// The directory for containers where Apus may choose.
    private static let usualParent = "apus"

    /// What counts all that a report tells of.
    static let counting: [Controller] = usual + [.cpuacct, .pids, .blkio]

    /// All that there are: where an engine says where its containers go, it looks for them in each.
    static let forEngines: [Controller] =
        usual + [
            .freezer, .cpuacct, .devices, .pids, .cpu, .cpuset, .blkio, .hugetlb, .networkClass, .networkPriority,
            .perfEvent, .rdma, .misc,
            .systemd,
        ]

    private init(id: String, parent: String?, keepsOld: Bool = false, directories: [Placed] = []) {
        self.id = id
        self.parent = parent
        self.keepsOld = keepsOld
        self.directories = directories
    }

    var record: CgroupRecord {
        var paths: [String: String] = [:]
        for placed in directories { paths[placed.hierarchy] = placed.directory.path }
        return CgroupRecord(kind: .v1, id: id, directories: paths, unit: scope?.unit, parent: parent)
    }

    var views: [CgroupShown] {
        directories.filter { $0.hierarchy != Self.unified }
            .map { CgroupShown(name: $0.hierarchy, path: $0.directory.path) }
    }

    var mainDirectory: CgroupDirectory? { listing() }

    var processDirectory: CgroupDirectory? {
        // `try?`: nothing is made, so that nothing can fail
        try? directory(of: .pids, making: false)
    }

    /// Where v2 is mounted beside v1.
    private static let unified = "unified"

    /// Has processes join the unit's cgroup of v2 as well: where that is mounted beside v1, systemd looks there whether
    /// any are left, and ends a unit without.
    func joinUnified(_ path: String) throws(SystemCallError) {
        let place = "\(Hierarchies.mountPoint)/\(Self.unified)/\(path)"
        guard let directory = try CgroupDirectory.ifThere(place) else { return }
        directories.append(Placed(hierarchy: Self.unified, directory: directory))
    }

    // MARK: making and finding

    /// Makes the directories that every container has, as far as this process may.
    ///
    /// - Returns: `nil` when it may make none.
    static func create(
        id: String, parent: String?, in controllers: [Controller]? = nil, keepsOld: Bool = false
    ) throws -> CgroupV1? {
        let cgroup = CgroupV1(id: id, parent: parent, keepsOld: keepsOld)
        do {
            for controller in controllers ?? usual { _ = try cgroup.directory(of: controller, making: true) }
            if cgroup.directories.isEmpty { _ = try cgroup.directory(of: .freezer, making: true) }
        } catch {
            cgroup.removeQuietly()
            throw error
        }
        return cgroup.directories.isEmpty ? nil : cgroup
    }

    /// Opens what `record` says, as far as it is still there.
    static func open(_ record: CgroupRecord) throws -> CgroupV1 {
        var directories: [Placed] = []
        for (hierarchy, path) in record.directories {
            guard Self.isHierarchy(hierarchy), path.hasPrefix("\(Hierarchies.mountPoint)/\(hierarchy)/"),
                path.hasSuffix("/\(record.id)"), CgroupName.isValid(path: path)
            else { throw Failure("open cgroup", path, "no cgroup of container '\(record.id)'") }
            guard let directory = try CgroupDirectory.ifThere(path) else { continue }
            directories.append(Placed(hierarchy: hierarchy, directory: directory))
        }
        if let parent = record.parent, parent != "/", !CgroupName.isValid(path: parent) {
            throw Failure("open cgroup", parent, "not a path of cgroups")
        }
        let cgroup = CgroupV1(
            id: record.id, parent: record.parent, keepsOld: true, directories: directories)
        cgroup.scope = try record.unit.map { try SystemdScope(recorded: $0, record.id) }
        return cgroup
    }

    /// The names of its controllers: `cpu,cpuacct`.
    private static func isHierarchy(_ name: String) -> Bool {
        name.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { CgroupName.isValid(String($0)) }
    }

    /// Finds directories by the names that `create` gives them.
    static func leftover(id: String, parent: String? = nil) -> CgroupV1? {
        var directories: [Placed] = []
        for hierarchy in Set(Controller.allCases.map(Hierarchies.name)) {
            let own = ownParent(in: hierarchy, asked: parent)
            for parent in parents(in: hierarchy, asked: parent) + (own.map { [$0] } ?? []) {
                guard let directory = try? CgroupDirectory("\(parent)/\(id)") else { continue }  // `try?`: nothing left
                directories.append(Placed(hierarchy: hierarchy, directory: directory))
                break
            }
        }
        return directories.isEmpty ? nil : CgroupV1(id: id, parent: nil, keepsOld: true, directories: directories)
    }

    /// Where directories for containers go in a hierarchy, the preferred place first: in a limited command below its
    /// cgroup, else where the engines have theirs, or, without the rights to that, below the cgroup that this process is in.
    private static func parents(in hierarchy: String, asked: String?) -> [String] {
        let mount = "\(Hierarchies.mountPoint)/\(hierarchy)"
        if let asked, asked.hasPrefix("/") { return [mount + asked] }
        if asked == nil, let limit = Hierarchies.ownLimit(in: hierarchy) { return ["\(limit)/\(usualParent)"] }
        return ["\(mount)/\(asked ?? usualParent)"]
    }

    private static func ownParent(in hierarchy: String, asked: String?) -> String? {
        if let asked, asked.hasPrefix("/") { return nil }
        return Hierarchies.ownCgroup(in: hierarchy).map { "\($0)/\(asked ?? usualParent)" }
    }

    /// The directory with a controller's files, made if need be.
    ///
    /// - Returns: `nil` where the hierarchy is not mounted or this process may make no directory in it.
    private func directory(of controller: Controller, making: Bool) throws(SystemCallError) -> CgroupDirectory? {
        for placed in directories where placed.controller == controller { return placed.directory }
        let hierarchy = Hierarchies.name(of: controller)
        for placed in directories where placed.hierarchy == hierarchy { return placed.directory }
        guard making else { return nil }
        guard let made = try makeDirectory(in: hierarchy) else { return nil }
        if controller == .cpuset { try Self.fillCpuset(made) }
        directories.append(Placed(hierarchy: hierarchy, directory: made, controller: controller))
        return made
    }

    /// The directory of a controller that no start brings in, with all processes in it.
    private func late(_ controller: Controller) throws -> CgroupDirectory? {
        if let known = try directory(of: controller, making: false) { return known }
        guard let made = try directory(of: controller, making: true) else { return nil }
        try populate(made)
        if try !processes().isEmpty { return made }
        // It has ended meanwhile, and whoever removed its cgroup may not have seen this directory.
        directories.removeLast()
        try Removal.remove(made.path, until: Deadline(seconds: 2)) { try made.processes() }
        return nil
    }

    /// Has all processes join the hierarchy of a controller, where there is one.
    func bringIn(_ controller: Controller) throws { _ = try late(controller) }

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
            if try Self.make(path, below: parent, mount: "\(Hierarchies.mountPoint)/\(hierarchy)") {
                return try CgroupDirectory(path)
            }
            wasThere = true
            if !keepsOld {
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
            for placed in directories {
                let isV2 = placed.hierarchy == Self.unified
                files.append(try placed.directory.open(isV2 ? "cgroup.procs" : "tasks", O_WRONLY))
            }
        } catch {
            for file in files { file.closeQuietly() }
            throw error
        }
        return files
    }

    func didStart() { scope?.dismissPlaceholder() }

    // MARK: limits

    func apply(_ resources: Spec.Resources, policy: LimitsPolicy) throws -> [LimitRecord] {
        try apply(resources, policy: policy, isNew: false)
    }

    func apply(
        _ resources: Spec.Resources, policy: LimitsPolicy, isNew: Bool, assumesSwap: Bool = true
    ) throws -> [LimitRecord] {
        if !isNew { try checkUse(resources.memory) }
        let before = directories.count
        var application = LimitApplication(
            policy: policy, mechanism: .v1, isUndoable: !isNew, remedy: Self.remedy,
            directory: { controller throws(SystemCallError) in try self.directory(of: controller, making: true) })
        do {
            try application.apply(LimitPlan(.v1, isNew: isNew, assumesSwap: assumesSwap).limits(of: resources))
        } catch {
            if !isNew { removeQuietly(from: before) }
            throw error
        }
        guard !isNew else { return application.records }
        for added in directories[before...] { try populate(added.directory) }
        // What systemd isn't told it sets back when its configuration is read anew.
        try scope?.set(SystemdProperties(resources, .v1))
        return application.records
    }

    /// A limit below what is in use is refused if that was asked, rather than kept by reclaiming.
    private func checkUse(_ memory: Spec.Memory?) throws {
        guard memory?.checkBeforeUpdate == true, let limit = memory?.limit, limit > 0,
            let directory = try directory(of: .memory, making: false),
            let usage = try directory.readIfThere("memory.usage_in_bytes").flatMap({ Int64($0) }), usage > limit
        else { return }
        throw Failure("limit memory", Quantity.bytes(limit), "\(Quantity.bytes(usage)) are in use")
    }

    /// Removes the directories of hierarchies that a limit brought in which then failed. No process is in them yet.
    private func removeQuietly(from first: Int) {
        for added in directories[first...] {
            try? CgroupDirectory.removeTree(added.directory.path)  // `try?`: the limit is what to report
        }
        directories.removeSubrange(first...)
    }

    /// Moves the processes into a hierarchy that a later limit brought in, again until none was forked meanwhile.
    private func populate(_ directory: CgroupDirectory) throws {
        for _ in 0..<100 {
            let inside = Set(try directory.processes())
            let missing = try processes().filter { !inside.contains($0) }
            if missing.isEmpty { break }
            for pid in missing { try directory.take(pid) }
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
        if let accounting = try late(.cpuacct) {
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
    private func listing() -> CgroupDirectory? {
        directories.first { $0.hierarchy != Self.unified }?.directory
    }

    // MARK: stopping and ending

    func freeze() throws {
        guard let freezer = try late(.freezer) else {
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
        try late(.freezer)?.write("THAWED", to: "freezer.state")
    }

    func kill() throws {
        let deadline = Deadline(seconds: 2)
        while !deadline.isOver {
            let pids = try processes()
            if pids.isEmpty { return }
            try killAll(late(.freezer))
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
        try? freezer.write("THAWED", to: "freezer.state")  // `try?`: gone, and with it who was stopped
    }

    func remove() throws {
        scope?.dismissPlaceholder()
        removeNestedElsewhere()
        let deadline = Deadline(seconds: 2)
        // The first one, which all look at, last: what is left when this is killed can be found by it.
        for placed in directories.reversed() {
            try Removal.remove(placed.directory.path, until: deadline) { try self.processes() }
        }
        directories = []
        try scope?.stop()
    }

    /// Removes what those that were made in here have in hierarchies that this one has no directory in.
    private func removeNestedElsewhere() {
        guard let main = mainDirectory, main.has(Self.usualParent) else { return }
        // `try?`: what is left costs nothing but its place
        for name in (try? CgroupDirectory("\(main.path)/\(Self.usualParent)").children()) ?? [] {
            try? Self.leftover(id: name)?.remove()  // `try?`: as above
        }
    }

    private func removeQuietly() {
        try? remove()  // `try?`: this undoes a failed creation, whose error is the one to tell; nothing has joined yet
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
