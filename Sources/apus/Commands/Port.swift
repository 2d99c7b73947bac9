import ArgumentParser
import Containers
import Linux
import Networks

/// `apus port`: the published ports of a container.
struct Port: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the published ports of a container")

    @Argument(help: .container, completion: .containers) var container: String
    @Argument(help: .init("Only this port", valueName: "port[/protocol]")) var port: String?

    func run() throws {
        let store = try openStore()
        try forEachReportingFailures([container]) { name in
            let state = try store.find(name).loadState()
            let ports = state.status.running == nil ? [] : state.network?.ports ?? []
            guard let port else {
                for port in ports { Output.line("\(port.inside.text) -> \(Self.outside(port))") }
                return
            }
            let asked = port.contains("/") ? port : "\(port)/tcp"
            let found = ports.filter { $0.inside.text == asked }
            if found.isEmpty { throw Failure("port", state.name, "no public port '\(asked)' is published") }
            for port in found { Output.line(Self.outside(port)) }
        }
    }

    private static func outside(_ port: PublishedPort) -> String {
        "\(port.address?.textBeforePort ?? "0.0.0.0"):\(port.hostPort)"
    }
}
