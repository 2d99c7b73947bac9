import ArgumentParser
import Flags

/// `run`, `create`, `exec` and `limit`, whose words the tables of `Flags` read.
enum ProcessCommands {
    static let names = ["run", "create", "exec", "limit"]

    /// - Returns: The exit status: the container's own, where there is one.
    static func run(_ name: String, _ words: [String]) throws -> Int32 {
        switch name {
        case "run": try RunCommand.main(words, verb: .run)
        case "create": try RunCommand.main(words, verb: .create)
        case "limit": try LimitCommand.main(words)
        default: try ExecCommand.main(words)
        }
    }
}

/// For help, completion and the manual; `Program` calls `ProcessCommands` before this is ever parsed.
struct RunStub: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Make a container and run a command in it")
}

/// For help, completion and the manual; `Program` calls `ProcessCommands` before this is ever parsed.
struct CreateStub: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a container, to be started later")
}

/// For help, completion and the manual; `Program` calls `ProcessCommands` before this is ever parsed.
struct ExecStub: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec", abstract: "Run a further command in a running container")
}

/// For help, completion and the manual; `Program` calls `ProcessCommands` before this is ever parsed.
struct LimitStub: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "limit", abstract: "Run a command of this machine under limits, and tell why it ended")
}
