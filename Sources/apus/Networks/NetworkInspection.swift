import Containers
import Formats
import Networks

/// `NetworkSettings` of `inspect`.
struct NetworkInspection {
    /// `nil` for a container that does not run, or has no network of its own.
    let state: NetworkState?
    let config: ContainerConfig
    let store: NetworkStore

    var value: Value {
        let first = state?.members.first.map(Self.endpoint(of: store))
        return [
            "Bridge": "", "SandboxID": "", "SandboxKey": "",
            "Ports": PortInspection.ports(
                state?.ports ?? [], exposed: config.exposedPorts + (config.root.image?.exposedPorts ?? [])),
            "Gateway": first?["Gateway"] ?? "", "IPAddress": first?["IPAddress"] ?? "",
            "IPPrefixLen": first?["IPPrefixLen"] ?? 0, "MacAddress": first?["MacAddress"] ?? "",
            "GlobalIPv6Address": first?["GlobalIPv6Address"] ?? "", "IPv6Gateway": first?["IPv6Gateway"] ?? "",
            "Networks": networks,
        ]
    }

    private var networks: Value {
        guard let state, !state.members.isEmpty else {
            let names =
                config.network.attachments.isEmpty ? [config.network.text] : config.network.attachments.map(\.network)
            return .map(Dictionary(names.map { ($0, ["IPAddress": "", "Gateway": ""]) }) { one, _ in one })
        }
        return .map(Dictionary(state.members.map { ($0.network, Self.endpoint(of: store)($0)) }) { one, _ in one })
    }

    private static func endpoint(of store: NetworkStore) -> (NetworkMember) -> Value {
        { member in
            // `try?`: one that is gone has no gateway any more
            let network = try? store.find(member.networkID)
            return [
                "IPAMConfig": member.linkLocal.isEmpty
                    ? nil : ["LinkLocalIPs": .strings(member.linkLocal.map(\.text))],
                "Links": nil, "DriverOpts": nil, "Aliases": .strings(member.names),
                "DNSNames": .strings(member.names), "MacAddress": .string(member.hardwareAddress.rawValue),
                "NetworkID": .string(member.networkID), "EndpointID": "",
                "Gateway": .string(NetworkRow.gateway(network, network?.ipv4)),
                "IPAddress": .string(member.ipv4.text),
                "IPPrefixLen": .integer(of: network?.ipv4.subnet.prefix ?? 0),
                "IPv6Gateway": .string(member.ipv6 == nil ? "" : NetworkRow.gateway(network, network?.ipv6)),
                "GlobalIPv6Address": .string(member.ipv6?.text ?? ""),
                "GlobalIPv6PrefixLen": .integer(of: member.ipv6 == nil ? 0 : network?.ipv6?.subnet.prefix ?? 0),
            ]
        }
    }
}
