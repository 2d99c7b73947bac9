import Containers
import Flags
import Glibc
import Linux
import SystemPackage

/// `apus run --detach`.
enum DetachedRun {
    /// Starts the container, prints its ID, and waits until it works if that was asked for.
    ///
    /// - Returns: The exit status of `apus`.
    static func run(_ request: RunRequest, in store: ContainerStore) throws -> Int32 {
        if request.waitsHealthy, request.config.healthCheck == nil {
            throw Failure("run", "--wait-healthy", "the container has no health check", remedy: "add --health-cmd")
        }
        let id = try ContainerStore.runDetached(request.config, cidfile: request.cidfile)
        // At once, so that a caller who gives up waiting knows what to remove.
        try FileDescriptor(rawValue: STDOUT_FILENO).writeFully("\(id)\n".utf8)
        guard request.waitsHealthy else { return 0 }
        do throws(Failure) {
            try store.waitUntilHealthy(id, name: request.config.name, timeout: request.waitTimeout)
            return 0
        } catch {
            Report.line("\(error)")
            return error.exitCode
        }
    }
}
