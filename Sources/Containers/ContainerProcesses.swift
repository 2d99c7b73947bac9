import CLinux
import Cgroups
import Glibc
import Linux
import SystemPackage

/// The processes of a running container.
extension Container {
    /// Their numbers in this PID namespace, in ascending order.
    ///
    /// - Throws: When the container is not running.
    public func processes(_ state: ContainerState, to verb: String) throws -> [pid_t] {
        let process = try runningProcess(state, to: verb)
        defer { process.pidfd.closeQuietly() }
        if let record = state.cgroup { return try Cgroups.open(record).processes().sorted() }
        return ProcessTree().members(of: process.pid)
    }
}

/// Every process that /proc shows now, with its parent.
struct ProcessTree {
    private var parents: [pid_t: pid_t] = [:]

    init() {
        let here = FileDescriptor.workingDirectory
        // `try?`: without a readable /proc nothing is shown, and nothing is what can be said
        let proc = try? here.open("/proc", O_RDONLY | O_DIRECTORY)  // `try?`: as just said
        let names = proc.map { directory in
            defer { directory.closeQuietly() }
            return (try? directory.entries()) ?? []  // `try?`: as above
        }
        for pid in (names ?? []).compactMap({ pid_t($0) }) {
            if let status = ProcessStatus(pid) { parents[pid] = status.parent }
        }
    }

    /// A container's init, those in its PID namespace (which `exec` adds from outside), and all that came from them.
    func members(of initProcess: pid_t) -> [pid_t] {
        var members: Set<pid_t> = [initProcess]
        if let namespace = Self.namespace(of: initProcess), namespace != Self.namespace(of: getpid()) {
            members.formUnion(parents.keys.filter { Self.namespace(of: $0) == namespace })
        }
        for pid in parents.keys where isDescendant(pid, of: members) { members.insert(pid) }
        return members.sorted()
    }

    private func isDescendant(_ pid: pid_t, of members: Set<pid_t>) -> Bool {
        var current = pid
        // Bounded: a number that was given anew between two reads could close a circle.
        for _ in 0...parents.count {
            if members.contains(current) { return true }
            guard let parent = parents[current], parent > 0 else { return false }
            current = parent
        }
        return false
    }

    private static func namespace(of pid: pid_t) -> String? {
        FileDescriptor.workingDirectory.linkTarget(of: "/proc/\(pid)/ns/pid")
    }
}
