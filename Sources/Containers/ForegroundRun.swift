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
        let new = try make(config)
        do {
            try new.writeCidfile(cidfile)
        } catch {
            releaseAlive(new.container.id, new.alive)
            throw error
        }
        let supervisor = try supervise(new, attachment: sharesStreams ? .inherited : .relayed)
        return try supervisor.run(removeIfNotStarted: true)
    }
}
