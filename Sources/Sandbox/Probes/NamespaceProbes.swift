import CLinux
import Glibc
import Linux
import OCI
import SystemPackage

/// Namespaces, and the users in them.
extension Probe {
    /// A user namespace with rights in it: the ground on which ordinary users' containers stand.
    static let userNamespaces = Probe(
        "user namespaces", "containers without root", remedy: userNamespaceRemedy
    ) { () throws(Failure) in
        try inChild([.user, .mount]) { () throws(Failure) in
            try step("mount", "tmpfs in a user namespace") { () throws(SystemCallError) in
                try Mount.make("tmpfs").closeQuietly()
            }
        }
    }

    /// All other namespaces of a default run.
    static let namespaces: [Probe] = [
        ("PID", Namespaces.pid), ("network", .network), ("IPC", .ipc), ("UTS", .uts), ("cgroup", .cgroup),
    ].map { name, kind in
        Probe("\(name) namespaces", "one of the container's own") { () throws(Failure) in
            try inChild(CurrentProcess.mayMount ? kind : kind.union(.user)) { () throws(Failure) in
                guard kind == .network else { return }
                try step("bring up", "loopback") { () throws(SystemCallError) in try Loopback.bringUp() }
            }
        }
    }

    /// More than one ID in a user namespace.
    static func subordinateIDs(uids: [Spec.IDMapping], gids: [Spec.IDMapping]) -> Probe {
        Probe("subordinate IDs", "\(uids.reduce(0) { $0 + UInt64($1.size) }) user IDs in a container") {
            () throws(Failure) in
            let (read, write) = try step("make", "pipe") { () throws(SystemCallError) in
                try FileDescriptor.makePipe()
            }
            defer { write.closeQuietly() }
            let child = try step("clone", "into a user namespace") { () throws(SystemCallError) in
                try Clone.clone(into: .user)
            }
            guard let child else {
                // Lives until the maps are written, or until the parent is gone.
                write.closeQuietly()
                var byte: UInt8 = 0
                _ = Glibc.read(read.rawValue, &byte, 1)
                CurrentProcess.exitNow(0)
            }
            read.closeQuietly()
            defer { child.endQuietly() }
            try IDMaps.write(uids, gids, of: child.pid)
        }
    }

    private static let userNamespaceRemedy: @Sendable (Failure) -> String? = { failure in
        for (file, refused, remedy) in userNamespaceSwitches where Sysctl.value(file) == refused { return remedy }
        if failure.reason.contains(Errno.noSpace.reason) {
            return "too many user namespaces are in use: raise 'sysctl user.max_user_namespaces'"
        }
        return "a seccomp or LSM profile around this process, or a chroot, refuses them: allow unshare and clone "
            + "there (docker run --security-opt seccomp=unconfined; in a pod seccompProfile Unconfined)"
    }

    /// Where each switch that forbids user namespaces lies, how it stands then, and what turns it.
    private static let userNamespaceSwitches = [
        (
            "kernel/unprivileged_userns_clone", "0",
            "sysctl -w kernel.unprivileged_userns_clone=1 (and in /etc/sysctl.d to keep it)"
        ),
        ("user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000 (and in /etc/sysctl.d to keep it)"),
        (
            "kernel/apparmor_restrict_unprivileged_userns", "1",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile with 'userns,' for apus"
        ),
    ]
}

extension ProcessHandle {
    /// Kills this child and reaps it.
    func endQuietly() {
        _ = try? send(SIGKILL)  // `try?`: what cannot be signalled has ended already
        _ = try? reap()  // `try?`: as above
        pidfd.closeQuietly()
    }
}

/// Kernel settings below /proc/sys.
enum Sysctl {
    /// The value in the file `name`, without its newline; `nil` where the kernel has no such setting.
    static func value(_ name: String) -> String? {
        // A setting that cannot be read explains nothing.
        guard let bytes = FileDescriptor.contentsIfReadable(of: "/proc/sys/\(name)", limit: 4096) else {
            return nil
        }
        return String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace).first.map(String.init)
    }
}
