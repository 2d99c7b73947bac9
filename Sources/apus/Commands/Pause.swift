import ArgumentParser
import Containers

/// `apus pause`: stop every process of a container where it is.
struct Pause: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Pause all processes of containers")

    @Argument(help: .container, completion: .runningContainers) var containers: [String]

    func run() throws {
        let store = try openStore()
        try forEachReportingFailures(containers) { name in
            try store.find(name).pause()
            Output.line(name)
        }
    }
}

/// `apus unpause`: let a container's processes go on.
struct Unpause: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Let the processes of paused containers go on")

    @Argument(help: .container, completion: .runningContainers) var containers: [String]

    func run() throws {
        let store = try openStore()
        try forEachReportingFailures(containers) { name in
            try store.find(name).unpause()
            Output.line(name)
        }
    }
}
