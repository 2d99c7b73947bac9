public import Containers
public import Linux

/// The command line of `run` and `create`.
public enum RunCommandLine {
    /// The command that is called.
    public enum Verb: String, Sendable {
        case run, create
    }

    /// Reads the words after `run` or `create`.
    ///
    /// - Parameter surroundings: What flags without a full value refer to: variables, directory, files of the caller.
    /// - Throws: A usage error, in one line.
    public static func parse(
        _ words: [String], verb: Verb, surroundings: Surroundings = .process
    ) throws(Failure) -> RunRequest {
        var flags = RunFlags(surroundings)
        let positionals = try table(verb).parse(words, into: &flags)
        if flags.request.help { return flags.request }
        try setRoot(positionals, &flags, verb)
        try setAssignments(&flags)
        try setHealthCheck(&flags, verb)
        try setNetwork(&flags, verb)
        setWorkspace(&flags)
        try check(flags.request, verb)
        return flags.request
    }

    /// The text of `--help`.
    public static func help(_ verb: Verb) -> String {
        table(verb).help(
            abstract: verb == .run ? "Run a program in a new container" : "Make a container without starting it",
            usage: [
                "[FLAGS] IMAGE [COMMAND] [ARGUMENT...]", "[FLAGS] --rootfs DIR[:O] COMMAND [ARGUMENT...]",
                "[FLAGS] @host COMMAND [ARGUMENT...]",
            ])
    }

    /// All flags, by group, for completions and manual pages.
    public static func flags(_ verb: Verb) -> [(group: String, flags: [FlagDescription])] {
        table(verb).descriptions
    }

    private static func setRoot(
        _ positionals: ArraySlice<String>, _ flags: inout RunFlags, _ verb: Verb
    ) throws(Failure) {
        var command = positionals
        if flags.rootfs == nil, command.first != "@host" {
            return try setImage(&command, &flags, verb)
        }
        if let rootfs = flags.rootfs {
            flags.config.root = try root(rootfs, flags.surroundings)
            if command.first == "@host" {
                throw Failure(verb.rawValue, "'@host'", "a second root beside --rootfs '\(rootfs)'")
            }
        } else {
            command.removeFirst()
            flags.config.root = .host
            // The end of the flags, for those who are used to saying it.
            if command.first == "--" { command.removeFirst() }
        }
        flags.config.command = Array(command)
        if flags.config.arguments.isEmpty {
            throw Failure(verb.rawValue, "", "no command given", remedy: seeHelp(verb))
        }
        if flags.config.arguments[0].isEmpty { throw Failure(verb.rawValue, "''", "an empty command") }
    }

    /// Takes the image's name; what the image itself says comes later.
    private static func setImage(
        _ words: inout ArraySlice<String>, _ flags: inout RunFlags, _ verb: Verb
    ) throws(Failure) {
        guard let reference = words.popFirst(), !reference.isEmpty else {
            throw Failure(verb.rawValue, "", "no image given", remedy: "name one, or use --rootfs DIR or @host")
        }
        flags.image.reference = reference
        flags.request.image = flags.image
        flags.config.root = .image(ImageRoot(reference: reference))
        flags.config.command = Array(words)
    }

    private static func root(_ text: String, _ surroundings: Surroundings) throws(Failure) -> RootSource {
        let isOverlay = text.hasSuffix(":O")
        let path = isOverlay ? String(text.dropLast(2)) : text
        if path.isEmpty { throw Failure("--rootfs", "'\(text)'", "no directory") }
        return isOverlay
            ? .overlay(path: surroundings.absolute(path)) : .directory(path: surroundings.absolute(path))
    }

    /// Files first, so that a variable or label of the command line wins wherever it stands.
    private static func setAssignments(_ flags: inout RunFlags) throws(Failure) {
        for file in flags.environmentFiles {
            try addVariables(lines(of: file, "--env-file", flags.surroundings), "--env-file", &flags)
        }
        try addVariables(flags.environment, "--env", &flags)
        for file in flags.labelFiles {
            for line in try lines(of: file, "--label-file", flags.surroundings) { try addLabel(line, &flags) }
        }
        for label in flags.labels { try addLabel(label, &flags) }
    }

    private static func addVariables(
        _ variables: [String], _ flag: String, _ flags: inout RunFlags
    ) throws(Failure) {
        do throws(Failure) {
            for variable in variables {
                if flags.config.job?.isReproducible ?? false, !variable.utf8.contains(UInt8(ascii: "=")) {
                    throw Values.failure(
                        variable, "takes its value from the caller's environment, which --reproducible keeps out",
                        remedy: "give NAME=VALUE")
                }
                try Assignments.add(
                    variable, to: &flags.request.config.environment, unset: &flags.request.config.unsetEnvironment,
                    from: flags.surroundings)
            }
        } catch {
            throw error.naming(flag)
        }
    }

    private static func addLabel(_ text: String, _ flags: inout RunFlags) throws(Failure) {
        do throws(Failure) {
            let (name, value) = try Assignments.split(text)
            flags.config.labels[name] = value ?? ""
        } catch {
            throw error.naming("--label")
        }
    }

    static func lines(
        of file: String, _ flag: String, _ surroundings: Surroundings
    ) throws(Failure) -> [String] {
        do throws(Failure) {
            return try Assignments.lines(of: surroundings.contents(file), file: file)
        } catch {
            throw error.naming(flag)
        }
    }

    private static func setWorkspace(_ flags: inout RunFlags) {
        guard let workspace = flags.config.job?.workspace else { return }
        flags.config.mounts.append(
            MountRequest(kind: .bind, source: workspace.source, destination: workspace.destination))
        if flags.config.workingDirectory == nil { flags.config.workingDirectory = workspace.destination }
    }

    private static func setHealthCheck(_ flags: inout RunFlags, _ verb: Verb) throws(Failure) {
        flags.request.image?.overrides.noHealthCheck = flags.noHealthCheck
        guard let health = flags.health else { return }
        if flags.noHealthCheck {
            throw conflict(verb, "--no-healthcheck", "goes with no other health flag")
        }
        if health.command.isEmpty, flags.request.image == nil {
            throw conflict(verb, "--health-...", "needs --health-cmd")
        }
        if health.command == "none" { flags.request.image?.overrides.noHealthCheck = true }
        flags.config.healthCheck = health.command == "none" ? nil : health
    }

    private static func seeHelp(_ verb: Verb) -> String { "see 'apus \(verb.rawValue) --help'" }

    /// A combination of flags that cannot be.
    static func conflict(_ verb: Verb, _ flag: String, _ reason: String) -> Failure {
        Failure(verb.rawValue, flag, reason, remedy: seeHelp(verb))
    }
}
