import Containers
import Flags
import Glibc
import Linux
import OCI
import SystemPackage

/// `apus run` with a terminal, or without its caller's signals: the container has a supervisor of its own, so that this
/// command can leave it (`--detach-keys`, `--sig-proxy=false`) while it goes on.
enum AttachedRun {
    /// Starts the container and stays attached until it ends, or the user detaches.
    ///
    /// - Returns: The exit code of `apus`.
    static func run(_ request: RunRequest) throws -> Int32 {
        var config = request.config
        // From the first moment: a command that looks before the attached client has sent it would find 0 by 0.
        config.consoleSize = Self.terminalSize
        let (ours, supervisors) = try AttachClient.makePair()
        _ = try ContainerStore.runDetached(
            config, client: supervisors, outlivesClient: !request.signalProxy, cidfile: request.cidfile)
        var options = AttachClient.Options()
        options.sendsInput = request.config.interactive
        options.hasTerminal = request.config.tty
        options.detachKeys = request.detachKeys
        options.forwardsSignals = request.signalProxy
        options.marks = request.lineMarks
        try AttachmentOptions.finish(AttachClient(socket: ours, options))
    }

    private static var terminalSize: Spec.ConsoleSize? {
        guard let size = FileDescriptor(rawValue: STDOUT_FILENO).windowSizeIfTerminal() else { return nil }
        return Spec.ConsoleSize(height: UInt64(size.rows), width: UInt64(size.columns))
    }
}
