import CLinux
import Glibc
import Linux
import OCI
import SystemPackage

/// The user and group IDs of a new user namespace, written by its maker.
///
/// - Note: user_namespaces(7), "User and group ID mappings"; newuidmap(1).
enum IDMaps {
    /// Writes both maps of the process `pid`, by itself where the kernel lets it, else through `newuidmap`.
    static func write(_ uids: [Spec.IDMapping], _ gids: [Spec.IDMapping], of pid: pid_t) throws(Failure) {
        if geteuid() == 0 {
            try writeDirectly(uids, "/proc/\(pid)/uid_map")
            try writeDirectly(gids, "/proc/\(pid)/gid_map")
        } else {
            try runHelper("newuidmap", uids, pid)
            try runHelper("newgidmap", gids, pid)
        }
    }

    /// Maps this process' own two IDs alone, which needs no privilege and no helper.
    ///
    /// - Note: user_namespaces(7): `setgroups` must be denied first.
    static func mapSelf(_ uid: Spec.IDMapping, _ gid: Spec.IDMapping) throws(Failure) {
        try step("map user IDs", "own user namespace") { () throws(SystemCallError) in
            let here = FileDescriptor.workingDirectory
            try here.write("deny", to: "/proc/self/setgroups")
            try here.write(line(uid), to: "/proc/self/uid_map")
            try here.write(line(gid), to: "/proc/self/gid_map")
        }
    }

    /// Whether a map is one that an ordinary user may write for itself.
    static func isOwnIDAlone(_ maps: [Spec.IDMapping], id: UInt32) -> Bool {
        maps.count == 1 && maps[0].size == 1 && maps[0].hostID == id
    }

    private static func line(_ map: Spec.IDMapping) -> String { "\(map.containerID) \(map.hostID) \(map.size)" }

    private static func writeDirectly(_ maps: [Spec.IDMapping], _ path: String) throws(Failure) {
        do throws(SystemCallError) {
            try FileDescriptor.workingDirectory.write(maps.map(line).joined(separator: "\n"), to: path)
        } catch  where error.errno == .notPermitted {
            throw Failure(
                "--userns", "host IDs \(maps.map { "\($0.hostID)" }.joined(separator: ", "))",
                "some do not exist in the user namespace around this",
                remedy: "give IDs that are in /proc/self/uid_map and gid_map")
        } catch {
            throw Failure("map user IDs", path, error)
        }
    }

    private static func runHelper(_ name: String, _ maps: [Spec.IDMapping], _ pid: pid_t) throws(Failure) {
        let arguments = ["\(pid)"] + maps.flatMap { ["\($0.containerID)", "\($0.hostID)", "\($0.size)"] }
        let (status, message) = try Helper.run(name, arguments, package: "uidmap")
        guard status == .exited(code: 0) else {
            let file = name == "newuidmap" ? "/etc/subuid" : "/etc/subgid"
            throw Failure(
                name, arguments.dropFirst().joined(separator: " "), message.isEmpty ? "failed" : message,
                remedy: "check this user's ranges in \(file), or use --userns with IDs that are yours")
        }
    }
}
