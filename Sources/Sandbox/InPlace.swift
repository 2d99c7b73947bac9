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
    /// Directories that can still be written to where all else is read-only; `nil` leaves everything as it is.
    public var readOnlyBut: [String]?
    /// Paths that are empty for the command.
    public var hidden: [String] = []

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
        try bringUpLoopback()
        let process = sandbox.spec.process ?? Spec.Process(cwd: "/")
        try CommandStart(
            process: process, seccomp: sandbox.seccomp, streams: sandbox.streams, channel: channel, personality: nil,
            memoryPolicy: nil, groupNames: [], usesInit: sandbox.usesInit, diesWithParent: true, mayChangeGroups: false
        ).run(inPlace: inPlace)
    }
}

extension CommandStart {
    /// Becomes the command without becoming anybody else.
    func run(inPlace: InPlace) throws(Failure) -> Never {
        try setRlimits()
        try setScheduling()
        try limitCapabilities()
        try assumeCapabilities()
        if process.noNewPrivileges ?? false {
            try step("set", "no_new_privs") { () throws(SystemCallError) in try CurrentProcess.setNoNewPrivileges() }
        }
        try step("report", "readiness") { () throws(SystemCallError) in try channel.send(.executing) }
        if usesInit { try ReapingInit.becomeInit(closing: channel.socket) }
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
