/// An instruction of a Dockerfile, but for `FROM`, which begins a `Stage`. Words are not expanded.
///
/// Source: docs.docker.com/reference/dockerfile.
public indirect enum Instruction: Sendable, Equatable {
    case add(CopyInstruction)
    case arg([Argument])
    case cmd(CommandLine)
    case copy(CopyInstruction)
    case entrypoint(CommandLine)
    case env([Assignment])
    /// `80`, `80/tcp`, `8000-8010/udp`.
    case expose([String])
    case healthcheck(HealthcheckInstruction)
    case label([Assignment])
    case maintainer(String)
    /// What the image's own builds begin with: the text as it is kept in the image, and what it says.
    case onbuild(text: String, Instruction)
    case run(RunInstruction)
    case shell([String])
    case stopsignal(String)
    case user(String)
    case volume([String])
    case workdir(String)
}

/// What `RUN`, `CMD` and `ENTRYPOINT` execute.
public enum CommandLine: Sendable, Equatable {
    /// For the shell of `SHELL`, as it is written; never expanded by the builder.
    case shell(String)
    /// The JSON form: executed as it is.
    case exec([String])
}

/// `NAME=value`, both unexpanded. (`LABEL` expands its keys as well.)
public struct Assignment: Sendable, Equatable {
    public var name: String
    public var value: String

    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// `ARG name[=default]`, the default unexpanded.
public struct Argument: Sendable, Equatable {
    public var name: String
    public var value: String?

    public init(name: String, value: String? = nil) {
        self.name = name
        self.value = value
    }
}

/// The text between `<<NAME` and `NAME`.
public struct Heredoc: Sendable, Equatable {
    public var name: String
    /// Tabs at the beginning of lines are already taken away for `<<-NAME`; with the last line's end.
    public var text: String
    /// Not for a quoted name: variables are replaced (by the builder in `COPY` and `ADD`, by the shell in `RUN`).
    public var expands: Bool

    public init(name: String, text: String, expands: Bool) {
        self.name = name
        self.text = text
        self.expands = expands
    }
}

public struct RunInstruction: Sendable, Equatable {
    public enum Network: String, Sendable, Equatable { case `default`, none, host }
    public enum Security: String, Sendable, Equatable { case sandbox, insecure }

    /// For the shell it may hold `<<NAME`, whose text the shell gets after the line, or, if nothing but a heredoc was
    /// written, is the heredoc's text (which the builder executes by its `#!` line or by the shell).
    public var command: CommandLine
    /// Whose texts the shell gets after the line; none if the command is a heredoc's text.
    public var heredocs: [Heredoc]
    /// Before they are expanded: what a value that has a variable will be is not known, and it has the default here.
    public var mounts: [RunMount]
    /// What `mounts` are read from, again when they are expanded: `type=cache,target=/x`.
    public var mountTexts: [String]
    public var network: Network
    public var security: Security

    public init(
        command: CommandLine, heredocs: [Heredoc] = [], mounts: [RunMount] = [], network: Network = .default,
        security: Security = .sandbox, mountTexts: [String] = []
    ) {
        self.command = command
        self.heredocs = heredocs
        self.mounts = mounts
        self.network = network
        self.security = security
        self.mountTexts = mountTexts
    }
}

/// `RUN --mount=type=…`, values unexpanded.
public struct RunMount: Sendable, Equatable {
    public enum Kind: String, Sendable, Equatable { case bind, cache, tmpfs, secret, ssh }
    public enum Sharing: String, Sendable, Equatable { case shared, `private`, locked }

    public var kind: Kind
    /// `id`: of a cache, a secret or an agent's socket. Without one it follows from the target or the source.
    public var id: String?
    public var source: String?
    public var target: String?
    /// A stage, an image or a named context; else the build context (bind) or an empty directory (cache).
    public var from: String?
    public var readOnly: Bool?
    public var sharing: Sharing
    /// Of a tmpfs, in bytes, as written: `64m`.
    public var size: String?
    public var mode: String?
    public var uid: String?
    public var gid: String?
    /// A secret or a socket that is missing fails the step.
    public var required: Bool
    /// A secret: as this variable instead of, or beside, a file.
    public var environment: String?

    public init(
        kind: Kind, id: String? = nil, source: String? = nil, target: String? = nil, from: String? = nil,
        readOnly: Bool? = nil, sharing: Sharing = .shared, size: String? = nil, mode: String? = nil, uid: String? = nil,
        gid: String? = nil, required: Bool = false, environment: String? = nil
    ) {
        self.kind = kind
        self.id = id
        self.source = source
        self.target = target
        self.from = from
        self.readOnly = readOnly
        self.sharing = sharing
        self.size = size
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.required = required
        self.environment = environment
    }
}

/// `COPY` and `ADD`.
public struct CopyInstruction: Sendable, Equatable {
    public enum Source: Sendable, Equatable {
        /// A path or a pattern in the context or in `from`; for `ADD` also a URL or a Git repository.
        case path(String)
        /// A file made here, called as the heredoc is.
        case heredoc(Heredoc)
    }

    public var sources: [Source]
    public var destination: String
    /// A stage's name or number, an image or a named context.
    public var from: String?
    public var chown: String?
    public var chmod: String?
    public var link: Bool
    public var parents: Bool
    public var exclude: [String]
    /// `ADD --checksum=sha256:…`.
    public var checksum: String?
    /// `ADD --keep-git-dir`.
    public var keepsGitDirectory: Bool
    /// `ADD --unpack`: nil as ever: local archives are unpacked, downloaded ones not.
    public var unpack: Bool?

    public init(
        sources: [Source], destination: String, from: String? = nil, chown: String? = nil, chmod: String? = nil,
        link: Bool = false, parents: Bool = false, exclude: [String] = [], checksum: String? = nil,
        keepsGitDirectory: Bool = false, unpack: Bool? = nil
    ) {
        self.sources = sources
        self.destination = destination
        self.from = from
        self.chown = chown
        self.chmod = chmod
        self.link = link
        self.parents = parents
        self.exclude = exclude
        self.checksum = checksum
        self.keepsGitDirectory = keepsGitDirectory
        self.unpack = unpack
    }
}

/// `HEALTHCHECK NONE` or `HEALTHCHECK […] CMD …`. Durations are in nanoseconds; nil for the default.
public struct HealthcheckInstruction: Sendable, Equatable {
    /// nil for `NONE`.
    public var command: CommandLine?
    public var interval: Int64?
    public var timeout: Int64?
    public var startPeriod: Int64?
    public var startInterval: Int64?
    public var retries: Int?

    public init(
        command: CommandLine?, interval: Int64? = nil, timeout: Int64? = nil, startPeriod: Int64? = nil,
        startInterval: Int64? = nil, retries: Int? = nil
    ) {
        self.command = command
        self.interval = interval
        self.timeout = timeout
        self.startPeriod = startPeriod
        self.startInterval = startInterval
        self.retries = retries
    }
}
