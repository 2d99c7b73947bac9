import CLinux
import Glibc
public import Linux
import OCI
import SystemPackage

/// The namespace that an ordinary user's networks are in: bridges, and one end of each pair of devices.
///
/// It belongs to a user namespace in which all containers are that are in such networks, since only from there may a pair
/// of devices be laid between the two. Nothing of it is on disk: the supervisors of those containers hold it open, by
/// descriptors that a record names. So it goes, with all that is in it, when the last of them does, however that ends.
extension NetworkStore {
    /// One who has both namespaces open.
    private struct Holder: JSONMappable {
        var pid: pid_t = 0
        /// In clock ticks since boot: another process may have its number.
        var startTime: UInt64 = 0
        var user: CInt = -1
        var network: CInt = -1

        mutating func map(_ fields: JSONFields) {
            fields.required("pid", &pid)
            fields.required("startTime", &startTime)
            fields.required("user", &user)
            fields.required("network", &network)
        }

        var isAlive: Bool { ProcessStatus(pid).map { $0.startTime == startTime && $0.state != "Z" } ?? false }

        /// - Returns: `nil` when it has ended, or ends just now.
        func open() -> NetworkPlace? {
            let here = FileDescriptor.workingDirectory
            // `try?`: one that cannot be looked into is as good as gone
            guard let user = try? here.open("/proc/\(pid)/fd/\(user)") else { return nil }
            guard let network = try? here.open("/proc/\(pid)/fd/\(network)") else {
                user.closeQuietly()
                return nil
            }
            let place = NetworkPlace(user: user, network: network)
            let isWhole =
                isAlive && here.linkTarget(of: "/proc/self/fd/\(user.rawValue)")?.hasPrefix("user:") ?? false
                && here.linkTarget(of: "/proc/self/fd/\(network.rawValue)")?.hasPrefix("net:") ?? false
            if isWhole { return place }
            place.close()
            return nil
        }
    }

    private struct Holders: JSONMappable {
        private var schemaVersion = 1
        var holders: [Holder] = []

        mutating func map(_ fields: JSONFields) {
            fields.required("schemaVersion", &schemaVersion)
            fields.check("schemaVersion", schemaVersion == 1, expected: "1")
            fields.required("holders", &holders)
        }
    }

    /// No name of a network begins so.
    private static let sharedName = ".shared"

    /// Holds the namespace, from before this process' container is made until `release`.
    ///
    /// - Parameter make: Makes it, where nobody holds one.
    public func holdShared(_ make: () throws(Failure) -> NetworkPlace) throws(Failure) -> NetworkPlace {
        let lock = try lock(Self.sharedName)
        defer { lock.closeQuietly() }
        var record = readHolders()
        record.holders.removeAll { !$0.isAlive }
        let place: NetworkPlace
        if let there = open(record) { place = there } else { place = try make() }
        guard let user = place.user else { return place }
        record.holders.append(
            Holder(
                pid: getpid(), startTime: ProcessStatus(getpid())?.startTime ?? 0, user: user.rawValue,
                network: place.network.rawValue))
        do throws(Failure) {
            try save(record)
        } catch {
            place.close()
            throw error
        }
        return place
    }

    /// Lets go of it.
    public func releaseShared(_ place: NetworkPlace) throws(Failure) {
        defer { place.close() }
        let lock = try lock(Self.sharedName)
        defer { lock.closeQuietly() }
        var record = readHolders()
        record.holders.removeAll { !$0.isAlive || ($0.pid == getpid() && $0.network == place.network.rawValue) }
        try save(record)
    }

    /// The namespace, if somebody holds it.
    ///
    /// - Returns: The caller closes it.
    public func shared() throws(Failure) -> NetworkPlace? {
        let lock = try lock(Self.sharedName)
        defer { lock.closeQuietly() }
        return open(readHolders())
    }

    /// Whether a container is in the user namespace that owns the shared namespace.
    public func sharesUsers(_ place: NetworkPlace) throws(Failure) -> Bool {
        guard let shared = try shared(), let user = place.user else { return false }
        defer { shared.close() }
        return try step("look at", "user namespaces") { () throws(SystemCallError) in
            try shared.user?.status().st_ino == user.status().st_ino
        }
    }

    private func open(_ record: Holders) -> NetworkPlace? {
        for holder in record.holders {
            if let place = holder.open() { return place }
        }
        return nil
    }

    private func readHolders() -> Holders {
        // `try?`: without a record nobody holds one; with a damaged one the holders go on, and the next makes another
        guard let bytes = try? live.contents(of: "networks/\(Self.sharedName)", limit: 1 << 20) else {
            return Holders()
        }
        return (try? Holders(json: bytes)) ?? Holders()  // `try?`: as above
    }

    private func save(_ record: Holders) throws(Failure) {
        try Self.failing("shared namespace") { () throws(SystemCallError) in
            let networks = try live.open("networks", O_RDONLY | O_DIRECTORY)
            defer { networks.closeQuietly() }
            try networks.replaceFile(Self.sharedName, with: record.json(), transient: true)
        }
    }

    /// Whether networks are bridges of the machine itself, as root makes them.
    ///
    /// Kept, since a child in the shared namespace is root there.
    static let isMachineWide = geteuid() == 0

    /// Does something where the bridges are; nothing where an ordinary user's are gone, or not there yet.
    func atBridges(_ body: () throws(Failure) -> Void) throws(Failure) {
        if Self.isMachineWide { return try body() }
        guard let place = try shared() else { return }
        defer { place.close() }
        try place.run(body)
    }
}
