import CLinux
import Glibc
public import Linux
import OCI
import SystemPackage

/// A command that runs where its caller is, on the machine's own files, rather than in a root of its own.
///
/// It stays what it would be without Apus: user, groups, terminal, process group, session, environment, umask, working
/// directory and descriptors are the caller's. Of the Spec count the arguments, limits, and the namespaces and mounts
/// that somebody asked for; a Spec of others is never run so.
public struct InPlace: Sendable {
    /// The signals that the caller had blocked, which the supervisor has not.
    public var signalMask: SignalSet
    /// The signals that the caller ignored and the supervisor does not.
    public var ignoredSignals: [Signal]
    /// Whether all mounts are made read-only before those of the Spec are made, which thus can be written to.
    public var isReadOnly = false
    /// What confines it where there are no namespaces.
    public var confinement: LandlockConfinement?

    public init(signalMask: SignalSet, ignoredSignals: [Signal] = []) {
        self.signalMask = signalMask
        self.ignoredSignals = ignoredSignals
    }
}

extension InitProcess {
    /// The same steps in the same order as in a root of its own, but for all that would change what the caller has.
    func start(inPlace: InPlace) throws(Failure) -> Never {
        try joinCgroup()
        try mapIDs()
        if sandbox.spec.makes(.mount) { try changeMounts(inPlace) }
        try bringUpLoopback()
        try receiveNetDevices()
        let process = sandbox.spec.process ?? Spec.Process(cwd: "/")
        try CommandStart(
            process: process, seccomp: sandbox.seccomp, streams: sandbox.streams, channel: channel, personality: nil,
            memoryPolicy: nil, groupNames: [], usesInit: sandbox.usesInit, diesWithParent: true, mayChangeGroups: false
        ).run(inPlace: inPlace)
    }

    /// Changes what the command sees of the machine's files, for it alone: the root stays the machine's own.
    private func changeMounts(_ inPlace: InPlace) throws(Failure) {
        let spec = sandbox.spec
        let workingDirectory = Self.workingDirectory()
        try isolateMounts()
        // Taken before anything is changed: what was taken stays as it was.
        var sources: [MountTable.Source] = []
        for mount in spec.mounts ?? [] { sources.append(try MountTable.openSource(mount)) }
        let root = try step("open", "/") { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.open("/", O_PATH | O_DIRECTORY)
        }
        defer { root.closeQuietly() }
        if inPlace.isReadOnly {
            try step("make read-only", "/") { () throws(SystemCallError) in
                try Mount.setAttributes(of: root, named: "/", set: .readOnly, recursive: true)
            }
        }
        let mounts = MountTable(root: root, inUserNamespace: spec.makes(.user))
        for (mount, source) in zip(spec.mounts ?? [], sources) { try mounts.perform(mount, source: source) }
        try mounts.mask(spec.linux?.maskedPaths ?? [])
        // By its name: what is mounted there now is another than what was there when this process came to it.
        if let workingDirectory, chdir(workingDirectory) != 0 {
            throw Failure(
                "enter working directory", workingDirectory, Errno(rawValue: errno).reason,
                remedy: "it is hidden from the command; start it elsewhere", exitCode: 126)
        }
    }

    /// - Returns: `nil` for one that has no name here.
    private static func workingDirectory() -> String? {
        guard let path = getcwd(nil, 0) else { return nil }
        defer { free(path) }
        let text = String(cString: path)
        return text.isAbsolutePath ? text : nil
    }
}

extension CommandStart {
    /// Becomes the command without becoming anybody else.
    func run(inPlace: InPlace) throws(Failure) -> Never {
        try setRlimits()
        try setScheduling()
        try Spec.CPUAffinity.apply(process.execCPUAffinity?.final)
        try limitCapabilities()
        try assumeCapabilities()
        if process.noNewPrivileges ?? false {
            try step("set", "no_new_privs") { () throws(SystemCallError) in try CurrentProcess.setNoNewPrivileges() }
        }
        try inPlace.confinement?.apply()
        try step("report", "readiness") { () throws(SystemCallError) in try channel.send(.executing) }
        if usesInit { try ReapingInit.becomeInit(closing: channel.socket, sharingTerminal: true) }
        try loadFilter()
        if case .descriptors(let input, let output, let error, owned: true) = streams {
            try step("set up", "standard streams") { () throws(SystemCallError) in
                try Self.duplicate([input, output, error])
            }
        }
        try step("reset", "signals") { () throws(SystemCallError) in
            for ignored in inPlace.ignoredSignals { signal(ignored.rawValue, SIG_IGN) }
            try inPlace.signalMask.setAsMask()
        }
        try Execute.run(process.args ?? [], environment: process.env ?? [])
    }
}
