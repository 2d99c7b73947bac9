import FoundationEssentials
import Glibc
import Linux
import SystemPackage

/// Looks for what a container should have taken with it.
enum Leftovers {
    /// Cgroups that bear one of `ids` in their names.
    static func cgroups(of ids: Set<String>) -> [String] {
        guard !ids.isEmpty else { return [] }
        var found: [String] = []
        var rest = ["/sys/fs/cgroup"]
        while let directory = rest.popLast() {
            guard let opened = opendir(directory) else { continue }  // gone meanwhile
            defer { closedir(opened) }
            while let entry = readdir(opened) {
                guard entry.pointee.d_type == DT_DIR else { continue }
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                guard name != ".", name != ".." else { continue }
                if ids.contains(where: { name.contains($0) }) { found.append("\(directory)/\(name)") }
                rest.append("\(directory)/\(name)")
            }
        }
        return found
    }

    /// Processes that still run with `data` as `APUS_ROOT`, after a moment for those that are just ending.
    static func processes(withDataDirectory data: String, patience: Int) -> [pid_t] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []  // `try?`: always there
        return entries.compactMap { pid_t($0) }.filter { pid in
            // `try?`: a process that is gone, or another user's and so none of ours
            guard let process = try? ProcessHandle.open(pid) else { return false }
            defer { process.pidfd.closeQuietly() }
            guard
                let variables = try? FileDescriptor.workingDirectory.contents(
                    of: "/proc/\(pid)/environ", limit: 1 << 20),
                String(decoding: variables, as: UTF8.self).contains("APUS_ROOT=\(data)\0")
            else { return false }
            // `try?`: a process that does not end in time is what is looked for
            return (try? Deadline.after(patience).wait(for: [(process.pidfd, POLLIN)], "its end")) == nil
        }
    }
}
