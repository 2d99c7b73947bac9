import ArgumentParser
import Containers
import Formats
import Linux

/// `apus inspect`: everything that is known of containers.
struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show everything about containers, as JSON or as a template says")

    @Option(name: .shortAndLong, help: "json, or a Go template such as '{{.State.Status}}'") var format: String?
    @Flag(name: .shortAndLong, help: "Tell what each has written, and the size of its root (SizeRw, SizeRootFs)")
    var size = false
    @Option(help: "Accepted as in Docker: container is the only type") var type = "container"
    @Argument(help: .container, completion: .containers) var containers: [String]

    func run() throws {
        guard type == "container" else {
            throw UsageError("--type '\(type)': container is the only type", command: "inspect")
        }
        // Before anything else: a mistake in it is the same for every container.
        let template = try format.flatMap { text throws(Failure) in text == "json" ? nil : try Template(text) }
        let store = try openStore()
        var measurement = SizeMeasurement()
        var values: [Value] = []
        var failed = false
        do {
            try forEachReportingFailures(containers) { name in
                let container = try store.find(name)
                defer { container.close() }
                let size = size ? try measurement.size(of: container) : nil
                let value = try ContainerInspection(container, size: size).value
                if let template { Output.line(try template.render(value)) } else { values.append(value) }
            }
        } catch is ExitCode {
            failed = true
        }
        // As with Docker, those that were found come out all the same.
        if template == nil { Output.line(Value.list(values).json(indent: format == nil ? 4 : nil)) }
        if failed { throw ExitCode(1) }
    }
}
