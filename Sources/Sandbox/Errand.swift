import CLinux
import Glibc
public import Linux
import OCI
import SystemPackage

/// A piece of work that this process does in a child of its own: with other rights, in other namespaces or another root.
public struct Errand: Sendable {
    private let process: ProcessHandle
    private let channel: Channel

    /// Starts `body` in a child process.
    ///
    /// The caller must have one thread. In the child all descriptors are open that are open here.
    ///
    /// - Parameters:
    ///   - namespaces: New ones. With `.user` the child is root there.
    ///   - uids: The user IDs of a new user namespace; none for the caller's own alone.
    ///   - gids: The group IDs likewise.
    public static func start(
        in namespaces: Namespaces = [], uids: [Spec.IDMapping] = [], gids: [Spec.IDMapping] = [],
        _ body: () throws(Failure) -> Void
    ) throws(Failure) -> Errand {
        let (ours, theirs) = try step("start", "child process") { () throws(SystemCallError) in
            try Channel.makePair()
        }
        defer { theirs.socket.closeQuietly() }
        let maps = NamespaceUsers(uids: uids, gids: gids, owner: (geteuid(), getegid()))
        let child: ProcessHandle?
        do throws(SystemCallError) {
            child = try Clone.clone(into: namespaces)
        } catch {
            ours.socket.closeQuietly()
            throw Failure("clone", "into new namespaces", error)
        }
        guard let child else {
            ours.socket.closeQuietly()
            runChild(namespaces, maps, theirs, body)
        }
        let errand = Errand(process: child, channel: ours)
        if namespaces.contains(.user), !maps.areOwnAlone { try errand.writeMaps(maps) }
        return errand
    }

    /// Its number, as long as its end has not been waited for.
    public var pid: pid_t { process.pid }

    /// Waits for the end of the work.
    ///
    /// - Throws: What the work threw.
    public func finish() throws(Failure) {
        defer {
            channel.socket.closeQuietly()
            process.pidfd.closeQuietly()
        }
        let message = try step("wait for", "child process") { () throws(SystemCallError) in try channel.receive() }
        let status = try step("wait for", "child process") { () throws(SystemCallError) in try process.reap() }
        if case .failed(let failure) = message { throw failure }
        switch status {
        case .exited(code: 0)?, nil: return
        case .exited(let code)?: throw Failure("", "child process", "ended with status \(code)")
        case .signaled(let signal, _)?: throw Failure("", "child process", "was killed by signal \(signal)")
        }
    }

    /// Waits for the end of work that executes another program.
    ///
    /// - Returns: That one's exit status, or 128 and the signal that killed it.
    /// - Throws: What kept it from being executed.
    public func status() throws(Failure) -> Int32 {
        defer {
            channel.socket.closeQuietly()
            process.pidfd.closeQuietly()
        }
        let message = try step("wait for", "child process") { () throws(SystemCallError) in try channel.receive() }
        let status = try step("wait for", "child process") { () throws(SystemCallError) in try process.reap() }
        if case .failed(let failure) = message { throw failure }
        return status?.code ?? 255
    }

    private func writeMaps(_ maps: NamespaceUsers) throws(Failure) {
        do throws(Failure) {
            try IDMaps.write(maps.uids, maps.gids, of: process.pid)
            try step("map user IDs", "child process") { () throws(SystemCallError) in try channel.send(.proceed) }
        } catch {
            channel.socket.closeQuietly()
            process.endQuietly()
            throw error
        }
    }

    private static func runChild(
        _ namespaces: Namespaces, _ maps: NamespaceUsers, _ channel: Channel, _ body: () throws(Failure) -> Void
    ) -> Never {
        do throws(Failure) {
            if namespaces.contains(.user) { try maps.assume(channel) }
            // After the change of user, which clears it.
            try step("set", "parent-death signal") { () throws(SystemCallError) in try CurrentProcess.dieWithParent() }
            if namespaces.contains(.mount) {
                try step("make private", "/") { () throws(SystemCallError) in try Mount.setPropagationOfAll(.private) }
            }
            try body()
            CurrentProcess.exitNow(0)
        } catch {
            try? channel.send(.failed(error))  // `try?`: a parent that is gone has nobody to tell
            CurrentProcess.exitNow(1)
        }
    }
}

/// Who is who in a new user namespace.
private struct NamespaceUsers {
    let uids: [Spec.IDMapping]
    let gids: [Spec.IDMapping]
    let owner: (uid: uid_t, gid: gid_t)

    /// Whether the child may write the maps by itself.
    var areOwnAlone: Bool {
        uids.isEmpty
            || (owner.uid != 0 && IDMaps.isOwnIDAlone(uids, id: owner.uid) && IDMaps.isOwnIDAlone(gids, id: owner.gid))
    }

    /// Becomes root of the namespace, in the child.
    func assume(_ channel: Channel) throws(Failure) {
        guard !areOwnAlone else {
            return try IDMaps.mapSelf(
                uids.first ?? .init(containerID: 0, hostID: owner.uid, size: 1),
                gids.first ?? .init(containerID: 0, hostID: owner.gid, size: 1))
        }
        let answer = try step("map user IDs", "parent") { () throws(SystemCallError) in try channel.receive() }
        guard case .proceed = answer else { CurrentProcess.exitNow(1) }  // the parent failed, and says so itself
        try step("change user", "root of the user namespace") { () throws(SystemCallError) in
            try check("setgroups") { apus_setgroups(0, nil) }
            try check("setresgid", "0") { apus_setresgid(0) }
            try check("setresuid", "0") { apus_setresuid(0) }
        }
    }
}
