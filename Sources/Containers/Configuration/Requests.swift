/// Something to mount, as asked for.
public struct MountRequest: Codable, Sendable, Equatable {
    /// A path of the host, a directory that Apus keeps, or memory.
    public enum Kind: String, Codable, Sendable {
        case bind, volume, tmpfs
    }

    public var kind: Kind
    /// Bind: an absolute path of the host. Volume: its name, empty for one that lives and dies with the container.
    public var source: String
    /// Absolute in the container.
    public var destination: String
    public var readOnly: Bool
    /// Whether mounts below the source come along.
    public var recursive: Bool
    /// Whether read-only holds for those too.
    public var recursiveReadOnly: Bool
    /// `rprivate`, `shared`…; private if `nil`.
    public var propagation: String?
    /// Further options as mount(8) has them.
    public var options: [String]

    public init(
        kind: Kind, source: String = "", destination: String, readOnly: Bool = false, recursive: Bool = true,
        recursiveReadOnly: Bool = true, propagation: String? = nil, options: [String] = []
    ) {
        self.kind = kind
        self.source = source
        self.destination = destination
        self.readOnly = readOnly
        self.recursive = recursive
        self.recursiveReadOnly = recursiveReadOnly
        self.propagation = propagation
        self.options = options
    }
}

/// A device of the host, as asked for.
public struct DeviceRequest: Codable, Sendable, Equatable {
    /// A device, or a directory of them.
    public var hostPath: String
    /// Absolute in the container.
    public var containerPath: String
    /// Of `r` read, `w` write and `m` make.
    public var access: String

    public init(hostPath: String, containerPath: String, access: String = "rwm") {
        self.hostPath = hostPath
        self.containerPath = containerPath
        self.access = access
    }
}

/// A line of /etc/hosts.
public struct ExtraHost: Codable, Sendable, Equatable {
    public var name: String
    /// An IP address or `host-gateway`.
    public var address: String

    public init(name: String, address: String) {
        self.name = name
        self.address = address
    }
}

/// What /etc/resolv.conf gets instead of the host's settings.
public struct DNSConfiguration: Codable, Sendable, Equatable {
    public var servers: [String] = []
    public var searchDomains: [String] = []
    public var options: [String] = []

    public init() {}
}

/// Where the container's output goes.
public struct LogConfiguration: Codable, Sendable, Equatable {
    /// What takes the output.
    public enum Driver: String, Codable, Sendable {
        case jsonFile = "json-file"
        case none
        /// The output streams of `apus` itself.
        case passthrough
    }

    public var driver = Driver.jsonFile
    /// Whether the user named it, rather than taking the default.
    public var isExplicit = false
    /// The most bytes of one file; without end if `nil`.
    public var maximumSize: Int64?
    /// How many files are kept, the current one included; at least 1.
    public var maximumFiles: Int?

    public init() {}
}

/// A command that tells whether the container works.
public struct HealthCheck: Codable, Sendable, Equatable {
    /// Given to the container's `/bin/sh -c`; empty means that there is none, whatever the image says.
    public var command: String
    /// Between two checks, in nanoseconds; 30 s if `nil`.
    public var interval: Int64?
    /// In nanoseconds; 30 s if `nil`.
    public var timeout: Int64?
    /// For which failures do not count, in nanoseconds; 0 if `nil`.
    public var startPeriod: Int64?
    /// Between two checks in that time, in nanoseconds; 5 s if `nil`.
    public var startInterval: Int64?
    /// Failures in a row that make it unhealthy; 3 if `nil`.
    public var retries: Int?

    public init(command: String) { self.command = command }
}

/// Limits that a cgroup enforces, as asked for.
public struct ResourceLimits: Codable, Sendable, Equatable {
    /// In bytes.
    public var memory: Int64?
    /// Memory and swap together, in bytes; -1 means no limit.
    public var memorySwap: Int64?
    /// In bytes.
    public var memoryReservation: Int64?
    /// 0 to 100.
    public var memorySwappiness: UInt64?
    public var oomKillDisable = false
    /// CPUs in billionths: 1.5 CPUs are 1500000000.
    public var nanoCPUs: Int64?
    /// In microseconds.
    public var cpuPeriod: UInt64?
    /// In microseconds; -1 means no limit.
    public var cpuQuota: Int64?
    /// 2 to 262144.
    public var cpuShares: UInt64?
    /// A list such as `0-3,7`.
    public var cpusetCPUs: String?
    /// A list such as `0-3,7`.
    public var cpusetMemoryNodes: String?
    /// -1 means no limit.
    public var pids: Int64?
    /// 10 to 1000.
    public var blockWeight: UInt16?
    public var readBytesPerSecond: [DeviceRate] = []
    public var writeBytesPerSecond: [DeviceRate] = []
    public var readOperationsPerSecond: [DeviceRate] = []
    public var writeOperationsPerSecond: [DeviceRate] = []

    public init() {}
}

/// A rate for one block device.
public struct DeviceRate: Codable, Sendable, Equatable {
    /// The device's path on the host.
    public var path: String
    /// Bytes or operations a second.
    public var rate: UInt64

    public init(path: String, rate: UInt64) {
        self.path = path
        self.rate = rate
    }
}
