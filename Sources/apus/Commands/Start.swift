import ArgumentParser
import Containers
import Linux

/// `apus start`: start containers that exist.
struct Start: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Start containers that are not running")

    @Flag(name: .shortAndLong, help: "Attach to the container's output, and end with its exit code")
    var attach = false
    @Flag(name: .shortAndLong, help: "Attach to the container's input too") var interactive = false
    @OptionGroup var attachment: AttachmentOptions
    @Argument(help: .container, completion: .stoppedContainers) var containers: [String]

    func run() throws {
        let store = try openStore()
        guard attach || interactive else {
            return try forEachReportingFailures(containers) { name in
                try store.start(store.find(name))
                Output.line(name)
            }
        }
        guard containers.count == 1 else {
            throw UsageError("only one container can be started with --attach or --interactive", command: "start")
        }
        try startAttached(containers[0], in: store)
    }

    private func startAttached(_ name: String, in store: ContainerStore) throws {
        let client: AttachClient
        do {
            let container = try store.find(name)
            var options = try attachment.options(for: container)
            options.sendsInput = options.sendsInput && interactive
            client = try store.startAttached(container, options)
        } catch let failure as Failure {
            Report.line("\(failure)")
            // Docker's too: 1 for a container that is not there, 126 and 127 for a command that cannot run.
            throw ExitCode(failure.exitCode == 125 ? 1 : failure.exitCode)
        }
        try AttachmentOptions.finish(client)
    }
}
