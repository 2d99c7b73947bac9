import Glibc
import Linux
public import OCI
import SystemPackage

/// What a Spec and the command line say about a container's cgroup.
public struct CgroupRequest: Sendable {
    /// The container's ID.
    public var id: String
    /// `linux.cgroupsPath`: a path from the root of the cgroups, one below `apus-runtime`, or for systemd
    /// `slice:prefix:name`.
    public var path: String?
    /// Whether systemd makes the cgroup, as a scope of its own.
    public var systemd: Bool
    public var resources: Spec.Resources?
    /// `ociVersion`: what a limit of 0 processes means depends on it.
    public var specVersion: String
    /// Those that begin with `org.systemd.property.` become properties of the scope.
    public var annotations: [String: String]?
    /// Whether a path that this user may make nothing at is gone without; limits are then refused.
    public var mayLackPath: Bool

    public init(
        id: String, path: String? = nil, systemd: Bool = false, resources: Spec.Resources? = nil,
        specVersion: String = "1.2.0", annotations: [String: String]? = nil, mayLackPath: Bool = geteuid() != 0
    ) {
        self.id = id
        self.path = path
        self.systemd = systemd
        self.resources = resources
        self.specVersion = specVersion
        self.annotations = annotations
        self.mayLackPath = mayLackPath
    }
}

extension Cgroups {
    /// Makes the cgroup of an OCI container and applies its limits, before anything runs in it.
    ///
    /// Devices other than those that the Spec allows, and those that every container has, are denied.
    ///
    /// - Returns: No cgroup where this user can have none and the Spec has no limits; what became of each limit.
    /// - Throws: `Failure` naming the limit, why it cannot be enforced and what would help; or because there are
    ///   processes in the cgroup already.
    public static func create(_ request: CgroupRequest) throws -> (cgroup: (any Cgroup)?, limits: [LimitRecord]) {
        var resources = (request.resources ?? Spec.Resources()).meant(in: request.specVersion)
        resources.devices = Spec.DeviceRule.forContainer(resources.devices ?? [])
        guard let version = Hierarchies.version(), let (cgroup, wasThere) = try make(request, resources, version) else {
            return (nil, try withoutCgroup(resources, request))
        }
        if wasThere, case let pids = try cgroup.processes(), !pids.isEmpty {
            throw Failure(
                "create cgroup", request.path ?? request.id,
                "container's cgroup is not empty: \(pids.count) process(es) found")
        }
        return (cgroup, try limit(cgroup) { try apply(resources, to: cgroup, isNew: !wasThere) })
    }

    /// What a runtime that was killed before it could record anything may have left for this request.
    public static func leftover(_ request: CgroupRequest) throws -> [any Cgroup] {
        guard let version = Hierarchies.version() else { return [] }
        if request.systemd { return try leftover(SystemdScope(request.path, id: request.id), version) }
        let path = try CgroupsPath(request.path, id: request.id)
        let name = path?.name ?? request.id
        if version == .v1 {
            let parent = path.map { "/\($0.parent)" } ?? CgroupsPath.usualParent
            return CgroupV1.leftover(id: name, parent: parent).map { [$0] } ?? []
        }
        guard let path else { return PlacementV2.leftover(id: name).map { [$0] } ?? [] }
        return try wrapped(path.text) { try PlacementV2.find(path.text).map { [$0] } ?? [] }
    }

    private static func leftover(_ scope: SystemdScope, _ version: CgroupVersion) -> [any Cgroup] {
        if version == .v1 { return CgroupV1.leftover(id: scope.unit, parent: parent(of: scope)).map { [$0] } ?? [] }
        return (try? PlacementV2.open(scope)).map { [$0] } ?? []  // `try?`: there is none
    }

    /// In each hierarchy of v1.
    private static func parent(of scope: SystemdScope) -> String {
        let root = DelegatedUnit.managerRoot.dropFirst(Hierarchies.mountPoint.utf8.count)
        return String("\(root)/\(scope.path)".dropLast(scope.unit.utf8.count + 1))
    }

    private static func apply(
        _ resources: Spec.Resources, to cgroup: any Cgroup, isNew: Bool
    ) throws -> [LimitRecord] {
        if let cgroup = cgroup as? CgroupV1 {
            return try cgroup.apply(resources, policy: .strict, isNew: isNew, assumesSwap: false)
        }
        guard let cgroup = cgroup as? CgroupV2 else { return [] }
        return try cgroup.apply(resources, policy: .strict, isNew: isNew, assumesSwap: false)
    }

    private static func make(
        _ request: CgroupRequest, _ resources: Spec.Resources, _ version: CgroupVersion
    ) throws -> (any Cgroup, wasThere: Bool)? {
        if request.systemd { return (try makeScope(request, resources, version), false) }
        guard let path = try CgroupsPath(request.path, id: request.id) else {
            return try makeInUsualPlace(request.id, version)
        }
        let made = try wrapped(path.text) { () -> (any Cgroup, Bool)? in
            guard version == .v1 else { return try PlacementV2.create(at: path.text).map { ($0.cgroup, $0.wasThere) } }
            let cgroup = try CgroupV1.create(
                id: path.name, parent: "/\(path.parent)", in: CgroupV1.forEngines, keepsOld: true)
            return cgroup.map { ($0, $0.wasThere) }
        }
        if made == nil, !request.mayLackPath {
            throw Failure(
                "create cgroup", path.text, "it cannot be made here", remedy: "mount /sys/fs/cgroup writable")
        }
        // An ordinary user's engine names a path that is not his, and goes without: limits are then refused.
        return try made ?? makeInUsualPlace(request.id, version)
    }

    private static func makeInUsualPlace(
        _ id: String, _ version: CgroupVersion
    ) throws -> (any Cgroup, wasThere: Bool)? {
        try wrapped(id) {
            switch version {
            case .v1: try CgroupV1.create(id: id, parent: CgroupsPath.usualParent).map { ($0, false) }
            case .v2: try PlacementV2.create(id: id, parent: nil).cgroup.map { ($0, false) }
            }
        }
    }

    private static func makeScope(
        _ request: CgroupRequest, _ resources: Spec.Resources, _ version: CgroupVersion
    ) throws -> any Cgroup {
        guard DelegatedUnit.isSystemdHere else {
            throw Failure(
                "create cgroup", request.path ?? request.id,
                "systemd not running on this host, cannot use systemd cgroups manager")
        }
        let scope = try SystemdScope(request.path, id: request.id)
        var properties = SystemdProperties(resources, version)
        if version == .v1, let devices = resources.devices {
            // `contents…`: without the file no driver is known, and only single devices can be named
            let drivers = FileDescriptor.contentsIfReadable(of: "/proc/devices", limit: 1 << 16) ?? []
            let groups = DeviceGroups(String(decoding: drivers, as: UTF8.self))
            try properties.addDevices(devices, groups: groups)
        }
        try properties.add(request.annotations ?? [:])
        try scope.start(properties, version)
        return try wrapped(scope.unit) { () -> any Cgroup in
            if version == .v2 { return try PlacementV2.open(scope) }
            guard
                let cgroup = try CgroupV1.create(
                    id: scope.unit, parent: parent(of: scope), in: CgroupV1.forEngines, keepsOld: true)
            else { throw Failure("create cgroup", scope.unit, "it cannot be made in the hierarchies of cgroup v1") }
            cgroup.scope = scope
            try cgroup.joinUnified(scope.path)
            return cgroup
        }
    }

    /// Device rules guard nothing where no device can be made or opened that one could not open outside.
    private static func withoutCgroup(
        _ resources: Spec.Resources, _ request: CgroupRequest
    ) throws -> [LimitRecord] {
        var resources = resources
        if request.resources?.devices == nil { resources.devices = nil }
        return try withoutCgroup(resources, .strict, Hierarchies.version(), nil)
    }
}

extension Cgroup {
    /// Changes the limits of an OCI container; what `resources` does not name stays as it is.
    ///
    /// - Parameter specVersion: `ociVersion` of the Spec that the container was made from.
    /// - Throws: `Failure` for the first limit that cannot be enforced; all are then what they were.
    @discardableResult
    public func update(_ resources: Spec.Resources, specVersion: String) throws -> [LimitRecord] {
        var resources = resources.meant(in: specVersion)
        resources.devices = resources.devices.map { Spec.DeviceRule.forContainer($0) }
        return try apply(resources, policy: .strict)
    }
}

extension Spec.Resources {
    /// The same limits, in a form that means the same for every version of the specification.
    ///
    /// - Note: config-linux.md, "PIDs": since 1.3 only a negative number, not 0, means no limit. The first process is
    ///   itself one, so 0 and 1 limit alike.
    func meant(in version: String) -> Self {
        guard pids?.limit == 0 else { return self }
        var resources = self
        let numbers = version.split(separator: ".").prefix(2).map { Int($0) ?? 0 }
        let isNew = numbers.count == 2 && (numbers[0], numbers[1]) >= (1, 3)
        resources.pids?.limit = isNew ? 1 : -1
        return resources
    }
}

extension Spec.DeviceRule {
    /// Denies all but what the Spec allows and what every container has, as runc does.
    ///
    /// - Note: config-linux.md, "Default Devices" and "Allowed Device list".
    static func forContainer(_ rules: [Self]) -> [Self] {
        let decidesFirst = rules.first.map { $0.major == nil && $0.type == nil && $0.access == "rwm" } ?? false
        return (decidesFirst ? [] : [Self(allow: false)]) + rules + usual
    }

    /// Nodes may be made, which opens none; null, zero, full, random, urandom, tty, console, ptmx, terminals.
    private static let usual: [Self] =
        [Self(allow: true, type: "c", access: "m"), Self(allow: true, type: "b", access: "m")]
        + ([(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)] as [(Int64, Int64)]).map {
            Self(allow: true, type: "c", major: $0.0, minor: $0.1, access: "rwm")
        } + [Self(allow: true, type: "c", major: 136, access: "rwm")]
}
