import ArgumentParser
import Containers

/// `apus wait`: wait for containers to end, and print how they did.
struct Wait: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Wait until containers end, then print their exit codes")

    @Argument(help: .container, completion: .runningContainers) var containers: [String]

    func run() throws {
        let store = try openStore()
        try forEachReportingFailures(containers) { name in
            Output.line("\(try store.find(name).waitForEnd())")
        }
    }
}
