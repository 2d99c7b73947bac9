import Containers
import Flags
import Linux

/// `apus run` with a terminal, or without its caller's signals: the container has a supervisor of its own, so that this
/// command can leave it (`--detach-keys`, `--sig-proxy=false`) while it goes on.
enum AttachedRun {
    /// Starts the container and stays attached until it ends, or the user detaches.
    ///
    /// - Returns: The exit code of `apus`.
    static func run(_ request: RunRequest) throws -> Int32 {
        let (ours, supervisors) = try AttachClient.makePair()
        _ = try ContainerStore.runDetached(
            request.config, client: supervisors, outlivesClient: !request.signalProxy, cidfile: request.cidfile)
        var options = AttachClient.Options()
        options.sendsInput = request.config.interactive
        options.hasTerminal = request.config.tty
        options.detachKeys = request.detachKeys
        options.forwardsSignals = request.signalProxy
        try AttachmentOptions.finish(AttachClient(socket: ours, options))
    }
}
