import OCI

/// The two generations of the kernel's cgroup interface.
enum CgroupVersion: Sendable {
    case v1, v2
}

/// Which interface files take which values, so that a set of resources holds.
struct LimitPlan {
    let version: CgroupVersion
    /// Whether the cgroup is new, so that lifting a limit needs nothing.
    let isNew: Bool
    /// What an interface file of the cgroup holds now; asked only where half of a value is to be changed.
    let current: (String) -> String?
    /// Whether a memory limit by itself comes with Docker's default for swap. A Spec of others says all that it means.
    let assumesSwap: Bool

    init(
        _ version: CgroupVersion, isNew: Bool, assumesSwap: Bool = true,
        current: @escaping (String) -> String? = { _ in nil }
    ) {
        self.version = version
        self.isNew = isNew
        self.assumesSwap = assumesSwap
        self.current = current
    }

    /// All limits in the order in which they are applied: a limit of processes first, the costly ones last.
    func limits(of resources: Spec.Resources) -> [Limit] {
        var limits: [Limit] = []
        limits += resources.pids.map(self.limits) ?? []
        limits += resources.memory.map(self.limits) ?? []
        limits += resources.cpu.map { cpuLimits($0) + cpusetLimits($0) } ?? []
        limits += resources.blockIO.map(self.limits) ?? []
        limits += hugepageLimits(resources.hugepageLimits ?? [])
        limits += rdmaLimits(resources.rdma ?? [:])
        limits += resources.network.map(self.limits) ?? []
        limits += unifiedLimits(resources.unified ?? [:])
        // Last: in an update they are replaced for good.
        limits += deviceLimits(resources.devices ?? [])
        return isNew ? limits.filter { !$0.lifts } : limits
    }
}
