import OCI

extension LimitPlan {
    /// - Note: cgroup-v1 pids.rst; cgroup-v2, "PID".
    func limits(_ pids: Spec.Pids) -> [Limit] {
        let limited = pids.limit > 0
        return [
            Limit(
                name: "pids-limit", asked: limited ? "\(pids.limit)" : "unlimited", controller: .pids,
                writes: [Limit.Write("pids.max", limited ? "\(pids.limit)" : "max")], lifts: !limited,
                range: "at most 4194304")
        ]
    }
}

extension CgroupStatistics.Pids {
    /// From a cgroup with the controller, on v1 and v2 alike.
    init?(_ directory: CgroupDirectory) throws {
        guard let current = try directory.readIfThere("pids.current").flatMap({ UInt64($0) }) else { return nil }
        self.init(current: current, limit: try directory.readIfThere("pids.max").flatMap { UInt64($0) })
    }
}
