import CLinux
import Glibc
public import SystemPackage

/// A conversation with the kernel about the devices, addresses and routes of one network namespace.
///
/// - Note: rtnetlink(7).
public struct LinkSocket {
    private var route: RouteSocket

    /// About this process' own network namespace.
    public init() throws(SystemCallError) { route = try RouteSocket() }

    /// About another one, in which this process is for a moment.
    ///
    /// - Throws: `EPERM` without CAP_SYS_ADMIN over it.
    public init(in namespace: FileDescriptor) throws(SystemCallError) {
        route = try RouteSocket.opened(in: namespace)
    }

    public func close() { route.socket.closeQuietly() }

    /// The number of a device; `nil` when there is none of that name.
    public mutating func index(of name: String) throws(SystemCallError) -> Int32? {
        do throws(SystemCallError) {
            let reply = try route.get(Int(RTM_GETLINK), named: name) {
                $0.appendLink(index: 0)
                $0.append(attribute: UInt16(IFLA_IFNAME), text: name)
            }
            return reply?.number(4, as: Int32.self)
        } catch  where error.errno.rawValue == ENODEV {
            return nil
        }
    }

    /// The names of all devices.
    public mutating func names() throws(SystemCallError) -> [String] {
        try route.list(Int(RTM_GETLINK), named: "links") { $0.appendLink(index: 0) }.compactMap { reply in
            let name = reply.attributes(after: 16).first { $0.type == UInt16(IFLA_IFNAME) }
            return name.map { String(decoding: $0.value.dropLast(), as: UTF8.self) }
        }
    }

    /// Makes several changes with one message; each is made, even when one before it fails.
    ///
    /// - Throws: What was refused first.
    public mutating func change(_ changes: [LinkChange]) throws(SystemCallError) {
        guard !changes.isEmpty else { return }
        try route.change(all: changes.map { ($0.name, $0.message) })
    }

    /// Where the main table's routes lead, default routes left out: the addresses' bytes, and how many bits count.
    ///
    /// - Parameter device: One whose routes do not count.
    public mutating func destinations(besides device: Int32? = nil) throws(SystemCallError) -> [(
        address: [UInt8], prefix: Int
    )] {
        let replies = try route.list(Int(RTM_GETROUTE), named: "routes") {
            for _ in 0..<12 { $0.append(UInt8(0)) }  // rtmsg: of every family and table
        }
        return replies.compactMap { reply in
            guard reply.number(4, as: UInt8.self) == UInt8(RT_TABLE_MAIN.rawValue) else { return nil }
            let attributes = reply.attributes(after: 12)
            let out = attributes.first { $0.type == UInt16(RTA_OIF.rawValue) }
            if let device, let out, RouteReply(type: 0, body: out.value).number(0, as: Int32.self) == device {
                return nil
            }
            return attributes.first { $0.type == UInt16(RTA_DST.rawValue) }.map {
                (Array($0.value), Int(reply.number(1, as: UInt8.self)))
            }
        }
    }
}

/// One change to a device, an address or a route.
public struct LinkChange {
    /// Whose, for messages.
    let name: String
    let message: RouteMessage

    private init(_ type: Int, _ name: String, flags: Int = 0, _ fill: (inout RouteMessage) -> Void) {
        self.name = name
        var message = RouteMessage(type: type, flags: flags | Int(NLM_F_ACK), sequence: 0)
        fill(&message)
        self.message = message
    }

    private static let new = Int(NLM_F_CREATE | NLM_F_EXCL)

    /// A bridge, set up.
    ///
    /// - Parameters:
    ///   - hardwareAddress: Its own: otherwise it would change with its ports.
    ///   - mtu: In bytes; the kernel's default if `nil`.
    public static func makeBridge(_ name: String, hardwareAddress: [UInt8], mtu: Int?) -> LinkChange {
        LinkChange(Int(RTM_NEWLINK), name, flags: new) {
            $0.appendLink(index: 0, flags: UInt32(IFF_UP), change: UInt32(IFF_UP))
            $0.append(attribute: UInt16(IFLA_IFNAME), text: name)
            $0.append(attribute: UInt16(IFLA_ADDRESS), hardwareAddress)
            if let mtu { $0.append(attribute: UInt16(IFLA_MTU), number: UInt32(mtu)) }
            $0.append(attribute: UInt16(IFLA_LINKINFO)) {
                $0.append(attribute: UInt16(IFLA_INFO_KIND), Array("bridge".utf8))
            }
        }
    }

    /// Two devices of which each gets what the other sends: one here, set up as a port of a bridge, and its peer in
    /// another namespace, down.
    ///
    /// - Parameters:
    ///   - name: The one here.
    ///   - bridge: Its bridge's number.
    ///   - peer: The name of the one there.
    ///   - namespace: A network namespace's file.
    ///   - hardwareAddress: Of the one there.
    ///   - mtu: Of both, in bytes; the kernel's default if `nil`.
    /// - Note: veth(4).
    public static func makePair(
        _ name: String, bridge: Int32, peer: String, in namespace: FileDescriptor, hardwareAddress: [UInt8], mtu: Int?
    ) -> LinkChange {
        LinkChange(Int(RTM_NEWLINK), name, flags: new) {
            $0.appendLink(index: 0, flags: UInt32(IFF_UP), change: UInt32(IFF_UP))
            $0.append(attribute: UInt16(IFLA_IFNAME), text: name)
            $0.append(attribute: UInt16(IFLA_MASTER), number: bridge)
            if let mtu { $0.append(attribute: UInt16(IFLA_MTU), number: UInt32(mtu)) }
            $0.append(attribute: UInt16(IFLA_LINKINFO)) {
                $0.append(attribute: UInt16(IFLA_INFO_KIND), Array("veth".utf8))
                $0.append(attribute: UInt16(IFLA_INFO_DATA)) {
                    $0.append(attribute: 1) {  // VETH_INFO_PEER
                        $0.appendLink(index: 0)
                        $0.append(attribute: UInt16(IFLA_IFNAME), text: peer)
                        $0.append(attribute: UInt16(IFLA_ADDRESS), hardwareAddress)
                        $0.append(attribute: UInt16(IFLA_NET_NS_FD), number: namespace.rawValue)
                        if let mtu { $0.append(attribute: UInt16(IFLA_MTU), number: UInt32(mtu)) }
                    }
                }
            }
        }
    }

    /// Lets a bridge send back through a port what came in by it, as is needed where br_netfilter translates addresses
    /// before the bridge decides.
    ///
    /// - Note: bridge(8), `hairpin`; linux/if_link.h, `IFLA_BRPORT_MODE`.
    public static func reflect(_ name: String, index: Int32) -> LinkChange {
        LinkChange(Int(RTM_SETLINK), name) {
            $0.append(UInt32(AF_BRIDGE))
            $0.append(index)
            $0.append(UInt64(0))  // no flags, none to change
            $0.append(attribute: UInt16(IFLA_PROTINFO) | 0x8000) {  // NLA_F_NESTED
                $0.append(attribute: 4, [1])  // IFLA_BRPORT_MODE
            }
        }
    }

    /// Sets a device up.
    ///
    /// - Parameter withoutLinkLocal: Whether it is to get no IPv6 address of its own making.
    public static func setUp(_ name: String, index: Int32, withoutLinkLocal: Bool = false) -> LinkChange {
        LinkChange(Int(RTM_NEWLINK), name) {
            $0.appendLink(index: index, flags: UInt32(IFF_UP), change: UInt32(IFF_UP))
            guard withoutLinkLocal else { return }
            $0.append(attribute: UInt16(IFLA_AF_SPEC)) {
                $0.append(attribute: UInt16(AF_INET6)) {
                    // IFLA_INET6_ADDR_GEN_MODE and IN6_ADDR_GEN_MODE_NONE of linux/if_link.h
                    $0.append(attribute: 8, [1])
                }
            }
        }
    }

    /// A device that sends what it is given back to where that came from, set up: for a queue on what arrives.
    ///
    /// - Note: tc-mirred(8), `ifb`.
    public static func makeQueueDevice(_ name: String) -> LinkChange {
        LinkChange(Int(RTM_NEWLINK), name, flags: new) {
            $0.appendLink(index: 0, flags: UInt32(IFF_UP), change: UInt32(IFF_UP))
            $0.append(attribute: UInt16(IFLA_IFNAME), text: name)
            $0.append(attribute: UInt16(IFLA_LINKINFO)) {
                $0.append(attribute: UInt16(IFLA_INFO_KIND), Array("ifb".utf8))
            }
        }
    }

    /// Leads all that arrives at a device through another one.
    ///
    /// - Note: tc-u32(8), tc-mirred(8); linux/pkt_cls.h, `tc_u32_sel`; linux/tc_act/tc_mirred.h, `tc_mirred`.
    public static func redirectArrivals(at name: String, index: Int32, to other: Int32) -> [LinkChange] {
        let ingress: UInt32 = 0xffff_0000
        let queue = LinkChange(Int(RTM_NEWQDISC), name, flags: new) {
            $0.append(UInt32(0))  // family, padding
            $0.append(index)
            $0.append(ingress)
            $0.append(UInt32(0xffff_fff1))  // TC_H_INGRESS
            $0.append(UInt32(0))
            $0.append(attribute: UInt16(TCA_KIND), text: "ingress")
        }
        let filter = LinkChange(Int(RTM_NEWTFILTER), name, flags: new) {
            $0.append(UInt32(0))
            $0.append(index)
            $0.append(UInt32(0))  // handle: the kernel's choice
            $0.append(ingress)
            $0.append(UInt32(1 << 16) | UInt32(UInt16(3).bigEndian))  // priority; ETH_P_ALL
            $0.append(attribute: UInt16(TCA_KIND), text: "u32")
            $0.append(attribute: UInt16(TCA_OPTIONS)) {
                // TCA_U32_SEL: one key, at whose place any value will do; TC_U32_TERMINAL
                $0.append(attribute: 5, [1, 0, 1, 0] + [UInt8](repeating: 0, count: 28))
                $0.append(attribute: 7) {  // TCA_U32_ACT
                    $0.append(attribute: 1) {
                        $0.append(attribute: 1, text: "mirred")  // TCA_ACT_KIND
                        $0.append(attribute: 2) {  // TCA_ACT_OPTIONS
                            $0.append(attribute: 2) {  // TCA_MIRRED_PARMS
                                $0.append(UInt32(0))
                                $0.append(UInt32(0))
                                $0.append(UInt32(4))  // TC_ACT_STOLEN
                                $0.append(UInt64(0))  // references, as the kernel counts them
                                $0.append(UInt32(1))  // TCA_EGRESS_REDIR
                                $0.append(other)
                            }
                        }
                    }
                }
            }
        }
        return [queue, filter]
    }

    public static func remove(_ name: String) -> LinkChange {
        LinkChange(Int(RTM_DELLINK), name) {
            $0.appendLink(index: 0)
            $0.append(attribute: UInt16(IFLA_IFNAME), text: name)
        }
    }

    /// An address of a device, used at once: nobody else is asked whether they have it.
    ///
    /// - Parameter address: 4 bytes, or 16.
    public static func address(_ address: [UInt8], prefix: Int, of name: String, index: Int32) -> LinkChange {
        LinkChange(Int(RTM_NEWADDR), name, flags: new) {
            $0.append(UInt8(address.count == 4 ? AF_INET : AF_INET6))
            $0.append(UInt8(prefix))
            $0.append(UInt8(0))
            $0.append(UInt8(RT_SCOPE_UNIVERSE.rawValue))
            $0.append(index)
            $0.append(attribute: UInt16(IFA_LOCAL), address)
            $0.append(attribute: UInt16(IFA_ADDRESS), address)
            if address.count == 16 { $0.append(attribute: UInt16(IFA_FLAGS), number: UInt32(IFA_F_NODAD)) }
        }
    }

    /// The default route.
    ///
    /// - Parameter gateway: 4 bytes, or 16.
    public static func defaultRoute(via gateway: [UInt8], of name: String, index: Int32) -> LinkChange {
        LinkChange(Int(RTM_NEWROUTE), name, flags: Int(NLM_F_CREATE)) {
            $0.append(UInt8(gateway.count == 4 ? AF_INET : AF_INET6))
            for _ in 0..<3 { $0.append(UInt8(0)) }  // lengths of destination and source, type of service
            $0.append(UInt8(RT_TABLE_MAIN.rawValue))
            $0.append(UInt8(RTPROT_BOOT))
            $0.append(UInt8(RT_SCOPE_UNIVERSE.rawValue))
            $0.append(UInt8(RTN_UNICAST))
            $0.append(UInt32(0))
            $0.append(attribute: UInt16(RTA_GATEWAY.rawValue), gateway)
            $0.append(attribute: UInt16(RTA_OIF.rawValue), number: index)
        }
    }

    /// Lets a device send so much and no more (a token bucket).
    ///
    /// - Parameters:
    ///   - rate: In bytes per second.
    ///   - burst: In bytes, sent at once after a pause.
    /// - Note: tc-tbf(8); linux/pkt_sched.h, `tc_tbf_qopt`.
    public static func limit(
        _ name: String, index: Int32, rate: UInt64, burst: UInt32
    ) -> LinkChange {
        LinkChange(Int(RTM_NEWQDISC), name, flags: Int(NLM_F_CREATE | NLM_F_REPLACE)) {
            $0.append(UInt32(0))  // family, padding
            $0.append(index)
            $0.append(UInt32(0))  // handle: the kernel's choice
            $0.append(UInt32.max)  // parent: the root
            $0.append(UInt32(0))
            $0.append(attribute: UInt16(TCA_KIND), text: "tbf")
            $0.append(attribute: UInt16(TCA_OPTIONS)) {
                let narrow = UInt32(min(rate, UInt64(UInt32.max)))
                $0.append(attribute: 1) {  // TCA_TBF_PARMS
                    for part in [narrow, 0] {
                        $0.append(UInt8(0))
                        $0.append(UInt8(part == 0 ? 0 : 1))  // TC_LINKLAYER_ETHERNET: no table of times is needed
                        for _ in 0..<3 { $0.append(UInt16(0)) }
                        $0.append(part)
                    }
                    // What waits: 0.2 s of it, and the burst.
                    $0.append(UInt32(min(rate / 5 + UInt64(burst), UInt64(UInt32.max))))
                    $0.append(burst)
                    $0.append(UInt32(0))
                }
                $0.append(attribute: 6, number: burst)  // TCA_TBF_BURST
                if rate > UInt64(UInt32.max) { $0.append(attribute: 4, number: rate) }  // TCA_TBF_RATE64
            }
        }
    }
}

/// Tables of nf_tables in this process' network namespace.
public enum FilterTable {
    /// Whether the `inet` table `name` is there: asked of the kernel itself, as `nft` would take some milliseconds.
    ///
    /// - Note: linux/netfilter/nf_tables.h, `NFT_MSG_GETTABLE`.
    public static func exists(_ name: String) throws(SystemCallError) -> Bool {
        var socket = try RouteSocket(CInt(NETLINK_NETFILTER))
        defer { socket.socket.closeQuietly() }
        do throws(SystemCallError) {
            // 10 is NFNL_SUBSYS_NFTABLES, 1 NFT_MSG_GETTABLE.
            return try socket.get(10 << 8 | 1, named: name) {
                $0.append(UInt8(1))  // NFPROTO_INET
                $0.append(UInt8(0))
                $0.append(UInt16(0))
                $0.append(attribute: 1, text: name)  // NFTA_TABLE_NAME
            } != nil
        } catch  where error.errno == .noSuchFileOrDirectory || error.errno == .invalidArgument {
            return false
        }
    }
}
