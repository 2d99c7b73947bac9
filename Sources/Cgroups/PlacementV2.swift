import CLinux
import Glibc
import Linux
import SystemPackage

/// Where in the tree of cgroup v2 a container goes.
enum PlacementV2 {
    /// The container's own cgroup in a scope; the limits are on this one, so they never hit the supervisor.
    static let container = "container"
    /// The cgroup of Apus itself in a scope.
    static let supervisor = "supervisor"
    /// What every container has, for its statistics.
    private static let usual: [Controller] = [.memory, .pids, .io]

    /// Makes a cgroup in the first place where one can be had.
    ///
    /// Under systemd that is what systemd delegated, this process's own cgroup or a new scope, because whatever lies
    /// elsewhere systemd may change without notice. Without it, root has the whole tree, and others their own cgroup
    /// if they may write it.
    ///
    /// - Returns: No cgroup, and why, where there is none to be had.
    static func create(id: String, parent: String?) throws -> (cgroup: CgroupV2?, problem: String?) {
        guard SystemdScope.isSystemdHere else { return (try createWithoutSystemd(id, parent), nil) }
        if parent == nil, geteuid() != 0, let base = ownDelegatedCgroup(marked: true) {
            return (try create(id, below: base, parent), nil)
        }
        do {
            return (try createInScope(id, parent), nil)
        } catch let failure as Failure {
            // Root needs no delegation; systemd itself may be what does not answer.
            if geteuid() == 0, let cgroup = try create(id, below: Hierarchies.mountPoint, parent) {
                return (cgroup, nil)
            }
            return (nil, failure.reason)
        }
    }

    private static func createWithoutSystemd(_ id: String, _ parent: String?) throws -> CgroupV2? {
        if geteuid() == 0, let cgroup = try create(id, below: Hierarchies.mountPoint, parent) { return cgroup }
        return try ownDelegatedCgroup(marked: false).flatMap { try create(id, below: $0, parent) }
    }

    /// This process's own cgroup, if it may make others below it.
    ///
    /// - Parameter marked: Whether systemd must have marked it as delegated: in a user's own services and scopes
    ///   everything is writable, but systemd's to change.
    /// - Note: systemd, "Control Group APIs and Delegation".
    private static func ownDelegatedCgroup(marked: Bool) -> String? {
        guard var path = Hierarchies.ownCgroup(in: nil) else { return nil }
        if path.hasSuffix("/\(ControllersV2.leaf)") { path.removeLast(ControllersV2.leaf.utf8.count + 1) }
        guard access(path + "/cgroup.procs", W_OK) == 0, access(path, W_OK) == 0 else { return nil }
        return !marked || isMarkedDelegated(path) ? path : nil
    }

    private static func isMarkedDelegated(_ path: String) -> Bool {
        var value: UInt8 = 0
        return getxattr(path, "user.delegate", &value, 1) == 1 && value == UInt8(ascii: "1")
    }

    // MARK: plain directories

    private static func create(_ id: String, below base: String, _ parent: String?) throws -> CgroupV2? {
        let above = base + "/" + (parent.map { $0.hasPrefix("/") ? String($0.dropFirst()) : $0 } ?? "apus")
        do throws(SystemCallError) {
            let directory = try make("\(above)/\(id)", above: above)
            let cgroup = CgroupV2(id: id, directory: directory, base: base, unit: nil)
            _ = try ControllersV2.enable(usual, forChildrenOf: above, below: base)
            return cgroup
        } catch {
            guard [.permissionDenied, .notPermitted, .readOnlyFileSystem].contains(error.errno) else { throw error }
            return nil
        }
    }

    private static func make(_ path: String, above: String) throws(SystemCallError) -> CgroupDirectory {
        let here = FileDescriptor.workingDirectory
        do throws(SystemCallError) {
            // Left by an Apus that was killed: what settings it has are not ours.
            if try !here.makeDirectory(path) { try replace(path) }
        } catch {
            guard error.errno == .noSuchFileOrDirectory else { throw error }
            try here.makeDirectories(above)
            try here.makeDirectory(path)
        }
        return try CgroupDirectory(path)
    }

    private static func replace(_ path: String) throws(SystemCallError) {
        try CgroupDirectory.removeTree(path)
        try FileDescriptor.workingDirectory.makeDirectory(path)
    }

    // MARK: scopes

    private static func createInScope(_ id: String, _ parent: String?) throws -> CgroupV2 {
        let unit = SystemdScope.name(of: id)
        let scope = try ownScope(unit) ?? startScope(unit, id, parent)
        do throws(SystemCallError) {
            let base = try CgroupDirectory(scope)
            try base.descriptor.makeDirectory(supervisor)
            try CgroupDirectory("\(scope)/\(supervisor)").write("0", to: "cgroup.procs")
            _ = try ControllersV2.enable(usual, forChildrenOf: scope, below: scope)
            let directory = try make("\(scope)/\(container)", above: scope)
            return CgroupV2(id: id, directory: directory, base: scope, unit: unit)
        } catch {
            throw Failure("create cgroup", unit, "\(error)")
        }
    }

    /// The scope that this process is in already: a supervisor starts its container again in the one it has.
    private static func ownScope(_ unit: String) -> String? {
        guard var own = Hierarchies.ownCgroup(in: nil) else { return nil }
        if own.hasSuffix("/\(supervisor)") { own.removeLast(supervisor.utf8.count + 1) }
        return own.hasSuffix("/\(unit)") ? own : nil
    }

    private static func startScope(_ unit: String, _ id: String, _ parent: String?) throws(Failure) -> String {
        if let parent, !parent.hasSuffix(".slice") || parent.contains("/") {
            throw Failure("create cgroup", parent, "under systemd a cgroup parent is a slice, such as 'batch.slice'")
        }
        try SystemdScope.start(unit, description: "Apus container \(id)", slice: parent)
        guard let scope = ownScope(unit) else {
            throw Failure("create cgroup", unit, "systemd did not move this process into it")
        }
        return scope
    }

    // MARK: finding

    /// Finds directories by the names that `create` gives them in the usual places.
    static func leftover(id: String) -> CgroupV2? {
        let unit = SystemdScope.name(of: id)
        let manager = "\(Hierarchies.mountPoint)/user.slice/user-\(getuid()).slice/user@\(getuid()).service"
        let slices =
            geteuid() == 0 ? ["\(Hierarchies.mountPoint)/system.slice"] : ["\(manager)/app.slice", manager]
        for slice in slices {
            // `try?`: a path where nothing was left is the usual answer.
            if let directory = try? CgroupDirectory("\(slice)/\(unit)/\(container)") {
                return CgroupV2(id: id, directory: directory, base: "\(slice)/\(unit)", unit: unit)
            }
        }
        let bases =
            [Hierarchies.mountPoint] + (geteuid() == 0 ? [] : [ownDelegatedCgroup(marked: false)].compactMap { $0 })
        for base in bases {
            // `try?`: as above.
            if let directory = try? CgroupDirectory("\(base)/apus/\(id)") {
                return CgroupV2(id: id, directory: directory, base: base, unit: nil)
            }
        }
        return nil
    }
}
