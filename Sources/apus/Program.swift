import ArgumentParser
import Containers
import Glibc
import Linux
import SystemPackage

/// The executable: finds the command that its words name, runs it, and gives its exit status.
enum Program {
    static let version = "0.1.0"

    /// Whether the caller ignores SIGPIPE (`SIG_IGN`). Written once, before anything else.
    private(set) nonisolated(unsafe) static var ignoresPipe = false

    /// - Parameter arguments: As the kernel gives them, the executable's own name first.
    /// - Returns: The exit status.
    static func run(_ arguments: [String]) -> Int32 {
        // A parent that ignores SIGPIPE hands that down: without its default action `apus logs | head` never ends.
        ignoresPipe = unsafeBitCast(signal(SIGPIPE, SIG_DFL), to: Int.self) == 1
        openMissingStreams()
        do {
            return try dispatch(arguments)
        } catch let exit as ExitCode {
            return exit.rawValue
        } catch let ended as OwnerProcess.Ended {
            return ended.status
        } catch {
            return report(error)
        }
    }

    /// A caller that closed some of the standard streams: the next file opened would be taken for one of them.
    private static func openMissingStreams() {
        for stream in STDIN_FILENO...STDERR_FILENO where fcntl(stream, F_GETFD) < 0 {
            _ = open("/dev/null", O_RDWR)
        }
    }

    private static func dispatch(_ arguments: [String]) throws -> Int32 {
        var words = arguments.dropFirst()
        if let path = arguments.first, path == "apus-runtime" || path.hasSuffix("/apus-runtime") {
            return RuntimeProgram.run(words)
        }
        if let answer = try takeGlobalOptions(&words) { return answer }
        guard let name = words.popFirst() else {
            Output.write(Root.helpMessage(for: Root.self) + "\n")
            return try Output.finish()
        }
        // The hot path: the whole of such a run takes less time than ArgumentParser's look at its options.
        if ProcessCommands.names.contains(name) { return try ProcessCommands.run(name, Array(words)) }
        if CommandGroups.names.contains(name), words.first.map({ $0 == "--help" || $0 == "-h" }) ?? true {
            Output.write(CommandGroups.help(name))
            return try Output.finish()
        }
        switch try CommandGroups.resolve(name, &words) {
        case "oci": return RuntimeProgram.run(words)
        case "help": return try help(words)
        case "__complete":
            Output.write(Completion(Array(words)).text)
            return try Output.finish()
        case let name: return try runCommand(name, Array(words))
        }
    }

    /// Takes what stands before the command's name.
    ///
    /// - Returns: An exit status when nothing is left to do.
    private static func takeGlobalOptions(_ words: inout ArraySlice<String>) throws -> Int32? {
        while let word = words.first, word.hasPrefix("-") {
            words.removeFirst()
            switch word {
            case "--help", "-h":
                Output.write(Root.helpMessage(for: Root.self) + "\n")
                return try Output.finish()
            case "--version", "-v":
                Output.write("Apus version \(version)\n")
                return try Output.finish()
            case "--root":
                guard let path = words.popFirst() else { throw UsageError("'--root' needs a directory") }
                try useDataDirectory(path)
            case "--generate-completion-script":
                guard let shell = words.popFirst() else { throw UsageError("'\(word)' needs bash, zsh or fish") }
                Output.write(try CompletionScript.make(for: shell))
                return try Output.finish()
            case _ where word.hasPrefix("--root="): try useDataDirectory(String(word.dropFirst(7)))
            case _ where word.hasPrefix("--generate-completion-script="):
                Output.write(try CompletionScript.make(for: String(word.dropFirst(29))))
                return try Output.finish()
            default: throw UsageError("unknown option '\(word)'")
            }
        }
        return nil
    }

    /// Makes `--root` what APUS_ROOT is, for everything that runs in this process.
    private static func useDataDirectory(_ path: String) throws {
        if path.isEmpty { throw UsageError("'--root' needs a directory") }
        var absolute = path
        if !path.isAbsolutePath {
            guard let here = getcwd(nil, 0) else {
                throw SystemCallError("getcwd", "", .init(rawValue: errno))
            }
            defer { free(here) }
            absolute = "\(String(cString: here))/\(path)"
        }
        setenv("APUS_ROOT", absolute, 1)
    }

    private static func help(_ words: ArraySlice<String>) throws -> Int32 {
        var words = words
        guard let first = words.popFirst() else {
            Output.write(Root.helpMessage(for: Root.self) + "\n")
            return try Output.finish()
        }
        if CommandGroups.names.contains(first), words.isEmpty {
            Output.write(CommandGroups.help(first))
            return try Output.finish()
        }
        let name = try CommandGroups.resolve(first, &words)
        if ProcessCommands.names.contains(name) { return try ProcessCommands.run(name, ["--help"]) }
        guard let command = Root.command(named: name) else { throw Root.unknown(name) }
        Output.write(Root.helpMessage(for: command) + "\n")
        return try Output.finish()
    }

    private static func runCommand(_ name: String, _ words: [String]) throws -> Int32 {
        guard let type = Root.command(named: name) else { throw Root.unknown(name) }
        let parsed: any ParsableCommand
        do {
            parsed = try parse(type, words)
        } catch {
            guard type.exitCode(for: error).isSuccess else {
                // ArgumentParser would rather say of `stop --nosuch` that a container is missing.
                throw ArgumentForms(of: type).unknownOption(in: words, of: type._commandName)
                    ?? UsageError(type.message(for: error), command: type._commandName)
            }
            Output.write(Root.helpMessage(for: type) + "\n")  // --help
            return try Output.finish()
        }
        var command = parsed
        do {
            try command.run()
        } catch let exit as ExitCode {
            return try Output.finish(exit.rawValue)
        } catch let error as ValidationError {
            throw UsageError(error.message, command: type._commandName)
        }
        return try Output.finish()
    }

    /// Parses a command's words, if need be after writing them as ArgumentParser wants them.
    private static func parse(_ type: any ParsableCommand.Type, _ words: [String]) throws -> any ParsableCommand {
        do {
            return try type.parse(words)
        } catch {
            // Only now, because to know a command's options costs more than most commands do.
            let rewritten = ArgumentForms(of: type).rewrite(words)
            guard rewritten != words, !type.exitCode(for: error).isSuccess else { throw error }
            return try type.parse(rewritten)
        }
    }

    private static func report(_ error: any Error) -> Int32 {
        _ = try? Output.finish()  // `try?`: the error at hand is the one to report
        Report.line("\(error)")
        return (error as? Failure)?.exitCode ?? 125
    }
}

/// Words that no command takes.
struct UsageError: Error, CustomStringConvertible {
    /// What is wrong with them.
    private let reason: String
    /// The command whose help says more.
    private let command: String?

    init(_ reason: String, command: String? = nil) {
        // ArgumentParser's messages are sentences, some of several lines; ours are one line of the usual kind.
        let line = reason.split(separator: "\n").first.map { String($0) } ?? reason
        let text = line.hasSuffix(".") ? String(line.dropLast()) : line
        let startsWithWord = text.dropFirst().first?.isLowercase ?? false
        self.reason = startsWithWord ? text.prefix(1).lowercased() + text.dropFirst() : text
        self.command = command
    }

    var description: String {
        guard let command else { return "\(reason); see 'apus --help'" }
        return "\(command): \(reason); see 'apus \(command) --help'"
    }
}
