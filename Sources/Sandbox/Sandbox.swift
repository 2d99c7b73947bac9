import CLinux
public import Cgroups
import Glibc
public import Linux
public import OCI
public import SystemPackage

/// Everything that one container's start needs: a Spec, a root, and what its supervisor has prepared.
public struct Sandbox: Sendable {
    /// The engine's only description of what runs.
    public var spec: Spec
    public var root: RootFilesystem
    /// An empty directory that a root without a place of its own is attached to.
    public var mountPoint: String
    /// The compiled system-call filter, or none.
    public var seccomp: BPFProgram?
    public var streams: StandardStreams
    /// Where init goes before anything else, limits applied.
    public var cgroup: CgroupPlacement
    /// Whether PID 1 is Apus as a reaping init, with the command as its child.
    public var usesInit: Bool
    /// Whether init ends, successfully, where it would execute the command.
    public var rehearses = false
    /// The supervisor's lock on the container, which init lets go of before anything else: a lock that a dying init
    /// still held would look like a living supervisor.
    public var supervisorLock: FileDescriptor?
    /// Whether device nodes in the root's own files can be opened, as the cgroup's device rules allow.
    public var rootHoldsDevices = false
    /// Who gets the descriptor of a filter that asks; needed with one.
    public var seccompListener: SeccompListener?
    /// Where it receives its network namespace (`NetworkPreparation.join`), once; `nil` if it makes its own.
    public var network: FileDescriptor?
    /// Connects the network namespace of init, whose number it gets, when init is in it; `nil` where nobody needs to.
    public var connect: (@Sendable (pid_t) throws(Failure) -> Void)?
    /// Whether the Spec's host name is only the usual one, which a filter around Apus may forbid to set.
    public var hostnameIsUsual = false
    /// Files in memory, which no Spec may hold.
    public var secrets: [SecretFile] = []
    /// Whether the supervisor gets init's mount namespace, to look into it when the container has ended.
    public var keepsView = false
    /// A directory of the container whose files the command's user is given, if that is not root.
    public var workspace: String?
    /// What an engine asks for beyond a Spec.
    public var engine = EngineOptions()
    /// Set for a command that runs on the machine's own files; no Spec of others can ask for it.
    public var inPlace: InPlace?

    public init(
        spec: Spec, root: RootFilesystem, mountPoint: String, seccomp: BPFProgram?, streams: StandardStreams,
        cgroup: CgroupPlacement = CgroupPlacement(), usesInit: Bool = false
    ) {
        self.spec = spec
        self.root = root
        self.mountPoint = mountPoint
        self.seccomp = seccomp
        self.streams = streams
        self.cgroup = cgroup
        self.usesInit = usesInit
    }
}

/// What a container's command has as its standard input, output and error.
public enum StandardStreams: Sendable {
    /// Descriptors of the supervisor's.
    ///
    /// - Parameter owned: Whether they were made for this container, so that its user may be given them.
    case descriptors(input: FileDescriptor, output: FileDescriptor, error: FileDescriptor, owned: Bool)
    /// A pseudo-terminal from the container's own devpts.
    case terminal
}

/// Where a container is put among the cgroups.
public struct CgroupPlacement: Sendable {
    /// The v2 directory that it starts in.
    public var target: FileDescriptor?
    /// The v1 `cgroup.procs` files that it writes itself into.
    public var joinFiles: [FileDescriptor]
    /// The directories that it sees below /sys/fs/cgroup: v1 by hierarchy, v2 one with an empty name.
    public var views: [CgroupShown]

    public init(
        target: FileDescriptor? = nil, joinFiles: [FileDescriptor] = [], views: [CgroupShown] = []
    ) {
        self.target = target
        self.joinFiles = joinFiles
        self.views = views
    }
}

/// A container that is on its way: cloned, not yet running its command.
public struct Launch: Sendable {
    /// The container's init.
    public let process: ProcessHandle
    let channel: Channel
    let mappings: (uids: [Spec.IDMapping], gids: [Spec.IDMapping])
    /// What runs out here when init asks for it, and the state that it gets.
    var hooks: (Spec.Hooks, State)?
    /// Who is to get the descriptor of init's filter.
    var listener: SeccompListener.Connection?
    /// What init gets of the host's network devices, by their names there.
    var netDevices: [String: Spec.NetDevice] = [:]
    /// As in `Sandbox`.
    var connect: (@Sendable (pid_t) throws(Failure) -> Void)?

    /// Serves init until it runs the container's command.
    ///
    /// - Parameters:
    ///   - onNote: Called with what the user should know of the start.
    ///   - onView: Called with init's mount namespace, where that was asked for.
    /// - Returns: The master side of its terminal, if it asked for one.
    /// - Throws: What init could not do; it has been reaped then.
    public func waitUntilRunning(
        onNote: (String) -> Void = { _ in }, onView: (FileDescriptor) -> Void = { $0.closeQuietly() }
    ) throws(Failure) -> FileDescriptor? {
        defer {
            channel.socket.closeQuietly()
            listener?.close()
        }
        var console: FileDescriptor?
        var isSetUp = false
        do throws(Failure) {
            while true {
                switch try step("start container", "its init", { () throws(SystemCallError) in try channel.receive() })
                {
                case .mapIDs:
                    try IDMaps.write(mappings.uids, mappings.gids, of: process.pid)
                    try step("start container", "its init") { () throws(SystemCallError) in try channel.send(.proceed) }
                case .hooks:
                    try runHooks()
                    try step("start container", "its init") { () throws(SystemCallError) in try channel.send(.proceed) }
                case .console(let terminal): console = terminal
                case .note(let text): onNote(text)
                case .view(let mounts): onView(mounts)
                case .listener(let descriptor): try hand(descriptor)
                case .netDevices: try moveNetDevices()
                case .failed(let failure): throw failure
                case .executing: isSetUp = true
                case .end where isSetUp: return console
                case .end:
                    throw Failure(
                        "start container", "its init", "was killed before it could run the command",
                        remedy: "if it has a memory limit, that is too low for this")
                case .proceed, .tree: throw Failure("start container", "its init", "sent an unexpected message")
                }
            }
        } catch {
            console?.closeQuietly()
            abandon()
            throw error
        }
    }

    private func runHooks() throws(Failure) {
        guard let (hooks, state) = hooks else { return }
        var ownState = state
        ownState.pid = process.pid
        // By their definition they belong to `start`, when the container has been created.
        ownState.status = .created
        try HookPoint.prestart.run(hooks.prestart, ownState)
        ownState.status = .creating
        try HookPoint.createRuntime.run(hooks.createRuntime, ownState)
    }

    private func moveNetDevices() throws(Failure) {
        try netDevices.move(into: process.pid)
        try connect?(process.pid)
        try step("start container", "its init") { () throws(SystemCallError) in try channel.send(.proceed) }
    }

    /// Hands the descriptor of init's filter to who listens; init waits for that.
    private func hand(_ descriptor: FileDescriptor) throws(Failure) {
        defer { descriptor.closeQuietly() }
        guard let listener else { throw Failure("seccomp", "listenerPath", "missing, and the filter asks") }
        try listener.send(descriptor, of: process.pid)
        try step("start container", "its init") { () throws(SystemCallError) in try channel.send(.proceed) }
    }

    /// Kills and reaps what was started.
    public func abandon() {
        _ = try? process.send(SIGKILL)  // `try?`: it has ended, which is what is wanted
        _ = try? process.reap()  // `try?`: as above
        process.pidfd.closeQuietly()
    }
}

extension Sandbox {
    /// Clones the container's init into its namespaces.
    ///
    /// The caller must have one thread, and no descriptor open that is not close-on-exec and meant for the container.
    public func launch() throws(Failure) -> Launch {
        let (ours, theirs) = try step("start container", "socket") { () throws(SystemCallError) in
            try Channel.makePair()
        }
        defer { theirs.socket.closeQuietly() }
        do throws(Failure) {
            let joined = try JoinedNamespaces(spec.linux?.namespaces ?? [])
            defer { joined.close() }
            let handed = try HandedMounts(spec, root: root, closing: supervisorLock)
            defer { handed.close() }
            let listener = try SeccompListener.connect(seccompListener, for: seccomp)
            let process = try clone(joined, handed, theirs, ours, listener)
            let linux = spec.linux
            var launch = Launch(
                process: process, channel: ours, mappings: (linux?.uidMappings ?? [], linux?.gidMappings ?? []),
                listener: listener)
            if let devices = linux?.netDevices { launch.netDevices = devices }
            launch.connect = connect
            if let hooks = spec.hooks, let state = engine.state { launch.hooks = (hooks, state) }
            return launch
        } catch {
            ours.socket.closeQuietly()
            throw error
        }
    }

    /// Clones init, directly or from within the user or PID namespace that it is to share.
    private func clone(
        _ joined: JoinedNamespaces, _ handed: HandedMounts, _ theirs: Channel, _ ours: Channel,
        _ listener: SeccompListener.Connection?
    ) throws(Failure) -> ProcessHandle {
        var new = Namespaces(newIn: spec.linux?.namespaces ?? []).subtracting(.cgroup)
        if network != nil { new.remove(.network) }
        if spec.linux?.timeOffsets?.isEmpty == false { new.remove(.time) }
        guard joined.mustPrecedeClone else {
            return try step("clone", "into namespaces", remedy: Self.remedy(for: new)) { () throws(SystemCallError) in
                let initProcess = InitProcess(
                    sandbox: self, channel: theirs, supervisorEnd: ours, joined: joined, handed: handed,
                    listener: listener)
                if runsAloneUntilExec {
                    return try Clone.cloneSharingMemory(into: new, cgroup: cgroup.target) { initProcess.run() }
                }
                guard let process = try Clone.clone(into: new, cgroup: cgroup.target) else { initProcess.run() }
                return process
            }
        }
        return try joined.clone(into: new, cgroup: cgroup.target) {
            InitProcess(
                sandbox: self, channel: theirs, supervisorEnd: ours, joined: joined, handed: handed, listener: listener
            ).run()
        }
    }

    /// Whether init needs nothing from its supervisor before it executes the command, and does execute it: then it may
    /// share the supervisor's memory, who waits so long.
    private var runsAloneUntilExec: Bool {
        !usesInit && !rehearses && !spec.has(.user) && !spec.has(.time) && engine.gate == nil && spec.hooks == nil
            && seccompListener == nil && !spec.movesNetDevices && connect == nil
    }

    private static func remedy(for namespaces: Namespaces) -> String? {
        namespaces.contains(.user)
            ? "user namespaces may be forbidden on this machine; 'apus doctor' says why and what to do" : nil
    }
}

extension Failure {
    /// Whether it is that this machine hides parts of /proc, so that no new one may be mounted.
    public var isRefusedProcfs: Bool { step == MountTable.procfsRefusal }
}
