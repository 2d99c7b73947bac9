import Glibc
public import Linux
public import OCI
import SystemPackage

/// What making a spec needs to know of the machine and of the container's place on it.
public struct HostFacts: Sendable {
    /// The caller's IDs.
    public var uid: UInt32
    public var gid: UInt32
    /// Whether namespaces and mounts can be made without a user namespace.
    public var isRoot: Bool
    /// 64 hexadecimal digits.
    public var id: String
    /// Where this container's hosts, resolv.conf and hostname are.
    public var containerDirectory: String
    /// Where volumes are kept: below `volumes`, and those without a name below `containers/ID/volumes`.
    public var dataDirectory: String
    /// The name of the machine.
    public var hostName: String
    /// Whether the kernel accounts for swap, so that a memory limit can hold for both.
    public var limitsSwap: Bool
    /// Whether there is a file at a path of the host, a dangling link included.
    public var exists: @Sendable (_ path: String) -> Bool
    /// The names of the capabilities that root here can give at most: root of a container or a service may lack some.
    public var grantableCapabilities: @Sendable () -> [String] = { SecuritySyntax.capabilities }
    /// What the kernel shows for an owner who has no ID.
    ///
    /// - Note: proc_sys_kernel(5), overflowuid.
    static let unmappedID: UInt32 = 65534
    /// The owner of what is at a path of the host; `nil` for nothing.
    public var owner: @Sendable (_ path: String) -> UInt32? = { _ in nil }
    /// The subordinate IDs of one of these owners: the first that has any.
    public var subordinateIDs: @Sendable (_ owners: [Owner]) throws(Failure) -> SubordinateRanges
    /// Takes one of the slots, which no other container has, for this container.
    public var leaseIDs: @Sendable (_ slots: IDSlots) throws(Failure) -> IDSlot = { $0[0] }
    /// The devices at a path of the host: itself, or those of a directory. The step of a failure is for the flag.
    public var devices: @Sendable (_ path: String) throws(Failure) -> [HostDevice]
    /// The path of the /dev/shm of a running container that lets others join its IPC namespace.
    public var sharedMemory: @Sendable (_ container: String) throws(Failure) -> String = { "/proc/\($0)/root/dev/shm" }
    /// The IDs of a running container as they are on this machine; `nil` where it has the caller's own namespace.
    public var idMaps: @Sendable (_ container: String) throws(Failure) -> IDMaps? = { _ in IDMaps() }
    /// The path of a namespace of a running container, such as /proc/123/ns/net.
    public var namespace: @Sendable (_ container: String, _ type: Spec.NamespaceType) throws(Failure) -> String

    /// A line of /etc/subuid starts with one.
    public struct Owner: Sendable, Equatable {
        public var name: String
        /// `nil` for a name that is no user.
        public var uid: UInt32?

        public init(name: String, uid: UInt32? = nil) {
            self.name = name
            self.uid = uid
        }
    }

    /// The maps of a user namespace.
    public struct IDMaps: Sendable, Equatable {
        public var uids: [Spec.IDMapping]
        public var gids: [Spec.IDMapping]

        public init(uids: [Spec.IDMapping] = [], gids: [Spec.IDMapping] = []) {
            self.uids = uids
            self.gids = gids
        }
    }

    /// Subordinate IDs for users and groups.
    public struct SubordinateRanges: Sendable, Equatable {
        public var uids: [IDRange]
        public var gids: [IDRange]

        public init(uids: [IDRange] = [], gids: [IDRange] = []) {
            self.uids = uids
            self.gids = gids
        }
    }

    public init(
        uid: UInt32, gid: UInt32, isRoot: Bool, id: String, containerDirectory: String, dataDirectory: String,
        hostName: String, limitsSwap: Bool, exists: @escaping @Sendable (String) -> Bool,
        subordinateIDs: @escaping @Sendable ([Owner]) throws(Failure) -> SubordinateRanges,
        devices: @escaping @Sendable (String) throws(Failure) -> [HostDevice],
        namespace: @escaping @Sendable (String, Spec.NamespaceType) throws(Failure) -> String
    ) {
        self.uid = uid
        self.gid = gid
        self.isRoot = isRoot
        self.id = id
        self.containerDirectory = containerDirectory
        self.dataDirectory = dataDirectory
        self.hostName = hostName
        self.limitsSwap = limitsSwap
        self.exists = exists
        self.subordinateIDs = subordinateIDs
        self.devices = devices
        self.namespace = namespace
    }

    /// The facts of this machine and this process.
    ///
    /// - Parameter namespace: Finds a running container and the path of one of its namespaces.
    public static func current(
        id: String, containerDirectory: String, dataDirectory: String,
        namespace: @escaping @Sendable (String, Spec.NamespaceType) throws(Failure) -> String
    ) -> HostFacts {
        var facts = HostFacts(
            uid: geteuid(), gid: getegid(), isRoot: CurrentProcess.mayMount, id: id,
            containerDirectory: containerDirectory, dataDirectory: dataDirectory, hostName: machineName(),
            limitsSwap: kernelLimitsSwap(),
            exists: { FileDescriptor.workingDirectory.has($0) },
            subordinateIDs: readSubordinateIDs, devices: HostDevice.find, namespace: namespace)
        facts.owner = { try? FileDescriptor.workingDirectory.status(of: $0).st_uid }  // `try?`: nothing is there
        facts.grantableCapabilities = { Capabilities.bounding().names }
        return facts
    }

    /// The name of this machine, in the UTS namespace of this process.
    static func machineName() -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            guard gethostname(buffer.baseAddress!, buffer.count - 1) == 0 else { return "localhost" }
            buffer[buffer.count - 1] = 0
            return String(cString: buffer.baseAddress!)
        }
    }

    /// On cgroup v1 that is a matter of the kernel's command line; v2 always has it.
    private static func kernelLimitsSwap() -> Bool {
        let memory = "/sys/fs/cgroup/memory/memory"
        return access("\(memory).memsw.limit_in_bytes", F_OK) == 0 || access("\(memory).limit_in_bytes", F_OK) != 0
    }

    private static func readSubordinateIDs(_ owners: [Owner]) throws(Failure) -> SubordinateRanges {
        for owner in owners {
            let (name, uid) = (owner.uid.map(userName) ?? owner.name, owner.uid ?? .max)
            do {
                let ranges = SubordinateRanges(
                    uids: try SubordinateIDs.ranges(in: "/etc/subuid", user: name, uid: uid),
                    gids: try SubordinateIDs.ranges(in: "/etc/subgid", user: name, uid: uid))
                if !ranges.uids.isEmpty, !ranges.gids.isEmpty { return ranges }
            } catch let failure as Failure {
                throw failure
            } catch {
                throw Failure("read subordinate IDs", "'\(name)'", "\(error)")
            }
        }
        return SubordinateRanges()
    }

    /// The login name, by the passwd file or, for users that are not in it (LDAP), by the environment, as which
    /// newuidmap(1) checks it again.
    private static func userName(_ uid: UInt32) -> String {
        // Without a readable passwd file the environment has to do.
        let passwd = FileDescriptor.contentsIfReadable(of: "/etc/passwd", limit: 4 << 20)
        let user = try? UserDatabase(passwd: passwd ?? [], group: []).resolve("\(uid)")  // `try?`: it is well-formed
        if let name = user?.name, !name.isEmpty { return name }
        return getenv("LOGNAME").map { String(cString: $0) } ?? ""
    }
}

/// A device node of the host.
public struct HostDevice: Sendable, Equatable {
    /// Absolute.
    public var path: String
    /// `c` or `b`.
    public var type: String
    public var major: Int64
    public var minor: Int64
    /// Permission bits.
    public var mode: UInt32
    public var uid: UInt32
    public var gid: UInt32

    public init(
        path: String, type: String, major: Int64, minor: Int64, mode: UInt32 = 0o666, uid: UInt32 = 0, gid: UInt32 = 0
    ) {
        self.path = path
        self.type = type
        self.major = major
        self.minor = minor
        self.mode = mode
        self.uid = uid
        self.gid = gid
    }

    /// The device at `path`, or those in the directory `path` and below it.
    public static func find(_ path: String) throws(Failure) -> [HostDevice] {
        let found: [HostDevice]
        do throws(SystemCallError) {
            let status = try FileDescriptor.workingDirectory.status(of: path)
            found =
                status.st_mode & S_IFMT == S_IFDIR
                ? try findAll(in: path, depth: 0) : HostDevice(path, status).map { [$0] } ?? []
        } catch {
            throw Failure("", "'\(path)'", error)
        }
        if found.isEmpty { throw Failure("", "'\(path)'", "neither a device nor a directory of devices") }
        return found
    }

    /// Links are passed over, as are the mounts that every container has of its own.
    private static func findAll(in directory: String, depth: Int) throws(SystemCallError) -> [HostDevice] {
        let file = try FileDescriptor.workingDirectory.open(directory, O_RDONLY | O_DIRECTORY)
        defer { file.closeQuietly() }
        var devices: [HostDevice] = []
        for name in try file.entries().sorted() where depth > 0 || !["pts", "shm", "mqueue", "fd"].contains(name) {
            let path = "\(directory)/\(name)"
            let status = try file.status(of: name, flags: AT_SYMLINK_NOFOLLOW)
            if status.st_mode & S_IFMT == S_IFDIR, depth < 8 {
                devices += try findAll(in: path, depth: depth + 1)
            } else if let device = HostDevice(path, status) {
                devices.append(device)
            }
        }
        return devices
    }

    private init?(_ path: String, _ status: FileStatus) {
        let kind = status.st_mode & S_IFMT
        guard kind == S_IFCHR || kind == S_IFBLK else { return nil }
        // makedev(3)'s inverse, which is a macro that Swift does not import.
        let number = status.st_rdev
        self.init(
            path: path, type: kind == S_IFCHR ? "c" : "b",
            major: Int64((number >> 8) & 0xfff | (number >> 32) & ~0xfff),
            minor: Int64(number & 0xff | (number >> 12) & ~0xff), mode: status.st_mode & 0o777, uid: status.st_uid,
            gid: status.st_gid)
    }
}
