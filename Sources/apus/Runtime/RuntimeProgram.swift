import Glibc
import Linux
import Runtime
import SystemPackage

/// `apus oci …` and `apus-runtime …`: the commands by which engines run containers, as runc has them.
enum RuntimeProgram {
    /// - Parameter words: What follows the name.
    /// - Returns: The exit status: 1 for failures of the runtime itself, 255 for those of `exec`.
    static func run(_ words: ArraySlice<String>) -> Int32 {
        var log = RuntimeLog()
        var isExec = false
        signal(SIGPIPE, SIG_IGN)  // an init that ends while it is written to is an answer
        do {
            let (globals, command, rest) = try RuntimeGlobals.parse(words)
            log = globals.log
            if globals.wantsVersion { return try printing(version) }
            if globals.wantsHelp || command.isEmpty { return try printing(RuntimeHelp.text) }
            isExec = command == "exec"
            if isExec { log.hold() }
            log.debug("\(command): \(rest.joined(separator: " "))")
            return try run(command, rest, globals)
        } catch {
            let message = (isExec ? "exec failed: " : "") + RuntimeWording.text(of: error)
            log.error(message)
            let line = "apus-runtime: \(message)\n"
            try? FileDescriptor(rawValue: STDERR_FILENO).writeFully(line.utf8)  // `try?`: nobody can be told
            return isExec ? 255 : 1
        }
    }

    private static func run(_ name: String, _ words: ArraySlice<String>, _ globals: RuntimeGlobals) throws -> Int32 {
        // An engine asks so whether there is such a command: then help has a line for it.
        if let word = words.first, word == "--help" || word == "-h", let help = RuntimeHelp.text(of: name) {
            return try printing(help)
        }
        return switch name {
        case "create": try CreateContainer.run(words, globals)
        case "start": try StartContainer.run(words, globals)
        case "run": try RunContainer.run(words, globals)
        case "state": try StateOfContainer.run(words, globals)
        case "kill": try KillContainer.run(words, globals)
        case "delete": try DeleteContainer.run(words, globals)
        case "exec": try ExecInContainer.run(words, globals)
        case "list": try ListOfContainers.run(words, globals)
        case "pause": try PauseContainer.run(words, globals)
        case "resume": try ResumeContainer.run(words, globals)
        case "update": try UpdateContainer.run(words, globals)
        case "checkpoint": try CheckpointContainer.run(words, globals)
        case "restore": try RestoreContainer.run(words, globals)
        case "events": try EventsOfContainer.run(words, globals)
        case "ps": try ProcessesOfContainer.run(words, globals)
        case "spec": try WriteSpec.run(words)
        case "features": try printing(JSONLayout.indented(SupportedFeatures.json(), by: "    ") + "\n")
        case "help": try printing(RuntimeHelp.text)
        default: throw Failure("", "", "unknown command '\(name)'; see 'apus-runtime --help'")
        }
    }

    /// Prints `text`.
    ///
    /// - Returns: Success.
    static func printing(_ text: String) throws -> Int32 {
        Output.write(text)
        return try Output.finish()
    }

    /// Engines read the first lines as runc's.
    private static let version = """
        apus-runtime version \(Program.version)
        commit: \(Program.version)
        spec: \(SupportedFeatures.specVersion)

        """
}

/// Errors in the words that engines look for in them.
enum RuntimeWording {
    static func text(of error: any Error) -> String {
        guard var failure = error as? Failure else { return "\(error)" }
        failure.remedy = failure.remedy.flatMap(remedy)
        guard failure.step == "exec", failure.exitCode != 125 else { return "\(failure)" }
        return "unable to start container process: exec: \"\(failure.subject)\": \(reason(failure))"
    }

    /// What of a remedy can be done here, where there are none of the options of `run`.
    private static func remedy(_ text: String) -> String? {
        let foreign = ["--limits", "--security-opt", "--storage", "--rootfs", "--pid host", "--userns"]
        var parts = text.split(separator: ", or ").map { String($0) }
        parts.removeAll { part in foreign.contains { part.contains($0) } }
        return parts.isEmpty ? nil : parts.joined(separator: ", or ")
    }

    /// - Note: as Go's os/exec has them.
    private static func reason(_ failure: Failure) -> String {
        if failure.reason == "no such file or directory" { return "stat \(failure.subject): \(failure.reason)" }
        if failure.reason.hasPrefix("executable file not found in $PATH") {
            return "executable file not found in $PATH"
        }
        return failure.remedy.map { "\(failure.reason); \($0)" } ?? failure.reason
    }
}
