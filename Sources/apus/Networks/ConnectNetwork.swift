import ArgumentParser
import Containers
import Linux
import Networks

/// `apus network connect`: put a container into a network.
struct ConnectNetwork: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "network connect", abstract: "Put a container into a network")

    @Option(help: "IPv4 address there") var ip: String?
    @Option(help: "IPv6 address there") var ip6: String?
    @Option(parsing: .singleValue, help: "A further name there") var alias: [String] = []
    @Argument(help: ArgumentHelp("Name or ID", valueName: "network")) var network: String
    @Argument(help: .container, completion: .containers) var container: String

    func run() throws {
        try reportingFailure {
            var attachment = NetworkAttachment(network: network)
            attachment.ipv4 = try ip.map { text throws(Failure) in try ModeSyntax.address(text, isIPv6: false) }
            attachment.ipv6 = try ip6.map { text throws(Failure) in try ModeSyntax.address(text, isIPv6: true) }
            for name in alias { try Names.checkHostName(name) }
            attachment.aliases = alias
            let store = try openStore()
            try store.connect(try store.find(container), to: attachment)
        }
    }
}

/// `apus network disconnect`: take a container out of a network.
struct DisconnectNetwork: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "network disconnect", abstract: "Take a container out of a network")

    @Flag(name: .shortAndLong, help: "Accepted as in Docker: it needs no force") var force = false
    @Argument(help: ArgumentHelp("Name or ID", valueName: "network")) var network: String
    @Argument(help: .container, completion: .containers) var container: String

    func run() throws {
        try reportingFailure {
            let store = try openStore()
            try store.disconnect(try store.find(container), from: network)
        }
    }
}
