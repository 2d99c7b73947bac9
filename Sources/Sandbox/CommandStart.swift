import CLinux
import Glibc
import Linux
import OCI
import SystemPackage

/// The last part of a start, the same for a container's first command and for `exec`: inside the root and all
/// namespaces, this process becomes the user with the rights that the Spec gives, and then the command.
struct CommandStart {
    let process: Spec.Process
    let seccomp: BPFProgram?
    let streams: StandardStreams
    let channel: Channel
    let personality: Spec.Personality?
    let memoryPolicy: Spec.MemoryPolicy?
    let groupNames: [String]
    let usesInit: Bool
    let diesWithParent: Bool
    let mayChangeGroups: Bool
    var rehearses = false
    var engine = EngineOptions()
    /// Run inside, right before the command.
    var startHooks: [Spec.Hook]?

    /// Runs the command in this process' place, or in a child's if this one stays as a reaping init.
    func run() throws(Failure) -> Never {
        let identity = try Identity.resolve(process.user, groupNames: groupNames)
        let terminal = try openTerminal(owner: identity)
        if identity.uid != 0 { giveStreams(to: identity) }
        try setRlimits()
        try setScheduling()
        try setLabels()
        try setPersonality()
        if !engine.keepsKeyring { joinSessionKeyring() }
        // Without no_new_privs only a privileged process may load a filter, so it must come before the rights go.
        let noNewPrivileges = process.noNewPrivileges ?? false
        // Even before it, since profiles that are older than a system call forbid that.
        try leaveNothingOpen()
        if !noNewPrivileges { try loadFilter() }
        try limitCapabilities()
        try identity.assume(mayChangeGroups: mayChangeGroups)
        try enterWorkingDirectory()
        try assumeCapabilities()
        if noNewPrivileges {
            try step("set", "no_new_privs") { () throws(SystemCallError) in try CurrentProcess.setNoNewPrivileges() }
        }
        // A change of user has cleared it: from here on nothing changes the user.
        if diesWithParent {
            try step("set", "parent-death signal") { () throws(SystemCallError) in try CurrentProcess.dieWithParent() }
        }
        // An engine wants to hear of it from `create`, not from `start`.
        if engine.gate != nil { try Execute.requireExecutable(process.args ?? [], environment: process.env ?? []) }
        // Said before the filter is in force, which may forbid to say anything.
        try step("report", "readiness") { () throws(SystemCallError) in try channel.send(.executing) }
        // One that asks is handed over while there is somebody to take it.
        let asks = seccomp?.flags.contains(.newListener) ?? false
        if noNewPrivileges && asks { try loadFilter() }
        if let gate = engine.gate {
            // Engines read the streams of `create` to their end: init must not have them for its own while it waits.
            try takeStreams(terminal)
            try StartGate.wait(at: gate, insteadOf: channel)
        }
        try runStartHooks()
        if usesInit && !rehearses { try ReapingInit.becomeInit(closing: channel.socket) }
        if noNewPrivileges && !asks { try loadFilter() }
        if engine.gate == nil { try takeStreams(terminal) }
        try resetSignals()
        umask(mode_t(process.user.umask ?? 0o022))
        if rehearses { try Execute.rehearse(process.args ?? [], environment: environment(home: identity.home)) }
        try Execute.run(process.args ?? [], environment: environment(home: identity.home))
    }

    private func runStartHooks() throws(Failure) {
        guard let startHooks, var state = engine.state else { return }
        state.status = .created
        state.pid = getpid()
        try HookPoint.startContainer.run(startHooks, state, environment: process.env ?? [])
    }

    func loadFilter() throws(Failure) {
        guard let seccomp else { return }
        let listener = try step("load", "seccomp filter") { () throws(SystemCallError) in try seccomp.install() }
        if let listener { try SeccompListener.handOver(listener, over: channel) }
    }

    /// Opens a terminal from the container's devpts and hands its master side to the supervisor.
    private func openTerminal(owner: Identity) throws(Failure) -> FileDescriptor? {
        guard case .terminal = streams else { return nil }
        return try step("open terminal", "/dev/ptmx") { () throws(SystemCallError) in
            let terminal = try Pseudoterminal()
            let (master, slave) = (terminal.master, try terminal.openPeer())
            defer { master.closeQuietly() }
            try check("fchown", "terminal") { fchown(slave.rawValue, owner.uid, gid_t.max) }
            if let size = process.consoleSize {
                try master.setWindowSize(
                    WindowSize(rows: UInt16(clamping: size.height), columns: UInt16(clamping: size.width)))
            }
            try bindConsole(slave)
            try channel.send(.console(master))
            return slave
        }
    }

    /// Lets the user open what was made for this container by /dev/stdout, as programs do that log there.
    private func giveStreams(to owner: Identity) {
        guard case .descriptors(let input, let output, let error, owned: true) = streams else { return }
        for stream in [input, output, error] {
            // What belongs to others, as a device or a file of another user namespace does, stays theirs.
            guard let status = try? stream.status(), status.st_mode & S_IFMT != S_IFCHR || stream.isTerminal else {
                continue  // `try?`: a stream that is closed
            }
            fchown(stream.rawValue, owner.uid, gid_t.max)
        }
    }

    /// Shows the terminal as /dev/console too, in the container whose init this is.
    private func bindConsole(_ slave: FileDescriptor) throws(SystemCallError) {
        guard getpid() == 1, let path = FileDescriptor.workingDirectory.linkTarget(of: slave.path) else { return }
        let console = try FileDescriptor.workingDirectory.open(
            "/dev/console", O_CREAT | O_WRONLY | O_NOCTTY | O_NOFOLLOW)
        console.closeQuietly()
        try check("mount", "'/dev/console'") { apus_mount(path, "/dev/console", nil, UInt(MS_BIND), nil) }
    }

    func limitCapabilities() throws(Failure) {
        guard let names = process.capabilities?.bounding else { return }
        try step("drop", "capabilities") { () throws(SystemCallError) in
            try Capabilities.dropBoundingSet(keeping: CapabilitySet.reading(names).set)
        }
    }

    func assumeCapabilities() throws(Failure) {
        guard let sets = process.capabilities else { return }
        let permitted = CapabilitySet.reading(sets.permitted ?? []).set
        // Usually these are the same, and looking names up is not for nothing.
        func set(_ names: [String]?) -> CapabilitySet {
            names == sets.permitted ? permitted : CapabilitySet.reading(names ?? []).set
        }
        try step("set", "capabilities", remedy: Self.remedy(forLacking: permitted)) {
            () throws(SystemCallError) in
            try Capabilities.set(
                effective: set(sets.effective), permitted: permitted, inheritable: set(sets.inheritable),
                ambient: set(sets.ambient))
        }
    }

    /// Root of a container or of a service may lack some that containers usually have.
    private static func remedy(forLacking wanted: CapabilitySet) -> String? {
        let lacking = wanted.subtracting(Capabilities.bounding()).names
        guard let first = lacking.first else { return nil }
        return "root here lacks \(lacking.joined(separator: ", ")): use --cap-drop \(first.dropFirst("CAP_".count)), "
            + "or --userns auto"
    }

    func setRlimits() throws(Failure) {
        for limit in process.rlimits ?? [] {
            guard let resource = Rlimits.resource(named: limit.type) else {
                throw Failure("set rlimit", limit.type, "no such limit")
            }
            var values = rlimit(rlim_cur: rlim_t(limit.soft), rlim_max: rlim_t(limit.hard))
            let remedy = "raising a hard limit needs CAP_SYS_RESOURCE, which the caller lacks; ask for less"
            try step("set rlimit", "\(limit.type)=\(limit.soft):\(limit.hard)", remedy: remedy) {
                () throws(SystemCallError) in
                try check("prlimit") { apus_prlimit(0, resource, &values, nil) }
            }
        }
    }

    /// What the process has for as long as it runs, and gives to what it forks; while there are rights to it.
    func setScheduling() throws(Failure) {
        if let scheduler = process.scheduler { try scheduler.apply() }
        if let priority = process.ioPriority { try priority.apply() }
        if let memoryPolicy { try memoryPolicy.apply() }
    }

    private func setLabels() throws(Failure) {
        if let profile = process.apparmorProfile, profile != "unconfined", !profile.isEmpty {
            try SecurityModules.setAppArmorProfile(profile)
        }
        if let label = process.selinuxLabel, !label.isEmpty { try SecurityModules.setSELinuxLabel(label) }
    }

    private func setPersonality() throws(Failure) {
        guard let personality else { return }
        let persona: UInt
        switch personality.domain {
        case "LINUX": persona = 0
        case "LINUX32": persona = 8  // PER_LINUX32
        default: throw Failure("set personality", personality.domain, "is not LINUX or LINUX32")
        }
        try step("set personality", personality.domain) { () throws(SystemCallError) in
            try check("personality") { apus_personality(persona) }
        }
    }

    /// A session keyring of its own keeps the caller's keys out of the container.
    private func joinSessionKeyring() {
        // A kernel without keyrings, or a filter around Apus that hides them, has no keys to keep out.
        _ = apus_keyctl_join_session("_apus")
    }

    private func enterWorkingDirectory() throws(Failure) {
        if process.cwd == "/" { return }  // this is where the change of root has led to
        guard chdir(process.cwd) == 0 else {
            let error = Errno(rawValue: Glibc.errno)
            throw Failure("enter working directory", process.cwd, error.reason, exitCode: 126)
        }
        // A name such as /proc/self/fd/7, or a link of the image's to it, must not lead to what Apus has open of the host.
        guard apus_is_below_root() != 0 else {
            throw Failure("enter working directory", process.cwd, "leads out of the container", exitCode: 126)
        }
    }

    private func takeStreams(_ terminal: FileDescriptor?) throws(Failure) {
        try step("set up", "standard streams") { () throws(SystemCallError) in
            // A session of its own: no process of the container has the caller's terminal for its controlling one.
            try check("setsid") { setsid() }
            if let terminal {
                try terminal.becomeControllingTerminal()
                for target in 0...2 { try check("dup2") { dup2(terminal.rawValue, CInt(target)) } }
            } else if case .descriptors(let input, let output, let error, _) = streams {
                try Self.duplicate([input, output, error])
            }
        }
    }

    /// Puts three descriptors to 0, 1 and 2, whichever numbers they have now.
    static func duplicate(_ sources: [FileDescriptor]) throws(SystemCallError) {
        var moved: [CInt] = []
        for source in sources {
            moved.append(try check("fcntl", "F_DUPFD") { apus_fcntl_int(source.rawValue, F_DUPFD_CLOEXEC, 3) })
        }
        for (target, source) in moved.enumerated() { try check("dup2") { dup2(source, CInt(target)) } }
    }

    /// Nothing but the standard streams reaches the command, whatever Apus' own caller had left open. What is opened from
    /// here on is close-on-exec from birth.
    private func leaveNothingOpen() throws(Failure) {
        try step("close", "descriptors") { () throws(SystemCallError) in
            let first = 3 + UInt32(engine.preservedDescriptors)
            try check("close_range") { apus_close_range(first, UInt32.max, UInt32(CLOSE_RANGE_CLOEXEC)) }
        }
    }

    private func resetSignals() throws(Failure) {
        try step("reset", "signals") { () throws(SystemCallError) in try SignalSet.resetForExec() }
    }

    private func environment(home: String) -> [String] {
        var variables = process.env ?? []
        if variables.contains(where: { $0.hasPrefix("HOME=") }) { return variables }
        let variable = "HOME=\(home)"
        // An environment that is in order stays so.
        variables.insert(
            variable, at: Self.isOrdered(variables) ? Self.place(of: variable, in: variables) : variables.count)
        return variables
    }

    private static func isOrdered(_ variables: [String]) -> Bool {
        var index = 1
        while index < variables.count {
            if !variables[index - 1].utf8.lexicographicallyPrecedes(variables[index].utf8) { return false }
            index += 1
        }
        return true
    }

    private static func place(of variable: String, in variables: [String]) -> Int {
        var index = 0
        while index < variables.count, variables[index].utf8.lexicographicallyPrecedes(variable.utf8) { index += 1 }
        return index
    }
}

/// The resources of setrlimit(2) by the names that a Spec uses.
enum Rlimits {
    static func resource(named name: String) -> CInt? {
        switch name {
        case "RLIMIT_CPU": 0
        case "RLIMIT_FSIZE": 1
        case "RLIMIT_DATA": 2
        case "RLIMIT_STACK": 3
        case "RLIMIT_CORE": 4
        case "RLIMIT_RSS": 5
        case "RLIMIT_NPROC": 6
        case "RLIMIT_NOFILE": 7
        case "RLIMIT_MEMLOCK": 8
        case "RLIMIT_AS": 9
        case "RLIMIT_LOCKS": 10
        case "RLIMIT_SIGPENDING": 11
        case "RLIMIT_MSGQUEUE": 12
        case "RLIMIT_NICE": 13
        case "RLIMIT_RTPRIO": 14
        case "RLIMIT_RTTIME": 15
        default: nil
        }
    }
}
