import ArgumentParser
import Containers
import Images
import Linux

/// `apus rmi`, `apus image rm`: remove images.
struct RemoveImages: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "rmi", abstract: "Remove images")

    @Flag(
        name: .shortAndLong,
        help: "Remove also what containers that do not run are made of, and all names that an ID has")
    var force = false
    @Flag(name: .customLong("no-prune"), help: "Accepted as in Docker: images here have no parents without a name")
    var noPrune = false
    @Option(help: "Take it only if it is for this platform, such as linux/arm64") var platform: String?
    @Argument(help: .image, completion: .images) var images: [String]

    func run() throws {
        try OwnerProcess.enter()
        let containers = try openStore()
        let store = try ImageCommand.openStore(beside: containers)
        try forEachReportingFailures(images) { name in
            try checkUse(of: name, store, containers)
            let removed = try store.remove(name, force: force) { () throws(Failure) in
                try ImageCommand.layersInUse(containers)
            }
            for line in ImageCommand.lines(removed) { Output.line(line) }
        }
    }

    /// A container needs its image as long as that has a name; its layers stay as long as the container does.
    private func checkUse(of name: String, _ store: ImageStore, _ containers: ContainerStore) throws {
        let record = try ImageCommand.find(name, for: platform, in: store)
        let names = try store.records(of: record.id)
        // One name of several goes, and the image stays.
        if names.count > 1, !record.id.hex.hasPrefix(name), !name.hasPrefix("sha256:") { return }
        let uses = try containers.imageUses().filter { $0.image.id == record.id.description }
        if let running = uses.first(where: \.isRunning) {
            throw Failure(
                "remove image", name, "container \(running.container.prefix(12)) that is made of it is running",
                remedy: "stop it with 'apus stop \(running.container.prefix(12))'")
        }
        guard let use = uses.first, !force else { return }
        throw Failure(
            "remove image", name, "container \(use.container.prefix(12)) is made of it",
            remedy: "remove that container, or use --force")
    }
}
