import CLinux
import Glibc
public import Linux
import OCI
import SystemPackage

/// One thing that a container's start does, done in a process of its own to find out whether this machine lets it.
public struct Probe: Sendable {
    /// What the machine can or cannot do, in a word or two: `user namespaces`.
    public let capability: String
    /// What is good to know when it works.
    public let meaning: String
    /// What to do when it does not, unless the failure itself says it.
    let remedy: @Sendable (Failure) -> String?
    private let attempt: @Sendable () throws(Failure) -> Void

    init(
        _ capability: String, _ meaning: String, remedy: @escaping @Sendable (Failure) -> String? = { $0.remedy },
        attempt: @escaping @Sendable () throws(Failure) -> Void
    ) {
        self.capability = capability
        self.meaning = meaning
        self.remedy = remedy
        self.attempt = attempt
    }

    /// Tries it.
    ///
    /// - Returns: What went wrong, with its remedy; `nil` when it works.
    public func run() -> Failure? {
        do throws(Failure) {
            try attempt()
            return nil
        } catch {
            var failure = error
            failure.remedy = remedy(error) ?? error.remedy
            return failure
        }
    }

    /// Runs `body` in a child process in new namespaces, and waits for its end.
    ///
    /// With `.user` among them the child is root there, with the caller's own two IDs mapped.
    ///
    /// - Throws: What `body` throws, and what kept the child from starting.
    static func inChild(
        _ namespaces: Namespaces = [], _ body: () throws(Failure) -> Void
    ) throws(Failure) {
        let (ours, theirs) = try step("start", "probe") { () throws(SystemCallError) in try Channel.makePair() }
        defer { ours.socket.closeQuietly() }
        let owner = (uid: geteuid(), gid: getegid())
        let clone = Result { () throws(SystemCallError) in try Clone.clone(into: namespaces) }
        guard case .success(let child) = clone else {
            theirs.socket.closeQuietly()
            try step("clone", "into new namespaces") { () throws(SystemCallError) in _ = try clone.get() }
            return
        }
        guard let child else { runChild(namespaces, owner, report: theirs, body) }
        theirs.socket.closeQuietly()
        defer { child.pidfd.closeQuietly() }
        let message = try step("wait for", "probe") { () throws(SystemCallError) in try ours.receive() }
        let status = try step("wait for", "probe") { () throws(SystemCallError) in try child.reap() }
        if case .failed(let failure) = message { throw failure }
        if case .signaled(let signal, _) = status { throw Failure("", "", "killed by signal \(signal)") }
    }

    private static func runChild(
        _ namespaces: Namespaces, _ owner: (uid: uid_t, gid: gid_t), report: Channel, _ body: () throws(Failure) -> Void
    ) -> Never {
        do throws(Failure) {
            if namespaces.contains(.user) {
                try IDMaps.mapSelf(
                    .init(containerID: 0, hostID: owner.uid, size: 1), .init(containerID: 0, hostID: owner.gid, size: 1)
                )
            }
            if namespaces.contains(.mount) {
                try step("make private", "/") { () throws(SystemCallError) in try Mount.setPropagationOfAll(.private) }
            }
            try body()
            CurrentProcess.exitNow(0)
        } catch {
            try? report.send(.failed(error))  // `try?`: the parent takes silence and status 1 for nothing else
            CurrentProcess.exitNow(1)
        }
    }
}
