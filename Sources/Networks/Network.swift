public import OCI

/// A network that containers share: what its user asked for, and the names that it has in the kernel.
public struct Network: JSONMappable, Sendable, Equatable {
    /// The format of this record; another one is refused rather than guessed.
    private var schemaVersion = Self.currentSchema
    /// The only format that this version reads and writes.
    private static let currentSchema = 1

    /// The one that containers of root are in unless they say otherwise. It is made when it is first needed.
    public static let standardName = "bridge"

    /// A range of addresses, and who routes for it.
    public struct Range: JSONMappable, Sendable, Equatable {
        public var subnet: Subnet
        /// The bridge's own address.
        public var gateway: IPAddress
        /// The part of it that containers get addresses from; all of it if `nil`.
        public var leased: Subnet?

        public init(subnet: Subnet, gateway: IPAddress, leased: Subnet? = nil) {
            self.subnet = subnet
            self.gateway = gateway
            self.leased = leased
        }

        package init() {
            let nowhere = IPAddress(isIPv6: false, value: 0)
            self.init(subnet: Subnet(nowhere, prefix: 32)!, gateway: nowhere)
        }

        package mutating func map(_ fields: JSONFields) {
            fields.required("subnet", &subnet)
            fields.required("gateway", &gateway)
            fields.optional("leased", &leased)
        }
    }

    public internal(set) var name: String
    /// 64 hexadecimal digits.
    public internal(set) var id: String
    /// In nanoseconds since 1970.
    public internal(set) var created: UInt64
    public internal(set) var ipv4: Range
    public internal(set) var ipv6: Range?
    /// Whether it leads nowhere else.
    public internal(set) var isInternal: Bool
    /// In bytes; the kernel's default if `nil`.
    public internal(set) var mtu: Int?
    public internal(set) var labels: [String: String]
    /// As its user gave them.
    public internal(set) var options: [String: String]

    package init() {
        (name, id, created, ipv4, isInternal, labels, options) = ("", "", 0, Range(), false, [:], [:])
    }

    package mutating func map(_ fields: JSONFields) {
        fields.required("schemaVersion", &schemaVersion)
        fields.check("schemaVersion", schemaVersion == Self.currentSchema, expected: "\(Self.currentSchema)")
        fields.required("name", &name)
        fields.required("id", &id)
        fields.check(
            "id", id.utf8.count == 64 && id.utf8.allSatisfy(Self.isHexDigit), expected: "64 hexadecimal digits")
        fields.required("created", &created)
        fields.required("ipv4", &ipv4)
        fields.optional("ipv6", &ipv6)
        fields.required("internal", &isInternal)
        fields.optional("mtu", &mtu)
        fields.check("mtu", 68...65535 ~= mtu ?? 1500, expected: "a number from 68 to 65535")
        fields.required("labels", &labels)
        fields.required("options", &options)
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool { 0x30...0x39 ~= byte || 0x61...0x66 ~= byte }

    /// Of the bridge, and of the nf_tables table: 15 bytes, as many as a device's name may have.
    public var bridge: String { "ap-\(id.prefix(12))" }

    /// Its ranges, IPv4 first.
    public var ranges: [Range] { [ipv4] + (ipv6.map { [$0] } ?? []) }

    /// Whether containers are known in it by their names.
    public var hasNames: Bool { name != Self.standardName }
}

extension JSONFields {
    /// A list that is left out when it is empty, as in records of before there was one.
    fileprivate func list(_ name: StaticString, _ property: inout [IPAddress]) {
        var known = property.isEmpty ? nil : property
        optional(name, &known)
        property = known ?? []
    }
}

/// What a container asks of one network that it is to be in.
public struct NetworkAttachment: JSONMappable, Sendable, Equatable {
    /// The network's name or ID.
    public var network: String
    public var ipv4: IPAddress?
    public var ipv6: IPAddress?
    public var hardwareAddress: HardwareAddress?
    /// Further names that it is known by there.
    public var aliases: [String]
    /// Further addresses, which mean something on its own link alone.
    public var linkLocal: [IPAddress]

    public init(network: String) {
        self.network = network
        (aliases, linkLocal) = ([], [])
    }

    package init() { self.init(network: "") }

    package mutating func map(_ fields: JSONFields) {
        fields.required("network", &network)
        fields.optional("ipv4", &ipv4)
        fields.optional("ipv6", &ipv6)
        fields.optional("hardwareAddress", &hardwareAddress)
        fields.required("aliases", &aliases)
        fields.list("linkLocal", &linkLocal)
    }
}

/// A container's place in a network: what it has there as long as it runs.
public struct NetworkMember: JSONMappable, Sendable, Equatable {
    /// The network's name.
    public var network: String
    /// Its ID.
    public var networkID: String
    /// The container's ID.
    public var container: String
    public var containerName: String
    /// What others know it by.
    public var names: [String]
    public var ipv4: IPAddress
    public var ipv6: IPAddress?
    public var hardwareAddress: HardwareAddress
    /// The device's name in the container.
    public var interface: String
    /// That of the other end.
    public var hostInterface: String
    /// What of the machine's ports leads to it.
    public var ports: [PublishedPort]
    /// As it asked for.
    public var linkLocal: [IPAddress]

    package init() {
        (network, networkID, container, containerName, names, interface, hostInterface, ports, linkLocal) = (
            "", "", "", "", [], "", "", [], []
        )
        ipv4 = IPAddress(isIPv6: false, value: 0)
        hardwareAddress = HardwareAddress(bytes: [])
    }

    package mutating func map(_ fields: JSONFields) {
        fields.required("network", &network)
        fields.required("networkID", &networkID)
        fields.required("container", &container)
        fields.required("containerName", &containerName)
        fields.required("names", &names)
        fields.required("ipv4", &ipv4)
        fields.optional("ipv6", &ipv6)
        fields.required("hardwareAddress", &hardwareAddress)
        fields.required("interface", &interface)
        fields.required("hostInterface", &hostInterface)
        fields.required("ports", &ports)
        fields.list("linkLocal", &linkLocal)
    }

    public var addresses: [IPAddress] { [ipv4] + (ipv6.map { [$0] } ?? []) }
}

/// How a running container is connected: for those who look.
public struct NetworkState: JSONMappable, Sendable, Equatable {
    /// `none`, `pasta`, or the first network's name.
    public var mode: String
    public var members: [NetworkMember]
    /// What of the machine's ports leads to it.
    public var ports: [PublishedPort]
    /// How many packets an allow-list has refused; `nil` without one, and while the container runs.
    public var refused: UInt64?

    public init(mode: String, members: [NetworkMember] = [], ports: [PublishedPort] = []) {
        self.mode = mode
        self.members = members
        self.ports = ports
    }

    package init() { self.init(mode: "none") }

    package mutating func map(_ fields: JSONFields) {
        fields.required("mode", &mode)
        fields.required("members", &members)
        fields.required("ports", &ports)
        fields.optional("refused", &refused)
    }
}
