import ArgumentParser
import Containers

/// `apus top`: the processes of a container.
struct Top: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Display the running processes of a container", usage: "apus top CONTAINER [ps OPTIONS]")

    @Argument(help: "Name, ID or unique ID prefix") var container: String
    @Argument(parsing: .captureForPassthrough, help: "What 'ps' on this machine is to show") var options: [String] = []

    func run() throws {
        let store = try openStore()
        try forEachReportingFailures([container]) { name in
            let container = try store.find(name)
            defer { container.close() }
            let pids = try container.processes(try container.loadState(), to: "top")
            let table = try options.isEmpty ? ProcessTable(pids) : ProcessTable(pids, psOptions: options)
            for line in table.lines { Output.line(line) }
        }
    }
}
