import Glibc
import Linux
import SystemPackage

/// Which controllers are at work in which part of the tree.
enum ControllersV2 {
    /// Where the processes of a cgroup go that is to hand controllers down: it may then have none itself.
    static let leaf = "apus-supervisor"

    /// Puts `controller` to work in the cgroup `path`, by enabling it in each one above, from `base` down.
    ///
    /// - Returns: Whether it is; not where `base` itself does not have it, or may not be changed.
    /// - Note: cgroup-v2, "Controlling Controllers".
    static func enable(_ controller: Controller, in path: String, below base: String) throws(SystemCallError) -> Bool {
        guard path != base, let slash = path.lastIndex(of: "/") else { return false }
        return try enable([controller], forChildrenOf: String(path[..<slash]), below: base).isEmpty
    }

    /// Hands controllers down from the cgroup `path` to those below it.
    ///
    /// - Returns: Those that cannot be had.
    static func enable(
        _ controllers: [Controller], forChildrenOf path: String, below base: String
    ) throws(SystemCallError) -> [Controller] {
        let directory = try CgroupDirectory(path)
        let there = try directory.read("cgroup.subtree_control").split(separator: " ")
        var missing = controllers.filter { controller in !there.contains { $0 == controller.rawValue } }
        if missing.isEmpty { return [] }
        if path != base, let slash = path.lastIndex(of: "/") {
            let unavailable = try enable(missing, forChildrenOf: String(path[..<slash]), below: base)
            missing.removeAll { unavailable.contains($0) }
        }
        for controller in missing where try !handDown(controller, directory, mayMove: path == base) {
            missing.removeAll { $0 == controller }
        }
        return controllers.filter { controller in
            !missing.contains(controller) && !there.contains { $0 == controller.rawValue }
        }
    }

    private static func handDown(
        _ controller: Controller, _ directory: CgroupDirectory, mayMove: Bool
    ) throws(SystemCallError) -> Bool {
        do throws(SystemCallError) {
            try directory.write("+\(controller.rawValue)", to: "cgroup.subtree_control")
            return true
        } catch {
            if error.errno == .resourceBusy && mayMove && vacate(directory) {
                return try handDown(controller, directory, mayMove: false)
            }
            let refusals: [Errno] = [
                .noSuchFileOrDirectory, .invalidArgument, .permissionDenied, .notPermitted, .readOnlyFileSystem,
                .resourceBusy, .notSupported,
            ]
            if refusals.contains(error.errno) { return false }
            throw error
        }
    }

    /// Moves the processes of a cgroup that was delegated to us into a leaf below it, since a cgroup either has
    /// processes or hands controllers down.
    ///
    /// - Returns: Whether it has none any more.
    private static func vacate(_ directory: CgroupDirectory) -> Bool {
        do {
            try directory.descriptor.makeDirectory(leaf)
            let leaf = try CgroupDirectory("\(directory.path)/\(leaf)")
            for _ in 0..<100 {
                let pids = try directory.ownProcesses()
                if pids.isEmpty { return true }
                for pid in pids { try leaf.take(pid) }
            }
            return false
        } catch {
            return false  // the caller then reports the controller as missing
        }
    }
}

extension CgroupDirectory {
    /// The processes in it, without those below.
    func ownProcesses() throws(SystemCallError) -> [pid_t] {
        var pids: [pid_t] = []
        for line in try read("cgroup.procs").utf8.split(separator: UInt8(ascii: "\n")) {
            if let pid = pid_t(Substring(line)), pid > 0 { pids.append(pid) }
        }
        return pids
    }
}

/// What makes a limit enforceable on cgroup v2.
enum RemedyV2 {
    static func forController(_ controller: Controller) -> String {
        if geteuid() == 0 {
            return "see /sys/fs/cgroup/cgroup.controllers for those that this kernel and container have"
        }
        return DelegatedUnit.isSystemdHere
            ? "have it delegated (as root): systemctl edit user@.service, with [Service] Delegate=cpu cpuset io memory pids"
            : "have a cgroup with it given to this user"
    }

    static func forNoCgroup(_ controller: Controller) -> String {
        if geteuid() == 0 { return "mount /sys/fs/cgroup writable" }
        return DelegatedUnit.isSystemdHere
            ? "have systemd serve this user (as root): loginctl enable-linger \(getuid())"
            : "have a cgroup given to this user, and start in it"
    }
}
