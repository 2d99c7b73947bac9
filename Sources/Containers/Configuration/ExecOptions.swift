/// What a user asked for with `exec`.
public struct ExecOptions: Sendable, Equatable {
    /// The program and its arguments.
    public var command: [String] = []
    /// Whether standard input stays connected.
    public var interactive = false
    /// Whether the program has a terminal of its own.
    public var tty = false
    /// Whether `exec` returns once the program runs.
    public var detach = false
    /// `NAME=value` each, beside the container's own.
    public var environment: [String] = []
    /// The container's own if `nil`.
    public var workingDirectory: String?
    /// `name`, `uid`, `name:group`…, looked up inside the root; the container's own if `nil`.
    public var user: String?
    /// Whether the process gets every capability and no filter.
    public var privileged = false
    /// The bytes that detach; none if empty.
    public var detachKeys = DetachKeys.standard

    public init() {}
}
