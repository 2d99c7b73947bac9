import ArgumentParser
import Containers
import Linux

/// `apus rm`: remove containers and everything that belongs to them.
struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Remove containers", aliases: ["remove"])

    @Flag(name: .shortAndLong, help: "Kill running containers first; one that does not exist is no error")
    var force = false
    @Flag(name: .shortAndLong, help: "Accepted as in Docker; a container's unnamed volumes always go with it")
    var volumes = false
    @Argument(help: .container, completion: .containers) var containers: [String]

    func run() throws {
        let store = try openStore()
        try forEachReportingFailures(containers) { name in
            guard let container = try find(name, in: store) else { return }
            defer { container.close() }
            try store.remove(container, force: force)
            Output.line(name)
        }
    }

    /// - Returns: `nil`, and says so, when there is no such container and that is no error.
    private func find(_ name: String, in store: ContainerStore) throws -> Container? {
        do throws(Failure) {
            return try store.find(name)
        } catch {
            guard force && error.isNoSuchContainer else { throw error }
            Report.line("\(error)")
            return nil
        }
    }
}
