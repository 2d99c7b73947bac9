import CLinux
import Glibc
public import SystemPackage

/// A network device on its way from this process' network namespace into another one.
///
/// - Note: OCI runtime-spec, config-linux.md, "Network Devices"; rtnetlink(7).
public enum NetworkDevice {
    /// Moves a device, keeps its permanent addresses of global scope, and sets it up.
    ///
    /// - Parameters:
    ///   - name: Its name here.
    ///   - newName: Its name there; with `%d` at its end the kernel puts a number there that is free.
    ///   - namespace: A network namespace's file.
    /// - Throws: `ENODEV` when there is none of that name; `EEXIST` when the name is taken there; `EINVAL` for a device
    ///   that cannot leave its namespace, as `lo`; `EPERM` without CAP_NET_ADMIN over both.
    public static func move(
        _ name: String, as newName: String, into namespace: FileDescriptor
    ) throws(SystemCallError) {
        var here = try RouteSocket()
        defer { here.socket.closeQuietly() }
        var there = try RouteSocket.opened(in: namespace)
        defer { there.socket.closeQuietly() }
        guard let index = try indices(&here, named: name).first else {
            throw SystemCallError("rtnetlink", "'\(name)'", Errno(rawValue: ENODEV))
        }
        let addresses = try permanentAddresses(&here, of: index, named: name)
        let others = try indices(&there)
        try here.change(Int(RTM_NEWLINK), named: name) {
            $0.appendLink(index: index)
            $0.append(attribute: UInt16(IFLA_IFNAME), Array(newName.utf8) + [0])
            $0.append(attribute: UInt16(IFLA_NET_NS_FD), withUnsafeBytes(of: namespace.rawValue) { Array($0) })
        }
        // The number may be another one there, and the kernel may have chosen the name.
        guard let moved = try indices(&there).first(where: { !others.contains($0) }) else {
            throw SystemCallError("rtnetlink", "'\(newName)'", Errno(rawValue: ENODEV))
        }
        for address in addresses {
            try there.change(Int(RTM_NEWADDR), flags: Int(NLM_F_CREATE | NLM_F_EXCL), named: newName) {
                address.append(to: &$0, index: moved)
            }
        }
        try there.change(Int(RTM_NEWLINK), named: newName) {
            $0.appendLink(index: moved, flags: UInt32(IFF_UP), change: UInt32(IFF_UP))
        }
    }

    /// The numbers of the devices that a socket's namespace has, or of the one with this name.
    private static func indices(
        _ socket: inout RouteSocket, named name: String? = nil
    ) throws(SystemCallError) -> [Int32] {
        try socket.list(Int(RTM_GETLINK), named: name ?? "links") { $0.appendLink(index: 0) }.filter { reply in
            guard let name else { return true }
            return reply.attributes(after: 16).contains {
                $0.type == UInt16(IFLA_IFNAME) && $0.value.elementsEqual(Array(name.utf8) + [0])
            }
        }.map { $0.number(4, as: Int32.self) }
    }

    // MARK: Addresses

    private struct Address {
        let family: UInt8
        let prefixLength: UInt8
        /// Those that make the address what it is: local and remote one, broadcast, flags, route priority.
        let attributes: [(type: UInt16, value: ArraySlice<UInt8>)]

        func append(to message: inout RouteMessage, index: Int32) {
            message.append(family)
            message.append(prefixLength)
            message.append(UInt8(0))  // flags, which are an attribute too
            message.append(UInt8(RT_SCOPE_UNIVERSE.rawValue))
            message.append(index)
            for (type, value) in attributes { message.append(attribute: type, value) }
        }
    }

    private static func permanentAddresses(
        _ socket: inout RouteSocket, of index: Int32, named name: String
    ) throws(SystemCallError) -> [Address] {
        let all = try socket.list(Int(RTM_GETADDR), named: name) {
            $0.append(UInt32(0))
            $0.append(Int32(0))
        }
        return all.compactMap { reply in
            guard reply.number(4, as: Int32.self) == index, reply.number(3) == UInt8(RT_SCOPE_UNIVERSE.rawValue) else {
                return nil
            }
            let attributes = reply.attributes(after: 8)
            let flags = attributes.first { $0.type == UInt16(IFA_FLAGS) }.map { RouteReply(type: 0, body: $0.value) }
            let bits = flags?.number(0, as: UInt32.self) ?? UInt32(reply.number(2, as: UInt8.self))
            guard bits & UInt32(IFA_F_PERMANENT) != 0 else { return nil }
            let kept = [IFA_LOCAL, IFA_ADDRESS, IFA_BROADCAST, IFA_FLAGS, IFA_RT_PRIORITY].map { UInt16($0) }
            return Address(
                family: reply.number(0), prefixLength: reply.number(1),
                attributes: attributes.filter { kept.contains($0.type) })
        }
    }
}
