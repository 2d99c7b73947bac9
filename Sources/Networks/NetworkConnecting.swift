import Glibc
public import Linux
public import SystemPackage

/// The devices of a network's members.
extension NetworkStore {
    /// Connects a member's network namespace to its network's bridge.
    ///
    /// An ordinary user's namespace belongs to the same user namespace as that of the bridge.
    ///
    /// - Parameters:
    ///   - namespace: The container's.
    ///   - isFirst: Whether its default route leads through this network.
    public func connect(
        _ member: NetworkMember, of network: Network, namespace: FileDescriptor, isFirst: Bool
    ) throws(Failure) {
        try atBridges { () throws(Failure) in
            try connectHere(member, network, namespace, leadsOut: isFirst && !network.isInternal && Self.isMachineWide)
        }
    }

    private func connectHere(
        _ member: NetworkMember, _ network: Network, _ namespace: FileDescriptor, leadsOut: Bool
    ) throws(Failure) {
        do throws(SystemCallError) {
            var here = try LinkSocket()
            defer { here.close() }
            guard let bridge = try here.index(of: network.bridge) else {
                throw SystemCallError("rtnetlink", "", Errno(rawValue: ENODEV))
            }
            let pair = LinkChange.makePair(
                member.hostInterface, bridge: bridge, peer: member.interface, in: namespace,
                hardwareAddress: member.hardwareAddress.bytes, mtu: network.mtu)
            do throws(SystemCallError) {
                try here.change([pair])
            } catch  where error.errno == .fileExists {
                // Of an earlier life of this container, whose namespace is about to go.
                try here.change([.remove(member.hostInterface)])
                try here.change([pair])
            }
            // Who has ports of the machine may ask for them itself.
            if !member.ports.isEmpty, let port = try here.index(of: member.hostInterface) {
                try here.change([.reflect(member.hostInterface, index: port)])
            }
            var inside = try LinkSocket(in: namespace)
            defer { inside.close() }
            guard let index = try inside.index(of: member.interface) else {
                throw SystemCallError("rtnetlink", "", Errno(rawValue: ENODEV))
            }
            let hidesIPv6 = network.ipv6 == nil && access("/proc/sys/net/ipv6", F_OK) == 0
            var changes: [LinkChange] = [.setUp(member.interface, index: index, withoutLinkLocal: hidesIPv6)]
            for (address, range) in zip(member.addresses, network.ranges) {
                changes.append(
                    .address(address.bytes, prefix: range.subnet.prefix, of: member.interface, index: index))
                if leadsOut {
                    changes.append(.defaultRoute(via: range.gateway.bytes, of: member.interface, index: index))
                }
            }
            for address in member.linkLocal {
                changes.append(
                    .address(address.bytes, prefix: address.isIPv6 ? 64 : 16, of: member.interface, index: index))
            }
            try inside.change(changes)
        } catch {
            throw Failure("connect", "network '\(network.name)'", "\(error)")
        }
    }

    /// Leads a member's default route through its network, for root: an ordinary user's way out is pasta's device.
    public func route(_ member: NetworkMember, namespace: FileDescriptor) throws(Failure) {
        let network = try find(member.networkID)
        if network.isInternal || !Self.isMachineWide { return }
        try Self.failing("'\(network.name)'") { () throws(SystemCallError) in
            var inside = try LinkSocket(in: namespace)
            defer { inside.close() }
            guard let index = try inside.index(of: member.interface) else { return }
            try inside.change(
                zip(member.addresses, network.ranges).map {
                    .defaultRoute(via: $1.gateway.bytes, of: member.interface, index: index)
                })
        }
    }

    /// Takes a member's device away from it, as it lives on.
    public func disconnect(_ member: NetworkMember) throws(Failure) {
        try atBridges { () throws(Failure) in
            try Self.failing("'\(member.network)'") { () throws(SystemCallError) in
                try Self.removeDevice(member.hostInterface)
            }
        }
    }

    /// Closes an ordinary user's way out, which ends pasta too.
    public func closeWayOut(in place: NetworkPlace) throws(Failure) {
        try place.run { () throws(Failure) in
            try Self.failing(Pasta.device) { () throws(SystemCallError) in
                try Self.removeDevice(Pasta.device)
            }
        }
    }

    private static func removeDevice(_ name: String) throws(SystemCallError) {
        var links = try LinkSocket()
        defer { links.close() }
        if try links.index(of: name) != nil { try links.change([.remove(name)]) }
    }
}
