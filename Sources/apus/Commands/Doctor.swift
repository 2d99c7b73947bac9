import ArgumentParser
import Containers
import Flags
import Formats
import Glibc
import Linux

/// `apus doctor`: what containers can do on this machine, found out by doing it.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Try what containers need of this machine, and say what to do where something is missing",
        discussion: """
            A line for each capability: ok or no, how or why not, and the remedy. Exits 0 if a default run works.
            After '--', the words of a run: they are tried up to the command itself, which is not run, and the lines
            say what would hold the container. Exits 0 if it would start.
            """)

    @Option(help: "'json' for one JSON array instead of lines") var format: String?
    @Argument(parsing: .postTerminator, help: "A run to predict: run FLAGS ROOT [COMMAND…]") var words: [String] = []

    func run() throws {
        if let verb = words.first { return try predict(verb, Array(words.dropFirst())) }
        let (findings, canRun) = Doctor(try openStore()).examine()
        try Self.write(findings, format)
        if !canRun { throw ExitCode(1) }
    }

    /// Tries what `apus run` would do with these words.
    private func predict(_ verb: String, _ words: [String]) throws {
        guard let verb = RunCommandLine.Verb(rawValue: verb) else {
            throw Failure("doctor", verb, "only 'run' and 'create' can be predicted")
        }
        let request = try RunCommandLine.parse(words, verb: verb)
        let rehearsal = Rehearsal(store: try openStore())
        do {
            try Self.write(try rehearsal.run(request.config).findings, format)
        } catch let failure as Failure {
            try Self.write([Finding("apus \(verb.rawValue)", failure)], format)
            throw ExitCode(1)
        }
    }

    private static func write(_ findings: [Finding], _ format: String?) throws {
        switch format {
        case nil: for finding in findings { Output.line(finding.line) }
        case "json": Output.line(Value.list(findings.map(\.value)).json(indent: 2))
        case let other?: throw Failure("doctor", "--format \(other)", "is not 'json'")
        }
    }
}

extension Finding {
    fileprivate var value: Value {
        let fields: [Value.Field] = [
            .init("capability", .string(capability)), .init("detail", .string(detail)), .init("works", .bool(works)),
        ]
        return .object(fields + (remedy.map { [.init("remedy", .string($0))] } ?? []))
    }
}
