import CLinux
public import Cgroups
import Glibc
import Linux
import SystemPackage

/// What a running container has used up to one moment.
public struct ContainerSample: Sendable {
    /// Nanoseconds of a clock that never goes back.
    public let time: UInt64
    /// `nil` for a container without a cgroup.
    public let cgroup: CgroupStatistics?
    /// `nil` for one without a network of its own.
    public let network: NetworkTraffic?
}

/// Bytes over all interfaces but loopback.
public struct NetworkTraffic: Sendable, Equatable {
    public var received: UInt64 = 0
    public var sent: UInt64 = 0

    public init() {}

    /// Reads the text of a /proc/PID/net/dev file.
    ///
    /// - Note: proc_pid_net(5): after the name, eight numbers of what came in and eight of what went out.
    init(netDev text: String) {
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].drop(while: { $0 == " " }) != "lo" else { continue }
            let numbers = parts[1].split(separator: " ").compactMap { UInt64($0) }
            guard numbers.count >= 9 else { continue }
            received += numbers[0]
            sent += numbers[8]
        }
    }
}

extension Container {
    /// What the container has used until now.
    ///
    /// - Returns: `nil` when it is not running.
    public func sample(_ state: ContainerState) throws -> ContainerSample? {
        guard case .running(let running) = state.status, let process = try running.open() else { return nil }
        defer { process.pidfd.closeQuietly() }
        let statistics = try state.cgroup.map { try Cgroups.open($0).statistics() }
        return ContainerSample(time: Clock.monotonic(), cgroup: statistics, network: Self.traffic(of: process.pid))
    }

    private static func traffic(of pid: pid_t) -> NetworkTraffic? {
        let here = FileDescriptor.workingDirectory
        let own = here.linkTarget(of: "/proc/self/ns/net")
        guard let namespace = here.linkTarget(of: "/proc/\(pid)/ns/net"), namespace != own else { return nil }
        // A process that has ended has no traffic to show.
        guard let bytes = FileDescriptor.contentsIfReadable(of: "/proc/\(pid)/net/dev", limit: 1 << 20) else {
            return nil
        }
        return NetworkTraffic(netDev: String(decoding: bytes, as: UTF8.self))
    }
}
