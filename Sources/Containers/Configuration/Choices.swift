public import Networks
public import OCI

/// Where the container's root file system comes from.
public enum RootSource: JSONChoice, Sendable, Equatable {
    /// A directory as it is: the container's writes go there.
    case directory(path: String)
    /// A directory below a throw-away layer.
    case overlay(path: String)
    /// The machine's own root below a throw-away layer.
    case host
    /// An image's layers below one of the container's own.
    case image(ImageRoot)

    package init() { self = .host }

    package mutating func map(_ choices: JSONChoices) {
        if choices.word("host", self == .host) { self = .host }
        if let plainPath = choices.value("directory", plainPath) { self = .directory(path: plainPath) }
        if let overlayPath = choices.value("overlay", overlayPath) { self = .overlay(path: overlayPath) }
        if let image = choices.value("image", image) { self = .image(image) }
    }

    /// The image, if it is one.
    public var image: ImageRoot? {
        if case .image(let image) = self { image } else { nil }
    }

    private var plainPath: String? {
        if case .directory(let plainPath) = self { plainPath } else { nil }
    }

    private var overlayPath: String? {
        if case .overlay(let overlayPath) = self { overlayPath } else { nil }
    }
}

/// What holds the writes to a root that must not change.
public enum Storage: String, JSONValue, Sendable {
    /// A layer of overlayfs.
    case overlay
    /// A full copy, for file systems that overlayfs refuses.
    case copy
}

/// Which namespace a container is in.
public enum NamespaceMode: JSONChoice, Sendable, Equatable {
    /// One of its own.
    case `private`
    case host
    /// That of another container.
    case container(id: String)

    package init() { self = .private }

    package mutating func map(_ choices: JSONChoices) {
        if choices.word("private", self == .private) { self = .private }
        if choices.word("host", self == .host) { self = .host }
        if let other = choices.value("container", other) { self = .container(id: other) }
    }

    private var other: String? {
        if case .container(let other) = self { other } else { nil }
    }
}

/// Which IPC namespace a container is in, and whether it has a /dev/shm.
public enum IPCMode: JSONChoice, Sendable, Equatable {
    case `private`
    /// One of its own that other containers may join.
    case shareable
    /// One of its own without /dev/shm.
    case none
    case host
    case container(id: String)

    package init() { self = .private }

    package mutating func map(_ choices: JSONChoices) {
        if choices.word("private", self == .private) { self = .private }
        if choices.word("shareable", self == .shareable) { self = .shareable }
        if choices.word("none", self == .none) { self = .none }
        if choices.word("host", self == .host) { self = .host }
        if let other = choices.value("container", other) { self = .container(id: other) }
    }

    private var other: String? {
        if case .container(let other) = self { other } else { nil }
    }
}

/// How a container is connected.
public enum NetworkMode: JSONChoice, Sendable, Equatable {
    /// What is usual for whoever starts it: the bridge for root, pasta for others; `NetworkDefault` decides.
    case standard
    /// A network namespace with nothing but loopback.
    case none
    case host
    case container(id: String)
    /// One that the helper `pasta` connects to wherever the machine is connected.
    case pasta
    /// Networks that it shares with others, the first one being that of its default route. Never empty.
    case networks([NetworkAttachment])

    package init() { self = .none }

    package mutating func map(_ choices: JSONChoices) {
        if choices.word("standard", self == .standard) { self = .standard }
        if choices.word("none", self == .none) { self = .none }
        if choices.word("host", self == .host) { self = .host }
        if choices.word("pasta", self == .pasta) { self = .pasta }
        if let other = choices.value("container", other) { self = .container(id: other) }
        if let attachments = choices.value("networks", attachmentsIfAny), !attachments.isEmpty {
            self = .networks(attachments)
        }
    }

    /// Whether the container has a network namespace of its own.
    public var isPrivate: Bool {
        switch self {
        case .standard, .none, .pasta, .networks: true
        case .host, .container: false
        }
    }

    /// The networks that it names.
    public var attachments: [NetworkAttachment] { attachmentsIfAny ?? [] }

    private var attachmentsIfAny: [NetworkAttachment]? {
        if case .networks(let attachments) = self { attachments } else { nil }
    }

    private var other: String? {
        if case .container(let other) = self { other } else { nil }
    }
}

/// How a container's users are those of the host.
public enum UserNamespaceMode: JSONChoice, Sendable, Equatable {
    /// Root: the host's. An ordinary user: they are root inside, with their subordinate IDs above.
    case standard
    case host
    /// The caller has the same IDs inside as outside.
    case keepID
    /// IDs that no user of the host has.
    case auto
    case container(id: String)
    case maps([IDMap])

    package init() { self = .standard }

    package mutating func map(_ choices: JSONChoices) {
        if choices.word("standard", self == .standard) { self = .standard }
        if choices.word("host", self == .host) { self = .host }
        if choices.word("keep-id", self == .keepID) { self = .keepID }
        if choices.word("auto", self == .auto) { self = .auto }
        if let other = choices.value("container", other) { self = .container(id: other) }
        if let maps = choices.value("maps", maps) { self = .maps(maps) }
    }

    private var other: String? {
        if case .container(let other) = self { other } else { nil }
    }

    private var maps: [IDMap]? {
        if case .maps(let maps) = self { maps } else { nil }
    }
}

/// A range of IDs inside and outside, for users and groups alike.
public struct IDMap: JSONMappable, Sendable, Equatable {
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

    package init() { self.init(container: 0, host: 0, count: 1) }

    package mutating func map(_ fields: JSONFields) {
        fields.required("container", &container)
        fields.required("host", &host)
        fields.required("count", &count)
        fields.check("count", count > 0, expected: "a number from 1 on")
    }
}

/// Which system calls are allowed.
public enum SeccompChoice: JSONChoice, Sendable, Equatable {
    /// The built-in filter, or none for a privileged container.
    case standard
    case unconfined
    /// A profile in a file, absolute.
    case file(path: String)

    package init() { self = .standard }

    package mutating func map(_ choices: JSONChoices) {
        if choices.word("standard", self == .standard) { self = .standard }
        if choices.word("unconfined", self == .unconfined) { self = .unconfined }
        if let path = choices.value("file", path) { self = .file(path: path) }
    }

    private var path: String? {
        if case .file(let path) = self { path } else { nil }
    }
}

/// When a container that ended is started again.
public enum RestartPolicy: JSONChoice, Sendable, Equatable {
    case no
    case always
    case unlessStopped
    /// After a status other than 0; at most `retries` times, without end if 0.
    case onFailure(retries: Int)

    package init() { self = .no }

    package mutating func map(_ choices: JSONChoices) {
        if choices.word("no", self == .no) { self = .no }
        if choices.word("always", self == .always) { self = .always }
        if choices.word("unless-stopped", self == .unlessStopped) { self = .unlessStopped }
        if let retries = choices.value("on-failure", retries) { self = .onFailure(retries: retries) }
    }

    private var retries: Int? {
        if case .onFailure(let retries) = self { retries } else { nil }
    }
}
