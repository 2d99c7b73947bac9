import Containers
import Formats
import Networks
import OCI

/// `HostConfig` of `inspect`: how the container stands to this machine.
struct HostConfigInspection {
    let config: ContainerConfig
    let spec: Spec

    var value: Value {
        guard case .object(let general) = general, case .object(let namespaces) = namespaces,
            case .object(let limits) = limits, case .object(let rights) = rights
        else { return .null }
        return .object(general + namespaces + limits + rights)
    }

    private static func list(_ texts: [String]) -> Value { texts.isEmpty ? .null : .strings(texts) }

    private var general: Value {
        [
            "Binds": Self.list(config.mounts.filter { $0.kind != .tmpfs }.map(Self.bind)),
            "ContainerIDFile": "",
            "ConsoleSize": [
                .integer(of: config.consoleSize?.height ?? 0), .integer(of: config.consoleSize?.width ?? 0),
            ],
            "LogConfig": logConfig,
            "RestartPolicy": config.restart.value,
            "AutoRemove": .bool(config.removeAtEnd),
            "PortBindings": PortInspection.bindings(config.ports),
            "PublishAllPorts": false,
            "Dns": .strings(config.dns.servers),
            "DnsOptions": .strings(config.dns.options),
            "DnsSearch": .strings(config.dns.searchDomains),
            "ExtraHosts": Self.list(config.extraHosts.map { "\($0.name):\($0.address)" }),
            "GroupAdd": Self.list(config.additionalGroups),
            "Init": .bool(config.initProcess),
            "Runtime": "apus",
            "Annotations": .strings(config.annotations),
        ]
    }

    private static func bind(_ mount: MountRequest) -> String {
        "\(mount.source):\(mount.destination)\(mount.readOnly ? ":ro" : "")"
    }

    private var logConfig: Value {
        var options: [String: String] = [:]
        if let size = config.log.maximumSize { options["max-size"] = "\(size)" }
        if let files = config.log.maximumFiles { options["max-file"] = "\(files)" }
        return ["Type": .string(config.log.driver.rawValue), "Config": .strings(options)]
    }

    private var namespaces: Value {
        [
            "NetworkMode": .string(config.network.text),
            "CgroupnsMode": .string(config.cgroupNamespace.text.isEmpty ? "private" : config.cgroupNamespace.text),
            "IpcMode": .string(config.ipc.text),
            "PidMode": .string(config.pid.text),
            "UTSMode": .string(config.uts.text),
            "UsernsMode": .string(config.userNamespace.text),
            "CgroupParent": .string(config.cgroupParent ?? ""),
            "ShmSize": .integer(config.sharedMemorySize ?? 64 << 20),
            "Sysctls": .strings(config.sysctls),
        ]
    }

    private var limits: Value {
        let resources = config.resources
        return [
            "Memory": .integer(resources.memory ?? 0),
            "MemoryReservation": .integer(resources.memoryReservation ?? 0),
            "MemorySwap": .integer(resources.memorySwap ?? 0),
            "MemorySwappiness": .optional(resources.memorySwappiness),
            "OomKillDisable": .bool(resources.oomKillDisable),
            "OomScoreAdj": .integer(config.oomScoreAdjustment ?? 0),
            "NanoCpus": .integer(resources.nanoCPUs ?? 0),
            "CpuShares": .integer(of: resources.cpuShares ?? 0),
            "CpuPeriod": .integer(of: resources.cpuPeriod ?? 0),
            "CpuQuota": .integer(resources.cpuQuota ?? 0),
            "CpusetCpus": .string(resources.cpusetCPUs ?? ""),
            "CpusetMems": .string(resources.cpusetMemoryNodes ?? ""),
            "PidsLimit": .optional(resources.pids),
            "BlkioWeight": .integer(of: resources.blockWeight ?? 0),
            "BlkioDeviceReadBps": Self.rates(resources.readBytesPerSecond),
            "BlkioDeviceWriteBps": Self.rates(resources.writeBytesPerSecond),
            "BlkioDeviceReadIOps": Self.rates(resources.readOperationsPerSecond),
            "BlkioDeviceWriteIOps": Self.rates(resources.writeOperationsPerSecond),
            "Ulimits": .list(config.rlimits.map(Self.ulimit)),
        ]
    }

    private static func rates(_ rates: [DeviceRate]) -> Value {
        rates.isEmpty ? .null : .list(rates.map { ["Path": .string($0.path), "Rate": .integer(of: $0.rate)] })
    }

    /// The largest number means no limit, which Docker writes as -1.
    private static func ulimit(_ limit: Spec.Rlimit) -> Value {
        let numbers = [limit.hard, limit.soft].map { $0 == .max ? Value.integer(-1) : .integer(of: $0) }
        let name = limit.type.hasPrefix("RLIMIT_") ? String(limit.type.dropFirst(7)).lowercased() : limit.type
        return ["Name": .string(name), "Hard": numbers[0], "Soft": numbers[1]]
    }

    private var rights: Value {
        [
            "Privileged": .bool(config.privileged),
            "ReadonlyRootfs": .bool(config.readOnlyRoot),
            "CapAdd": Self.list(config.addedCapabilities),
            "CapDrop": Self.list(config.droppedCapabilities),
            "SecurityOpt": Self.list(securityOptions),
            "Devices": .list(config.devices.map(Self.device)),
            "MaskedPaths": .strings(spec.linux?.maskedPaths ?? []),
            "ReadonlyPaths": .strings(spec.linux?.readonlyPaths ?? []),
            "Tmpfs": .strings(
                Dictionary(
                    config.mounts.filter { $0.kind == .tmpfs }
                        .map { ($0.destination, $0.options.joined(separator: ",")) }, uniquingKeysWith: { $1 })),
        ]
    }

    private var securityOptions: [String] {
        var options: [String] = []
        if spec.process?.noNewPrivileges == true { options.append("no-new-privileges") }
        switch config.seccomp {
        case .standard: break
        case .unconfined: options.append("seccomp=unconfined")
        case .file(let path): options.append("seccomp=\(path)")
        }
        if let profile = config.apparmorProfile { options.append("apparmor=\(profile)") }
        return options
    }

    private static func device(_ device: DeviceRequest) -> Value {
        [
            "PathOnHost": .string(device.hostPath), "PathInContainer": .string(device.containerPath),
            "CgroupPermissions": .string(device.access),
        ]
    }
}

extension RestartPolicy {
    fileprivate var value: Value {
        switch self {
        case .no: ["Name": "no", "MaximumRetryCount": 0]
        case .always: ["Name": "always", "MaximumRetryCount": 0]
        case .unlessStopped: ["Name": "unless-stopped", "MaximumRetryCount": 0]
        case .onFailure(let retries): ["Name": "on-failure", "MaximumRetryCount": .integer(of: retries)]
        }
    }
}

// As their options are written. Docker has nothing for the namespaces that a container gets by default.

extension NetworkMode {
    var text: String {
        switch self {
        case .standard: "default"
        case .none: "none"
        case .host: "host"
        case .pasta: "pasta"
        case .networks(let attachments): attachments[0].network
        case .container(let id): "container:\(id)"
        }
    }
}

extension NamespaceMode {
    fileprivate var text: String {
        switch self {
        case .private: ""
        case .host: "host"
        case .container(let id): "container:\(id)"
        }
    }
}

extension IPCMode {
    fileprivate var text: String {
        switch self {
        case .private: "private"
        case .shareable: "shareable"
        case .none: "none"
        case .host: "host"
        case .container(let id): "container:\(id)"
        }
    }
}

extension UserNamespaceMode {
    fileprivate var text: String {
        switch self {
        case .standard: ""
        case .host: "host"
        case .keepID: "keep-id"
        case .auto: "auto"
        case .container(let id): "container:\(id)"
        case .maps(let maps): maps.map { "\($0.container):\($0.host):\($0.count)" }.joined(separator: ",")
        }
    }
}
