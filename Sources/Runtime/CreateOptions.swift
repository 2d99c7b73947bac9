import Glibc
import Linux

/// What `create` and `run` are asked for.
public struct CreateOptions: Sendable {
    public var id: String
    /// The bundle's directory.
    public var bundle = "."
    /// Where the PID of init is written to, as the runtime sees it.
    public var pidFile: String?
    /// A Unix socket that gets the terminal's master side.
    public var consoleSocket: String?
    /// A Unix socket that gets a descriptor of init.
    public var pidfdSocket: String?
    /// Whether the root is changed by pivot_root(2).
    public var pivots = true
    /// Whether the container gets a session keyring of its own.
    public var makesKeyring = true
    /// How many descriptors are passed on beside the standard streams, beginning with 3.
    public var preservedDescriptors = 0
    /// Whether `cgroupsPath` is one of systemd: `slice:prefix:name`.
    public var systemdCgroup = false
    /// Whether a cgroup that may not be made or limited is gone without; `nil` if the caller is not root.
    public var rootless: Bool?

    public init(id: String) { self.id = id }

    /// With paths that stay right when the bundle becomes the working directory.
    func withAbsolutePaths() throws(Failure) -> CreateOptions {
        var options = self
        if let pidFile { options.pidFile = try Paths.absolute(pidFile) }
        if let pidfdSocket { options.pidfdSocket = try Paths.absolute(pidfdSocket) }
        if let consoleSocket { options.consoleSocket = try Paths.absolute(consoleSocket) }
        return options
    }

    /// Those of socket activation come with LISTEN_FDS.
    ///
    /// - Note: sd_listen_fds(3).
    static var listenDescriptors: Int {
        getenv("LISTEN_FDS").flatMap { Int(String(cString: $0)) }.map { max(0, min($0, 1 << 16)) } ?? 0
    }

    /// - Throws: When one that is to be passed on is not open.
    static func requireOpen(descriptors count: Int) throws(Failure) {
        guard count > 0 else { return }
        for number in 3..<(3 + CInt(count)) where fcntl(number, F_GETFD) < 0 {
            throw Failure("preserve descriptor", "\(number)", "is not open; --preserve-fds counts from 3")
        }
    }
}
