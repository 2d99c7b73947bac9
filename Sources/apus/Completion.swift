import ArgumentParser
import Containers

extension CompletionKind {
    /// Names of all containers.
    static var containers: CompletionKind { .shellCommand("apus ps -a --format '{{.Names}}' 2>/dev/null") }

    /// Names of containers that are running.
    static var runningContainers: CompletionKind { .shellCommand("apus ps --format '{{.Names}}' 2>/dev/null") }

    /// Names of containers that could be started.
    static var stoppedContainers: CompletionKind {
        .shellCommand(
            "apus ps --filter status=exited --filter status=created --format '{{.Names}}' 2>/dev/null")
    }
}

extension ArgumentHelp {
    /// How commands take containers.
    static var container: ArgumentHelp {
        ArgumentHelp("Name, ID or unique beginning of an ID", valueName: "container")
    }
}

/// The shells' own scripts for completing Apus' command lines.
enum CompletionScript {
    static func make(for shell: String) throws -> String {
        guard let shell = CompletionShell(rawValue: shell) else {
            throw UsageError("unknown shell '\(shell)': bash, zsh and fish are known")
        }
        return Root.completionScript(for: shell)
    }
}
