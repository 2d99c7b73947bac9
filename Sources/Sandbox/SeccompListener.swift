import CLinux
import Glibc
import Linux
public import OCI
import SystemPackage

/// Who answers for the system calls that a filter's `notify` holds back.
///
/// - Note: OCI runtime-spec, config-linux.md, "Seccomp", `listenerPath`; seccomp_unotify(2).
public struct SeccompListener: Sendable {
    /// A listening Unix socket of the stream type.
    public var path: String
    /// What goes along; the process' number is filled in.
    public var state: ContainerProcessState

    public init(path: String, state: ContainerProcessState) {
        self.path = path
        self.state = state
    }

    /// What a configuration asks for.
    ///
    /// - Parameter state: The container's, as it is while the filter is loaded.
    /// - Returns: `nil` where no rule asks anybody: then the path means nothing.
    public init?(_ seccomp: Spec.Seccomp?, state: State) {
        guard let seccomp, let path = seccomp.listenerPath, !path.isEmpty, seccomp.notifies else { return nil }
        self.init(
            path: path,
            state: ContainerProcessState(
                ociVersion: state.ociVersion, pid: state.pid ?? 0, metadata: seccomp.listenerMetadata, state: state))
    }

    /// A connection to it, made before the clone: a listener that is not there fails early, and `exec` loses its path.
    struct Connection: Sendable {
        let socket: FileDescriptor
        let listener: SeccompListener

        /// Sends the one message that belongs to a connection.
        ///
        /// - Parameter pid: Of the process that has the filter.
        func send(_ descriptor: FileDescriptor, of pid: pid_t) throws(Failure) {
            var state = listener.state
            state.pid = pid
            if state.state.status == .creating { state.state.pid = pid }
            let bytes = state.json()
            try step("seccomp", "listenerPath '\(listener.path)'") { () throws(SystemCallError) in
                let sent = try check("sendmsg") {
                    DescriptorPassing.send(bytes, descriptor: descriptor, over: socket)
                }
                // A stream may take it in pieces, of which the first one has the descriptor.
                try socket.writeFully(bytes[Int(sent)...])
            }
        }

        func close() { socket.closeQuietly() }
    }

    /// Connects to `listener` if `filter` asks anybody.
    static func connect(_ listener: SeccompListener?, for filter: BPFProgram?) throws(Failure) -> Connection? {
        guard let filter, filter.flags.contains(.newListener) else { return nil }
        guard let listener else { throw Failure("seccomp", "listenerPath", "missing, and a rule's action is notify") }
        return try step("seccomp", "listenerPath '\(listener.path)'", remedy: "is the agent there that listens to it?")
        {
            () throws(SystemCallError) in
            Connection(socket: try UnixSocket.connect(to: listener.path), listener: listener)
        }
    }

    /// Gives the descriptor of the filter that this process has just loaded to its supervisor, and waits until it has got
    /// to where it belongs: from there on every call that the filter holds back is answered.
    static func handOver(_ descriptor: FileDescriptor, over channel: Channel) throws(Failure) {
        defer { descriptor.closeQuietly() }
        let answer = try step("seccomp", "listener") { () throws(SystemCallError) in
            try channel.send(.listener(descriptor))
            return try channel.receive()
        }
        guard case .proceed = answer else { CurrentProcess.exitNow(1) }  // the supervisor failed, and says so itself
    }
}

extension Spec.Seccomp {
    /// Whether a rule asks a listener.
    var notifies: Bool { syscalls?.contains { $0.action == .notify } ?? false }
}
