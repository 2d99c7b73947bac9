/// A Dockerfile as it was written: its words are not expanded, as what variables hold is known only when it is built.
///
/// Source: docs.docker.com/reference/dockerfile.
public struct Dockerfile: Sendable, Equatable {
    /// What errors call it, such as `Dockerfile` or `-`.
    public var name: String
    public var directives: Directives
    /// The `ARG` instructions before the first `FROM`, for those that use them in `FROM`, and for stages that repeat the name.
    public var globalArguments: [Statement]
    /// In the order in which they are written; there is at least one.
    public var stages: [Stage]
    /// The lines as they were, for what errors show; without line ends.
    public var lines: [String]
    /// What `warnings` tells that can no longer be seen in the values above.
    var notes: [CheckWarning] = []
    /// `# check=` right above an instruction, by the instruction's first line.
    var localChecks: [Int: CheckOptions] = [:]

    public init(
        name: String, directives: Directives = Directives(), globalArguments: [Statement] = [], stages: [Stage],
        lines: [String] = []
    ) {
        self.name = name
        self.directives = directives
        self.globalArguments = globalArguments
        self.stages = stages
        self.lines = lines
    }
}

/// The parser directives at the top of a Dockerfile.
public struct Directives: Sendable, Equatable {
    /// `# syntax=`: the frontend that the author had in mind. Apus has one language, the current one.
    public var syntax: String?
    /// `# escape=`: a backslash or a backtick; continues lines, and takes the next character's meaning.
    public var escape: Character
    /// `# check=skip=RULE,…;error=true`: which rules of `--check` do not apply, and whether others fail the build.
    public var skippedChecks: [String]
    public var checksAreErrors: Bool
    /// `experimental=RULE,…`: rules that apply only where they are asked for.
    public var experimentalChecks: [String]

    public init(
        syntax: String? = nil, escape: Character = "\\", skippedChecks: [String] = [], checksAreErrors: Bool = false,
        experimentalChecks: [String] = []
    ) {
        self.syntax = syntax
        self.escape = escape
        self.skippedChecks = skippedChecks
        self.checksAreErrors = checksAreErrors
        self.experimentalChecks = experimentalChecks
    }
}

/// `FROM` and what follows it.
public struct Stage: Sendable, Equatable {
    /// The image, another stage's name or `scratch`, unexpanded.
    public var base: String
    /// `AS name`, in lower case.
    public var name: String?
    /// `--platform`, unexpanded.
    public var platform: String?
    /// Where `FROM` is written.
    public var place: Place
    public var statements: [Statement]

    public init(base: String, name: String? = nil, platform: String? = nil, place: Place, statements: [Statement] = [])
    {
        self.base = base
        self.name = name
        self.platform = platform
        self.place = place
        self.statements = statements
    }
}

/// One instruction and where it is.
public struct Statement: Sendable, Equatable {
    public var instruction: Instruction
    /// As it is shown in progress and in an image's history: in one line, without comments; a heredoc's text does not belong to it.
    public var text: String
    public var place: Place

    public init(instruction: Instruction, text: String, place: Place) {
        self.instruction = instruction
        self.text = text
        self.place = place
    }
}

/// A place in a Dockerfile.
public struct Place: Sendable, Equatable {
    /// From 1: the first and the last line of the instruction.
    public var lines: ClosedRange<Int>
    /// From 1, in characters of the first line.
    public var column: Int

    public init(lines: ClosedRange<Int>, column: Int = 1) {
        self.lines = lines
        self.column = column
    }
}
