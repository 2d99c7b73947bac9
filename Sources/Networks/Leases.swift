import Linux
import OCI

/// The members of a network and their addresses: what its `leases` file holds.
struct Leases: JSONMappable {
    private var schemaVersion = 1
    /// The address that was given last: the next one is looked for behind it, so that none is given again too soon.
    private var latest: IPAddress?
    private(set) var members: [NetworkMember] = []

    init() {}

    mutating func map(_ fields: JSONFields) {
        fields.required("schemaVersion", &schemaVersion)
        fields.check("schemaVersion", schemaVersion == 1, expected: "1")
        fields.optional("latest", &latest)
        fields.required("members", &members)
    }

    /// Gives a container its place.
    ///
    /// - Parameters:
    ///   - asked: The addresses that it wants.
    ///   - fill: Completes the member, which has its addresses by then.
    /// - Throws: For an address that is taken, or that the network does not have, and when all are taken.
    mutating func add(
        to network: Network, _ asked: NetworkAttachment, _ fill: (inout NetworkMember) -> Void
    ) throws(Failure) -> NetworkMember {
        var member = NetworkMember()
        member.network = network.name
        member.networkID = network.id
        if let ipv4 = asked.ipv4 {
            try check(ipv4, of: network, network.ipv4, "--ip")
            member.ipv4 = ipv4
        } else {
            member.ipv4 = try free(in: network, network.ipv4)
            latest = member.ipv4
        }
        if let ipv6 = asked.ipv6 {
            guard let range = network.ipv6 else {
                throw Failure("--ip6", ipv6.text, "network '\(network.name)' has no IPv6", remedy: Self.withIPv6)
            }
            try check(ipv6, of: network, range, "--ip6")
            member.ipv6 = ipv6
        } else if let range = network.ipv6 {
            member.ipv6 = try freeIPv6(in: network, range, like: member.ipv4)
        }
        member.hardwareAddress = asked.hardwareAddress ?? HardwareAddress(for: member.ipv4)
        member.linkLocal = asked.linkLocal
        fill(&member)
        members.append(member)
        return member
    }

    static let withIPv6 = "make a network with 'apus network create --ipv6 NAME'"

    mutating func remove(container: String) -> NetworkMember? {
        guard let index = members.firstIndex(where: { $0.container == container }) else { return nil }
        return members.remove(at: index)
    }

    private func isTaken(_ address: IPAddress) -> Bool { members.contains { $0.addresses.contains(address) } }

    private func check(
        _ address: IPAddress, of network: Network, _ range: Network.Range, _ flag: String
    ) throws(Failure) {
        guard range.subnet.contains(address), Self.isUsable(address, range) else {
            throw Failure(
                flag, address.text, "not an address for containers of network '\(network.name)'",
                remedy: "give one of \(range.subnet.text) other than \(range.gateway.text)")
        }
        guard let holder = members.first(where: { $0.addresses.contains(address) }) else { return }
        throw Failure(
            flag, address.text, "in use by container '\(holder.containerName)'",
            remedy: "choose another, or leave the choice to Apus")
    }

    /// Neither the network's own address, nor everybody's, nor the gateway's.
    private static func isUsable(_ address: IPAddress, _ range: Network.Range) -> Bool {
        if address == range.gateway { return false }
        if range.subnet.prefix >= address.width - 1 { return true }
        return address != range.subnet.address && (address.isIPv6 || address != range.subnet.last)
    }

    private func free(in network: Network, _ range: Network.Range) throws(Failure) -> IPAddress {
        let pool = range.leased ?? range.subnet
        // As many as there are members are looked at, and a few: no more than those can be taken.
        var taken: Set<UInt128> = []
        for member in members { taken.insert(member.ipv4.value) }
        let size = pool.last.value - pool.address.value + 1
        let start = latest.map { pool.contains($0) ? $0.value - pool.address.value + 1 : 0 } ?? 0
        for offset in 0..<min(size, UInt128(taken.count) + 4) {
            let address = pool.address.advanced(by: (start + offset) % size)
            if Self.isUsable(address, range), !taken.contains(address.value) { return address }
        }
        throw Failure(
            "network", "'\(network.name)'", "all addresses of \(pool.text) are in use",
            remedy: "stop some of its containers, or make a larger network with 'apus network create --subnet'")
    }

    /// The same number as the IPv4 address has, unless somebody asked for that.
    private func freeIPv6(
        in network: Network, _ range: Network.Range, like ipv4: IPAddress
    ) throws(Failure) -> IPAddress {
        let pool = range.leased ?? range.subnet
        let size = pool.last.value - pool.address.value
        let offset = ipv4.value - network.ipv4.subnet.address.value
        for step in 0...UInt128(members.count + 4) {
            let address = pool.address.advanced(by: size == .max ? offset + step : (offset + step) % (size + 1))
            if Self.isUsable(address, range), !isTaken(address) { return address }
        }
        throw Failure("network", "'\(network.name)'", "all addresses of \(pool.text) are in use")
    }
}
