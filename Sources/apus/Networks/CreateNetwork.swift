import ArgumentParser
import Containers
import Glibc
import Linux
import Networks

/// `apus network create`: make a network.
struct CreateNetwork: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "network create", abstract: "Make a network that containers share")

    @Option(name: .shortAndLong, help: "Only bridge can be had") var driver = "bridge"
    @Option(parsing: .singleValue, help: "Addresses, such as 10.1.0.0/16; one for IPv4, one for IPv6")
    var subnet: [String] = []
    @Option(parsing: .singleValue, help: "The bridge's own address in each subnet (default its first)")
    var gateway: [String] = []
    @Option(name: .customLong("ip-range"), parsing: .singleValue, help: "The part of a subnet for containers")
    var range: [String] = []
    @Flag(name: .customLong("internal"), help: "Lead nowhere else") var isInternal = false
    @Flag(name: .customLong("ipv6"), help: "Have IPv6 addresses too") var ipv6 = false
    @Option(parsing: .singleValue, help: "A note of one's own, NAME=VALUE") var label: [String] = []
    @Option(name: [.customShort("o"), .customLong("opt")], parsing: .singleValue, help: "mtu=BYTES")
    var option: [String] = []
    @Argument(help: ArgumentHelp("The network's name", valueName: "name")) var name: String

    func run() throws {
        try reportingFailure {
            guard driver == "bridge" else {
                throw Failure("network create", "--driver '\(driver)'", "only bridge can be had")
            }
            guard Names.isValid(name) else {
                throw Failure("network create", "'\(name)'", "not a name", remedy: Names.remedy)
            }
            let ranges = try readRanges()
            let options = try Self.pairs(option)
            let network = try openStore().networks.create(
                name, range: ranges.first { !$0.subnet.isIPv6 }, withIPv6: ipv6,
                ipv6: ranges.first { $0.subnet.isIPv6 }, isInternal: isInternal, mtu: try Self.mtu(options),
                labels: try Self.pairs(label), options: options)
            Output.line(network.id)
        }
    }

    private static func pairs(_ texts: [String]) throws(Failure) -> [String: String] {
        var result: [String: String] = [:]
        for text in texts {
            let (name, value) = try Assignments.split(text)
            result[name] = value ?? ""
        }
        return result
    }

    private static func mtu(_ options: [String: String]) throws(Failure) -> Int? {
        for name in options.keys where name != "mtu" && name != "com.docker.network.driver.mtu" {
            throw Failure("--opt", "'\(name)'", "unknown option", remedy: "give mtu=BYTES")
        }
        guard let text = options["mtu"] ?? options["com.docker.network.driver.mtu"] else { return nil }
        do throws(Failure) {
            return try Values.integer(text, in: 68...65535)
        } catch {
            throw error.naming("--opt mtu")
        }
    }

    private func readRanges() throws(Failure) -> [Network.Range] {
        var ranges: [Network.Range] = []
        for text in subnet {
            guard let subnet = Subnet(text), subnet.prefix <= subnet.address.width - 2,
                !subnet.address.isMulticast, !subnet.address.isLoopback
            else {
                throw Failure(
                    "--subnet", "'\(text)'", "not a subnet for containers", remedy: "give one such as 10.1.0.0/16")
            }
            if ranges.contains(where: { $0.subnet.isIPv6 == subnet.isIPv6 }) {
                throw Failure(
                    "--subnet", "'\(text)'", "a second one of its kind", remedy: "give one for IPv4, one for IPv6")
            }
            ranges.append(Network.Range(subnet: subnet, gateway: subnet.address.advanced(by: 1)))
        }
        if geteuid() != 0, let text = gateway.first {
            throw Failure(
                "--gateway", "'\(text)'", "an ordinary user's networks have none: the way out is pasta",
                remedy: "leave it out")
        }
        for text in gateway {
            let address = IPAddress(text)
            guard let address, let index = ranges.firstIndex(where: { $0.subnet.contains(address) }) else {
                throw Failure("--gateway", "'\(text)'", "not an address of a --subnet given here")
            }
            ranges[index].gateway = address
        }
        for text in range {
            let part = Subnet(text)
            guard let part,
                let index = ranges.firstIndex(where: {
                    $0.subnet.contains(part.address) && $0.subnet.prefix <= part.prefix
                })
            else { throw Failure("--ip-range", "'\(text)'", "not a part of a --subnet given here") }
            ranges[index].leased = part
        }
        return ranges
    }
}
