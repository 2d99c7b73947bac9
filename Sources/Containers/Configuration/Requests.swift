public import OCI

/// Something to mount, as asked for.
public struct MountRequest: JSONMappable, Sendable, Equatable {
    /// A path of the host, a directory that Apus keeps, or memory.
    public enum Kind: String, JSONValue, Sendable {
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

    package init() { self.init(kind: .bind, destination: "") }

    package mutating func map(_ fields: JSONFields) {
        fields.required("kind", &kind)
        fields.required("source", &source)
        fields.required("destination", &destination)
        fields.required("readOnly", &readOnly)
        fields.required("recursive", &recursive)
        fields.required("recursiveReadOnly", &recursiveReadOnly)
        fields.optional("propagation", &propagation)
        fields.required("options", &options)
    }
}

/// A device of the host, as asked for.
public struct DeviceRequest: JSONMappable, Sendable, Equatable {
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

    package init() { self.init(hostPath: "", containerPath: "") }

    package mutating func map(_ fields: JSONFields) {
        fields.required("hostPath", &hostPath)
        fields.required("containerPath", &containerPath)
        fields.required("access", &access)
    }
}

/// A line of /etc/hosts.
public struct ExtraHost: JSONMappable, Sendable, Equatable {
    public var name: String
    /// An IP address or `host-gateway`.
    public var address: String

    public init(name: String, address: String) {
        self.name = name
        self.address = address
    }

    package init() { self.init(name: "", address: "") }

    package mutating func map(_ fields: JSONFields) {
        fields.required("name", &name)
        fields.required("address", &address)
    }
}

/// What /etc/resolv.conf gets instead of the host's settings.
public struct DNSConfiguration: JSONMappable, Sendable, Equatable {
    public var servers: [String] = []
    public var searchDomains: [String] = []
    public var options: [String] = []

    public init() {}

    package mutating func map(_ fields: JSONFields) {
        fields.required("servers", &servers)
        fields.required("searchDomains", &searchDomains)
        fields.required("options", &options)
    }
}

/// Where the container's output goes.
public struct LogConfiguration: JSONMappable, Sendable, Equatable {
    /// What takes the output.
    public enum Driver: String, JSONValue, Sendable {
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

    package mutating func map(_ fields: JSONFields) {
        fields.required("driver", &driver)
        fields.required("isExplicit", &isExplicit)
        fields.optional("maximumSize", &maximumSize)
        fields.check("maximumSize", maximumSize ?? 1 > 0, expected: "a size above 0")
        fields.optional("maximumFiles", &maximumFiles)
        fields.check("maximumFiles", 1...1000 ~= maximumFiles ?? 1, expected: "1 to 1000 files")
    }
}

/// A command that tells whether the container works.
public struct HealthCheck: JSONMappable, Sendable, Equatable {
    /// Given to the container's `/bin/sh -c`; empty where there are `arguments`.
    public var command: String
    /// A program and its arguments, without a shell: how images can say it.
    public var arguments: [String]?
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

    package init() { self.init(command: "") }

    package mutating func map(_ fields: JSONFields) {
        fields.required("command", &command)
        fields.optional("arguments", &arguments)
        fields.optional("interval", &interval)
        fields.check("interval", interval ?? 0 >= 0, expected: "a duration from 0 on")
        fields.optional("timeout", &timeout)
        fields.check("timeout", timeout ?? 0 >= 0, expected: "a duration from 0 on")
        fields.optional("startPeriod", &startPeriod)
        fields.check("startPeriod", startPeriod ?? 0 >= 0, expected: "a duration from 0 on")
        fields.optional("startInterval", &startInterval)
        fields.check("startInterval", startInterval ?? 0 >= 0, expected: "a duration from 0 on")
        fields.optional("retries", &retries)
    }
}

/// Limits that a cgroup enforces, as asked for.
public struct ResourceLimits: JSONMappable, Sendable, Equatable {
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

    package mutating func map(_ fields: JSONFields) {
        fields.optional("memory", &memory)
        fields.optional("memorySwap", &memorySwap)
        fields.optional("memoryReservation", &memoryReservation)
        fields.optional("memorySwappiness", &memorySwappiness)
        fields.required("oomKillDisable", &oomKillDisable)
        fields.optional("nanoCPUs", &nanoCPUs)
        fields.optional("cpuPeriod", &cpuPeriod)
        fields.optional("cpuQuota", &cpuQuota)
        fields.optional("cpuShares", &cpuShares)
        fields.optional("cpusetCPUs", &cpusetCPUs)
        fields.optional("cpusetMemoryNodes", &cpusetMemoryNodes)
        fields.optional("pids", &pids)
        fields.optional("blockWeight", &blockWeight)
        fields.required("readBytesPerSecond", &readBytesPerSecond)
        fields.required("writeBytesPerSecond", &writeBytesPerSecond)
        fields.required("readOperationsPerSecond", &readOperationsPerSecond)
        fields.required("writeOperationsPerSecond", &writeOperationsPerSecond)
    }
}

/// A rate for one block device.
public struct DeviceRate: JSONMappable, Sendable, Equatable {
    /// The device's path on the host.
    public var path: String
    /// Bytes or operations a second.
    public var rate: UInt64

    public init(path: String, rate: UInt64) {
        self.path = path
        self.rate = rate
    }

    package init() { self.init(path: "", rate: 0) }

    package mutating func map(_ fields: JSONFields) {
        fields.required("path", &path)
        fields.required("rate", &rate)
    }
}
