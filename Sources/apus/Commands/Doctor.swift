import ArgumentParser
import Containers
import FoundationEssentials
import Glibc
import Linux

/// `apus doctor`: what containers can do on this machine, found out by doing it.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Try what containers need of this machine, and say what to do where something is missing",
        discussion: """
            A line for each capability: ok or no, how or why not, and the remedy. Exits 0 if a default run works.
            """)

    @Option(help: "'json' for one JSON array instead of lines") var format: String?

    func run() throws {
        let (findings, canRun) = Doctor(try ContainerStore()).examine()
        try Self.write(findings, format)
        if !canRun { throw ExitCode(1) }
    }

    static func write(_ findings: [Finding], _ format: String?) throws {
        switch format {
        case nil: for finding in findings { print(finding.line) }
        case "json":
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .withoutEscapingSlashes, .sortedKeys]
            print(String(decoding: try encoder.encode(findings), as: UTF8.self))
        case let other?: throw Failure("doctor", "--format \(other)", "is not 'json'")
        }
    }
}
