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
    /// Who gets the descriptor of a filter that asks; needed with one.
    public var seccompListener: SeccompListener?
    /// What an engine asks for.
    public var engine = EngineOptions()

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
            // While its path can be reached.
            let listener = try SeccompListener.connect(seccompListener, for: seccomp)
            try Spec.CPUAffinity.apply(self.process.execCPUAffinity?.initial)
            let root = try openRoot(of: initProcess)
            defer { root?.closeQuietly() }
            // The container's processes must not look into this one, which holds descriptors of the host.
            try step("exec", "process") { () throws(SystemCallError) in try CurrentProcess.setDumpable(false) }
            try step("join", "the container's namespaces") { () throws(SystemCallError) in
                try CurrentProcess.join(namespaces.subtracting(.cgroup), of: initProcess.pidfd)
            }
            if let root { try enter(root) }
            try becomeNamespaceRoot()
            let process = try clone(processList) { joinFiles in
                listener?.close()
                runCommand(theirs, closing: ours, joinFiles, cgroupNamespace)
            }
            return Launch(process: process, channel: ours, mappings: ([], []), listener: listener)
        } catch {
            ours.socket.closeQuietly()
            throw error
        }
    }

    /// Clones the command's process.
    ///
    /// - Parameter processList: What it joins the cgroup by where the kernel refuses to clone into that.
    private func clone(
        _ processList: FileDescriptor?, _ body: @escaping (_ joinFiles: [FileDescriptor]) -> Never
    ) throws(Failure) -> ProcessHandle {
        do throws(SystemCallError) {
            let joinFiles = cgroup.joinFiles
            return try cloneOnce(into: cgroup.target) { body(joinFiles) }
        } catch {
            guard error.errno == .permissionDenied, let processList else {
                throw Failure("clone", "into the container", error)
            }
            return try step("clone", "into the container") { () throws(SystemCallError) in
                try cloneOnce(into: nil) { body([processList]) }
            }
        }
    }

    /// Init's root where its mount namespace is one that it has joined itself: that has another root, for those who were
    /// there before.
    private func openRoot(of initProcess: ProcessHandle) throws(Failure) -> FileDescriptor? {
        guard namespaces.contains(.mount), !spec.makes(.mount) else { return nil }
        return try step("exec", "root") { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.open("/proc/\(initProcess.pid)/root", O_PATH | O_DIRECTORY)
        }
    }

    private func enter(_ root: FileDescriptor) throws(Failure) {
        try step("exec", "root") { () throws(SystemCallError) in
            try check("fchdir") { fchdir(root.rawValue) }
            try Mount.changeRootToWorkingDirectory()
        }
    }

    /// In memory of its own only where this process has something to do until the command runs.
    private func cloneOnce(
        into cgroup: FileDescriptor?, _ body: @escaping () -> Never
    ) throws(SystemCallError) -> ProcessHandle {
        guard seccompListener != nil else { return try Clone.cloneSharingMemory(into: [], cgroup: cgroup, body) }
        guard let process = try Clone.clone(cgroup: cgroup) else { body() }
        return process
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
        // An unreadable file means no user namespace that denies it.
        let bytes = FileDescriptor.contentsIfReadable(of: "/proc/self/setgroups", limit: 64)
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
            try Spec.CPUAffinity.apply(process.execCPUAffinity?.final)
            if let cgroupNamespace {
                try step("join", "the container's cgroup namespace") { () throws(SystemCallError) in
                    try CurrentProcess.join(.cgroup, file: cgroupNamespace, named: "cgroup")
                }
            }
            try CommandStart(
                process: process, seccomp: seccomp, streams: streams, channel: channel,
                personality: spec.linux?.personality, memoryPolicy: spec.linux?.memoryPolicy,
                groupNames: spec.groupNames,
                usesInit: false,
                diesWithParent: diesWithParent, mayChangeGroups: mayChangeGroups, engine: engine
            ).run()
        } catch {
            try? channel.send(.failed(error))  // `try?`: a supervisor that is gone has nobody to tell
            CurrentProcess.exitNow(1)
        }
    }
}
