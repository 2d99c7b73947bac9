import CLinux
import Glibc
import Linux
import OCI
import SystemPackage

/// What this kernel confines processes with beside capabilities and seccomp, and the labels for it.
enum SecurityModules {
    /// - Note: apparmor(7), "the kernel's interface".
    static var hasAppArmor: Bool {
        // No file means no such module.
        FileDescriptor.contentsIfReadable(of: "/sys/module/apparmor/parameters/enabled", limit: 16)?.first
            == UInt8(ascii: "Y")
    }

    /// Whether a policy is loaded: only then is there a selinuxfs with something in it.
    static var hasSELinux: Bool { access("/sys/fs/selinux/enforce", F_OK) == 0 }

    /// The command runs under this AppArmor profile from its exec on.
    ///
    /// - Note: AppArmor's kernel interface, `/proc/self/attr/apparmor/exec`.
    static func setAppArmorProfile(_ profile: String) throws(Failure) {
        let remedy =
            "load it with apparmor_parser on a machine with AppArmor, or use --security-opt apparmor=unconfined"
        try step("set AppArmor profile", profile, remedy: remedy) { () throws(SystemCallError) in
            do throws(SystemCallError) {
                try write("exec \(profile)", to: "/proc/self/attr/apparmor/exec")
            } catch  where error.errno == .noSuchFileOrDirectory {
                try write("exec \(profile)", to: "/proc/self/attr/exec")  // before Linux 5.8
            }
        }
    }

    /// The command runs with this SELinux label from its exec on.
    ///
    /// - Note: SELinux's kernel interface, `/proc/self/attr/exec`; setexeccon(3).
    static func setSELinuxLabel(_ label: String) throws(Failure) {
        let remedy = "only a machine with SELinux has labels, and only those that its policy knows"
        try step("set SELinux label", label, remedy: remedy) { () throws(SystemCallError) in
            try write(label, to: "/proc/self/attr/exec")
        }
    }

    /// The container's /proc may be anything: what is no procfs would take a label, and do nothing.
    private static func write(_ text: String, to path: String) throws(SystemCallError) {
        let file = try FileDescriptor.workingDirectory.open(path, O_WRONLY | O_NOFOLLOW)
        defer { file.closeQuietly() }
        var status = statfs()
        try check("fstatfs", "'\(path)'") { fstatfs(file.rawValue, &status) }
        guard status.f_type == PROC_SUPER_MAGIC else {
            throw SystemCallError("open", "'\(path)'", .noSuchFileOrDirectory)
        }
        try file.writeFully(text.utf8)
    }
}
