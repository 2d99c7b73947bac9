import Linux
import SystemPackage

/// Which ports an ordinary user may have.
enum PasstPorts {
    /// The first that needs no right.
    ///
    /// - Note: ip(7), ip_unprivileged_port_start.
    static var first: UInt16 {
        let bytes = FileDescriptor.contentsIfReadable(
            of: "/proc/sys/net/ipv4/ip_unprivileged_port_start", limit: 16)
        return bytes.flatMap { UInt16(String(decoding: $0.dropLast(), as: UTF8.self)) } ?? 1024
    }

    static func refusal(_ port: PublishedPort) -> Failure {
        Failure(
            "--publish", "port \(port.outsideText)", "ordinary users may not have ports below \(first)",
            remedy:
                "publish a port from \(first) on, or have 'sysctl -w net.ipv4.ip_unprivileged_port_start=\(port.hostPort)' run"
        )
    }
}
