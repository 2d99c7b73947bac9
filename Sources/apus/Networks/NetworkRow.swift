import Containers
import Formats
import Glibc
import Networks

/// A network as `network ls` and `network inspect` show it.
struct NetworkRow {
    let network: Network
    var isTruncated = true

    static let listing = Listing(
        titles: [
            "ID": "NETWORK ID", "Name": "NAME", "Driver": "DRIVER", "Scope": "SCOPE", "CreatedAt": "CREATED AT",
            "Internal": "INTERNAL", "IPv6": "IPV6", "Labels": "LABELS",
        ], columns: ["ID", "Name", "Driver", "Scope"])

    var shownID: String { isTruncated ? String(network.id.prefix(12)) : network.id }

    var value: Value {
        let labels = network.labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return [
            "CreatedAt": .string(Timestamp(nanoseconds: network.created).local), "Driver": "bridge",
            "ID": .string(shownID), "IPv6": .string("\(network.ipv6 != nil)"),
            "Internal": .string("\(network.isInternal)"), "Label": .lookup(network.labels),
            "Labels": .string(labels.joined(separator: ",")), "Name": .string(network.name), "Scope": "local",
        ]
    }

    /// Who leads out of a network; an ordinary user's have nobody, as each container has pasta for that.
    static func gateway(_ network: Network?, _ range: Network.Range?) -> String {
        guard let network, let range, !network.isInternal, geteuid() == 0 else { return "" }
        return range.gateway.text
    }

    /// All of it.
    func inspection(_ members: [NetworkMember]) -> Value {
        let ranges = network.ranges.map { range -> Value in
            [
                "Subnet": .string(range.subnet.text), "IPRange": .string(range.leased?.text ?? ""),
                "Gateway": .string(Self.gateway(network, range)),
            ]
        }
        let containers = members.map { member -> (String, Value) in
            let ipv6 = member.ipv6.map { "\($0.text)/\(network.ipv6?.subnet.prefix ?? 0)" }
            return (
                member.container,
                [
                    "Name": .string(member.containerName), "EndpointID": "",
                    "MacAddress": .string(member.hardwareAddress.rawValue),
                    "IPv4Address": .string("\(member.ipv4.text)/\(network.ipv4.subnet.prefix)"),
                    "IPv6Address": .string(ipv6 ?? ""),
                ]
            )
        }
        return [
            "Name": .string(network.name), "Id": .string(network.id),
            "Created": .string(Timestamp(nanoseconds: network.created).rfc3339), "Scope": "local", "Driver": "bridge",
            "EnableIPv6": .bool(network.ipv6 != nil),
            "IPAM": ["Driver": "default", "Options": nil, "Config": .list(ranges)],
            "Internal": .bool(network.isInternal), "Attachable": false, "Ingress": false,
            "Containers": .map(Dictionary(containers) { one, _ in one }), "Options": .strings(network.options),
            "Labels": .strings(network.labels), "Bridge": .string(network.bridge),
        ]
    }
}
