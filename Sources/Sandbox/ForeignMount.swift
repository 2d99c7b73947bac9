import CLinux
import Glibc
import Linux
import OCI
import SystemPackage

/// A bind mount whose source is another process' view of its files, `/proc/PID/root/…`: the /dev/shm that containers with
/// one IPC namespace share.
///
/// The kernel clones a mount only for processes in its own mount namespace, so a child goes there and hands it out.
struct ForeignMount {
    private let pid: pid_t
    /// Absolute, in the root of that process.
    private let path: String
    /// Whether only its user namespace gives the right to do so.
    private let joinsUsers: Bool
    private let options: MountOptions

    /// - Returns: `nil` for any other mount.
    init?(_ mount: Spec.Mount, _ spec: Spec) {
        guard mount.type == "bind", let source = mount.source, source.hasPrefix("/proc/") else { return nil }
        let parts = source.split(separator: "/", maxSplits: 3)
        guard parts.count == 4, parts[2] == "root", let pid = pid_t(parts[1]) else { return nil }
        self.pid = pid
        path = "/\(parts[3])"
        options = MountOptions(mount.options ?? [])
        joinsUsers = spec.linux?.namespaces?.contains { $0.type == .user && $0.path != nil } ?? false
    }

    /// Takes hold of it.
    ///
    /// - Parameter lock: A lock of this process' that a child must not hold on to.
    func take(closing lock: FileDescriptor?) throws(Failure) -> MountTable.Source {
        let process = try step("mount", path) { () throws(SystemCallError) in try ProcessHandle.open(pid) }
        guard let process else { throw Failure("mount", path, "the container that has it has just ended") }
        defer { process.pidfd.closeQuietly() }
        let (ours, theirs) = try step("mount", path) { () throws(SystemCallError) in try Channel.makePair() }
        defer {
            ours.socket.closeQuietly()
            theirs.socket.closeQuietly()
        }
        try Errand.start { () throws(Failure) in
            lock?.closeQuietly()
            try handOut(of: process, over: theirs)
        }.finish()
        return try step("mount", path) { () throws(SystemCallError) in
            guard case .tree(let tree) = try ours.receive() else {
                throw SystemCallError("recvmsg", "", .badMessage)
            }
            return MountTable.Source(
                mount: tree, isDirectory: try tree.status().st_mode & S_IFMT == S_IFDIR, options: options)
        }
    }

    private func handOut(of process: ProcessHandle, over channel: Channel) throws(Failure) {
        try step("mount", path) { () throws(SystemCallError) in
            // That container's processes must not look into this one, which holds descriptors of the host.
            try CurrentProcess.setDumpable(false)
            try CurrentProcess.join(joinsUsers ? [.user, .mount] : .mount, of: process.pidfd)
            let root = try FileDescriptor.workingDirectory.open("/", O_PATH | O_DIRECTORY)
            // What is there may be a symlink by now, which must not lead to a descriptor of this process.
            let place = try root.open(inRoot: path, O_PATH)
            try channel.send(.tree(Mount.clone(at: place, "")))
        }
    }
}
