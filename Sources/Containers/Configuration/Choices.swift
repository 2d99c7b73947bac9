/// Where the container's root file system comes from.
public enum RootSource: Codable, Sendable, Equatable {
    /// A directory as it is: the container's writes go there.
    case directory(path: String)
    /// A directory below a throw-away layer.
    case overlay(path: String)
    /// The machine's own root below a throw-away layer.
    case host
}

/// What holds the writes to a root that must not change.
public enum Storage: String, Codable, Sendable {
    /// A layer of overlayfs.
    case overlay
    /// A full copy, for file systems that overlayfs refuses.
    case copy
}

/// Which namespace a container is in.
public enum NamespaceMode: Codable, Sendable, Equatable {
    /// One of its own.
    case `private`
    case host
    /// That of another container.
    case container(id: String)
}

/// Which IPC namespace a container is in, and whether it has a /dev/shm.
public enum IPCMode: Codable, Sendable, Equatable {
    case `private`
    /// One of its own that other containers may join.
    case shareable
    /// One of its own without /dev/shm.
    case none
    case host
    case container(id: String)
}

/// How a container is connected.
public enum NetworkMode: Codable, Sendable, Equatable {
    /// A network namespace with nothing but loopback.
    case none
    case host
    case container(id: String)
}

/// How a container's users are those of the host.
public enum UserNamespaceMode: Codable, Sendable, Equatable {
    /// Root: the host's. An ordinary user: they are root inside, with their subordinate IDs above.
    case standard
    case host
    /// The caller has the same IDs inside as outside.
    case keepID
    /// IDs that no user of the host has.
    case auto
    case container(id: String)
    case maps([IDMap])
}

/// A range of IDs inside and outside, for users and groups alike.
public struct IDMap: Codable, Sendable, Equatable {
    /// The first ID inside.
    public var container: UInt32
    /// The first ID outside.
    public var host: UInt32
    /// At least 1.
    public var count: UInt32

    public init(container: UInt32, host: UInt32, count: UInt32) {
        self.container = container
        self.host = host
        self.count = count
    }
}

/// Which system calls are allowed.
public enum SeccompChoice: Codable, Sendable, Equatable {
    /// The built-in filter, or none for a privileged container.
    case standard
    case unconfined
    /// A profile in a file, absolute.
    case file(path: String)
}

/// When a container that ended is started again.
public enum RestartPolicy: Codable, Sendable, Equatable {
    case no
    case always
    case unlessStopped
    /// After a status other than 0; at most `retries` times, without end if 0.
    case onFailure(retries: Int)
}
