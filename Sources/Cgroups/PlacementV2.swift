import CLinux
import Glibc
import Linux
import SystemPackage

/// Where in the tree of cgroup v2 a container goes.
enum PlacementV2 {
    /// What every container has, for its statistics.
    private static let usual: [Controller] = [.memory, .pids, .io]
    /// What engines expect to find files of.
    private static let forEngines: [Controller] = [.memory, .pids, .io, .cpu, .cpuset]
    /// The directory for containers where Apus may choose.
    private static let usualParent = "apus"

    /// Makes a cgroup in the first place where one can be had.
    ///
    /// In a limited command that is below its cgroup, if it may be written to. Under systemd it is what systemd delegated, this process's own cgroup or the one of a service, because
    /// whatever lies elsewhere systemd may change without notice. Without it, root has the whole tree, and others their
    /// own cgroup if they may write it.
    ///
    /// - Returns: No cgroup, and why, where there is none to be had.
    /// - Throws: `Failure` for a parent that cannot be one.
    static func create(id: String, parent: String?) throws -> (cgroup: CgroupV2?, problem: String?) {
        if parent == nil, let limit = Hierarchies.ownLimit(in: nil), mayMakeCgroups(below: limit) {
            return (try create(id, below: limit, usualParent), nil)
        }
        guard DelegatedUnit.isSystemdHere else { return (try createWithoutSystemd(id, parent), nil) }
        if let parent, !parent.hasSuffix(".slice") || parent.contains("/") || parent.hasPrefix("-") {
            throw Failure("create cgroup", parent, "under systemd a cgroup parent is a slice, such as 'batch.slice'")
        }
        if parent == nil, geteuid() != 0, let base = ownDelegatedCgroup(marked: true),
            base != DelegatedUnit.path(in: nil)
        {
            return (try create(id, below: base, usualParent), nil)
        }
        do {
            return (try createInUnit(id, parent), nil)
        } catch let failure as Failure {
            // Root needs no delegation; systemd itself may be what does not answer.
            if parent == nil, let cgroup = try createInRoot(id, nil) { return (cgroup, nil) }
            return (nil, failure.reason)
        }
    }

    /// Makes the cgroup at `path`, absolute from the root of the tree, as an engine wants it.
    ///
    /// - Parameter path: Without the slash at its start.
    /// - Returns: The cgroup, and whether it was there already; no cgroup where this process may make none there.
    static func create(at path: String) throws -> (cgroup: CgroupV2, wasThere: Bool)? {
        let mount = Hierarchies.mountPoint
        let wasThere = FileDescriptor.workingDirectory.has("\(mount)/\(path)")
        let parts = path.split(separator: "/")
        let cgroup = try create(
            String(parts.last!), below: mount, parts.count == 1 ? nil : parts.dropLast().joined(separator: "/"),
            controllers: forEngines, keepsOld: true)
        return cgroup.map { ($0, wasThere) }
    }

    /// The cgroup that `create(at:)` has made at `path`; `nil` where there is none.
    static func find(_ path: String) throws(SystemCallError) -> CgroupV2? {
        let mount = Hierarchies.mountPoint
        guard let directory = try CgroupDirectory.ifThere("\(mount)/\(path)") else { return nil }
        let name = path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
        return CgroupV2(id: name, directory: directory, base: mount, unit: nil)
    }

    /// Opens the cgroup that systemd has made for a unit, at `path` below this user's manager.
    static func open(_ scope: SystemdScope) throws(SystemCallError) -> CgroupV2 {
        let root = DelegatedUnit.managerRoot
        return CgroupV2(
            id: scope.unit, directory: try CgroupDirectory("\(root)/\(scope.path)"), base: root, unit: scope.unit,
            scope: scope)
    }

    private static func createWithoutSystemd(_ id: String, _ parent: String?) throws -> CgroupV2? {
        if let cgroup = try createInRoot(id, parent) { return cgroup }
        return try ownDelegatedCgroup(marked: false).flatMap { try create(id, below: $0, parent ?? usualParent) }
    }

    private static func createInRoot(_ id: String, _ parent: String?) throws -> CgroupV2? {
        guard geteuid() == 0 else { return nil }
        let parent = parent.map { $0.hasPrefix("/") ? String($0.dropFirst()) : $0 }
        return try create(id, below: Hierarchies.mountPoint, parent ?? usualParent)
    }

    private static func createInUnit(_ id: String, _ slice: String?) throws -> CgroupV2? {
        let base = DelegatedUnit.path(in: slice)
        if !DelegatedUnit.isReady(base) { try DelegatedUnit.start(in: slice) }
        return try create(id, below: base, nil, unit: DelegatedUnit.name(in: slice))
    }

    /// This process's own cgroup, if it may make others below it.
    ///
    /// - Parameter marked: Whether systemd must have marked it as delegated: in a user's own services and scopes
    ///   everything is writable, but systemd's to change.
    /// - Note: systemd, "Control Group APIs and Delegation".
    private static func ownDelegatedCgroup(marked: Bool) -> String? {
        guard var path = Hierarchies.ownCgroup(in: nil) else { return nil }
        if path.hasSuffix("/\(ControllersV2.leaf)") { path.removeLast(ControllersV2.leaf.utf8.count + 1) }
        return mayMakeCgroups(below: path) && (!marked || isMarkedDelegated(path)) ? path : nil
    }

    private static func mayMakeCgroups(below path: String) -> Bool {
        access(path + "/cgroup.procs", W_OK) == 0 && access(path, W_OK) == 0
    }

    private static func isMarkedDelegated(_ path: String) -> Bool {
        var value: UInt8 = 0
        return getxattr(path, "user.delegate", &value, 1) == 1 && value == UInt8(ascii: "1")
    }

    // MARK: making

    /// Makes the directory `id` in `parent` below `base`, or right below it.
    ///
    /// - Returns: `nil` where this process may make none.
    private static func create(
        _ id: String, below base: String, _ parent: String?, unit: String? = nil, controllers: [Controller] = usual,
        keepsOld: Bool = false
    ) throws -> CgroupV2? {
        let above = parent.map { "\(base)/\($0)" } ?? base
        do throws(SystemCallError) {
            let directory = try make("\(above)/\(id)", above: above, keepsOld: keepsOld)
            let cgroup = CgroupV2(id: id, directory: directory, base: base, unit: unit)
            _ = try ControllersV2.enable(controllers, forChildrenOf: above, below: base)
            return cgroup
        } catch {
            guard [.permissionDenied, .notPermitted, .readOnlyFileSystem].contains(error.errno) else { throw error }
            return nil
        }
    }

    private static func make(
        _ path: String, above: String, keepsOld: Bool
    ) throws(SystemCallError) -> CgroupDirectory {
        let here = FileDescriptor.workingDirectory
        do throws(SystemCallError) {
            // Left by an Apus that was killed: what settings it has are not ours.
            if try !here.makeDirectory(path), !keepsOld { try replace(path) }
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

    // MARK: finding

    /// Finds a directory by the name that `create` gives it in the usual places.
    static func leftover(id: String) -> CgroupV2? {
        let unit = DelegatedUnit.path(in: nil)
        if let directory = try? CgroupDirectory("\(unit)/\(id)") {  // `try?`: nothing left
            return CgroupV2(id: id, directory: directory, base: unit, unit: DelegatedUnit.name(in: nil))
        }
        for base in [Hierarchies.mountPoint] + [ownDelegatedCgroup(marked: false)].compactMap({ $0 }) {
            if let directory = try? CgroupDirectory("\(base)/\(usualParent)/\(id)") {  // `try?`: nothing left
                return CgroupV2(id: id, directory: directory, base: base, unit: nil)
            }
        }
        return nil
    }
}
