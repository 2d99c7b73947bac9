import CLinux
import Glibc
public import Linux
import OCI
public import SystemPackage

/// The networks of one user, and who is in them.
///
///     <data>/networks/<name>.json      what its user asked for
///     <live>/networks/<name>.leases    its members and their addresses
///     <live>/networks/<name>.lock      locked (flock) for each change of both, and of what the kernel has of them
public struct NetworkStore: Sendable {
    private let data: FileDescriptor
    let live: FileDescriptor

    /// - Parameters:
    ///   - data: The data directory.
    ///   - live: The directory of what ends with the boot.
    public init(data: FileDescriptor, live: FileDescriptor) {
        self.data = data
        self.live = live
    }

    private static let directory = "networks"
    private static let recordLimit = 16 << 20

    static func failing<Result>(
        _ subject: String, _ body: () throws(SystemCallError) -> Result
    ) throws(Failure) -> Result {
        do throws(SystemCallError) {
            return try body()
        } catch {
            throw Failure("network", subject, error)
        }
    }

    // MARK: Networks

    /// All of them, by name; those whose records are damaged are told of.
    public func list() throws(Failure) -> (networks: [Network], damaged: [Failure]) {
        var (networks, damaged): ([Network], [Failure]) = ([], [])
        for name in try names(in: data, ending: ".json") {
            do throws(Failure) {
                if let network = try load(name) { networks.append(network) }
            } catch {
                damaged.append(error)
            }
        }
        return (networks.sorted { $0.name < $1.name }, damaged)
    }

    /// The network with this name, ID, or unique beginning of an ID.
    public func find(_ reference: String) throws(Failure) -> Network {
        if Self.isFileName(reference), let network = try load(reference) { return network }
        if reference == Network.standardName { return try standard() }
        let isPrefix = !reference.isEmpty && reference.utf8.allSatisfy { 0x30...0x39 ~= $0 || 0x61...0x66 ~= $0 }
        let matches = isPrefix ? try list().networks.filter { $0.id.hasPrefix(reference) } : []
        guard matches.count < 2 else {
            throw Failure("network", "'\(reference)'", "several IDs begin with it", remedy: "give more of the ID")
        }
        guard let match = matches.first else {
            throw Failure(
                "network", "'\(reference)'", "no such network",
                remedy: "see 'apus network ls', or make it with 'apus network create'")
        }
        return match
    }

    /// The one that containers are in by default, made if it is missing.
    private func standard() throws(Failure) -> Network {
        var network = Network()
        network.name = Network.standardName
        return try add(network, range: nil, withIPv6: false, ipv6: nil)
    }

    /// Makes a network.
    ///
    /// - Parameters:
    ///   - range: Its IPv4 addresses; chosen if `nil`.
    ///   - withIPv6: Whether it has IPv6, with `ipv6` or a random range.
    /// - Throws: When its name is taken, or its addresses belong to another network or lead elsewhere already.
    public func create(
        _ name: String, range: Network.Range?, withIPv6: Bool, ipv6: Network.Range?, isInternal: Bool = false,
        mtu: Int? = nil, labels: [String: String] = [:], options: [String: String] = [:]
    ) throws(Failure) -> Network {
        var network = Network()
        (network.name, network.isInternal, network.mtu) = (name, isInternal, mtu)
        (network.labels, network.options) = (labels, options)
        guard Self.isFileName(name), !["none", "host", "default", "pasta", "container"].contains(name) else {
            throw Failure("network create", "'\(name)'", "not a name for a network", remedy: "choose another")
        }
        return try add(network, range: range, withIPv6: withIPv6, ipv6: ipv6)
    }

    private func add(
        _ asked: Network, range: Network.Range?, withIPv6: Bool, ipv6: Network.Range?
    ) throws(Failure) -> Network {
        var network = asked
        let lock = try lock(".all")  // no name of a network begins so
        defer { lock.closeQuietly() }
        if let there = try load(network.name) {
            if there.name == Network.standardName { return there }
            throw Failure(
                "network create", "'\(network.name)'", "there is a network of that name",
                remedy: "remove it with 'apus network rm \(network.name)', or choose another name")
        }
        let others = try list().networks
        try checkOverlap([range, ipv6].compactMap { $0?.subnet }, others)
        let taken = others.flatMap { $0.ranges.map(\.subnet) } + (try SubnetChoice.routed())
        let subnet = try SubnetChoice.free(isStandard: network.name == Network.standardName, besides: taken)
        network.ipv4 = range ?? Network.Range(subnet: subnet, gateway: subnet.address.advanced(by: 1))
        if withIPv6 || ipv6 != nil {
            let random = SubnetChoice.randomIPv6()
            network.ipv6 = ipv6 ?? Network.Range(subnet: random, gateway: random.address.advanced(by: 1))
        }
        network.id = try Self.newID()
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        network.created = UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
        let (bytes, name) = (network.json(), network.name)
        try Self.failing("'\(name)'") { () throws(SystemCallError) in
            try data.makeDirectory(Self.directory, mode: 0o711)
            let networks = try data.open(Self.directory, O_RDONLY | O_DIRECTORY)
            defer { networks.closeQuietly() }
            try networks.replaceFile("\(name).json", with: bytes)
        }
        return network
    }

    private func checkOverlap(_ subnets: [Subnet], _ others: [Network]) throws(Failure) {
        for subnet in subnets {
            for other in others {
                for range in other.ranges where range.subnet.overlaps(subnet) {
                    throw Failure(
                        "--subnet", subnet.text, "overlaps network '\(other.name)' (\(range.subnet.text))",
                        remedy: "choose another, or leave the choice to Apus")
                }
            }
            if let route = try SubnetChoice.routed().first(where: { $0.overlaps(subnet) }) {
                throw Failure(
                    "--subnet", subnet.text, "overlaps \(route.text), for which this machine has a route",
                    remedy: "choose another, or leave the choice to Apus")
            }
        }
    }

    /// Removes a network that nobody is in, with its bridge and its table.
    ///
    /// The default one is made again when it is next needed.
    ///
    /// - Throws: When a container is in it.
    public func remove(_ network: Network) throws(Failure) {
        try locked(network) { leases throws(Failure) in
            guard leases.members.isEmpty else {
                let names = leases.members.map(\.containerName).sorted().joined(separator: ", ")
                throw Failure(
                    "remove network", "'\(network.name)'", "in use by \(names)",
                    remedy: "stop those containers, or take them out with 'apus network disconnect'")
            }
            try atBridges { () throws(Failure) in try BridgeSetup.remove(network) }
            try Self.failing("'\(network.name)'") { () throws(SystemCallError) in
                try data.remove("\(Self.directory)/\(network.name).json")
                try live.remove("\(Self.directory)/\(network.name).leases")
                try live.remove("\(Self.directory)/\(network.name).lock")
            }
        }
    }

    private func load(_ name: String) throws(Failure) -> Network? {
        let path = "\(Self.directory)/\(name).json"
        guard let bytes = try contents(of: path, in: data) else { return nil }
        do throws(SpecError) {
            let network = try Network(json: bytes)
            if network.name == name { return network }
            throw SpecError(path: "name", reason: "that of network '\(network.name)'")
        } catch {
            throw Failure(
                "network", "'\(name)'", "its record is damaged (\(error))",
                remedy: "remove \(path) in the data directory")
        }
    }

    private func contents(of path: String, in directory: FileDescriptor) throws(Failure) -> [UInt8]? {
        do throws(SystemCallError) {
            return try directory.contents(of: path, limit: Self.recordLimit)
        } catch  where error.errno == .noSuchFileOrDirectory {
            return nil
        } catch {
            throw Failure("network", path, error)
        }
    }

    private func names(in directory: FileDescriptor, ending: String) throws(Failure) -> [String] {
        do throws(SystemCallError) {
            let networks = try directory.open(Self.directory, O_RDONLY | O_DIRECTORY)
            defer { networks.closeQuietly() }
            return try networks.entries().filter { $0.hasSuffix(ending) && !$0.hasPrefix(".") }
                .map { String($0.dropLast(ending.count)) }
        } catch  where error.errno == .noSuchFileOrDirectory {
            return []
        } catch {
            throw Failure("network", Self.directory, error)
        }
    }

    private static func isFileName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 200 && !name.hasPrefix(".")
            && !name.utf8.contains { $0 == UInt8(ascii: "/") || $0 <= 0x20 }
    }

    private static func newID() throws(Failure) -> String {
        var bytes = [UInt8](repeating: 0, count: 32)
        guard getrandom(&bytes, 32, 0) == 32 else {
            throw Failure("network", "ID", SystemCallError("getrandom", "", Errno(rawValue: errno)))
        }
        return bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    // MARK: Members

    /// The members of a network, as they are now.
    public func members(of network: Network) throws(Failure) -> [NetworkMember] {
        try readLeases(network.name).members
    }

    private func readLeases(_ name: String) throws(Failure) -> Leases {
        let path = "\(Self.directory)/\(name).leases"
        guard let bytes = try contents(of: path, in: live) else { return Leases() }
        do throws(SpecError) {
            return try Leases(json: bytes)
        } catch {
            throw Failure(
                "network", "'\(name)'", "its leases are damaged (\(error))",
                remedy: "stop its containers and remove \(path) in \(Self.directory)'s directory")
        }
    }

    func lock(_ name: String) throws(Failure) -> FileDescriptor {
        try Self.failing("'\(name)'") { () throws(SystemCallError) in
            let path = "\(Self.directory)/\(name).lock"
            while true {
                let file: FileDescriptor
                do throws(SystemCallError) {
                    file = try live.open(path, O_RDWR | O_CREAT | O_NOFOLLOW)
                } catch  where error.errno == .noSuchFileOrDirectory {
                    try live.makeDirectory(Self.directory, mode: 0o711)
                    file = try live.open(path, O_RDWR | O_CREAT | O_NOFOLLOW)
                }
                _ = try file.lock(wait: true)
                // Whoever held it may have removed the network meanwhile: then this is a lock on nothing.
                if try file.status().st_nlink > 0 { return file }
                file.closeQuietly()
            }
        }
    }

    /// Calls `body` while no other process changes the network or its members; keeps what it changes.
    private func locked<Result>(
        _ network: Network, _ body: (inout Leases) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let lock = try lock(network.name)
        defer { lock.closeQuietly() }
        guard data.has("\(Self.directory)/\(network.name).json") else {
            throw Failure("network", "'\(network.name)'", "has just been removed")
        }
        var leases = try readLeases(network.name)
        return try body(&leases)
    }

    private func save(_ leases: Leases, of network: Network) throws(Failure) {
        try Self.failing("'\(network.name)'") { () throws(SystemCallError) in
            let networks = try live.open(Self.directory, O_RDONLY | O_DIRECTORY)
            defer { networks.closeQuietly() }
            try networks.replaceFile("\(network.name).leases", with: leases.json(), transient: true)
        }
    }

    /// Gives a container its place in a network, and makes the network's bridge if it is missing.
    ///
    /// For an ordinary user the caller holds the shared namespace.
    ///
    /// - Parameters:
    ///   - ports: What of the machine's ports leads to it from now on.
    ///   - describe: Completes the member: whose it is, its names, its devices.
    ///   - onNote: Called with what the user should know.
    public func join(
        _ network: Network, _ asked: NetworkAttachment, ports: [PublishedPort],
        describe: (inout NetworkMember) -> Void, onNote: (String) -> Void
    ) throws(Failure) -> NetworkMember {
        try locked(network) { leases throws(Failure) in
            let before = leases
            let members = leases.members
            try atBridges { () throws(Failure) in
                let (_, notes) = try BridgeSetup.ensure(network, members)
                notes.forEach(onNote)
            }
            let member = try leases.add(to: network, asked) {
                describe(&$0)
                $0.ports = ports
            }
            try save(leases, of: network)
            do throws(Failure) {
                if !ports.isEmpty { try Firewall.publish(network, leases.members) }
            } catch {
                try? save(before, of: network)  // `try?`: the first error is the one to report
                throw error
            }
            return member
        }
    }

    /// Tells the members of a network each other's names, by their hosts files.
    public func announce(_ network: Network) throws(Failure) {
        guard network.hasNames else { return }
        try locked(network) { leases throws(Failure) in try updateNames(network, leases.members) }
    }

    private func updateNames(_ network: Network, _ members: [NetworkMember]) throws(Failure) {
        let containers = try Self.failing("hosts files") { () throws(SystemCallError) in
            try live.open("containers", O_RDONLY | O_DIRECTORY)
        }
        defer { containers.closeQuietly() }
        try MemberNames.update(network, members, in: containers)
    }

    /// Takes a container out of a network, whether or not it was in it.
    ///
    /// - Returns: What it had there.
    @discardableResult
    public func leave(_ network: Network, container: String) throws(Failure) -> NetworkMember? {
        try locked(network) { leases throws(Failure) in
            guard let member = leases.remove(container: container) else { return nil }
            try save(leases, of: network)
            if !member.ports.isEmpty { try Firewall.publish(network, leases.members) }
            if network.hasNames {
                try updateNames(network, leases.members)
                // `try?`: its file goes with it, or is there still for it to lose the others' names
                if let containers = try? live.open("containers", O_RDONLY | O_DIRECTORY) {
                    MemberNames.remove(network, from: container, in: containers)
                    containers.closeQuietly()
                }
            }
            return member
        }
    }

    /// Takes a container out of all networks: for one whose supervisor was killed, or that was connected to more.
    ///
    /// - Parameter others: Networks that it is not in any more.
    public func leaveAll(container: String, besides others: [String] = []) throws(Failure) {
        for name in try names(in: live, ending: ".leases") where !others.contains(name) {
            guard try readLeases(name).members.contains(where: { $0.container == container }) else { continue }
            guard let network = try load(name) else { continue }
            try leave(network, container: container)
        }
    }

    /// Which container has a port of the machine.
    public func holder(of port: PublishedPort) -> String? {
        // `try?`: then nobody knows
        for name in (try? names(in: live, ending: ".leases")) ?? [] {
            for member in (try? readLeases(name).members) ?? [] {
                let isHeld = member.ports.contains { held in
                    held.hostPort == port.hostPort && held.kind == port.kind
                        && (held.address == nil || port.address == nil || held.address == port.address)
                }
                if isHeld { return "container '\(member.containerName)'" }
            }
        }
        return nil
    }
}
