public import Containers
import Networks

/// What a command line of `run` or `create` asks for.
public struct RunRequest: Sendable, Equatable {
    /// The container.
    public var config: ContainerConfig
    /// Whether `run` returns at once.
    public var detach = false
    /// Where to write the container's ID, as given.
    public var cidfile: String?
    /// Where it is said what it used.
    public var report = ReportRequest()
    /// The bytes that detach; none if empty.
    public var detachKeys = DetachKeys.standard
    /// What comes before each line of its output, in the foreground.
    public var lineMarks = LineMarks()
    /// Whether `run --detach` returns only once the container says that it works.
    public var waitsHealthy = false
    /// For how long at most, in nanoseconds; without end if `nil`.
    public var waitTimeout: Int64?
    /// Whether signals to `apus` go on to the container.
    public var signalProxy = true
    /// What the root is to be made of, if it is an image; the config then lacks what only that says.
    public var image: ImageRequest?
    /// Whether only the help was asked for; nothing else is then to be relied on.
    public var help = false

    public init(config: ContainerConfig) { self.config = config }
}

/// An image that a container is to be made of.
public struct ImageRequest: Sendable, Equatable {
    /// When the image is looked for in its registry.
    public enum PullPolicy: String, Sendable, CaseIterable {
        case always, missing, never
        /// When the one there is another than the one here; where it cannot be reached, the one here does.
        case newer
    }

    /// As its user wrote it.
    public var reference: String
    public var pull = PullPolicy.missing
    /// `os/architecture[/variant]`; this machine's if `nil`.
    public var platform: String?
    /// Whether a pull shows nothing.
    public var quiet = false
    public var overrides = ContainerConfig.ImageOverrides()

    public init(reference: String) { self.reference = reference }
}

/// Reads the flags of `run` and `create`.
struct RunFlags: Reporting {
    var request = RunRequest(config: ContainerConfig(root: .host))
    /// `--rootfs`, as given.
    var rootfs: String?
    /// Files come before single variables, wherever they stand.
    var environment: [String] = []
    var environmentFiles: [String] = []
    var labels: [String] = []
    var labelFiles: [String] = []
    var health: HealthCheck?
    var noHealthCheck = false
    /// Of the first network: addresses, and further names.
    var attachment = NetworkAttachment(network: "")
    /// Of the image, if the root is one.
    var image = ImageRequest(reference: "")
    let surroundings: Surroundings

    init(_ surroundings: Surroundings) { self.surroundings = surroundings }

    var report: ReportRequest {
        get { request.report }
        _modify { yield &request.report }
    }

    var config: ContainerConfig {
        get { request.config }
        _modify { yield &request.config }
    }

    var resources: ResourceLimits {
        get { request.config.resources }
        _modify { yield &request.config.resources }
    }

    /// Sets one value of the health check, which exists from then on.
    mutating func setHealth(_ change: (inout HealthCheck) -> Void) {
        var check = health ?? HealthCheck(command: "")
        change(&check)
        health = check
    }
}
