import Linux
public import OCI

/// Makes and finds the cgroups of containers.
public enum Cgroups {
    /// Makes the cgroup of a container and applies its limits, before anything runs in it.
    ///
    /// Call it in the process that will supervise the container: systemd ties a scope to that.
    ///
    /// - Parameters:
    ///   - resources: The limits.
    ///   - policy: What to do about those that nothing here can enforce.
    ///   - parent: What `--cgroup-parent` says: a path from the root of the cgroups (`/batch`), one below this
    ///     process's own (`batch`), or a systemd slice (`batch.slice`).
    /// - Returns: No cgroup where none can be had and none is needed; what became of each limit.
    /// - Throws: `Failure` naming the limit, why it cannot be enforced and what would help.
    public static func create(
        id: String, resources: Spec.Resources?, policy: LimitsPolicy, parent: String?
    ) throws -> (cgroup: (any Cgroup)?, limits: [LimitRecord]) {
        guard CgroupName.isValid(id) else { throw Failure("create cgroup", id, "not a valid container id") }
        if let parent, !CgroupName.isValid(path: parent) {
            throw Failure("create cgroup", parent, "not a path of cgroups")
        }
        switch Hierarchies.version() {
        case .v1:
            if let cgroup = try wrapped(id, { try CgroupV1.create(id: id, parent: parent) }) {
                return (
                    cgroup, try limit(cgroup) { try cgroup.apply(resources ?? .init(), policy: policy, isNew: true) }
                )
            }
        case .v2, nil:
            break
        }
        return (nil, try withoutCgroup(resources, policy))
    }

    /// Opens a cgroup that another process made.
    ///
    /// - Parameter record: From the container's state, and not trusted: it must name directories of this container
    ///   in a cgroup file system.
    /// - Throws: `Failure` for a record that does not.
    public static func open(_ record: CgroupRecord) throws -> any Cgroup {
        guard CgroupName.isValid(record.id) else { throw Failure("open cgroup", record.id, "not a valid container id") }
        switch record.kind {
        case .v1: return try CgroupV1.open(record)
        case .v2: throw Failure("open cgroup", record.id, "cgroup v2 is not in use here")
        }
    }

    /// What an Apus that was killed may have left of a container, found by name alone.
    public static func leftover(id: String) -> [any Cgroup] {
        guard CgroupName.isValid(id) else { return [] }
        switch Hierarchies.version() {
        case .v1: return CgroupV1.leftover(id: id).map { [$0] } ?? []
        case .v2, nil: return []
        }
    }

    /// Limits without a cgroup: none of them can hold.
    private static func withoutCgroup(_ resources: Spec.Resources?, _ policy: LimitsPolicy) throws -> [LimitRecord] {
        guard let resources else { return [] }
        var application = LimitApplication(
            policy: policy, mechanism: .none, remedy: { _ in "mount the cgroup file system" },
            directory: { _ in nil })
        try application.apply(LimitPlan(.v1, isNew: true).limits(of: resources))
        return application.records
    }

    /// Removes what was made when its limits cannot be applied.
    private static func limit(_ cgroup: any Cgroup, _ apply: () throws -> [LimitRecord]) throws -> [LimitRecord] {
        do {
            return try apply()
        } catch {
            // `try?`: nothing has joined it; the limit is what failed and what the user must read.
            try? cgroup.remove()
            throw error
        }
    }

    private static func wrapped<Result>(_ id: String, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as SystemCallError {
            throw Failure("create cgroup", id, error)
        }
    }
}
