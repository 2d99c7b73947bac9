import ArgumentParser
import Containers
import Images
import Linux

/// `apus commit`: an image of what a container has changed.
struct CommitContainer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "commit", abstract: "Make an image of a container, with what it has changed as a layer")

    @Option(name: .shortAndLong, help: "Who made it") var author = ""
    @Option(name: .shortAndLong, help: "What the history says of it") var message = ""
    @Option(
        name: .shortAndLong, parsing: .singleValue,
        help: "Set what containers do, by an instruction of a Dockerfile: 'CMD [\"sh\"]'")
    var change: [String] = []
    @Flag(name: .shortAndLong, inversion: .prefixedNo, help: "Pause the container meanwhile, if it runs")
    var pause = true
    @Flag(name: .shortAndLong, help: "Accepted as in Podman: nothing but the ID is printed anyhow") var quiet = false
    @Argument(help: .container, completion: .containers) var container: String
    @Argument(help: ArgumentHelp("The image's name", valueName: "name[:tag]")) var name: String?

    func run() throws {
        try OwnerProcess.enter()
        let changes = try change.map { text throws(Failure) in try ImageChange(text) }
        let names = try name.map { text throws(Failure) in [try ImageReference(text)] } ?? []
        let containers = try openStore()
        let store = try ImageCommand.openStore(beside: containers)
        let container = try containers.find(container)
        defer { container.close() }
        let config = try container.loadConfig()
        guard let image = config.root.image else {
            throw Failure(
                "commit", container.shortID, "it is not made of an image",
                remedy: "use 'apus export' and 'apus import' for all of its files")
        }
        let base = try ImageCommand.find(image.id, in: store)
        let layer = try paused(container) { try makeLayer(of: container, in: store) }
        let step = ImageConfig.History(
            created: Timestamp.now.rfc3339, author: author.isEmpty ? nil : author,
            createdBy: config.arguments.joined(separator: " "), comment: message.isEmpty ? nil : message)
        let record = try store.makeImage(from: base, adding: layer, step: step, as: names) {
            (result) throws(Failure) in
            result.config = Self.execution(config, result.config ?? .init())
            for change in changes { try change.apply(to: &result) }
        }
        Output.line(record.id.description)
    }

    private func makeLayer(of container: Container, in store: ImageStore) throws -> NewLayer? {
        let owners = try container.ownersInside()
        return try container.withLayer { upper, isMountPoint in
            guard let upper else { return nil }
            return try store.makeLayer(ofUpper: upper, owners: owners, leavesOut: isMountPoint)
        }
    }

    /// Calls `body` while the container does nothing, if it runs and that was not refused.
    private func paused<Result>(_ container: Container, _ body: () throws -> Result) throws -> Result {
        guard pause, case .running(let running) = try container.loadState().status, !running.paused,
            try container.isSupervised()
        else { return try body() }
        do {
            try container.pause()
        } catch {
            // Where nothing here can pause it, as for ordinary users on cgroup v1, its files are taken as they are.
            Report.line("warning: \(error)")
            return try body()
        }
        defer { try? container.unpause() }  // `try?`: it has ended meanwhile
        return try body()
    }

    /// What containers of the image do: what this one does.
    private static func execution(_ config: ContainerConfig, _ base: ImageConfig.Execution) -> ImageConfig.Execution {
        var result = base
        result.entrypoint = config.entrypoint.isEmpty ? nil : config.entrypoint
        result.cmd = config.command.isEmpty ? nil : config.command
        let unset = config.unsetEnvironment
        let environment = config.environment.filter { variable in !unset.contains { variable.hasPrefix("\($0)=") } }
        result.env = environment.isEmpty ? nil : environment
        if !config.user.isEmpty { result.user = config.user }
        if let directory = config.workingDirectory { result.workingDir = directory }
        result.labels = config.labels.isEmpty ? nil : config.labels
        if let signal = config.stopSignal { result.stopSignal = "SIG\(Signal(rawValue: signal))" }
        if let check = config.healthCheck {
            var healthcheck = ImageConfig.Healthcheck(
                test: check.arguments.map { ["CMD"] + $0 } ?? ["CMD-SHELL", check.command])
            healthcheck.interval = check.interval
            healthcheck.timeout = check.timeout
            healthcheck.startPeriod = check.startPeriod
            healthcheck.startInterval = check.startInterval
            healthcheck.retries = check.retries
            result.healthcheck = healthcheck
        }
        return result
    }
}
