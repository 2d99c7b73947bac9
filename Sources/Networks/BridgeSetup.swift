import CLinux
import Glibc
import Linux
import OCI
import SystemPackage

/// A network's bridge on this machine.
enum BridgeSetup {
    /// Makes the bridge and its table, unless they are there.
    ///
    /// The caller holds the network's lock. An ordinary user's bridge has neither table nor address: it joins its members
    /// alone, and nothing is forwarded where it is.
    ///
    /// - Returns: The bridge's number, and what the user should know.
    static func ensure(
        _ network: Network, _ members: [NetworkMember]
    ) throws(Failure) -> (index: Int32, notes: [String]) {
        var links = try step("network", "'\(network.name)'") { () throws(SystemCallError) in try LinkSocket() }
        defer { links.close() }
        let index = try find(network, &links)
        if !NetworkStore.isMachineWide {
            if let index { return (index, []) }
            return (try make(network, &links), [])
        }
        // `try?`: nft will say what is wrong
        if let index, (try? FilterTable.exists(network.bridge)) == true { return (index, []) }
        var notes: [String] = []
        if !network.isInternal {
            try allowForwarding(network)
            if try Firewall.findsForwardingDropped() {
                notes.append(
                    "warning: this machine's iptables drop what is forwarded (chain FORWARD, as Docker sets it), and so "
                        + "what containers send beyond it; allow it with 'iptables -I DOCKER-USER -i ap-+ -j ACCEPT' and "
                        + "'iptables -I DOCKER-USER -o ap-+ -j ACCEPT'")
            }
        }
        try Firewall.install(network, members)
        if let index { return (index, notes) }
        do throws(Failure) {
            return (try make(network, &links), notes)
        } catch {
            try? Firewall.remove(network)  // `try?`: the first error is the one to report
            throw error
        }
    }

    static func remove(_ network: Network) throws(Failure) {
        var links = try step("network", "'\(network.name)'") { () throws(SystemCallError) in try LinkSocket() }
        defer { links.close() }
        if try find(network, &links) != nil {
            try step("remove network", "'\(network.name)'") { () throws(SystemCallError) in
                try links.change([.remove(network.bridge)])
            }
        }
        // `try?`: without nf_tables there is no table either
        if NetworkStore.isMachineWide, (try? FilterTable.exists(network.bridge)) == true {
            try Firewall.remove(network)
        }
    }

    private static func find(_ network: Network, _ links: inout LinkSocket) throws(Failure) -> Int32? {
        do throws(SystemCallError) {
            return try links.index(of: network.bridge)
        } catch {
            throw Failure("network", "'\(network.name)'", error)
        }
    }

    private static func make(_ network: Network, _ links: inout LinkSocket) throws(Failure) -> Int32 {
        // Of the network's own ID: it must stay the same, as containers remember it.
        let digits = network.id.utf8.suffix(10).map { UInt8($0 > 0x39 ? $0 - 0x57 : $0 - 0x30) }
        let own = stride(from: 0, to: 10, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
        do throws(SystemCallError) {
            try links.change([.makeBridge(network.bridge, hardwareAddress: [0x02] + own, mtu: network.mtu)])
            guard let index = try links.index(of: network.bridge) else {
                throw SystemCallError("rtnetlink", "", Errno(rawValue: ENODEV))
            }
            guard NetworkStore.isMachineWide else { return index }
            do throws(SystemCallError) {
                try links.change(
                    network.ranges.map {
                        .address($0.gateway.bytes, prefix: $0.subnet.prefix, of: network.bridge, index: index)
                    })
                // For connections to 127.0.0.1 that go on to a container. The table's `guard` keeps containers off it.
                try? write("1", to: "ipv4/conf/\(network.bridge)/route_localnet")  // `try?`: the others work
                return index
            } catch {
                try? links.change([.remove(network.bridge)])  // `try?`: the first error is the one to report
                throw error
            }
        } catch {
            throw Failure(
                "network", "'\(network.name)'", error,
                remedy: error.errno == .notPermitted
                    ? "CAP_NET_ADMIN is missing here; use --network none or host" : nil)
        }
    }

    private static func write(_ text: String, to name: String) throws(SystemCallError) {
        try FileDescriptor.workingDirectory.write(text, to: "/proc/sys/net/\(name)")
    }

    private static func isOn(_ name: String) -> Bool {
        FileDescriptor.contentsIfReadable(of: "/proc/sys/net/\(name)", limit: 16)?.first == UInt8(ascii: "1")
    }

    private static func allowForwarding(_ network: Network) throws(Failure) {
        try turnOn("ipv4/ip_forward")
        guard network.ipv6 != nil, !isOn("ipv6/conf/all/forwarding") else { return }
        guard access("/proc/sys/net/ipv6", F_OK) == 0 else {
            throw Failure(
                "network", "'\(network.name)'", "this machine has no IPv6", remedy: "make the network without --ipv6")
        }
        // A router does not listen to other routers unless it is told to.
        let interfaces = "/proc/sys/net/ipv6/conf"
        let names = try step("read", interfaces) { () throws(SystemCallError) in
            let directory = try FileDescriptor.workingDirectory.open(interfaces, O_RDONLY | O_DIRECTORY)
            defer { directory.closeQuietly() }
            return try directory.entries()
        }
        for name in names where name != "all" && isOn("ipv6/conf/\(name)/accept_ra") {
            try? write("2", to: "ipv6/conf/\(name)/accept_ra")  // `try?`: a device that is gone needs none
        }
        try turnOn("ipv6/conf/all/forwarding")
    }

    private static func turnOn(_ name: String) throws(Failure) {
        if isOn(name) { return }
        do throws(SystemCallError) {
            try write("1", to: name)
        } catch {
            let setting =
                "net.\(String(name.utf8.map { $0 == UInt8(ascii: "/") ? "." : Character(Unicode.Scalar($0)) }))"
            throw Failure(
                "network", setting, error,
                remedy: "have this machine forward packets with 'sysctl -w \(setting)=1', or use --network none or host"
            )
        }
    }
}
