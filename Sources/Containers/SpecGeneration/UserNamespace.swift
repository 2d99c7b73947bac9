import Linux
import OCI

/// The user namespace of a container, and what follows from it.
struct UserNamespace {
    /// A namespace to join; `nil` for a new one.
    var path: String?
    var uids: [Spec.IDMapping] = []
    var gids: [Spec.IDMapping] = []

    /// Decides on the namespace.
    ///
    /// - Returns: `nil` for the caller's own.
    static func make(_ config: ContainerConfig, _ facts: HostFacts) throws(Failure) -> UserNamespace? {
        switch config.userNamespace {
        case .container(let id): return try joined(id, facts)
        case .standard, .host:
            return facts.isRoot ? nil : try joinedOrRootless(config, facts)
        case .keepID:
            return try keepID(facts)
        case .auto:
            return try automatic(facts)
        case .maps(let maps):
            let mappings = maps.map { Spec.IDMapping(containerID: $0.container, hostID: $0.host, size: $0.count) }
            return UserNamespace(uids: mappings, gids: mappings)
        }
    }

    /// All IDs that an ordinary user has: their own as root's, and their subordinate ones.
    static func ofCaller(id: String, store: ContainerStore) throws(Failure) -> UserNamespace {
        let facts = HostFacts.current(id: id, containerDirectory: store.path, dataDirectory: store.path) {
            (other, type) throws(Failure) in try store.namespacePath(of: other, type)
        }
        return try make(ContainerConfig(root: .host), facts) ?? UserNamespace()
    }

    /// Namespaces of another container belong to its user namespace: who would join them must be in that first.
    private static func joinedOrRootless(_ config: ContainerConfig, _ facts: HostFacts) throws(Failure) -> Self {
        let others = Set(config.joinedContainers)
        guard others.count < 2 else {
            throw Failure(
                "run", others.sorted().joined(separator: ", "),
                "an ordinary user can join the namespaces of one other container only")
        }
        if let other = others.first, let joined = try joined(other, facts) { return joined }
        let ranges = try facts.subordinateIDs([HostFacts.Owner(name: "", uid: facts.uid)])
        return UserNamespace(
            uids: [Spec.IDMapping(containerID: 0, hostID: facts.uid, size: 1)] + stack(ranges.uids, from: 1),
            gids: [Spec.IDMapping(containerID: 0, hostID: facts.gid, size: 1)] + stack(ranges.gids, from: 1))
    }

    /// - Returns: `nil` where that container has the caller's own.
    private static func joined(_ container: String, _ facts: HostFacts) throws(Failure) -> Self? {
        guard let maps = try facts.idMaps(container) else { return nil }
        return UserNamespace(path: try facts.namespace(container, .user), uids: maps.uids, gids: maps.gids)
    }

    private static func keepID(_ facts: HostFacts) throws(Failure) -> Self {
        if facts.isRoot {
            throw Failure("--userns", "'keep-id'", "root has no IDs to keep", remedy: "run as an ordinary user")
        }
        let ranges = try facts.subordinateIDs([HostFacts.Owner(name: "", uid: facts.uid)])
        return UserNamespace(
            uids: around(facts.uid, ranges.uids), gids: around(facts.gid, ranges.gids))
    }

    /// IDs that belong to nobody and to no other container: from the caller's ranges, or for root from those of
    /// `containers` or `apus`, or else from the upper half of all IDs.
    private static func automatic(_ facts: HostFacts) throws(Failure) -> Self {
        let owners: [HostFacts.Owner] =
            facts.isRoot
            ? [.init(name: "apus"), .init(name: "containers")] : [.init(name: "", uid: facts.uid)]
        var ranges = try facts.subordinateIDs(owners)
        if ranges.uids.isEmpty || ranges.gids.isEmpty {
            guard facts.isRoot else {
                throw Failure(
                    "--userns", "'auto'", "no subordinate IDs for this user",
                    remedy: "have some added to /etc/subuid and /etc/subgid")
            }
            let upperHalf = IDRange(first: 1 << 31, count: 32766 * IDSlots.largestSize)
            ranges = .init(uids: [upperHalf], gids: [upperHalf])
        }
        let slot = try facts.leaseIDs(IDSlots(uids: ranges.uids, gids: ranges.gids))
        return UserNamespace(
            uids: [Spec.IDMapping(containerID: 0, hostID: slot.uid, size: slot.size)],
            gids: [Spec.IDMapping(containerID: 0, hostID: slot.gid, size: slot.size)])
    }

    /// Lays ranges one after the other.
    private static func stack(_ ranges: [IDRange], from first: UInt32) -> [Spec.IDMapping] {
        var next = first
        var mappings: [Spec.IDMapping] = []
        for range in ranges {
            let count = min(range.count, UInt32.max - next)
            if count == 0 { break }
            mappings.append(Spec.IDMapping(containerID: next, hostID: range.first, size: count))
            next += count
        }
        return mappings
    }

    /// Lays ranges one after the other from 0, with `own` in its own place.
    private static func around(_ own: UInt32, _ ranges: [IDRange]) -> [Spec.IDMapping] {
        var below: [IDRange] = []
        var above: [IDRange] = []
        var room = own
        for range in ranges {
            let count = min(room, range.count)
            if count > 0 { below.append(IDRange(first: range.first, count: count)) }
            if range.count > count { above.append(IDRange(first: range.first + count, count: range.count - count)) }
            room -= count
        }
        return stack(below, from: 0) + [Spec.IDMapping(containerID: own, hostID: own, size: 1)]
            + stack(above, from: own + 1)
    }

    /// Whether a user of the host exists inside.
    func maps(hostUID uid: UInt32) -> Bool {
        uids.contains { $0.hostID <= uid && uid - $0.hostID < $0.size }
    }

    /// Whether a group of the container exists outside.
    func maps(gid: UInt32) -> Bool {
        gids.contains { $0.containerID <= gid && gid - $0.containerID < $0.size }
    }
}

extension ContainerConfig {
    /// The containers whose namespaces this one joins, the user namespace aside.
    var joinedContainers: [String] {
        var ids: [String] = []
        for mode in [pid, uts, cgroupNamespace] {
            if case .container(let id) = mode { ids.append(id) }
        }
        if case .container(let id) = ipc { ids.append(id) }
        if case .container(let id) = network { ids.append(id) }
        return ids
    }
}
