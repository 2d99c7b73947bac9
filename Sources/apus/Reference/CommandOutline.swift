import ArgumentParser
import Flags

/// What one command takes, for completions and manual pages: the same for those that ArgumentParser reads and those
/// that `Flags` reads.
struct CommandOutline {
    struct Option {
        /// With their dashes, the short one first.
        let names: [String]
        /// What its value is called; `nil` for one that is on or off.
        let metavar: String?
        let help: String
    }

    struct Positional {
        /// As a synopsis shows it: `CONTAINER...`.
        let synopsis: String
        let help: String
        let containers: ContainerChoice?
        /// Whether it is the name of an image.
        var takesImages = false
        let isRepeating: Bool
    }

    let name: String
    let abstract: String
    let discussion: String
    let groups: [(title: String, options: [Option])]
    let positionals: [Positional]
    /// Whether options end with the first argument: what follows is another program's.
    let endsAtPositional: Bool

    var options: [Option] { groups.flatMap(\.options) }

    init(_ command: any ParsableCommand.Type) {
        let name = command._commandName
        let abstract = command.configuration.abstract
        switch name {
        case "run", "create":
            let verb: RunCommandLine.Verb = name == "run" ? .run : .create
            self.init(
                name, abstract, RunCommandLine.flags(verb),
                [
                    Positional(
                        synopsis: "IMAGE|@host",
                        help: "An image; or the machine's own root below a throw-away layer; or give --rootfs",
                        containers: nil, takesImages: true, isRepeating: false)
                ])
        case "exec":
            self.init(
                name, abstract, ExecCommandLine.flags(),
                [Positional("CONTAINER", "Name, ID or unique beginning of an ID", .running)])
        case "limit": self.init(name, abstract, LimitCommandLine.flags(), [])
        default: self.init(name, command.configuration, CommandDescription.of(command).arguments ?? [])
        }
    }

    private init(
        _ name: String, _ abstract: String, _ flags: [(group: String, flags: [FlagDescription])],
        _ positionals: [Positional]
    ) {
        self.name = name
        self.abstract = abstract
        discussion = ""
        groups = flags.map { group, flags in
            (group, flags.map { Option(($0.letter.map { ["-\($0)"] } ?? []) + ["--\($0.name)"], $0.metavar, $0.help) })
        }
        self.positionals = positionals + [Positional("COMMAND [ARGUMENT...]", "The program and its arguments")]
        endsAtPositional = true
    }

    private init(
        _ name: String, _ configuration: CommandConfiguration, _ arguments: [CommandDescription.Argument]
    ) {
        self.name = name
        abstract = configuration.abstract
        discussion = configuration.discussion
        let shown = arguments.filter(\.shouldDisplay)
        groups = [("Options", shown.filter { $0.kind != "positional" }.map(Option.init))]
        positionals = shown.filter { $0.kind == "positional" }.map(Positional.init)
        endsAtPositional = shown.contains { $0.parsingStrategy == "allRemainingInput" }
    }
}

extension CommandOutline.Option {
    fileprivate init(_ names: [String], _ metavar: String?, _ help: String) {
        self.names = names
        self.metavar = metavar
        self.help = help
    }

    fileprivate init(_ argument: CommandDescription.Argument) {
        let names = (argument.names ?? []).map { $0.kind == "long" ? "--\($0.name)" : "-\($0.name)" }
        self.init(
            names.filter { !$0.hasPrefix("--") } + names.filter { $0.hasPrefix("--") },
            argument.kind == "option" ? (argument.valueName ?? "value").uppercased() : nil, argument.abstract ?? "")
    }

    /// `-n, --tail NUMBER`
    var synopsis: String { names.joined(separator: ", ") + (metavar.map { " \($0)" } ?? "") }
}

extension CommandOutline.Positional {
    fileprivate init(_ synopsis: String, _ help: String, _ containers: ContainerChoice? = nil) {
        self.init(synopsis: synopsis, help: help, containers: containers, isRepeating: false)
    }

    fileprivate init(_ argument: CommandDescription.Argument) {
        let name = (argument.valueName ?? "argument").uppercased() + (argument.isRepeating ? "..." : "")
        self.init(
            synopsis: argument.isOptional ? "[\(name)]" : name, help: argument.abstract ?? "",
            containers: argument.completionKind?.shellCommand.flatMap { ContainerChoice(rawValue: $0.command) },
            takesImages: argument.completionKind?.shellCommand?.command == CompletionKind.imageNames,
            isRepeating: argument.isRepeating)
    }
}
