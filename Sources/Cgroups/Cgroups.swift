import Linux
public import OCI

/// Makes and finds the cgroups of containers.
public enum Cgroups {
    /// Makes the cgroup of a container and applies its limits, before anything runs in it.
    ///
    /// - Parameters:
    ///   - resources: The limits.
    ///   - policy: What to do about those that nothing here can enforce.
    ///   - parent: What `--cgroup-parent` says: a path from the root of the cgroups (`/batch`), one below this
    ///     process's own (`batch`), or a systemd slice (`batch.slice`).
    ///   - counts: Whether it counts from the start all that can be told of it afterwards.
    /// - Returns: No cgroup where none can be had and none is needed; what became of each limit.
    /// - Throws: `Failure` naming the limit, why it cannot be enforced and what would help.
    public static func create(
        id: String, resources: Spec.Resources?, policy: LimitsPolicy, parent: String?, counts: Bool = false
    ) throws -> (cgroup: (any Cgroup)?, limits: [LimitRecord]) {
        guard CgroupName.isValid(id) else { throw Failure("create cgroup", id, "not a valid container id") }
        if let parent, !CgroupName.isValid(path: parent) {
            throw Failure("create cgroup", parent, "not a path of cgroups")
        }
        let resources = resources ?? Spec.Resources()
        var problem: String?
        let version = Hierarchies.version()
        switch version {
        case .v1:
            if let cgroup = try wrapped(
                id,
                { try CgroupV1.create(id: id, parent: parent, in: counts ? CgroupV1.counting : nil) })
            {
                return (cgroup, try limit(cgroup) { try cgroup.apply(resources, policy: policy, isNew: true) })
            }
        case .v2:
            let made = try wrapped(id) { try PlacementV2.create(id: id, parent: parent) }
            problem = made.problem
            if let cgroup = made.cgroup {
                return (cgroup, try limit(cgroup) { try cgroup.apply(resources, policy: policy, isNew: true) })
            }
        case nil:
            problem = "no cgroup file system is mounted at \(Hierarchies.mountPoint)"
        }
        if let parent, policy == .strict {
            throw Failure(
                "create cgroup", parent, problem ?? "this user may make no cgroup there",
                remedy: "leave --cgroup-parent out, or use --limits best-effort")
        }
        return (nil, try withoutCgroup(resources, policy, version, problem))
    }

    /// What this machine has: `v2`, `v1`, `hybrid` or `none`.
    public static var kind: String {
        switch Hierarchies.version() {
        case .v2: "v2"
        case .v1: FileSystem(at: "\(Hierarchies.mountPoint)/unified") == .cgroup2 ? "hybrid" : "v1"
        case nil: "none"
        }
    }

    /// Opens a cgroup that another process made.
    ///
    /// - Parameter record: From the container's state, and not trusted: it must name directories of this container
    ///   in a cgroup file system.
    /// - Throws: `Failure` for a record that does not.
    public static func open(_ record: CgroupRecord) throws -> any Cgroup {
        guard CgroupName.isComponent(record.id) else {
            throw Failure("open cgroup", record.id, "not a cgroup's name")
        }
        switch record.kind {
        case .v1: return try CgroupV1.open(record)
        case .v2: return try CgroupV2.open(record)
        }
    }

    /// What an Apus that was killed may have left of a container, found by name alone.
    public static func leftover(id: String) -> [any Cgroup] {
        guard CgroupName.isValid(id) else { return [] }
        switch Hierarchies.version() {
        case .v1: return CgroupV1.leftover(id: id).map { [$0] } ?? []
        case .v2: return PlacementV2.leftover(id: id).map { [$0] } ?? []
        case nil: return []
        }
    }

    /// Limits without a cgroup: none of them can hold.
    static func withoutCgroup(
        _ resources: Spec.Resources, _ policy: LimitsPolicy, _ version: CgroupVersion?, _ problem: String?
    ) throws -> [LimitRecord] {
        let remedy: (Controller) -> String =
            switch version {
            case .v1: CgroupV1.remedy
            case .v2: RemedyV2.forNoCgroup
            case nil: { _ in "mount the cgroup file system there" }
            }
        var application = LimitApplication(
            policy: policy, mechanism: .none, problem: problem, remedy: remedy, directory: { _ in nil })
        try application.apply(LimitPlan(version ?? .v2, isNew: true).limits(of: resources))
        return application.records
    }

    /// Removes what was made when its limits cannot be applied.
    static func limit(_ cgroup: any Cgroup, _ apply: () throws -> [LimitRecord]) throws -> [LimitRecord] {
        do {
            return try apply()
        } catch {
            try? cgroup.remove()  // `try?`: nothing has joined it; the limit is what failed and what the user must read
            throw error
        }
    }

    static func wrapped<Result>(_ id: String, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as SystemCallError {
            throw Failure("create cgroup", id, error)
        }
    }
}
