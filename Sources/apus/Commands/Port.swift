import ArgumentParser
import Containers
import Linux

/// `apus port`: the published ports of a container. No network that could publish any exists yet, so there are none.
struct Port: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the published ports of a container")

    @Argument(help: .container, completion: .containers) var container: String
    @Argument(help: .init("Only this port", valueName: "port[/protocol]")) var port: String?

    func run() throws {
        let store = try openStore()
        try forEachReportingFailures([container]) { name in
            let state = try store.find(name).loadState()
            if let port { throw Failure("port", state.name, "no public port '\(port)' is published") }
        }
    }
}
