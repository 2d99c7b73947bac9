import ArgumentParser
import Containers
import Linux

/// `apus kill`: send containers a signal.
struct Kill: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Kill running containers, or send them another signal")

    @Option(name: .shortAndLong, help: "Signal to send, by name or number") var signal = "KILL"
    @Argument(help: .container, completion: .runningContainers) var containers: [String]

    func run() throws {
        let signal = try parseSignal(signal)
        let store = try openStore()
        try forEachReportingFailures(containers) { name in
            try store.find(name).kill(signal)
            Output.line(name)
        }
    }
}

/// Reads the value of `--signal`.
func parseSignal(_ text: String) throws(Failure) -> Signal {
    do throws(Failure) {
        return try Values.signal(text)
    } catch {
        throw error.naming("--signal")
    }
}
