public import Containers
public import Images
public import OCI

/// What a build is asked for, beyond the Dockerfile and its context.
public struct BuildOptions: Sendable {
    /// The values of `ARG`s; `nil` takes that of the environment.
    public var arguments: [(name: String, value: String)] = []
    public var labels: [(name: String, value: String)] = []
    /// The stage to build, by name or number; the last one if `nil`.
    public var target: String?
    /// Whether steps are done that were done before.
    public var ignoresCache = false
    /// Whether images are asked for in their registries though they are here.
    public var pulls = false
    public var platform = Platform.host
    public var network = NetworkMode.standard
    public var extraHosts: [ExtraHost] = []
    public var dns = DNSConfiguration()
    public var resources = ResourceLimits()
    public var rlimits: [Spec.Rlimit] = []
    public var sharedMemorySize: Int64?
    public var cgroupParent: String?
    /// Where the values of secrets come from, by their IDs.
    public var secrets: [String: SecretRequest.Source] = [:]
    /// Sockets of agents, by their IDs.
    public var agents: [String: String] = [:]
    /// What `RUN --security=insecure` and `--network=host` need.
    public var allowsInsecure = false
    public var allowsHostNetwork = false
    /// In seconds since 1970: no file and no record is younger. The same inputs then give the same image.
    public var timestamp: Int64?
    /// `--build-context`: what names in `FROM` and `--from` mean beside stages and images.
    public var contexts: [String: NamedContext] = [:]
    /// Whether nothing but errors is said.
    public var isQuiet = false

    public init() {}
}

/// What a name of `--build-context` stands for.
public enum NamedContext: Sendable {
    /// A directory, absolute.
    case directory(String)
    /// An image's name.
    case image(String)
}
