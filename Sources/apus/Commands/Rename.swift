import ArgumentParser
import Containers

/// `apus rename`: give a container another name.
struct Rename: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Give a container another name")

    @Argument(help: .container, completion: .containers) var container: String
    @Argument(help: "The new name") var name: String

    func run() throws {
        let store = try openStore()
        try forEachReportingFailures([container]) { try store.rename(store.find($0), to: name) }
    }
}
