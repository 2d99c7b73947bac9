import Linux

/// What `checkpoint` and `restore` are asked for, by the names of their options.
public struct CheckpointOptions: Sendable {
    /// What CRIU does about cgroups, by the number that it knows it by.
    public enum CgroupsMode: Int, Sendable {
        case ignore = 0
        case soft = 3
        case full = 4
        case strict = 5
        case standard = 6
    }

    /// The directory of the images, `--image-path`.
    public var imagePath: String
    /// The directory of logs; `nil` for that of the images.
    public var workPath: String?
    /// That of an earlier dump, relative to `imagePath`.
    public var parentPath: String?
    public var leavesRunning = false
    public var tcpEstablished = false
    public var tcpSkipInFlight = false
    public var linkRemap = false
    public var externalSockets = false
    public var shellJob = false
    public var lazyPages = false
    /// Gets a NUL when pages can be fetched.
    public var statusDescriptor: Int32?
    public var pageServer: (address: String, port: UInt16)?
    public var fileLocks = false
    /// Whether only memory is saved, and the container goes on.
    public var preDumps = false
    public var cgroupsMode = CgroupsMode.standard
    public var autoDedup = false
    public var lsmProfile: String?
    public var lsmMountContext: String?
    /// The name or path of CRIU; `nil` for the usual one.
    public var criu: String?

    public init(imagePath: String) { self.imagePath = imagePath }

    /// With paths that stay right when the bundle becomes the working directory.
    func withAbsolutePaths() throws(Failure) -> CheckpointOptions {
        var options = self
        options.imagePath = try Paths.absolute(imagePath)
        if let workPath { options.workPath = try Paths.absolute(workPath) }
        return options
    }
}
