/// A container's state, as `state` prints it and as hooks and seccomp listeners get it.
///
/// - Note: OCI Runtime Specification, runtime.md, "State".
public struct State: JSONMappable, Sendable, Equatable {
    /// How far a container is.
    public enum Status: String, JSONValue, Sendable, CaseIterable {
        /// `create` is at work.
        case creating
        /// Init waits for `start`.
        case created
        /// The program has been executed.
        case running
        /// Its processes are frozen. Not in the specification, which lets runtimes add their own; as runc has it.
        case paused
        /// The program has ended.
        case stopped
    }

    /// The version of the specification that this follows.
    public var ociVersion: String
    public var id: String
    public var status: Status
    /// Of init, as the host sees it; `nil` when there is none.
    public var pid: Int32?
    /// Absolute.
    public var bundle: String
    /// Those of `config.json`.
    public var annotations: [String: String]?

    public init(
        ociVersion: String = "1.2.0", id: String, status: Status, pid: Int32? = nil, bundle: String,
        annotations: [String: String]? = nil
    ) {
        self.ociVersion = ociVersion
        self.id = id
        self.status = status
        self.pid = pid
        self.bundle = bundle
        self.annotations = annotations
    }

    package init() { self.init(ociVersion: "", id: "", status: .stopped, bundle: "") }

    package mutating func map(_ fields: JSONFields) {
        fields.required("ociVersion", &ociVersion)
        fields.required("id", &id)
        fields.required("status", &status)
        fields.optional("pid", &pid)
        fields.required("bundle", &bundle)
        fields.optional("annotations", &annotations)
    }
}

/// What a seccomp listener gets together with the descriptors.
///
/// - Note: OCI Runtime Specification, config-linux.md, "The Container Process State".
public struct ContainerProcessState: JSONMappable, Sendable, Equatable {
    /// The name of the descriptor for a filter's notifications in `fds`.
    public static let seccompDescriptor = "seccompFd"

    /// The version of the specification that this follows.
    public var ociVersion: String
    /// Names of the descriptors that come with the message, in their order.
    public var fds: [String]
    /// Of the process that has the filter, as the host sees it.
    public var pid: Int32
    /// `linux.seccomp.listenerMetadata`, as it is.
    public var metadata: String?
    public var state: State

    public init(
        ociVersion: String = "1.2.0", fds: [String] = [Self.seccompDescriptor], pid: Int32, metadata: String? = nil,
        state: State
    ) {
        self.ociVersion = ociVersion
        self.fds = fds
        self.pid = pid
        self.metadata = metadata
        self.state = state
    }

    package init() { self.init(ociVersion: "", fds: [], pid: 0, state: State()) }

    package mutating func map(_ fields: JSONFields) {
        fields.required("ociVersion", &ociVersion)
        fields.required("fds", &fds)
        fields.required("pid", &pid)
        fields.optional("metadata", &metadata)
        fields.required("state", &state)
    }
}
