import Glibc
import Linux
import OCI
import SystemPackage

/// A kernel parameter (sysctl) by its name, and whose it is.
///
/// - Note: sysctl(8): where a slash comes first, slashes separate, and else dots do, with slashes for the dots in a name.
struct KernelParameter {
    /// Below /proc/sys.
    let path: String

    init(_ name: String) {
        let dot = UInt8(ascii: ".")
        let slash = UInt8(ascii: "/")
        guard name.utf8.first(where: { $0 == dot || $0 == slash }) == dot else {
            path = name
            return
        }
        path = String(decoding: name.utf8.map { $0 == dot ? slash : $0 == slash ? dot : $0 }, as: UTF8.self)
    }

    /// Whether it leads nowhere else.
    var isPath: Bool {
        let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return parts.count > 1
            && parts.allSatisfy { !$0.isEmpty && !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8) }
    }

    /// The namespace that has one of its own; `nil` for the machine's.
    var owner: Spec.NamespaceType? {
        if path.hasPrefix("net/") { return .network }
        if path.hasPrefix("fs/mqueue/") { return .ipc }
        if path.hasPrefix("user/") { return .user }
        switch path {
        case "kernel/domainname", "kernel/hostname": return .uts
        case "kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem", "kernel/shmall", "kernel/shmmax",
            "kernel/shmmni", "kernel/shm_rmid_forced", "kernel/msg_next_id", "kernel/sem_next_id", "kernel/shm_next_id",
            "kernel/auto_msgmni":
            return .ipc
        default: return nil
        }
    }

    /// Sets it in the namespaces of this process.
    ///
    /// - Parameter root: Where /proc is that of the container.
    func write(_ value: String, root: FileDescriptor) throws(SystemCallError) {
        let file = try root.open(inRoot: "/proc/sys/\(path)", O_WRONLY)
        defer { file.closeQuietly() }
        try file.writeFully(value.utf8)
    }
}
