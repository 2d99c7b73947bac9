import ArgumentParser
import Containers
import Linux

/// `apus start`: start containers that exist.
struct Start: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Start containers that are not running")

    @Argument(help: .container, completion: .stoppedContainers) var containers: [String]

    func run() throws {
        let store = try openStore()
        try forEachReportingFailures(containers) { name in
            try store.start(store.find(name))
            Output.line(name)
        }
    }
}
