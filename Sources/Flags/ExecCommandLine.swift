public import Containers
public import Linux

/// What a command line of `exec` asks for.
public struct ExecRequest: Sendable, Equatable {
    /// Name, ID or unique start of an ID.
    public var container = ""
    public var options = ExecOptions()
    /// Whether only the help was asked for; nothing else is then to be relied on.
    public var help = false
}

/// The command line of `exec`.
public enum ExecCommandLine {
    struct Flags {
        var request = ExecRequest()
        var environment: [String] = []
        var environmentFiles: [String] = []
    }

    /// Reads the words after `exec`.
    ///
    /// - Throws: A usage error, in one line.
    public static func parse(
        _ words: [String], surroundings: Surroundings = .process
    ) throws(Failure) -> ExecRequest {
        var flags = Flags()
        var positionals = try table.parse(words, into: &flags)
        if flags.request.help { return flags.request }
        guard let container = positionals.popFirst(), !container.isEmpty else {
            throw Failure("exec", "", "no container given", remedy: "see 'apus exec --help'")
        }
        guard let program = positionals.first, !program.isEmpty else {
            throw Failure("exec", "'\(container)'", "no command given", remedy: "see 'apus exec --help'")
        }
        flags.request.container = container
        flags.request.options.command = Array(positionals)
        try setEnvironment(&flags, surroundings)
        return flags.request
    }

    /// The text of `--help`.
    public static func help() -> String {
        table.help(
            abstract: "Run a program in a running container", usage: ["[FLAGS] CONTAINER COMMAND [ARGUMENT...]"])
    }

    /// All flags, by group, for completions and manual pages.
    public static func flags() -> [(group: String, flags: [FlagDescription])] { table.descriptions }

    private static func setEnvironment(_ flags: inout Flags, _ surroundings: Surroundings) throws(Failure) {
        var variables: [String] = []
        for file in flags.environmentFiles {
            variables += try RunCommandLine.lines(of: file, "--env-file", surroundings)
        }
        // A variable that the caller does not have is left as the container has it.
        var unset: [String] = []
        for variable in variables + flags.environment {
            do throws(Failure) {
                try Assignments.add(
                    variable, to: &flags.request.options.environment, unset: &unset, from: surroundings)
            } catch {
                throw error.naming("--env")
            }
        }
    }

    private static var table: FlagTable<Flags> {
        FlagTable(
            command: "exec",
            groups: [
                FlagGroup(
                    "Flags",
                    [
                        .toggle("help", nil, "Show this help") { $0.request.help = $1 },
                        .toggle("interactive", "i", "Keep standard input connected") {
                            $0.request.options.interactive = $1
                        },
                        .toggle("tty", "t", "Give the program a terminal") { $0.request.options.tty = $1 },
                        .toggle("detach", "d", "Run in the background") { $0.request.options.detach = $1 },
                        .list("env", "e", "NAME[=VALUE]", "Set a variable; without a value take the caller's") {
                            $0.environment.append($1)
                        },
                        .list("env-file", nil, "FILE", "Read variables from a file") {
                            $0.environmentFiles.append($1)
                        },
                        .value("workdir", "w", "DIR", "Working directory in the container") {
                            flags, text throws(Failure) in
                            guard text.isAbsolutePath else { throw Values.failure(text, "not an absolute path") }
                            flags.request.options.workingDirectory = text
                        },
                        .value("user", "u", "USER[:GROUP]", "User and group, by name or number") {
                            $0.request.options.user = $1
                        },
                        .toggle("privileged", nil, "Give all capabilities, and no filter") {
                            $0.request.options.privileged = $1
                        },
                        .value("detach-keys", nil, "KEYS", "Keys that detach (default ctrl-p,ctrl-q)") {
                            flags, text throws(Failure) in
                            flags.request.options.detachKeys = try DetachKeys.parse(text)
                        },
                    ])
            ])
    }
}
