import ArgumentParser
import Containers
import Linux

/// `apus diff`: what a container has changed in its root.
struct Diff: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List what was added (A), changed (C) and deleted (D) in a container's root")

    @Argument(help: "Name, ID or unique ID prefix") var container: String

    func run() throws {
        let store = try openStore()
        try forEachReportingFailures([container]) { name in
            let container = try store.find(name)
            defer { container.close() }
            for change in try container.changes() { Output.line("\(change.kind.rawValue) \(change.path)") }
        }
    }
}
