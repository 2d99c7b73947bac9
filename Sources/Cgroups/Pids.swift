import OCI

extension LimitPlan {
    /// - Note: cgroup-v1 pids.rst; cgroup-v2, "PID".
    func limits(_ pids: Spec.Pids) -> [Limit] {
        guard let limit = pids.limit else { return [] }
        let limited = limit > 0
        return [
            Limit(
                name: "pids-limit", asked: limited ? "\(limit)" : "unlimited", controller: .pids,
                writes: [Limit.Write("pids.max", limited ? "\(limit)" : "max")], lifts: !limited,
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
