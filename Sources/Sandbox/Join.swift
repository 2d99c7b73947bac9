import CLinux
import Glibc
public import Linux
public import OCI
import SystemPackage

/// A further command in a running container (`exec`).
public struct Join: Sendable {
    /// What to run, and as whom.
    public var process: Spec.Process
    /// The container's own Spec: which namespaces it has, and what confines it.
    public var spec: Spec
    /// The compiled system-call filter, or none.
    public var seccomp: BPFProgram?
    public var streams: StandardStreams
    /// The container's own place.
    public var cgroup: CgroupPlacement
    /// Whether the kernel kills the command when its caller ends.
    public var diesWithParent: Bool

    public init(
        process: Spec.Process, spec: Spec, seccomp: BPFProgram?, streams: StandardStreams, cgroup: CgroupPlacement,
        diesWithParent: Bool
    ) {
        self.process = process
        self.spec = spec
        self.seccomp = seccomp
        self.streams = streams
        self.cgroup = cgroup
        self.diesWithParent = diesWithParent
    }

    /// Moves this process into the container's namespaces and clones the command there.
    ///
    /// The caller keeps its descriptors but sees the container's files from here on; it must have one thread.
    ///
    /// - Parameter initProcess: The container's init.
    public func launch(into initProcess: ProcessHandle) throws(Failure) -> Launch {
        let (ours, theirs) = try step("exec", "socket") { () throws(SystemCallError) in try Channel.makePair() }
        defer { theirs.socket.closeQuietly() }
        do throws(Failure) {
            let cgroupNamespace = try openCgroupNamespace(of: initProcess)
            defer { cgroupNamespace?.closeQuietly() }
            let processList = try openProcessList()
            defer { processList?.closeQuietly() }
            // The container's processes must not look into this one, which holds descriptors of the host.
            try step("exec", "process") { () throws(SystemCallError) in try CurrentProcess.setDumpable(false) }
            try step("join", "the container's namespaces") { () throws(SystemCallError) in
                try CurrentProcess.join(namespaces.subtracting(.cgroup), of: initProcess.pidfd)
            }
            try becomeNamespaceRoot()
            var joinFiles = cgroup.joinFiles
            var process: ProcessHandle?
            do throws(SystemCallError) {
                process = try Clone.clone(cgroup: cgroup.target)
            } catch {
                guard error.errno == .permissionDenied, let processList else {
                    throw Failure("clone", "into the container", error)
                }
                joinFiles = [processList]
                process = try step("clone", "into the container") { () throws(SystemCallError) in try Clone.clone() }
            }
            guard let process else { runCommand(theirs, closing: ours, joinFiles, cgroupNamespace) }
            return Launch(process: process, channel: ours, mappings: ([], []))
        } catch {
            ours.socket.closeQuietly()
            throw error
        }
    }

    /// All but time: the container's init has none of its own unless the Spec says so.
    private var namespaces: Namespaces {
        (spec.linux?.namespaces ?? []).reduce(into: []) { all, namespace in
            all.formUnion(Namespaces(namespace.type))
        }
    }

    /// The new process alone joins this one, once it is in the container's cgroup: the kernel moves and clones no
    /// process into a cgroup from one that its cgroup namespace does not show.
    private func openCgroupNamespace(of initProcess: ProcessHandle) throws(Failure) -> FileDescriptor? {
        guard namespaces.contains(.cgroup) else { return nil }
        return try step("exec", "cgroup namespace") { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.open("/proc/\(initProcess.pid)/ns/cgroup")
        }
    }

    /// The other way into a cgroup v2, for a user namespace whose root is nobody that may write there: who opened this
    /// file is asked, not who writes to it. Slower, since the kernel waits for every processor.
    private func openProcessList() throws(Failure) -> FileDescriptor? {
        guard let target = cgroup.target, ownsUserNamespace else { return nil }
        return try step("exec", "cgroup.procs") { () throws(SystemCallError) in
            try target.open("cgroup.procs", O_WRONLY)
        }
    }

    private var ownsUserNamespace: Bool { namespaces.contains(.user) }

    private var mayChangeGroups: Bool {
        // `try?`: an unreadable file means no user namespace that denies it
        let bytes = try? FileDescriptor.workingDirectory.contents(of: "/proc/self/setgroups", limit: 64)
        return !(bytes ?? []).starts(with: "deny".utf8)
    }

    private func becomeNamespaceRoot() throws(Failure) {
        guard ownsUserNamespace else { return }
        try step("change user", "root of the user namespace") { () throws(SystemCallError) in
            try check("setresgid", "0") { apus_setresgid(0) }
            try check("setresuid", "0") { apus_setresuid(0) }
        }
    }

    private func runCommand(
        _ channel: Channel, closing ours: Channel, _ joinFiles: [FileDescriptor], _ cgroupNamespace: FileDescriptor?
    ) -> Never {
        ours.socket.closeQuietly()
        do throws(Failure) {
            for file in joinFiles {
                try step("join cgroup", "") { () throws(SystemCallError) in try file.writeFully("0".utf8) }
            }
            if let cgroupNamespace {
                try step("join", "the container's cgroup namespace") { () throws(SystemCallError) in
                    try CurrentProcess.join(.cgroup, file: cgroupNamespace, named: "cgroup")
                }
            }
            try CommandStart(
                process: process, seccomp: seccomp, streams: streams, channel: channel,
                personality: spec.linux?.personality, groupNames: spec.groupNames,
                usesInit: false,
                diesWithParent: diesWithParent, mayChangeGroups: mayChangeGroups
            ).run()
        } catch {
            try? channel.send(.failed(error))  // `try?`: a supervisor that is gone has nobody to tell
            CurrentProcess.exitNow(1)
        }
    }
}
