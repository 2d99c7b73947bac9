import CLinux
import Glibc
public import Linux
import SystemPackage

/// Ports of the machine that nobody else can have as long as this is held.
///
/// The kernel redirects connections before they reach a socket, so two containers, or a container and a server, could
/// have one port without noticing: a socket is bound to each.
public final class PortReservation {
    /// As asked for, those numbers filled in that the kernel has chosen.
    public private(set) var ports: [PublishedPort] = []
    private var sockets: [FileDescriptor] = []

    /// - Parameters:
    ///   - withIPv6: Whether ports without an address are to be had over IPv6 too.
    ///   - holder: Who has a port, as far as that is known.
    /// - Throws: For a port that is in use, or an address that this machine does not have.
    public init(
        _ asked: [PublishedPort], withIPv6: Bool, holder: (PublishedPort) -> String?
    ) throws(Failure) {
        do throws(Failure) {
            for port in asked {
                var port = port
                let families: [IPAddress] =
                    port.address.map { [$0] }
                    ?? [IPAddress(isIPv6: false, value: 0)] + (withIPv6 ? [IPAddress(isIPv6: true, value: 0)] : [])
                for address in families { try reserve(&port, at: address, holder) }
                ports.append(port)
            }
        } catch {
            close()
            throw error
        }
    }

    deinit { close() }

    public func close() {
        for socket in sockets { socket.closeQuietly() }
        sockets = []
    }

    private func reserve(
        _ port: inout PublishedPort, at address: IPAddress, _ holder: (PublishedPort) -> String?
    ) throws(Failure) {
        do throws(SystemCallError) {
            let socket = try Self.bind(port, at: address)
            sockets.append(socket)
            if port.hostPort == 0 { port.hostPort = try Self.number(of: socket) }
        } catch {
            switch error.errno {
            case .addressInUse:
                let name = (holder(port) ?? SocketHolder.find(port)).map { " by \($0)" } ?? ""
                throw Failure(
                    "--publish", "port \(port.outsideText)", "in use\(name)",
                    remedy: "choose another port, or stop what has it")
            case .addressNotAvailable:
                throw Failure(
                    "--publish", "'\(address.text)'", "not an address of this machine", remedy: "see 'ip address'")
            case .permissionDenied:
                throw PasstPorts.refusal(port)
            default:
                throw Failure("--publish", "port \(port.outsideText)", error)
            }
        }
    }

    private static func bind(_ port: PublishedPort, at address: IPAddress) throws(SystemCallError) -> FileDescriptor {
        do throws(SystemCallError) {
            return try bind(port, at: address, reusing: false)
        } catch  where error.errno == .addressInUse && port.kind == .tcp {
            // Maybe old connections of a server that is gone. A socket that listens is in nobody's way but another's who
            // would listen.
            return try bind(port, at: address, reusing: true)
        }
    }

    private static func bind(
        _ port: PublishedPort, at address: IPAddress, reusing: Bool
    ) throws(SystemCallError) -> FileDescriptor {
        let kind = port.kind == .tcp ? SOCK_STREAM : SOCK_DGRAM
        let family = address.isIPv6 ? AF_INET6 : AF_INET
        let socket = FileDescriptor(
            rawValue: try check("socket") { Glibc.socket(family, CInt(kind.rawValue | SOCK_CLOEXEC.rawValue), 0) })
        do throws(SystemCallError) {
            if address.isIPv6 { try set(socket, CInt(IPPROTO_IPV6), IPV6_V6ONLY) }
            if reusing { try set(socket, SOL_SOCKET, SO_REUSEADDR) }
            var bytes = SocketAddress.bytes(address, port.hostPort)
            try check("bind") { apus_bind_address(socket.rawValue, &bytes, UInt32(bytes.count)) }
            if reusing { try check("listen") { listen(socket.rawValue, 0) } }
            return socket
        } catch {
            socket.closeQuietly()
            throw error
        }
    }

    private static func set(_ socket: FileDescriptor, _ level: CInt, _ option: CInt) throws(SystemCallError) {
        var on: CInt = 1
        try check("setsockopt") {
            setsockopt(socket.rawValue, level, option, &on, socklen_t(MemoryLayout<CInt>.size))
        }
    }

    private static func number(of socket: FileDescriptor) throws(SystemCallError) -> UInt16 {
        var bytes = [UInt8](repeating: 0, count: 28)
        try check("getsockname") { apus_socket_address(socket.rawValue, &bytes, UInt32(bytes.count)) }
        return UInt16(bytes[2]) << 8 | UInt16(bytes[3])
    }
}

/// Addresses as bind(2) has them.
enum SocketAddress {
    /// - Note: ip(7), ipv6(7): family, port, and for IPv6 flow and scope around the address.
    static func bytes(_ address: IPAddress, _ port: UInt16) -> [UInt8] {
        let family = withUnsafeBytes(of: UInt16(address.isIPv6 ? AF_INET6 : AF_INET)) { Array($0) }
        let start = family + [UInt8(port >> 8), UInt8(truncatingIfNeeded: port)]
        let zeros = [UInt8](repeating: 0, count: address.isIPv6 ? 4 : 8)
        return start + (address.isIPv6 ? zeros : []) + address.bytes + zeros
    }
}

/// Which program has a port, as far as this user may know.
enum SocketHolder {
    /// - Returns: `process 4711 (nginx)`.
    /// - Note: proc(5), /proc/net/tcp.
    static func find(_ port: PublishedPort) -> String? {
        let files = ["/proc/net/\(port.kind.rawValue)", "/proc/net/\(port.kind.rawValue)6"]
        let inodes = files.flatMap { Self.inodes(in: $0, port: port.hostPort, listening: port.kind == .tcp) }
        guard !inodes.isEmpty else { return nil }
        let sockets = Set(inodes.map { "socket:[\($0)]" })
        // `try?`, here and below: a process that is gone or not this user's cannot be told
        guard let proc = try? FileDescriptor.workingDirectory.open("/proc", O_RDONLY | O_DIRECTORY) else { return nil }
        defer { proc.closeQuietly() }
        for pid in (try? proc.entries()) ?? [] where pid.utf8.first.map({ 0x31...0x39 ~= $0 }) ?? false {
            guard let directory = try? proc.open("\(pid)/fd", O_RDONLY | O_DIRECTORY) else { continue }
            defer { directory.closeQuietly() }
            for number in (try? directory.entries()) ?? [] {
                guard let target = directory.linkTarget(of: number), sockets.contains(target) else { continue }
                let name = (try? proc.contents(of: "\(pid)/comm", limit: 64)) ?? []
                return "process \(pid) (\(String(decoding: name.dropLast(), as: UTF8.self)))"
            }
        }
        return nil
    }

    private static func inodes(in file: String, port: UInt16, listening: Bool) -> [String] {
        let text = String(
            decoding: FileDescriptor.contentsIfReadable(of: file, limit: 8 << 20) ?? [], as: UTF8.self)
        return text.split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(separator: " ", omittingEmptySubsequences: true)
            guard fields.count > 9, !listening || fields[3] == "0A",
                let number = fields[1].split(separator: ":").last.flatMap({ UInt16($0, radix: 16) }), number == port
            else { return nil }
            return String(fields[9])
        }
    }
}
