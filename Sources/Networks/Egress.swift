import CLinux
import Glibc
public import Linux
public import OCI
public import SystemPackage

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

    /// Where the rules are: a network namespace, and the user namespace that owns it, if it is not this process' own.
    public struct Place: Sendable {
        let user: FileDescriptor?
        let network: FileDescriptor

        /// - Parameters:
        ///   - user: Kept until `close`, as is the other.
        public init(user: FileDescriptor?, network: FileDescriptor) {
            self.user = user
            self.network = network
        }

        public func close() {
            user?.closeQuietly()
            network.closeQuietly()
        }

        fileprivate var helper: HelperProgram.Place { HelperProgram.Place(user: user, network: network) }
    }

    /// Lets nothing else out of a network namespace from now on.
    public func enforce(in place: Place) throws(Failure) {
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
            \(allowed)counter name refused
            meta l4proto tcp reject with tcp reset
            reject with icmpx admin-prohibited
            }
            }

            """, in: place.helper)
    }

    /// How many packets were refused so far.
    public static func refused(in place: Place) throws(Failure) -> UInt64 {
        let (_, output) = try HelperProgram.run(
            "nft", ["list", "counter", "inet", table, "refused"], package: "nftables", in: place.helper)
        let words = output.split(whereSeparator: \.isWhitespace)
        let index = words.firstIndex(of: "packets")
        return index.flatMap { words.indices.contains($0 + 1) ? UInt64(words[$0 + 1]) : nil } ?? 0
    }
}

/// How much a container may receive and send, in bits per second.
public struct NetworkRate: JSONMappable, Sendable, Equatable {
    public var received: UInt64
    public var sent: UInt64

    package init() { (received, sent) = (1, 1) }

    package mutating func map(_ fields: JSONFields) {
        fields.required("received", &received)
        fields.required("sent", &sent)
    }

    /// Reads `10mbit` for both, or `100mbit:10mbit` for what it receives and what it sends.
    ///
    /// - Throws: A failure whose step is left empty for the flag's name.
    public init(parsing text: String) throws(Failure) {
        let rates = text.parts(between: ":").map(Self.rate)
        guard 1...2 ~= rates.count, let received = rates[0], let sent = rates[rates.count - 1] else {
            throw Failure(
                "", "'\(text)'", "not a rate",
                remedy: "give bits per second such as 10mbit, or RECEIVED:SENT such as 100mbit:10mbit, from 8kbit on")
        }
        (self.received, self.sent) = (received, sent)
    }

    private static func rate(_ text: String) -> UInt64? {
        let digits = text.prefix { ("0"..."9").contains($0) }
        let units: [String: UInt64] = [
            "bit": 1, "": 1, "kbit": 1000, "mbit": 1_000_000, "gbit": 1_000_000_000, "k": 1000, "m": 1_000_000,
            "g": 1_000_000_000,
        ]
        guard let number = UInt64(digits), let unit = units[text.dropFirst(digits.count).lowercased()] else {
            return nil
        }
        let (rate, overflow) = number.multipliedReportingOverflow(by: unit)
        return overflow || rate < 8000 || rate > 1_000_000_000_000 ? nil : rate
    }
}

extension NetworkStore {
    /// Limits a member: what the machine sends to it, and what it sends.
    public func limit(_ member: NetworkMember, to rate: NetworkRate, namespace: FileDescriptor) throws(Failure) {
        do throws(SystemCallError) {
            var here = try LinkSocket()
            defer { here.close() }
            try Self.limit(member.hostInterface, &here, rate.received)
            var inside = try LinkSocket(in: namespace)
            defer { inside.close() }
            try Self.limit(member.interface, &inside, rate.sent)
        } catch {
            throw Failure("--network-rate", "network '\(member.network)'", "\(error)")
        }
    }

    private static func limit(_ name: String, _ links: inout LinkSocket, _ bits: UInt64) throws(SystemCallError) {
        guard let index = try links.index(of: name) else { return }
        // As much as 10 ms of it at once, but a few packets at least: segments of up to 64 KiB are one to the device.
        let burst = UInt32(clamping: max(bits / 8 / 100, 128 << 10))
        try links.change([.limit(name, index: index, rate: bits / 8, burst: burst)])
    }
}
