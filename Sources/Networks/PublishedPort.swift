public import Linux
public import OCI

/// A protocol that has ports.
public enum PortProtocol: String, JSONValue, Sendable, CaseIterable {
    case tcp, udp
}

/// A port of a container.
public struct ContainerPort: Sendable, Hashable {
    public var number: UInt16
    public var kind: PortProtocol

    public init(_ number: UInt16, _ kind: PortProtocol) {
        self.number = number
        self.kind = kind
    }

    /// `80/tcp`.
    public var text: String { "\(number)/\(kind.rawValue)" }
}

/// A port of the machine that leads to one of a container.
public struct PublishedPort: JSONMappable, Sendable, Hashable {
    /// The one address of the machine at which it does; `nil` for all of them.
    public var address: IPAddress?
    /// 0 lets the kernel choose.
    public var hostPort: UInt16
    public var containerPort: UInt16
    public var kind: PortProtocol

    public init(address: IPAddress? = nil, hostPort: UInt16, containerPort: UInt16, kind: PortProtocol) {
        self.address = address
        self.hostPort = hostPort
        self.containerPort = containerPort
        self.kind = kind
    }

    package init() { self.init(hostPort: 0, containerPort: 0, kind: .tcp) }

    package mutating func map(_ fields: JSONFields) {
        fields.optional("address", &address)
        fields.required("hostPort", &hostPort)
        fields.required("containerPort", &containerPort)
        fields.required("kind", &kind)
    }

    public var inside: ContainerPort { ContainerPort(containerPort, kind) }

    /// `127.0.0.1:8080/tcp`, as errors name it.
    public var outsideText: String { "\(address?.textBeforePort ?? "0.0.0.0"):\(hostPort)/\(kind.rawValue)" }
}

/// Ports as flags write them.
public enum PortSyntax {
    private static let remedy = "give [[ADDRESS:]HOST:]CONTAINER[/tcp|udp], where both may be ranges such as 8000-8010"

    /// Reads `8080:80`, `80`, `127.0.0.1:8080:80/udp`, `[::1]::80`, `8000-8010:9000-9010`.
    ///
    /// - Returns: One for each port of the ranges.
    /// - Throws: A failure whose step is left empty for the flag's name.
    public static func publish(_ text: String) throws(Failure) -> [PublishedPort] {
        let (body, kind) = try split(text)
        var rest = body
        var address: IPAddress?
        if rest.hasPrefix("[") {
            guard let (before, behind) = sides(rest, at: "]"), behind.hasPrefix(":") else {
                throw refusal(text, "not a port to publish")
            }
            address = try self.address(String(before.dropFirst()), in: text)
            rest = String(behind.dropFirst())
        }
        var parts = rest.parts(between: ":")
        if parts.count == 3, address == nil {
            address = parts[0].isEmpty ? nil : try self.address(parts[0], in: text)
            parts.removeFirst()
        }
        guard parts.count <= 2, address == nil || parts.count == 2 else { throw refusal(text, "not a port to publish") }
        guard let inside = range(parts[parts.count - 1]) else { throw refusal(text, "not a port to publish") }
        let outside = parts.count == 2 ? parts[0] : ""
        return try pair(outside, inside, text).map {
            PublishedPort(
                address: address?.isUnspecified == true ? nil : address, hostPort: $0.0, containerPort: $0.1, kind: kind
            )
        }
    }

    private static func pair(
        _ outside: String, _ inside: ClosedRange<UInt16>, _ text: String
    ) throws(Failure) -> [(UInt16, UInt16)] {
        if outside.isEmpty || outside == "0" { return inside.map { (0, $0) } }
        guard let range = range(outside) else { throw refusal(text, "not a port to publish") }
        guard range.count == inside.count else {
            throw refusal(text, "ranges of different lengths, \(range.count) and \(inside.count)")
        }
        return Array(zip(range, inside))
    }

    /// Reads `80`, `80/udp` or `8000-8010`, as `--expose` and images have them.
    public static func expose(_ text: String) throws(Failure) -> [ContainerPort] {
        let (body, kind) = try split(text)
        guard let range = range(body) else { throw refusal(text, "not a port", "give PORT[-PORT][/tcp|udp]") }
        return range.map { ContainerPort($0, kind) }
    }

    private static func split(_ text: String) throws(Failure) -> (body: String, kind: PortProtocol) {
        guard let (body, name) = text.sides(ofLast: "/") else { return (text, .tcp) }
        guard let kind = PortProtocol(rawValue: name.lowercased()) else {
            throw refusal(text, "'\(name)' is not a protocol that can be published", "give tcp or udp")
        }
        return (body, kind)
    }

    private static func range(_ text: String) -> ClosedRange<UInt16>? {
        let parts = text.parts(between: "-")
        guard parts.count <= 2, let first = port(parts[0]), let last = port(parts[parts.count - 1]), first <= last
        else { return nil }
        return first...last
    }

    private static func port(_ text: String) -> UInt16? {
        guard text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let number = UInt16(text), number > 0 else { return nil }
        return number
    }

    private static func address(_ word: String, in text: String) throws(Failure) -> IPAddress {
        guard let address = IPAddress(word) else { throw refusal(text, "'\(word)' is not an IP address") }
        return address
    }

    private static func sides(_ text: String, at mark: Unicode.Scalar) -> (String, String)? {
        let parts = text.parts(between: mark, maxSplits: 1)
        return parts.count == 2 ? (parts[0], parts[1]) : nil
    }

    private static func refusal(_ text: String, _ reason: String, _ remedy: String = remedy) -> Failure {
        Failure("", "'\(text)'", reason, remedy: remedy)
    }
}
