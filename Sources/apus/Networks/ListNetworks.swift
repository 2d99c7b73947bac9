import ArgumentParser
import Containers
import Formats
import Linux
import Networks

/// `apus network ls`: list networks.
struct ListNetworks: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "network ls", abstract: "List networks")

    @Flag(name: .shortAndLong, help: "Show the IDs alone") var quiet = false
    @Flag(name: .customLong("no-trunc"), help: "Show IDs in full") var noTruncation = false
    @Option(
        name: .shortAndLong, parsing: .singleValue,
        help: "Show those with name, id, label or driver as given (KEY=VALUE)")
    var filter: [String] = []
    @Option(help: "table, json, or a Go template such as '{{.Name}}'") var format: String?

    func run() throws {
        let (networks, damaged) = try openStore().networks.list()
        for failure in damaged { Report.line("warning: \(failure)") }
        let rows = try networks.filter { try matches($0) }.map {
            NetworkRow(network: $0, isTruncated: !noTruncation)
        }
        if quiet, format == nil {
            for row in rows { Output.line(row.shownID) }
            return
        }
        Output.write(try NetworkRow.listing.render(rows.map(\.value), format: format))
    }

    private func matches(_ network: Network) throws(Failure) -> Bool {
        for text in filter {
            let (key, value) = try Assignments.split(text)
            let wanted = value ?? ""
            let isMatch: Bool
            switch key {
            case "name": isMatch = network.name.contains(wanted)
            case "id": isMatch = network.id.hasPrefix(wanted)
            case "driver": isMatch = wanted == "bridge"
            case "label":
                let (name, content) = try Assignments.split(wanted)
                isMatch = network.labels[name].map { content == nil || content == $0 } ?? false
            default:
                throw Failure(
                    "network ls", "--filter '\(text)'", "unknown filter", remedy: "give name, id, label or driver")
            }
            if !isMatch { return false }
        }
        return true
    }
}

/// `apus network inspect`: everything that is known of networks.
struct InspectNetworks: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "network inspect", abstract: "Show everything about networks, as JSON or as a template says")

    @Option(name: .shortAndLong, help: "json, or a Go template such as '{{.Id}}'") var format: String?
    @Argument(help: ArgumentHelp("Name, ID or unique beginning of an ID", valueName: "network")) var networks: [String]

    func run() throws {
        let store = try openStore().networks
        try Inspect.show(networks, format: format) { name in
            let network = try store.find(name)
            return NetworkRow(network: network).inspection(try store.members(of: network))
        }
    }
}
