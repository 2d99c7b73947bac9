import Linux
import OCI

/// What nf_tables does for one network: a table of its own, by the name of its bridge.
///
/// A network's rules depend on none of its containers, so a plain start changes nothing here. Published ports are
/// elements of maps, which are made anew from the leases whenever they change: a transaction that was not made, or whose
/// container was killed, leaves nothing that the next one would not put right.
enum Firewall {
    /// Makes the table, or makes it anew.
    static func install(_ network: Network, _ members: [NetworkMember]) throws(Failure) {
        let table = "inet \(network.bridge)"
        try nft("add table \(table)\ndelete table \(table)\n\(rules(network))\(elements(network, members))")
    }

    /// Makes the published ports those of `members`.
    static func publish(_ network: Network, _ members: [NetworkMember]) throws(Failure) {
        let flushed = maps.map { "flush map inet \(network.bridge) \($0)\n" }.joined()
        try nft(flushed + elements(network, members))
    }

    static func remove(_ network: Network) throws(Failure) {
        try nft("add table inet \(network.bridge)\ndelete table inet \(network.bridge)\n")
    }

    /// Whether something on this machine drops what is forwarded, unless that something allows it: what another table
    /// accepts does not count then.
    static func findsForwardingDropped() throws(Failure) -> Bool {
        let (status, output) = try HelperProgram.run(
            "nft", ["list", "chain", "ip", "filter", "FORWARD"], package: "nftables")
        return status == .exited(code: 0) && output.contains("policy drop")
    }

    static func nft(_ script: String, in place: HelperProgram.Place = .init()) throws(Failure) {
        let (status, output) = try HelperProgram.run("nft", ["-f", "-"], input: script, package: "nftables", in: place)
        if status == .exited(code: 0) { return }
        let reason = output.split(separator: "\n").first.map { String($0) } ?? "ended with status \(status.code)"
        throw Failure(
            "network", "nft", reason.replacing(bytes: "/dev/stdin:", with: "line "),
            remedy: "the kernel must have nf_tables, and this user CAP_NET_ADMIN; or use --network none")
    }

    // MARK: The table

    private static let maps = ["address4", "port4", "address6", "port6"]

    private static func rules(_ network: Network) -> String {
        let bridge = "\"\(network.bridge)\""
        // Outside the bridge is whatever does not come from it: other networks of Apus too, so networks do not see each other.
        let forwarding =
            network.isInternal
            ? "oifname \(bridge) iifname != \(bridge) drop\niifname \(bridge) oifname != \(bridge) drop"
            : """
            oifname \(bridge) iifname != \(bridge) ct state established,related accept
            oifname \(bridge) iifname != \(bridge) ct status dnat accept
            oifname \(bridge) iifname != \(bridge) drop
            """
        // A container that asks for a published port of this machine gets to one beside it, or to itself, by the bridge:
        // the answer must come the same way, or it would come from an address that nobody asked.
        let backward = network.ranges.map {
            "oifname \(bridge) \($0.subnet.isIPv6 ? "ip6" : "ip") saddr \($0.subnet.text) ct status dnat masquerade"
        }.joined(separator: "\n")
        let outward =
            network.isInternal
            ? ""
            : network.ranges.map {
                "\($0.subnet.isIPv6 ? "ip6" : "ip") saddr \($0.subnet.text) oifname != \(bridge) masquerade"
            }.joined(separator: "\n")
        return """
            table inet \(network.bridge) {
            map address4 { type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service; }
            map port4 { type inet_proto . inet_service : ipv4_addr . inet_service; }
            map address6 { type inet_proto . ipv6_addr . inet_service : ipv6_addr . inet_service; }
            map port6 { type inet_proto . inet_service : ipv6_addr . inet_service; }
            chain publish {
            dnat ip to meta l4proto . ip daddr . th dport map @address4
            dnat ip to meta l4proto . th dport map @port4
            dnat ip6 to meta l4proto . ip6 daddr . th dport map @address6
            dnat ip6 to meta l4proto . th dport map @port6
            }
            chain guard {
            type filter hook prerouting priority -300;
            iifname \(bridge) ip daddr 127.0.0.0/8 drop
            }
            chain prerouting {
            type nat hook prerouting priority -100;
            fib daddr type local jump publish
            }
            chain output {
            type nat hook output priority -100;
            fib daddr type local jump publish
            }
            chain postrouting {
            type nat hook postrouting priority 100;
            \(backward)
            oifname \(bridge) fib saddr type local ct status dnat masquerade
            \(outward)
            }
            chain forward {
            type filter hook forward priority 0;
            \(forwarding)
            }
            }

            """
    }

    /// The published ports as elements of the four maps.
    private static func elements(_ network: Network, _ members: [NetworkMember]) -> String {
        var found: [String: [String]] = [:]
        for member in members {
            for port in member.ports {
                for target in member.addresses where port.address.map({ $0.isIPv6 == target.isIPv6 }) ?? true {
                    let map = "\(port.address == nil ? "port" : "address")\(target.isIPv6 ? 6 : 4)"
                    let address = port.address.map { "\($0.text) . " } ?? ""
                    found[map, default: []].append(
                        "\(port.kind.rawValue) . \(address)\(port.hostPort) : \(target.text) . \(port.containerPort)")
                }
            }
        }
        return found.sorted { $0.key < $1.key }.map { map, elements in
            "add element inet \(network.bridge) \(map) { \(elements.joined(separator: ", ")) }\n"
        }.joined()
    }
}
