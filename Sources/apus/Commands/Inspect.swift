import ArgumentParser
import Containers
import Formats
import Images
import Linux

/// `apus inspect`: everything that is known of containers.
struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show everything about containers or images, as JSON or as a template says")

    @Option(name: .shortAndLong, help: "json, or a Go template such as '{{.State.Status}}'") var format: String?
    @Flag(name: .shortAndLong, help: "Tell what each has written, and the size of its root (SizeRw, SizeRootFs)")
    var size = false
    @Option(help: "container or image; the default looks for either") var type: String?
    @Argument(help: ArgumentHelp("Name, ID or unique beginning of an ID", valueName: "name"), completion: .containers)
    var names: [String]

    func run() throws {
        guard type == nil || type == "container" || type == "image" else {
            throw UsageError("--type '\(type ?? "")': container and image are the types", command: "inspect")
        }
        let store = try openStore()
        var measurement = SizeMeasurement()
        try Self.show(names, format: format) { name in
            if let image = try image(name, store) { return image }
            let container = try store.find(name)
            defer { container.close() }
            return try ContainerInspection(container, size: size ? measurement.size(of: container) : nil).value
        }
    }

    /// - Returns: `nil` for what is, or is to be, a container.
    private func image(_ name: String, _ store: ContainerStore) throws -> Value? {
        if type == "container" { return nil }
        if type == nil, let container = try? store.find(name) {  // `try?`: then it may be an image
            container.close()
            return nil
        }
        let images = try ImageCommand.openStore(beside: store)
        // `try?`: as above
        let record = type == "image" ? try ImageCommand.find(name, in: images) : try? images.find(name)
        return try record.map { record throws(Failure) in try ImageInspection(record, in: images).value }
    }

    /// Prints what is known of each, as JSON or by a template.
    ///
    /// - Parameter find: What is known of a name.
    static func show(_ names: [String], format: String?, _ find: (String) throws -> Value) throws {
        // Before anything else: a mistake in it is the same for every container.
        let template = try format.flatMap { text throws(Failure) in text == "json" ? nil : try Template(text) }
        var values: [Value] = []
        var failed = false
        do {
            try forEachReportingFailures(names) { name in
                let value = try find(name)
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
