import CLinux
import Glibc
import Linux
public import OCI
import SystemPackage

/// Who the container's command runs as.
struct Identity {
    let uid: uid_t
    let gid: gid_t
    let groups: [gid_t]
    let home: String

    /// Resolves a process' user in the root that this process now has.
    ///
    /// A name is looked up in the container's own /etc/passwd and /etc/group, never in the host's.
    static func resolve(_ user: Spec.User, groupNames: [String]) throws(Failure) -> Identity {
        let root = try step(
            "open", "/",
            { () throws(SystemCallError) in
                try FileDescriptor.workingDirectory.open("/", O_PATH | O_DIRECTORY)
            })
        defer { root.closeQuietly() }
        let database = try UserDatabase(inRoot: root)
        let resolved = try database.resolve(
            user.username ?? "\(user.uid):\(user.gid)", additionalGroups: groupNames)
        return Identity(
            uid: resolved.uid, gid: resolved.gid, groups: resolved.additionalGIDs + (user.additionalGids ?? []),
            home: resolved.home)
    }

    /// Becomes this user. Capabilities stay permitted, to be cut down by the caller.
    ///
    /// - Parameter mayChangeGroups: Whether this user namespace allows setgroups(2).
    func assume(mayChangeGroups: Bool) throws(Failure) {
        try step("change user", "\(uid):\(gid)", remedy: Self.unmapped) { () throws(SystemCallError) in
            if mayChangeGroups { try setGroups() }
            try CurrentProcess.keepCapabilities()
            try check("setresgid", "\(gid)") { apus_setresgid(gid) }
            try check("setresuid", "\(uid)") { apus_setresuid(uid) }
        }
    }

    /// Where the caller's own user namespace forbids it, as it does in a container of a user without subordinate IDs, this
    /// process keeps the groups that it has.
    private func setGroups() throws(SystemCallError) {
        do throws(SystemCallError) {
            try check("setgroups") { apus_setgroups(groups.count, groups) }
        } catch {
            guard error.errno == .notPermitted, Self.isForbiddenToChangeGroups else { throw error }
        }
    }

    /// The kernel's own word for it: a filter may forbid the call as well, and that must not go unnoticed.
    private static var isForbiddenToChangeGroups: Bool {
        let path = "/proc/self/setgroups"
        var status = statfs()
        guard statfs(path, &status) == 0, status.f_type == PROC_SUPER_MAGIC else { return false }
        // `try?`: a rule that cannot be read forbids nothing, and the call's own error stays
        let rule = try? FileDescriptor.workingDirectory.contents(of: path, limit: 16)
        return rule?.starts(with: "deny".utf8) ?? false
    }

    private static let unmapped =
        "in this container's user namespace only the mapped IDs exist; see /etc/subuid and --userns"
}

extension Spec {
    /// Holds names of supplementary groups, with commas between them, for the init process to look up inside the root.
    public static let groupNamesAnnotation = "io.apus.additional-groups"

    /// Those names.
    var groupNames: [String] {
        (annotations?[Self.groupNamesAnnotation] ?? "").split(separator: ",").map(String.init)
    }
}
