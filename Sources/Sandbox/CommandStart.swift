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
    let groupNames: [String]
    let usesInit: Bool
    let diesWithParent: Bool
    let mayChangeGroups: Bool
    var rehearses = false

    /// Runs the command in this process' place, or in a child's if this one stays as a reaping init.
    func run() throws(Failure) -> Never {
        let identity = try Identity.resolve(process.user, groupNames: groupNames)
        let terminal = try openTerminal(owner: identity)
        try setRlimits()
        try setAppArmorProfile()
        try setPersonality()
        joinSessionKeyring()
        // Without no_new_privs only a privileged process may load a filter, so it must come before the rights go.
        let noNewPrivileges = process.noNewPrivileges ?? false
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
        // Said before the filter is in force, which may forbid to say anything.
        try step("report", "readiness") { () throws(SystemCallError) in try channel.send(.executing) }
        if usesInit && !rehearses { try ReapingInit.becomeInit(closing: channel.socket) }
        if noNewPrivileges { try loadFilter() }
        try takeStreams(terminal)
        try leaveNothingOpen()
        umask(mode_t(process.user.umask ?? 0o022))
        if rehearses { try Execute.rehearse(process.args ?? [], environment: environment(home: identity.home)) }
        try Execute.run(process.args ?? [], environment: environment(home: identity.home))
    }

    private func loadFilter() throws(Failure) {
        guard let seccomp else { return }
        try step("load", "seccomp filter") { () throws(SystemCallError) in _ = try seccomp.install() }
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

    /// Shows the terminal as /dev/console too, in the container whose init this is.
    private func bindConsole(_ slave: FileDescriptor) throws(SystemCallError) {
        guard getpid() == 1, let path = FileDescriptor.workingDirectory.linkTarget(of: slave.path) else { return }
        let console = try FileDescriptor.workingDirectory.open(
            "/dev/console", O_CREAT | O_WRONLY | O_NOCTTY | O_NOFOLLOW)
        console.closeQuietly()
        try check("mount", "'/dev/console'") { apus_mount(path, "/dev/console", nil, UInt(MS_BIND), nil) }
    }

    private func limitCapabilities() throws(Failure) {
        guard let names = process.capabilities?.bounding else { return }
        try step("drop", "capabilities") { () throws(SystemCallError) in
            try Capabilities.dropBoundingSet(keeping: CapabilitySet.reading(names).set)
        }
    }

    private func assumeCapabilities() throws(Failure) {
        guard let sets = process.capabilities else { return }
        func set(_ names: [String]?) -> CapabilitySet { CapabilitySet.reading(names ?? []).set }
        try step("set", "capabilities") { () throws(SystemCallError) in
            try Capabilities.set(
                effective: set(sets.effective), permitted: set(sets.permitted), inheritable: set(sets.inheritable),
                ambient: set(sets.ambient))
        }
    }

    private func setRlimits() throws(Failure) {
        for limit in process.rlimits ?? [] {
            guard let resource = Rlimits.resource(named: limit.type) else {
                throw Failure("set --ulimit", limit.type, "no such limit")
            }
            var values = rlimit(rlim_cur: rlim_t(limit.soft), rlim_max: rlim_t(limit.hard))
            let remedy = "raising a hard limit needs CAP_SYS_RESOURCE, which the caller lacks; ask for less"
            try step("set --ulimit", "\(limit.type)=\(limit.soft):\(limit.hard)", remedy: remedy) {
                () throws(SystemCallError) in
                try check("prlimit") { apus_prlimit(0, resource, &values, nil) }
            }
        }
    }

    /// The command runs under this profile from its exec on.
    ///
    /// - Note: apparmor's kernel interface, `/proc/self/attr/apparmor/exec`.
    private func setAppArmorProfile() throws(Failure) {
        guard let profile = process.apparmorProfile, profile != "unconfined", !profile.isEmpty else { return }
        let remedy =
            "load it with apparmor_parser on a machine with AppArmor, or use --security-opt apparmor=unconfined"
        try step("set AppArmor profile", profile, remedy: remedy) { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.write("exec \(profile)", to: "/proc/self/attr/apparmor/exec")
        }
    }

    private func setPersonality() throws(Failure) {
        guard let personality else { return }
        let persona: UInt
        switch personality.domain {
        case "LINUX": persona = 0
        case "LINUX32": persona = 8  // PER_LINUX32
        default: throw Failure("set --personality", personality.domain, "is not LINUX or LINUX32")
        }
        try step("set --personality", personality.domain) { () throws(SystemCallError) in
            try check("personality") { apus_personality(persona) }
        }
    }

    /// A session keyring of its own keeps the caller's keys out of the container.
    private func joinSessionKeyring() {
        // A kernel without keyrings, or a filter around Apus that hides them, has no keys to keep out.
        _ = apus_keyctl_join_session("_apus")
    }

    private func enterWorkingDirectory() throws(Failure) {
        guard chdir(process.cwd) != 0 else { return }
        let error = Errno(rawValue: Glibc.errno)
        throw Failure("enter working directory", process.cwd, error.reason, exitCode: 126)
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
    private static func duplicate(_ sources: [FileDescriptor]) throws(SystemCallError) {
        var moved: [CInt] = []
        for source in sources {
            moved.append(try check("fcntl", "F_DUPFD") { apus_fcntl_int(source.rawValue, F_DUPFD_CLOEXEC, 3) })
        }
        for (target, source) in moved.enumerated() { try check("dup2") { dup2(source, CInt(target)) } }
    }

    /// Nothing but the standard streams reaches the command, whatever Apus' own caller had left open.
    private func leaveNothingOpen() throws(Failure) {
        try step("close", "descriptors") { () throws(SystemCallError) in
            try SignalSet.resetForExec()
            try check("close_range") { apus_close_range(3, UInt32.max, UInt32(CLOSE_RANGE_CLOEXEC)) }
        }
    }

    private func environment(home: String) -> [String] {
        let given = process.env ?? []
        return given.contains { $0.hasPrefix("HOME=") } ? given : given + ["HOME=\(home)"]
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
