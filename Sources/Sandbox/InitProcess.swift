import CLinux
import Glibc
import Linux
import OCI
import SystemPackage

/// A container's init between clone and exec: everything that happens inside before the container's command runs.
///
/// Each step needs what the ones before it made; the order is the content of `start`.
struct InitProcess {
    let sandbox: Sandbox
    let channel: Channel
    /// The other end, which is not init's: while init held it open, it could not see its supervisor go.
    let supervisorEnd: Channel
    let joined: JoinedNamespaces
    let handed: HandedMounts
    /// The supervisor's connection to who listens to the filter, which is not init's either.
    let listener: SeccompListener.Connection?

    private var spec: Spec { sandbox.spec }
    private var linux: Spec.Linux? { sandbox.spec.linux }
    private var ownsUserNamespace: Bool { spec.has(.user) }

    /// Runs the container's command, or reports what failed. Never returns into the supervisor's code.
    func run() -> Never {
        do throws(Failure) {
            sandbox.supervisorLock?.closeQuietly()
            supervisorEnd.socket.closeQuietly()
            listener?.close()
            if !sandbox.engine.outlivesMaker { try dieWithSupervisor() }
            if let inPlace = sandbox.inPlace { try start(inPlace: inPlace) }
            try start()
        } catch {
            StartGate.report(error, over: channel)
            CurrentProcess.exitNow(1)
        }
    }

    private func start() throws(Failure) -> Never {
        umask(0)
        try joinCgroup()
        try mapIDs()
        try joined.joinRemaining()
        try TimeOffsets.apply(linux?.timeOffsets)
        let handed = try handed.takingShared(spec.mounts ?? [])
        try isolateMounts()
        // What comes from the host is taken hold of while its paths and this user's rights to them are still there.
        let sources = try openSources(handed)
        let mayChangeGroups = self.mayChangeGroups
        try becomeNamespaceRoot(mayChangeGroups: mayChangeGroups)
        try adjustOOMScore()
        let root = try sandbox.root.mount(
            at: sandbox.mountPoint, inUserNamespace: ownsUserNamespace, layers: handed.layers,
            allowsDevices: sandbox.rootHoldsDevices)
        var mounts = MountTable(root: root, inUserNamespace: ownsUserNamespace)
        if let label = linux?.mountLabel { mounts.label = label }
        mounts.note = { [channel] text in
            try? channel.send(.note(text))  // `try?`: a supervisor that is gone has nobody to tell
        }
        try mount(sources, in: mounts)
        let secrets = sandbox.secrets.isEmpty ? nil : try SecretMounts(sandbox.secrets, in: mounts)
        if sandbox.keepsView { try sendView() }
        try nameHost()
        try writeSysctls(root)
        try bringUpLoopback()
        try mounts.makeReadOnly(linux?.readonlyPaths ?? [])
        try mounts.mask(linux?.maskedPaths ?? [])
        try receiveNetDevices()
        if let hooks = spec.hooks { try runHooks(hooks) }
        try enter(root)
        if let secrets { try secrets.fill(for: spec.process?.user ?? Spec.User(), groupNames: spec.groupNames) }
        if let workspace = sandbox.workspace, !sandbox.rehearses { try giveWorkspace(workspace) }
        try makeWorkingDirectory()
        try CommandStart(
            process: spec.process ?? Spec.Process(cwd: "/"), seccomp: sandbox.seccomp, streams: sandbox.streams,
            channel: channel, personality: linux?.personality, memoryPolicy: linux?.memoryPolicy,
            groupNames: spec.groupNames,
            usesInit: sandbox.usesInit, diesWithParent: !sandbox.engine.outlivesMaker,
            mayChangeGroups: mayChangeGroups, rehearses: sandbox.rehearses, engine: sandbox.engine,
            startHooks: spec.hooks?.startContainer
        ).run()
    }

    // MARK: The steps

    /// From the first moment on: a supervisor that is killed takes its container along.
    private func dieWithSupervisor() throws(Failure) {
        try step("set", "parent-death signal") { () throws(SystemCallError) in try CurrentProcess.dieWithParent() }
        // It may have been killed before that took effect: then the channel has no other end any more.
        var entry = pollfd(fd: channel.socket.rawValue, events: 0, revents: 0)
        if poll(&entry, 1, 0) > 0 { CurrentProcess.exitNow(1) }
    }

    /// Writing 0 means the writer itself, whatever PID namespace it is in.
    func joinCgroup() throws(Failure) {
        for file in sandbox.cgroup.joinFiles {
            try step("join cgroup", "") { () throws(SystemCallError) in try file.writeFully("0".utf8) }
            file.closeQuietly()
        }
        if spec.makes(.cgroup) {
            // Only now: the namespace's root is the cgroup that this process is in.
            try step("unshare", "cgroup namespace") { () throws(SystemCallError) in try CurrentProcess.unshare(.cgroup)
            }
        }
    }

    private var makesUserNamespace: Bool { spec.makes(.user) }

    /// A single mapping is the caller's own ID, for which the kernel wants setgroups(2) denied.
    private var mapsOwnIDsAlone: Bool {
        guard makesUserNamespace, let uids = linux?.uidMappings, let gids = linux?.gidMappings else { return false }
        return IDMaps.isOwnIDAlone(uids, id: hostUID) && IDMaps.isOwnIDAlone(gids, id: hostGID) && hostUID != 0
    }

    private var hostUID: UInt32 { linux?.uidMappings?.first?.hostID ?? 0 }
    private var hostGID: UInt32 { linux?.gidMappings?.first?.hostID ?? 0 }
    /// Read before the root changes, while /proc is this machine's.
    private var mayChangeGroups: Bool {
        guard ownsUserNamespace else { return true }
        if mapsOwnIDsAlone { return false }
        // Without the file there is no such rule.
        let rule = FileDescriptor.contentsIfReadable(of: "/proc/self/setgroups", limit: 16)
        return !(rule?.starts(with: "deny".utf8) ?? false)
    }

    func mapIDs() throws(Failure) {
        guard makesUserNamespace else { return }
        if mapsOwnIDsAlone, let uid = linux?.uidMappings?.first, let gid = linux?.gidMappings?.first {
            return try IDMaps.mapSelf(uid, gid)
        }
        try step("map user IDs", "its supervisor") { () throws(SystemCallError) in try channel.send(.mapIDs) }
        let answer = try step("map user IDs", "its supervisor") { () throws(SystemCallError) in try channel.receive() }
        guard case .proceed = answer else { CurrentProcess.exitNow(1) }  // the supervisor failed, and says so itself
    }

    /// Keeps mounts made here from the host, and the host's from here unless the root asks for them.
    func isolateMounts() throws(Failure) {
        // A mount namespace of somebody else stays as it is: this is not its only user.
        guard !joined.includesMounts else { return }
        let receives = linux?.rootfsPropagation.flatMap { Propagation.reading($0)?.propagation } == .slave
        try step("mount", "/") { () throws(SystemCallError) in
            try Mount.setPropagationOfAll(receives ? .slave : .private)
        }
    }

    private struct Sources {
        let mounts: [MountTable.Source]
        let cgroups: [CgroupView]
        let devices: [DeviceTable.Node]
    }

    private func openSources(_ handed: HandedMounts) throws(Failure) -> Sources {
        var mounts: [MountTable.Source] = []
        for (index, mount) in (spec.mounts ?? []).enumerated() {
            mounts.append(try handed.source(of: mount, at: index))
        }
        let showsCgroups = spec.mounts?.contains { Self.isCgroup($0) } ?? false
        return Sources(
            mounts: mounts, cgroups: showsCgroups ? try CgroupView.open(sandbox.cgroup.views) : [],
            devices: ownsUserNamespace ? try DeviceTable.openHostNodes(linux?.devices ?? []) : [])
    }

    private static func isCgroup(_ mount: Spec.Mount) -> Bool { mount.type == "cgroup" || mount.type == "cgroup2" }

    /// A user who keeps their ID and has no other to give is not root inside, though they have a root user's rights there.
    private var mapsRoot: Bool {
        !makesUserNamespace || (linux?.uidMappings ?? []).contains { $0.containerID == 0 && $0.size > 0 }
    }

    /// Files made from here on belong to the namespace's root user.
    private func becomeNamespaceRoot(mayChangeGroups: Bool) throws(Failure) {
        guard ownsUserNamespace, mapsRoot else { return }
        try step("change user", "root of the user namespace") { () throws(SystemCallError) in
            if mayChangeGroups { try check("setgroups") { apus_setgroups(0, nil) } }
            try check("setresgid", "0") { apus_setresgid(0) }
            try check("setresuid", "0") { apus_setresuid(0) }
        }
    }

    private func adjustOOMScore() throws(Failure) {
        guard let score = spec.process?.oomScoreAdj else { return }
        try step("set OOM score", "\(score)", remedy: "a lower value than the caller's needs CAP_SYS_RESOURCE") {
            () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.write("\(score)", to: "/proc/self/oom_score_adj")
        }
    }

    private func mount(_ sources: Sources, in table: MountTable) throws(Failure) {
        let devices = DeviceTable(mounts: table, bindsHostNodes: ownsUserNamespace, nodes: sources.devices)
        var hasDevices = false
        // Joined as late as possible, since it is in the making meanwhile; a sysfs shows the one it is mounted from.
        var network = sandbox.network
        for (mount, source) in zip(spec.mounts ?? [], sources.mounts) {
            if mount.type == "sysfs", let receiver = network.take() { try joinNetwork(receiver) }
            if Self.isCgroup(mount) {
                if !sources.cgroups.isEmpty {
                    try table.performCgroupView(mount, source.options, views: sources.cgroups)
                }
            } else {
                try table.perform(mount, source: source)
            }
            if mount.destination == "/dev" {
                if !source.isBind { try devices.populate(linux?.devices ?? []) }
                hasDevices = true
            }
        }
        if !hasDevices { try devices.populate(linux?.devices ?? []) }
        try devices.makeElsewhere(linux?.devices ?? [])
        if let network { try joinNetwork(network) }
    }

    private func sendView() throws(Failure) {
        try step("open", "/proc/self/ns/mnt") { () throws(SystemCallError) in
            let mounts = try FileDescriptor.workingDirectory.open("/proc/self/ns/mnt")
            defer { mounts.closeQuietly() }
            try channel.send(.view(mounts))
        }
    }

    /// Root may write to them whoever they belong to.
    private func giveWorkspace(_ path: String) throws(Failure) {
        let user = try Identity.resolve(spec.process?.user ?? Spec.User(), groupNames: [])
        if user.uid == 0 { return }
        try step("give workspace", path) { () throws(SystemCallError) in
            let directory = try FileDescriptor.workingDirectory.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            defer { directory.closeQuietly() }
            try Ownership.give(directory, to: (user.uid, user.gid))
        }
    }

    private func nameHost() throws(Failure) {
        if let name = spec.hostname {
            try step("set hostname", name) { () throws(SystemCallError) in
                do throws(SystemCallError) {
                    try check("sethostname", "'\(name)'") { apus_sethostname(name, name.utf8.count) }
                } catch {
                    // Podman's filter, say, leaves it to those who have CAP_SYS_ADMIN outside.
                    guard error.errno == .notPermitted, sandbox.hostnameIsUsual else { throw error }
                    try channel.send(.note("setting a host name is refused here: the container has this machine's"))
                }
            }
        }
        if let name = spec.domainname {
            try step("set domain name", name) { () throws(SystemCallError) in
                try check("setdomainname", "'\(name)'") { apus_setdomainname(name, name.utf8.count) }
            }
        }
    }

    private func writeSysctls(_ root: FileDescriptor) throws(Failure) {
        for (key, value) in linux?.sysctl ?? [:] {
            try step("set sysctl", "\(key)=\(value)") { () throws(SystemCallError) in
                try KernelParameter(key).write(value, root: root)
            }
        }
    }

    private func joinNetwork(_ receiver: FileDescriptor) throws(Failure) {
        try step("join", "network namespace") { () throws(SystemCallError) in
            try NetworkPreparation.join(from: receiver)
        }
    }

    /// The supervisor alone is where the devices are.
    func receiveNetDevices() throws(Failure) {
        guard spec.movesNetDevices || sandbox.connect != nil else { return }
        let answer = try step("move network devices", "its supervisor") { () throws(SystemCallError) in
            try channel.send(.netDevices)
            return try channel.receive()
        }
        guard case .proceed = answer else { CurrentProcess.exitNow(1) }  // the supervisor failed, and says so itself
    }

    func bringUpLoopback() throws(Failure) {
        guard sandbox.network == nil, spec.makes(.network) else { return }
        try step("bring up", "loopback") { () throws(SystemCallError) in try Loopback.bringUp() }
    }

    /// Those that see the host's files still: outside of the namespaces by the supervisor, then inside.
    private func runHooks(_ hooks: Spec.Hooks) throws(Failure) {
        if hooks.prestart?.isEmpty == false || hooks.createRuntime?.isEmpty == false {
            try step("run hooks", "its supervisor") { () throws(SystemCallError) in try channel.send(.hooks) }
            let answer = try step("run hooks", "its supervisor") { () throws(SystemCallError) in try channel.receive() }
            guard case .proceed = answer else { CurrentProcess.exitNow(1) }  // it failed, and says so itself
        }
        guard var state = sandbox.engine.state else { return }
        state.pid = getpid()
        try HookPoint.createContainer.run(hooks.createContainer, state, environment: spec.process?.env ?? [])
    }

    private func enter(_ root: FileDescriptor) throws(Failure) {
        try step("pivot", "into the container's root") { () throws(SystemCallError) in
            if spec.root?.readonly ?? false { try Mount.setAttributes(of: root, named: "/", set: .readOnly) }
            try check("fchdir") { fchdir(root.rawValue) }
            if joined.includesMounts {
                // The others in that mount namespace keep their root.
                try Mount.changeRootToWorkingDirectory()
            } else if sandbox.engine.pivots {
                try Mount.pivotToWorkingDirectory()
            } else {
                try Mount.moveWorkingDirectoryToRoot()
            }
            // Only now: pivot_root refuses shared mounts, and what cannot be bound cannot be masked.
            if let name = linux?.rootfsPropagation, let (propagation, isRecursive) = Propagation.reading(name) {
                try Mount.setAttributes(of: root, named: "/", propagation: propagation, recursive: isRecursive)
            }
        }
        root.closeQuietly()
    }

    /// Makes the command's working directory if it is missing; from here on every path is one of the container's.
    private func makeWorkingDirectory() throws(Failure) {
        guard let path = spec.process?.cwd, access(path, F_OK) != 0, Glibc.errno == ENOENT else { return }
        try step("make working directory", path) { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.makeDirectories(path)
        }
    }
}
