public import Cgroups
public import OCI

/// Everything that a user asked for with `run` or `create`: what the container's `config.json` holds.
///
/// Sizes are in bytes, durations in nanoseconds unless said otherwise. What was not asked for is `nil` or empty, so that
/// defaults are decided in one place, where the spec is made.
public struct ContainerConfig: Codable, Sendable, Equatable {
    /// The version of this layout.
    public var schemaVersion = 1

    // MARK: Root and program

    public var root: RootSource
    public var storage = Storage.overlay
    /// Whether the program sees its root read-only.
    public var readOnlyRoot = false
    /// What comes before the command; from `--entrypoint`.
    public var entrypoint: [String] = []
    public var command: [String] = []
    /// Whether Apus stays as PID 1 to reap and to forward signals.
    public var initProcess = false
    /// Whether standard input stays connected.
    public var interactive = false
    public var tty = false
    /// The terminal's size at the start: that of its first user's.
    public var consoleSize: Spec.ConsoleSize?
    /// `NAME=value` each, later ones win.
    public var environment: [String] = []
    /// Names that the environment must not have, even by default.
    public var unsetEnvironment: [String] = []
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

    public var name: String?
    /// Whether the container is removed when it ends.
    public var removeAtEnd = false
    public var restart = RestartPolicy.no
    /// The number of the signal that asks it to stop; SIGTERM if `nil`.
    public var stopSignal: Int32?
    /// Seconds between that signal and SIGKILL; -1 waits for ever.
    public var stopTimeout: Int?
    /// The longest that it may run.
    public var timeout: Int64?
    public var labels: [String: String] = [:]
    public var annotations: [String: String] = [:]
    public var log = LogConfiguration()
    public var healthCheck: HealthCheck?

    // MARK: Namespaces and names

    public var hostname: String?
    public var domainname: String?
    public var pid = NamespaceMode.private
    public var ipc = IPCMode.private
    public var uts = NamespaceMode.private
    public var network = NetworkMode.none
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

    public var privileged = false
    /// Names with `CAP_`, or `ALL`.
    public var addedCapabilities: [String] = []
    /// Names with `CAP_`, or `ALL`.
    public var droppedCapabilities: [String] = []
    /// `nil` means on, unless privileged.
    public var noNewPrivileges: Bool?
    public var seccomp = SeccompChoice.standard
    public var apparmorProfile: String?
    /// Paths to hide beside the default ones.
    public var maskedPaths: [String] = []
    /// Paths not to hide or write-protect; `ALL` for every one.
    public var unmaskedPaths: [String] = []

    // MARK: Limits

    public var resources = ResourceLimits()
    /// What happens with a limit that nothing on this machine can enforce.
    public var limits = LimitsPolicy.strict
    public var cgroupParent: String?
    public var rlimits: [Spec.Rlimit] = []
    public var sysctls: [String: String] = [:]
    /// -1000 to 1000.
    public var oomScoreAdjustment: Int64?

    public init(root: RootSource) { self.root = root }

    /// The program and its arguments.
    public var arguments: [String] { entrypoint + command }
}
