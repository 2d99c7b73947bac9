public import OCI
public import SystemPackage

/// What an engine asks of a start beyond what a Spec can say, as options of `create` and `run`.
public struct EngineOptions: Sendable {
    /// Whether init lives on when the process that cloned it ends.
    public var outlivesMaker = false
    /// The FIFO that init waits at before it becomes the command (`StartGate.make`); `nil` for no wait.
    public var gate: FileDescriptor?
    /// What hooks get on standard input; without it none are run.
    public var state: State?
    /// How many descriptors the command inherits beside the standard streams: 3, 4…
    public var preservedDescriptors = 0
    /// Whether the root is changed by pivot_root(2) rather than by moving a mount (`--no-pivot`).
    public var pivots = true
    /// Whether init stays in its maker's session keyring (`--no-new-keyring`).
    public var keepsKeyring = false

    public init() {}
}
