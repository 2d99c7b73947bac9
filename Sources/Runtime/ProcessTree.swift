import Glibc
import Linux
import SystemPackage

/// The processes of a container that has no cgroup which could tell them.
enum ProcessTree {
    /// Init, what descends from it, and all in its PID namespace and in those below that.
    ///
    /// A command of `exec` does not descend from init. Where init shares the PID namespace with this process, only the
    /// descent tells.
    ///
    /// - Returns: In ascending order, as this PID namespace numbers them.
    static func processes(of initProcess: pid_t) throws(SystemCallError) -> [pid_t] {
        let here = FileDescriptor.workingDirectory
        let namespace = here.linkTarget(of: "/proc/\(initProcess)/ns/pid")
        let isOwn = namespace != nil && namespace != here.linkTarget(of: "/proc/self/ns/pid")
        let proc = try here.open("/proc", O_RDONLY | O_DIRECTORY)
        defer { proc.closeQuietly() }
        let pids = try proc.entries().compactMap { pid_t($0) }
        var found = pids.filter { pid in
            pid == initProcess || isOwn && here.linkTarget(of: "/proc/\(pid)/ns/pid") == namespace
        }
        var rest = pids.filter { !found.contains($0) }.compactMap { pid in
            ProcessStatus(pid).map { (pid: pid, parent: $0.parent) }
        }
        while case let children = rest.filter({ found.contains($0.parent) }), !children.isEmpty {
            found += children.map(\.pid)
            rest.removeAll { found.contains($0.pid) }
        }
        return found.sorted()
    }
}
