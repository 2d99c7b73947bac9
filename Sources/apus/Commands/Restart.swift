import ArgumentParser
import Containers
import Linux

/// `apus restart`: stop containers and start them again.
struct Restart: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Stop containers and start them again")

    @Option(
        name: [.customLong("time"), .customShort("t"), .customLong("timeout")],
        help: "Seconds to wait before SIGKILL, -1 for ever (default: the container's own, 10)")
    var time: Int?
    @Option(name: .shortAndLong, help: "Signal to send first (default: the container's own, SIGTERM)")
    var signal: String?
    @Argument(help: .container, completion: .containers) var containers: [String]

    func run() throws {
        let signal = try signal.map { text throws in try parseSignal(text) }
        let store = try openStore()
        try forEachReportingFailures(containers) { name in
            let container = try store.find(name)
            try container.stop(signal: signal, grace: time)
            try store.start(container)
            Output.line(name)
        }
    }
}
