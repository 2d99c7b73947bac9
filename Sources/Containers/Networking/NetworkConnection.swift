import Glibc
import Linux
public import Networks
import OCI
import SystemPackage

extension ContainerStore {
    /// The networks of this user.
    public var networks: NetworkStore { NetworkStore(data: directory, live: live) }

    /// Which container has a port of the machine, by the records of those that run.
    fileprivate func publisher(of port: PublishedPort) -> String? {
        let states = (try? supervisedStates().found) ?? []  // `try?`: then nobody knows
        let holder = states.first { state in
            state.network?.ports.contains { $0.hostPort == port.hostPort && $0.kind == port.kind } ?? false
        }
        return holder.map { "container '\($0.name)'" }
    }
}

extension Container {
    /// The networks that it may be in.
    public var networks: NetworkStore { store.networks }
}

/// A container's connection to networks, from before its start until after its end.
final class NetworkConnection: @unchecked Sendable {  // its process has one thread
    private let id: String
    private let store: NetworkStore
    /// With the container's place in each; the first has its default route.
    private var places: [(network: Network, member: NetworkMember)] = []
    /// Whether pasta is its way out.
    let usesPasta: Bool
    /// Where its user's networks are, if it is in some and that is not root.
    private var shared: NetworkPlace?
    private let reservation: PortReservation?
    private var pasta: Pasta?
    private let egress: Egress?
    private let rate: NetworkRate?
    /// Where the allow-list is, so that it can still be asked when the container has ended.
    private var enforced: NetworkPlace?

    /// How it is connected, for its record.
    var state: NetworkState {
        NetworkState(
            mode: places.first?.network.name ?? (usesPasta ? "pasta" : "none"), members: places.map(\.member),
            ports: reservation?.ports ?? [])
    }

    /// The machine's address as the container sees it.
    var gateway: IPAddress? {
        if usesPasta || shared != nil { return nil }
        return places.first { !$0.network.isInternal }?.network.ipv4.gateway
    }

    /// Its own addresses, as far as they are known before it starts.
    var addresses: [IPAddress] { places.first?.member.addresses ?? [] }

    /// For the start: without rights, all may ping and listen on any port of a network that is the container's own, as
    /// Docker has it; and an address that pasta sets counts at once, rather than after the kernel has asked for others with it.
    func prepare(_ spec: inout Spec) throws(Failure) {
        try shareUsers(&spec)
        var defaults = [
            "net.ipv4.ip_unprivileged_port_start": "0",
            "net.ipv4.ping_group_range": "0 \(try Self.lastGroup(of: spec))",
        ]
        if usesPasta, access("/proc/sys/net/ipv6", F_OK) == 0 {
            defaults["net.ipv6.conf.default.accept_dad"] = "0"
        }
        let asked = spec.linux?.sysctl ?? [:]
        spec.linux?.sysctl = defaults.merging(asked) { $1 }
    }

    /// The last group that its user namespace has: the kernel takes no other as the end of a range.
    private static func lastGroup(of spec: Spec) throws(Failure) -> UInt64 {
        var maps = spec.linux?.gidMappings ?? []
        if maps.isEmpty, spec.has(.user) { return 0 }  // that of somebody else, which has at least this one
        if maps.isEmpty {
            do throws(SystemCallError) {
                maps = try ContainerStore.idMap(in: "/proc/self/gid_map")
            } catch {
                throw Failure("read own groups", "", error)
            }
        }
        let last = maps.map { UInt64($0.containerID) + UInt64($0.size) - 1 }.max() ?? 0
        return min(last, 2_147_483_647)  // what the kernel takes at most
    }

    /// Puts the container into the user namespace that owns its networks.
    private func shareUsers(_ spec: inout Spec) throws(Failure) {
        guard let user = shared?.user else { return }
        let path = "/proc/self/fd/\(user.rawValue)"
        let here = FileDescriptor.workingDirectory
        for index in (spec.linux?.namespaces ?? []).indices where spec.linux?.namespaces?[index].type == .user {
            if let joined = spec.linux?.namespaces?[index].path,
                here.linkTarget(of: joined) != here.linkTarget(of: path)
            {
                throw Failure(
                    "--network", "'\(places.first?.network.name ?? "")'",
                    "the container whose namespaces are to be joined has users of its own",
                    remedy: "start that one in a network too, or use --network container:ID")
            }
            spec.linux?.namespaces?[index].path = path
        }
    }

    /// What is recorded of a Spec: the way to its users is this process' own.
    func recorded(_ spec: Spec) -> Spec {
        var spec = spec
        guard let user = shared?.user else { return spec }
        for index in (spec.linux?.namespaces ?? []).indices
        where spec.linux?.namespaces?[index].path == "/proc/self/fd/\(user.rawValue)" {
            spec.linux?.namespaces?[index].path = nil
        }
        return spec
    }

    /// Takes what the container needs before it is made: addresses and ports.
    ///
    /// - Returns: `nil` for a container that has no network, or that of somebody else.
    /// - Throws: What cannot be had; nothing is taken then.
    static func open(_ container: Container, _ config: ContainerConfig) throws(Failure) -> NetworkConnection? {
        let mode = config.network == .standard ? try NetworkDefault.choose(for: config) : config.network
        switch mode {
        case .none, .host, .container, .standard: return nil
        case .pasta:
            if geteuid() == 0 {
                throw Failure("--network", "'pasta'", "is for ordinary users", remedy: "as root use --network bridge")
            }
            if let obstacle = Pasta.obstacle() { throw obstacle }
            return NetworkConnection(
                container, config, try reserve(container, config), try config.resolvedEgress(), usesPasta: true)
        case .networks(let attachments):
            return try join(attachments, container, config)
        }
    }

    /// - Returns: The ports that pasta is to have, with their numbers.
    private static func reserve(
        _ container: Container, _ config: ContainerConfig
    ) throws(Failure) -> PortReservation? {
        let ports = config.allPorts
        if ports.isEmpty { return nil }
        let reservation = try PortReservation(ports, withIPv6: false) { container.store.publisher(of: $0) }
        // From here on they are pasta's to bind: init would hold these until it executes the command.
        reservation.close()
        return reservation
    }

    private static func join(
        _ attachments: [NetworkAttachment], _ container: Container, _ config: ContainerConfig
    ) throws(Failure) -> NetworkConnection {
        let store = container.store.networks
        var networks: [Network] = []
        for attachment in attachments { networks.append(try store.find(attachment.network)) }
        for (index, network) in networks.enumerated() where networks[..<index].contains(where: { $0.id == network.id })
        {
            throw Failure("--network", "'\(network.name)'", "is given twice")
        }
        let ports = config.allPorts
        let publisher = networks.firstIndex { !$0.isInternal }
        if !ports.isEmpty, publisher == nil {
            throw Failure(
                "--publish", "network '\(networks[0].name)'", "is internal: nothing from outside reaches it",
                remedy: "use a network made without --internal")
        }
        let isRoot = geteuid() == 0
        if !isRoot { try container.store.checkSharing(config, networks[0], leadsOut: publisher != nil) }
        let reservation: PortReservation?
        if !isRoot {
            reservation = try reserve(container, config)
        } else if ports.isEmpty {
            reservation = nil
        } else {
            let withIPv6 = networks[publisher ?? 0].ipv6 != nil
            reservation = try PortReservation(ports, withIPv6: withIPv6) { store.holder(of: $0) }
        }
        let connection = NetworkConnection(
            container, config, reservation, try config.resolvedEgress(), usesPasta: !isRoot && publisher != nil)
        do throws(Failure) {
            if !isRoot {
                connection.shared = try store.holdShared { () throws(Failure) in
                    try container.store.makeSharedNamespace()
                }
            }
            for (index, attachment) in attachments.enumerated() {
                let member = try store.join(
                    networks[index], attachment, ports: isRoot && index == publisher ? reservation?.ports ?? [] : [],
                    describe: { $0.describe(container.id, config.name, attachment.aliases, index: index) },
                    onNote: { Report.line($0) })
                connection.places.append((networks[index], member))
            }
            return connection
        } catch {
            connection.end()
            throw error
        }
    }

    private init(
        _ container: Container, _ config: ContainerConfig, _ reservation: PortReservation?, _ egress: Egress?,
        usesPasta: Bool
    ) {
        id = container.id
        store = container.store.networks
        self.reservation = reservation
        self.egress = egress
        rate = config.networkRate
        self.usesPasta = usesPasta
    }

    /// Tells the members of its networks of it, and it of them: its own hosts file is there.
    func announce() throws(Failure) {
        for (network, _) in places { try store.announce(network) }
    }

    /// Connects the container's network namespace.
    func connect(_ namespace: FileDescriptor) throws(Failure) {
        for (index, place) in places.enumerated() {
            try store.connect(place.member, of: place.network, namespace: namespace, isFirst: index == 0)
            if let rate { try store.limit(place.member, to: rate, namespace: namespace) }
        }
    }

    /// Connects a network namespace of this process' own user namespace, as it is not yet anybody's.
    func connectPrepared(_ namespace: FileDescriptor) throws(Failure) {
        try connect(namespace)
        guard egress != nil else { return }
        try enforceEgress(in: try NetworkPlace(network: namespace))
    }

    /// The names that an allow-list has, and what they stand for.
    var pinnedNames: [(name: String, address: IPAddress)] { egress?.names ?? [] }

    /// - Parameter place: Kept, so that it can still be asked when the container has ended.
    private func enforceEgress(in place: NetworkPlace) throws(Failure) {
        enforced = place
        try egress?.enforce(in: place)
    }

    /// How many packets the container was refused so far; `nil` without an allow-list.
    func refusedPackets() throws(Failure) -> UInt64? {
        try enforced.map { place throws(Failure) in try Egress.refused(in: place) }
    }

    /// Connects the network namespace of the container's init.
    func connect(_ pid: pid_t) throws(Failure) {
        let place = try NetworkPlace(of: pid)
        do throws(Failure) {
            try connect(place.network)
            if usesPasta {
                pasta = try Pasta.start(
                    for: pid, ports: reservation?.ports ?? [],
                    device: places.isEmpty && rate == nil ? nil : Pasta.device)
                if let rate { try NetworkStore.limitPasta(in: place, to: rate) }
            }
        } catch {
            place.close()
            throw error
        }
        if egress == nil { place.close() } else { try enforceEgress(in: place) }
    }

    /// Gives everything back. Devices go with the container's network namespace.
    func end() {
        pasta?.stop()
        pasta = nil
        enforced?.close()
        enforced = nil
        do throws(Failure) {
            for (network, _) in places { try store.leave(network, container: id) }
            try store.leaveAll(container: id, besides: places.map(\.network.name))
            if let shared { try store.releaseShared(shared) }
        } catch {
            Report.line("warning: \(error)")
        }
        places = []
        shared = nil
        reservation?.close()
    }
}

extension NetworkMember {
    /// - Parameter index: Which of the container's networks it is.
    mutating func describe(_ id: String, _ name: String?, _ aliases: [String], index: Int) {
        let short = String(id.prefix(12))
        container = id
        containerName = name ?? short
        names = (name.map { [$0] } ?? []) + aliases + [short]
        interface = "eth\(index)"
        hostInterface = "av\(id.prefix(11))\(String(index, radix: 36))"
    }
}

extension ContainerConfig {
    /// Its allow-list, the names resolved.
    fileprivate func resolvedEgress() throws(Failure) -> Egress? {
        guard let egress else { return nil }
        return try Egress(egress)
    }

    /// What is to be published: what was asked for, and with `--publish-all` whatever the container listens on.
    var allPorts: [PublishedPort] {
        guard publishAll else { return ports }
        let listened = (exposedPorts + (root.image?.exposedPorts ?? [])).flatMap { text in
            (try? PortSyntax.expose(text)) ?? []  // `try?`: an image's mistake is no port
        }
        var all = ports
        for port in listened where !all.contains(where: { $0.inside == port }) {
            all.append(PublishedPort(hostPort: 0, containerPort: port.number, kind: port.kind))
        }
        return all
    }
}
