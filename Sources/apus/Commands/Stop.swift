import ArgumentParser
import Containers
import Linux

/// `apus stop`: ask containers to exit, then kill those that did not.
struct Stop: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Stop running containers")

    @Option(
        name: [.customLong("time"), .customShort("t"), .customLong("timeout")],
        help: .init("Seconds to wait before SIGKILL, -1 for ever (default: the container's own, 10)"))
    var time: Int?
    @Option(name: .shortAndLong, help: "Signal to send first (default: the container's own, SIGTERM)")
    var signal: String?
    @Argument(help: .container, completion: .runningContainers) var containers: [String]

    func run() throws {
        let signal = try signal.map { text throws in try parseSignal(text) }
        let store = try openStore()
        try forEachReportingFailures(containers) { name in
            try store.find(name).stop(signal: signal, grace: time)
            Output.line(name)
        }
    }
}
