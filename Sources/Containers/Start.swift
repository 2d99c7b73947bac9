import Linux
import SystemPackage

extension ContainerStore {
    /// Starts a container that exists, under a supervisor of its own, and returns once its command runs.
    ///
    /// A container that is running already is no error.
    ///
    /// - Throws: When it is paused, or cannot be started.
    public func start(_ container: Container) throws {
        guard try prepareStart(container) else { return }
        try startDetached(container)
    }

    /// Starts a container that exists and attaches to it before it writes anything; attaches to a running one.
    public func startAttached(_ container: Container, _ options: AttachClient.Options) throws -> AttachClient {
        guard try prepareStart(container) else { return try AttachClient(container, options) }
        let (ours, theirs) = try AttachClient.makePair()
        do {
            try startDetached(container, client: theirs)
        } catch {
            ours.closeQuietly()
            throw error
        }
        return AttachClient(socket: ours, options)
    }

    /// Makes a container's record ready for a start that its user asked for.
    ///
    /// - Returns: Whether it is to be started: `false` when it is running.
    func prepareStart(_ container: Container) throws -> Bool {
        let state = try container.loadState()
        if case .running(let running) = state.status, try container.isSupervised() {
            guard !running.paused else {
                throw Failure(
                    "start container", state.name, "it is paused", remedy: "use 'apus unpause \(state.name)'")
            }
            return false
        }
        try container.updateState {
            $0.stoppedByUser = false
            $0.restarts = 0
        }
        return true
    }
}
