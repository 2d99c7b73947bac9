import ArgumentParser
import Containers
import Glibc
import Linux

/// `apus attach`: join a running container's streams.
struct Attach: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Attach this terminal's input and output to a running container")

    @Flag(name: .customLong("no-stdin"), help: "Leave the container's input alone") var noInput = false
    @OptionGroup var attachment: AttachmentOptions
    @Argument(help: .container, completion: .runningContainers) var container: String

    func run() throws {
        let container: Container
        let client: AttachClient
        do {
            container = try openStore().find(self.container)
            var options = try attachment.options(for: container)
            options.sendsInput = options.sendsInput && !noInput
            options.redraws = true
            client = try AttachClient(container, options)
        } catch let failure as Failure {
            Report.line("\(failure)")
            throw ExitCode(1)
        }
        try AttachmentOptions.finish(client)
    }
}

/// The options of commands that attach to a container.
struct AttachmentOptions: ParsableArguments {
    @Option(
        name: .customLong("detach-keys"),
        help: "Keys that leave the container running: a letter or ctrl-X, comma-separated")
    var detachKeys = "ctrl-p,ctrl-q"
    @Flag(
        name: .customLong("sig-proxy"), inversion: .prefixedNo,
        help: "Whether signals are passed on to the container")
    var forwardsSignals = true

    func options(for container: Container) throws -> AttachClient.Options {
        let config = try container.loadConfig()
        var options = AttachClient.Options()
        options.sendsInput = config.interactive
        options.hasTerminal = config.tty
        options.forwardsSignals = forwardsSignals
        do throws(Failure) {
            options.detachKeys = try DetachKeys.parse(detachKeys)
        } catch {
            throw UsageError("--detach-keys: \(error)")
        }
        return options
    }

    /// Serves an attachment to its end, and ends this command as the container did.
    static func finish(_ client: AttachClient) throws -> Never {
        try finish(client.run())
    }

    /// Ends this command as what it was attached to did.
    static func finish(_ ending: AttachClient.Ending) throws -> Never {
        switch ending {
        case .exited(let code): throw ExitCode(code)
        case .detached:
            Report.raw("read escape sequence\n")
            throw ExitCode(0)
        case .interrupted(let signal):
            Glibc.signal(signal.rawValue, SIG_DFL)
            raise(signal.rawValue)
            throw ExitCode(128 + signal.rawValue)
        }
    }
}
