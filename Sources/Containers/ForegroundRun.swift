import CLinux
import Glibc
import Linux
import SystemPackage

/// `apus run` in the foreground.
extension ContainerStore {
    /// Makes a container, runs it with this process as its supervisor, and waits for its end.
    ///
    /// - Parameters:
    ///   - cidfile: A file, not there yet, for the container's ID.
    ///   - sharesStreams: Whether the container may have this process' own streams, so that nothing is copied or logged.
    /// - Returns: The container's exit code.
    public func runInForeground(
        _ config: ContainerConfig, cidfile: String?, sharesStreams: Bool
    ) throws -> Int32 {
        // The longest part of a start begins first.
        let network =
            config.network.isPrivate && config.network != .pasta && config.hasHostUsers
            ? NetworkPreparation.start() : nil
        let new = try make(config, isBrief: sharesStreams && config.leavesNothing)
        do {
            try new.writeCidfile(cidfile)
        } catch {
            releaseAlive(new.container.id, new.alive)
            throw error
        }
        let supervisor = try supervise(new, attachment: sharesStreams ? .inherited : .relayed)
        supervisor.network = consume network
        return try supervisor.run(removeIfNotStarted: true)
    }
}

extension ContainerConfig {
    /// Whether a container that ends within its first moments leaves no records and no name to remember.
    fileprivate var leavesNothing: Bool {
        guard removeAtEnd, name == nil, healthCheck == nil, userNamespace != .auto else { return false }
        // Where others find it by name, it has one.
        if !network.attachments.isEmpty { return false }
        return !mounts.contains { $0.kind == .volume }
    }

    /// Whether root runs it without a user namespace.
    fileprivate var hasHostUsers: Bool {
        geteuid() == 0 && (userNamespace == .standard || userNamespace == .host)
    }
}
