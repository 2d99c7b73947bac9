import CLinux
import Cgroups
import Glibc
import Linux
import OCI
import SystemPackage

/// New limits and a new restart policy for a container that exists.
public struct LimitUpdate: Sendable {
    /// What is not `nil` replaces what the container has.
    public var resources = ResourceLimits()
    /// `nil` leaves the policy as it is.
    public var restart: RestartPolicy?

    public init() {}

    /// Whether there is nothing in it.
    public var isEmpty: Bool { !changesLimits && restart == nil }

    private var changesLimits: Bool { resources != ResourceLimits() }

    /// What the container's config becomes.
    ///
    /// - Throws: For limits that contradict each other.
    func applied(to config: ContainerConfig) throws(Failure) -> ContainerConfig {
        var config = config
        config.resources = config.resources.replacing(with: resources)
        if let restart { config.restart = restart }
        if config.removeAtEnd, config.restart != .no {
            throw Failure("update --restart", config.name ?? "", "does not go with --rm")
        }
        let limits = config.resources
        if limits.memorySwap != nil, limits.memory == nil {
            throw Failure(
                "update --memory-swap", config.name ?? "",
                "counts memory and swap together, and there is no limit of memory",
                remedy: "give --memory too")
        }
        if let memory = limits.memory, let swap = limits.memorySwap, swap > 0, swap < memory {
            throw Failure(
                "update --memory", config.name ?? "", "would be above the limit of memory and swap together",
                remedy: "raise --memory-swap too")
        }
        if let memory = limits.memory, let reservation = limits.memoryReservation, reservation > memory {
            throw Failure(
                "update --memory", config.name ?? "", "would be below the reservation",
                remedy: "lower --memory-reservation too")
        }
        return config
    }

    /// Applies it to a container: to its cgroup if it is running, to its records, and so to its next starts.
    ///
    /// - Throws: All limits and records are what they were then.
    public func apply(to container: Container) throws {
        let lock = try container.lockRecords()
        defer { lock.closeQuietly() }
        let (oldConfig, oldSpec) = (try container.loadConfig(), try container.loadSpec())
        let config = try applied(to: oldConfig)
        var spec = oldSpec
        spec.linux?.resources = try container.makeSpec(config).linux?.resources
        // Before the limits, which are easier to take back: a full disk shows here.
        try container.saveDescription(config, spec)
        do {
            try applyAndRecord(spec.linux?.resources, config, container)
        } catch {
            try? container.saveDescription(oldConfig, oldSpec)  // `try?`: the first error is the one to report
            throw error
        }
    }

    private func applyAndRecord(
        _ resources: Spec.Resources?, _ config: ContainerConfig, _ container: Container
    ) throws {
        var state = try container.loadState()
        guard changesLimits, case .running(let running) = state.status, try !hasEnded(running, state) else { return }
        do {
            try Self.apply(resources, config, &state)
        } catch {
            if try hasEnded(running, state) { return }  // meanwhile, and its cgroup with it
            throw error
        }
        try container.save(state)
    }

    /// Whether a container that is recorded as running has ended: its supervisor removes the cgroup first, and records
    /// the end then. There is nothing left to limit but its next starts.
    private func hasEnded(_ running: ContainerState.RunningProcess, _ state: ContainerState) throws(Failure) -> Bool {
        do throws(SystemCallError) {
            guard let process = try running.open() else { return true }
            defer { process.pidfd.closeQuietly() }
            return process.hasEnded()
        } catch {
            throw Failure("update", state.name, error)
        }
    }

    /// Applies limits to the cgroup of a container that runs.
    static func apply(
        _ resources: Spec.Resources?, _ config: ContainerConfig, _ state: inout ContainerState
    ) throws {
        guard let record = state.cgroup else {
            throw Failure(
                "update", state.name, "it runs without a cgroup, so nothing can enforce a limit now",
                remedy: "stop it, update it and start it again")
        }
        var resources = resources ?? Spec.Resources()
        resources.devices = nil  // they are in force since the start, and no update changes them
        let cgroup = try Cgroups.open(record)
        let policy = LimitsPolicy(rawValue: config.limits.rawValue) ?? .strict
        state.limits = try cgroup.apply(resources, policy: policy) + state.limits.filter { $0.mechanism == .rlimit }
        state.cgroup = cgroup.record
    }
}

extension ResourceLimits {
    /// These limits, with those that `update` has in their place.
    func replacing(with update: ResourceLimits) -> ResourceLimits {
        var limits = self
        limits.memory = update.memory ?? memory
        limits.memorySwap = update.memorySwap ?? memorySwap
        limits.memoryReservation = update.memoryReservation ?? memoryReservation
        limits.cpuShares = update.cpuShares ?? cpuShares
        limits.cpusetCPUs = update.cpusetCPUs ?? cpusetCPUs
        limits.cpusetMemoryNodes = update.cpusetMemoryNodes ?? cpusetMemoryNodes
        limits.pids = update.pids ?? pids
        limits.blockWeight = update.blockWeight ?? blockWeight
        // Two ways of saying the same: the newer one counts.
        if let nanoCPUs = update.nanoCPUs {
            (limits.nanoCPUs, limits.cpuQuota, limits.cpuPeriod) = (nanoCPUs, nil, nil)
        } else if update.cpuQuota != nil || update.cpuPeriod != nil {
            limits.nanoCPUs = nil
            limits.cpuQuota = update.cpuQuota ?? cpuQuota
            limits.cpuPeriod = update.cpuPeriod ?? cpuPeriod
        }
        return limits
    }
}
