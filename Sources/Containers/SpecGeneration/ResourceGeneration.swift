import Linux
import OCI

/// A device as the two ways of giving it to a container need it.
struct GrantedDevice {
    var device: HostDevice
    var path: String
    var access: String

    /// To make in the container.
    var node: Spec.Device {
        Spec.Device(
            path: path, type: device.type, major: device.major, minor: device.minor, fileMode: device.mode,
            uid: device.uid, gid: device.gid)
    }

    /// The host's own node, for who may not make any: in a user namespace nobody may.
    var mount: Spec.Mount {
        Spec.Mount(
            destination: path, type: "bind", source: device.path, options: ["bind", "rprivate", "nosuid", "noexec"])
    }
}

/// Devices and limits.
extension SpecGeneration {
    /// The devices asked for; for a privileged container all that there are.
    func devices() throws(Failure) -> [GrantedDevice] {
        var requests = config.devices
        if config.privileged { requests.insert(DeviceRequest(hostPath: "/dev", containerPath: "/dev"), at: 0) }
        var granted: [GrantedDevice] = []
        for request in requests {
            for device in try find(request.hostPath, "--device") {
                let path = request.containerPath + device.path.dropFirst(request.hostPath.count)
                if config.privileged, Self.everyContainerHas.contains(path) { continue }
                granted.removeAll { $0.path == path }
                granted.append(GrantedDevice(device: device, path: path, access: request.access))
            }
        }
        return granted
    }

    /// - Parameter flag: Who wants it.
    private func find(_ path: String, _ flag: String) throws(Failure) -> [HostDevice] {
        do throws(Failure) {
            return try facts.devices(path)
        } catch {
            throw error.naming(flag)
        }
    }

    private static let everyContainerHas: Set<String> = [
        "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/console", "/dev/ptmx",
    ]

    /// - Returns: `nil` when no limit was asked for, so that no cgroup is needed.
    func resources(_ capabilities: Spec.Capabilities, _ devices: [GrantedDevice]) throws(Failure) -> Spec.Resources? {
        let limits = config.resources
        let resources = Spec.Resources(
            devices: deviceRules(capabilities, devices),
            memory: memory(limits),
            cpu: cpu(limits),
            pids: limits.pids.map { Spec.Pids(limit: $0) },
            blockIO: try blockIO(limits))
        return resources == Spec.Resources() ? nil : resources
    }

    private func memory(_ limits: ResourceLimits) -> Spec.Memory? {
        var memory = Spec.Memory(
            limit: limits.memory, reservation: limits.memoryReservation, swap: limits.memorySwap,
            swappiness: limits.memorySwappiness, disableOOMKiller: limits.oomKillDisable ? true : nil)
        // As Docker: as much swap again, or a limit would only move the pages out.
        if let limit = limits.memory, memory.swap == nil, facts.limitsSwap, limit <= Int64.max / 2 {
            memory.swap = limit * 2
        }
        return memory == Spec.Memory() ? nil : memory
    }

    private func cpu(_ limits: ResourceLimits) -> Spec.CPU? {
        var cpu = Spec.CPU(
            shares: limits.cpuShares, quota: limits.cpuQuota, period: limits.cpuPeriod, cpus: limits.cpusetCPUs,
            mems: limits.cpusetMemoryNodes)
        if let nanoCPUs = limits.nanoCPUs {
            cpu.period = 100_000
            cpu.quota = nanoCPUs / 10_000
        }
        return cpu == Spec.CPU() ? nil : cpu
    }

    private func blockIO(_ limits: ResourceLimits) throws(Failure) -> Spec.BlockIO? {
        let block = Spec.BlockIO(
            weight: limits.blockWeight,
            throttleReadBpsDevice: try throttles(limits.readBytesPerSecond, "--device-read-bps"),
            throttleWriteBpsDevice: try throttles(limits.writeBytesPerSecond, "--device-write-bps"),
            throttleReadIOPSDevice: try throttles(limits.readOperationsPerSecond, "--device-read-iops"),
            throttleWriteIOPSDevice: try throttles(limits.writeOperationsPerSecond, "--device-write-iops"))
        return block == Spec.BlockIO() ? nil : block
    }

    private func throttles(_ rates: [DeviceRate], _ flag: String) throws(Failure) -> [Spec.ThrottleDevice]? {
        var throttles: [Spec.ThrottleDevice] = []
        for rate in rates {
            guard let device = try find(rate.path, flag).first, device.path == rate.path, device.type == "b" else {
                throw Failure(flag, "'\(rate.path)'", "not a block device")
            }
            throttles.append(Spec.ThrottleDevice(major: device.major, minor: device.minor, rate: rate.rate))
        }
        return throttles.isEmpty ? nil : throttles
    }

    /// Rules are needed only where the container could make nodes: without CAP_MKNOD, or in a user namespace, it has no
    /// other devices than those that it was given. They cost a cgroup.
    private func deviceRules(_ capabilities: Spec.Capabilities, _ devices: [GrantedDevice]) -> [Spec.DeviceRule]? {
        guard userNamespace == nil, !config.privileged, capabilities.bounding?.contains("CAP_MKNOD") == true else {
            // A device given with less than all access still needs its rules.
            let restricted =
                userNamespace == nil && !config.privileged && devices.contains { Set($0.access) != Set("rwm") }
            return restricted ? Self.defaultDeviceRules + devices.map(rule) : nil
        }
        return Self.defaultDeviceRules + devices.map(rule)
    }

    private func rule(_ granted: GrantedDevice) -> Spec.DeviceRule {
        Spec.DeviceRule(
            allow: true, type: granted.device.type, major: granted.device.major, minor: granted.device.minor,
            access: granted.access)
    }

    /// Nothing, but for making any node and using null, zero, full, random, urandom, tty, console, ptmx and pts.
    private static let defaultDeviceRules: [Spec.DeviceRule] =
        [
            Spec.DeviceRule(allow: false, access: "rwm"),
            Spec.DeviceRule(allow: true, type: "c", access: "m"),
            Spec.DeviceRule(allow: true, type: "b", access: "m"),
        ]
        + [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)].map {
            Spec.DeviceRule(allow: true, type: "c", major: $0.0, minor: $0.1, access: "rwm")
        } + [Spec.DeviceRule(allow: true, type: "c", major: 136, access: "rwm")]
}
