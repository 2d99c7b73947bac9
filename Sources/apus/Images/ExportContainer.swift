import ArgumentParser
import Containers
import Images
import Linux

/// `apus export`: all files of a container as a tar archive.
struct ExportContainer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write all files of a container as a tar archive")

    @Option(name: .shortAndLong, help: "Write to this file") var output: String?
    @Argument(help: .container, completion: .containers) var container: String

    func run() throws {
        let container = try openStore().find(container)
        defer { container.close() }
        let target = try StreamTarget(output, step: "export")
        defer { target.close() }
        try target.finishing { sink in
            try container.visitFiles { (root) throws(Failure) in try ImageStore.exportRoot(root, to: sink) }
        }
    }
}
