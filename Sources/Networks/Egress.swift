import CLinux
import Glibc
public import Linux
public import OCI

/// One destination that a container may send to.
public struct EgressRule: RawRepresentable, JSONValue, Sendable, Hashable {
    /// A name, an address or a subnet.
    public let host: String
    /// Any port if `nil`.
    public let port: UInt16?

    /// - Parameter text: `example.org`, `example.org:443`, `10.0.0.0/8`, `[fd00::1]:53`, `fd00::/8`.
    public init?(rawValue text: String) {
        var host = text
        var port: String?
        if text.hasPrefix("["), let end = text.utf8.firstIndex(of: UInt8(ascii: "]")) {
            host = String(text[text.utf8.index(after: text.startIndex)..<end])
            let rest = text[text.utf8.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":"), host.contains(":") else { return nil }
            port = rest.isEmpty ? nil : String(rest.dropFirst())
        } else if IPAddress(text) == nil, Subnet(text) == nil, let sides = text.sides(ofLast: ":") {
            (host, port) = (sides.before, sides.behind)
        }
        if let port {
            guard let number = UInt16(port), number > 0, port.utf8.first != UInt8(ascii: "+") else { return nil }
            self.port = number
        } else {
            self.port = nil
        }
        guard IPAddress(host) != nil || Subnet(host) != nil || Self.isName(host) else { return nil }
        self.host = host
    }

    public var rawValue: String {
        guard let port else { return host }
        return host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    private static func isName(_ text: String) -> Bool {
        let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let isNumeric = labels.last?.allSatisfy { 0x30...0x39 ~= $0 } ?? true
        return text.utf8.count <= 253 && !isNumeric
            && labels.allSatisfy { label in
                1...63 ~= label.count && label.first != UInt8(ascii: "-")
                    && label.allSatisfy { 0x30...0x39 ~= $0 || 0x61...0x7a ~= $0 | 0x20 || $0 == 0x2d || $0 == 0x5f }
            }
    }
}

/// What a container may send to, with the addresses that its names had when it was started.
public struct Egress: Sendable {
    private var destinations: [(subnet: Subnet, port: UInt16?)] = []
    /// The names and what they stand for, for the hosts file: the container needs no name server for them.
    public private(set) var names: [(name: String, address: IPAddress)] = []

    private static let table = "apus-egress"

    /// - Throws: For a name that has no address.
    public init(_ rules: [EgressRule]) throws(Failure) {
        for rule in rules {
            if let subnet = Subnet(rule.host) {
                destinations.append((subnet, rule.port))
            } else if let address = IPAddress(rule.host) {
                destinations.append((Subnet(address, prefix: address.width)!, rule.port))
            } else {
                for address in try Self.resolve(rule.host) {
                    destinations.append((Subnet(address, prefix: address.width)!, rule.port))
                    if !names.contains(where: { $0 == (rule.host, address) }) { names.append((rule.host, address)) }
                }
            }
        }
    }

    /// - Note: getaddrinfo(3).
    private static func resolve(_ name: String) throws(Failure) -> [IPAddress] {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(name, nil, &hints, &list)
        guard result == 0 else {
            throw Failure(
                "--egress", "'\(name)'", String(cString: gai_strerror(result)),
                remedy: "give a name that this machine can resolve, or an address")
        }
        defer { freeaddrinfo(list) }
        var found: [IPAddress] = []
        var next = list
        while let entry = next {
            next = entry.pointee.ai_next
            let isIPv6 = entry.pointee.ai_family == AF_INET6
            guard isIPv6 || entry.pointee.ai_family == AF_INET, let pointer = entry.pointee.ai_addr else { continue }
            // Behind family and port, and in IPv6 the flow, comes the address.
            let bytes = UnsafeRawBufferPointer(start: pointer, count: isIPv6 ? 24 : 8)
            if let address = IPAddress(bytes: Array(isIPv6 ? bytes[8..<24] : bytes[4..<8])), !found.contains(address) {
                found.append(address)
            }
        }
        return found
    }

    /// Lets nothing else out of a network namespace from now on.
    public func enforce(in place: NetworkPlace) throws(Failure) {
        var allowed = ""
        for (subnet, port) in destinations {
            let destination = "\(subnet.isIPv6 ? "ip6" : "ip") daddr \(subnet.text)"
            allowed += "\(destination)\(port.map { " meta l4proto { tcp, udp } th dport \($0)" } ?? "") accept\n"
        }
        try Firewall.nft(
            """
            table inet \(Self.table) {
            counter refused { }
            chain output {
            type filter hook output priority 0; policy drop;
            oifname "lo" accept
            ct state established,related accept
            icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept
            icmpv6 type { mld-listener-report, mld-listener-done, mld2-listener-report } drop
            \(allowed)counter name refused
            meta l4proto tcp reject with tcp reset
            reject with icmpx admin-prohibited
            }
            }

            """, in: HelperProgram.Place(user: place.user, network: place.network))
    }

    /// How many packets were refused so far.
    public static func refused(in place: NetworkPlace) throws(Failure) -> UInt64 {
        let (_, output) = try HelperProgram.run(
            "nft", ["list", "counter", "inet", table, "refused"], package: "nftables",
            in: HelperProgram.Place(user: place.user, network: place.network))
        let words = output.split(whereSeparator: \.isWhitespace)
        let index = words.firstIndex(of: "packets")
        return index.flatMap { words.indices.contains($0 + 1) ? UInt64(words[$0 + 1]) : nil } ?? 0
    }
}
