public import Cgroups
public import Networks
public import OCI

/// Everything that a user asked for with `run` or `create`: what the container's `config.json` holds.
///
/// Sizes are in bytes, durations in nanoseconds unless said otherwise. What was not asked for is `nil` or empty, so that
/// defaults are decided in one place, where the spec is made.
public struct ContainerConfig: JSONMappable, Sendable, Equatable {
    /// The format of this record; another one is refused rather than guessed.
    private var schemaVersion = Self.currentSchema
    /// The only format that this version reads and writes.
    private static let currentSchema = 3

    // MARK: Root and program

    public var root: RootSource
    /// What holds the writes to a root that must not change.
    public var storage = Storage.overlay
    /// Whether the program sees its root read-only.
    public var readOnlyRoot = false
    /// What comes before the command; from `--entrypoint`.
    public var entrypoint: [String] = []
    /// The program, unless there is an entry point, and its arguments.
    public var command: [String] = []
    /// Whether Apus stays as PID 1 to reap and to forward signals.
    public var initProcess = false
    /// Whether standard input stays connected.
    public var interactive = false
    /// Whether the program has a terminal.
    public var tty = false
    /// The terminal's size at the start: that of its first user's.
    public var consoleSize: Spec.ConsoleSize?
    /// `NAME=value` each, later ones win.
    public var environment: [String] = []
    /// Names that the environment must not have, even by default.
    public var unsetEnvironment: [String] = []
    /// Absolute in the container; `/` if `nil`.
    public var workingDirectory: String?
    /// `name`, `uid`, `name:group`…, looked up inside the root; empty is root.
    public var user = ""
    /// Supplementary groups by name or number, looked up inside the root.
    public var additionalGroups: [String] = []
    /// 0 to 0o777.
    public var umask: UInt32?
    /// `LINUX` or `LINUX32`.
    public var personality: String?

    // MARK: Life

    /// `nil` until the container is made, unless it was asked for.
    public var name: String?
    /// Whether the container is removed when it ends.
    public var removeAtEnd = false
    /// When it is started again after its end.
    public var restart = RestartPolicy.no
    /// The number of the signal that asks it to stop; SIGTERM if `nil`.
    public var stopSignal: Int32?
    /// Seconds between that signal and SIGKILL; -1 waits for ever.
    public var stopTimeout: Int?
    /// The longest that it may run.
    public var timeout: Int64?
    /// The user's own notes, which Apus only shows and filters by.
    public var labels: [String: String] = [:]
    /// The spec's own.
    public var annotations: [String: String] = [:]
    public var log = LogConfiguration()
    public var healthCheck: HealthCheck?

    // MARK: Namespaces and names

    /// The ID's first 12 digits if `nil`, or the machine's name where its UTS namespace or network is shared.
    public var hostname: String?
    /// The NIS domain name.
    public var domainname: String?
    public var pid = NamespaceMode.private
    public var ipc = IPCMode.private
    public var uts = NamespaceMode.private
    public var network = NetworkMode.standard
    /// What of the machine's ports leads to it.
    public var ports: [PublishedPort] = []
    /// Ports that it listens on, `80/tcp` each, the image's aside.
    public var exposedPorts: [String] = []
    /// Whether all those, and the image's, are published at ports that the kernel chooses.
    public var publishAll = false
    /// All that it may send to; `nil` for everything.
    public var egress: [EgressRule]?
    public var networkRate: NetworkRate?
    public var cgroupNamespace = NamespaceMode.private
    public var userNamespace = UserNamespaceMode.standard
    /// Further lines of /etc/hosts, as asked for: `name:address`, the address maybe `host-gateway`.
    public var extraHosts: [ExtraHost] = []
    public var dns = DNSConfiguration()

    // MARK: Files and devices

    public var mounts: [MountRequest] = []
    public var devices: [DeviceRequest] = []
    /// The size of /dev/shm.
    public var sharedMemorySize: Int64?

    // MARK: Rights

    /// Whether it has every capability and device, and no filter.
    public var privileged = false
    /// Names with `CAP_`, or `ALL`.
    public var addedCapabilities: [String] = []
    /// Names with `CAP_`, or `ALL`.
    public var droppedCapabilities: [String] = []
    /// `nil` means on, unless privileged.
    public var noNewPrivileges: Bool?
    public var seccomp = SeccompChoice.standard
    /// The AppArmor profile asked for.
    public var apparmorProfile: String?
    /// Paths to hide beside the default ones.
    public var maskedPaths: [String] = []
    /// Paths not to hide or write-protect; `ALL` for every one.
    public var unmaskedPaths: [String] = []

    // MARK: Limits

    public var resources = ResourceLimits()
    /// What happens with a limit that nothing on this machine can enforce.
    public var limits = LimitsPolicy.strict
    /// A cgroup to be below, or a systemd slice.
    public var cgroupParent: String?
    /// Limits of each process, from `--ulimit`.
    public var rlimits: [Spec.Rlimit] = []
    /// Kernel parameters of the container's own namespaces.
    public var sysctls: [String: String] = [:]
    /// -1000 to 1000.
    public var oomScoreAdjustment: Int64?

    /// What makes it a job, if anything does.
    public var job: JobOptions?

    public init(root: RootSource) { self.root = root }

    /// The program and its arguments.
    public var arguments: [String] { entrypoint + command }

    /// The filter that the container's processes get: a privileged one has none unless it was asked for.
    public var effectiveSeccomp: SeccompChoice {
        privileged && seccomp == .standard ? .unconfined : seccomp
    }

    // MARK: As JSON

    package init() { self.init(root: .host) }

    // Nothing that is not optional has a default: a record that has lost what was asked for, say a capability to drop,
    // must not start with more rights.
    package mutating func map(_ fields: JSONFields) {
        fields.required("schemaVersion", &schemaVersion)
        fields.check("schemaVersion", schemaVersion == Self.currentSchema, expected: "\(Self.currentSchema)")
        mapProgram(fields)
        mapLife(fields)
        mapNamespaces(fields)
        mapFiles(fields)
        mapRights(fields)
        mapLimits(fields)
        fields.optional("job", &job)
    }

    private mutating func mapProgram(_ fields: JSONFields) {
        fields.required("root", &root)
        fields.required("storage", &storage)
        fields.required("readOnlyRoot", &readOnlyRoot)
        fields.required("entrypoint", &entrypoint)
        fields.required("command", &command)
        fields.required("initProcess", &initProcess)
        fields.required("interactive", &interactive)
        fields.required("tty", &tty)
        fields.optional("consoleSize", &consoleSize)
        fields.required("environment", &environment)
        fields.required("unsetEnvironment", &unsetEnvironment)
        fields.optional("workingDirectory", &workingDirectory)
        fields.required("user", &user)
        fields.required("additionalGroups", &additionalGroups)
        fields.optional("umask", &umask)
        fields.check("umask", umask ?? 0 <= 0o777, expected: "a mask up to 511")
        fields.optional("personality", &personality)
    }

    private mutating func mapLife(_ fields: JSONFields) {
        fields.optional("name", &name)
        fields.required("removeAtEnd", &removeAtEnd)
        fields.required("restart", &restart)
        fields.optional("stopSignal", &stopSignal)
        fields.check("stopSignal", 1...64 ~= stopSignal ?? 1, expected: "a signal from 1 to 64")
        fields.optional("stopTimeout", &stopTimeout)
        fields.check("stopTimeout", -1...Int(Int32.max) ~= stopTimeout ?? 0, expected: "seconds from -1 on")
        fields.optional("timeout", &timeout)
        fields.check("timeout", timeout ?? 0 >= 0, expected: "a duration from 0 on")
        fields.required("labels", &labels)
        fields.required("annotations", &annotations)
        fields.required("log", &log)
        fields.optional("healthCheck", &healthCheck)
    }

    private mutating func mapNamespaces(_ fields: JSONFields) {
        fields.optional("hostname", &hostname)
        fields.optional("domainname", &domainname)
        fields.required("pid", &pid)
        fields.required("ipc", &ipc)
        fields.required("uts", &uts)
        fields.required("network", &network)
        fields.required("ports", &ports)
        fields.required("exposedPorts", &exposedPorts)
        fields.required("publishAll", &publishAll)
        fields.optional("egress", &egress)
        fields.optional("networkRate", &networkRate)
        fields.required("cgroupNamespace", &cgroupNamespace)
        fields.required("userNamespace", &userNamespace)
        fields.required("extraHosts", &extraHosts)
        fields.required("dns", &dns)
    }

    private mutating func mapFiles(_ fields: JSONFields) {
        fields.required("mounts", &mounts)
        fields.required("devices", &devices)
        fields.optional("sharedMemorySize", &sharedMemorySize)
    }

    private mutating func mapRights(_ fields: JSONFields) {
        fields.required("privileged", &privileged)
        fields.required("addedCapabilities", &addedCapabilities)
        fields.required("droppedCapabilities", &droppedCapabilities)
        fields.optional("noNewPrivileges", &noNewPrivileges)
        fields.required("seccomp", &seccomp)
        fields.optional("apparmorProfile", &apparmorProfile)
        fields.required("maskedPaths", &maskedPaths)
        fields.required("unmaskedPaths", &unmaskedPaths)
    }

    private mutating func mapLimits(_ fields: JSONFields) {
        fields.required("resources", &resources)
        fields.required("limits", &limits)
        fields.optional("cgroupParent", &cgroupParent)
        fields.required("rlimits", &rlimits)
        fields.required("sysctls", &sysctls)
        fields.optional("oomScoreAdjustment", &oomScoreAdjustment)
    }
}
