import ArgumentParser
import Containers
import Linux
import Networks

/// `apus network rm`: remove networks.
struct RemoveNetworks: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "network rm", abstract: "Remove networks")

    @Flag(name: .shortAndLong, help: "Do not complain of one that is not there") var force = false
    @Argument(help: ArgumentHelp("Name, ID or unique beginning of an ID", valueName: "network")) var networks: [String]

    func run() throws {
        let store = try openStore().networks
        let known = try store.list().networks
        try forEachReportingFailures(networks) { name in
            if force, !known.contains(where: { $0.name == name || $0.id.hasPrefix(name) }) { return }
            try store.remove(try store.find(name))
            Output.line(name)
        }
    }
}

/// `apus network prune`: remove the networks that nobody is in.
struct PruneNetworks: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "network prune",
        abstract: "Remove networks that no running container is in; the default one is made again when it is needed")

    @Flag(name: .shortAndLong, help: "Do not ask first") var force = false

    func run() throws {
        if !force, try !Question.isConfirmed("WARNING! This will remove all networks that no running container is in.")
        {
            return
        }
        let store = try openStore().networks
        var removed: [String] = []
        for network in try store.list().networks where try store.members(of: network).isEmpty {
            try store.remove(network)
            removed.append(network.name)
        }
        if !removed.isEmpty { Output.line("Deleted Networks:\n\(removed.joined(separator: "\n"))\n") }
    }
}
