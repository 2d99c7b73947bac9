import ArgumentParser
import Containers
import Formats
import Images

/// `apus history`, `apus image history`: how an image was made.
struct ShowHistory: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Show the steps by which an image was made")

    @Flag(name: .customLong("no-trunc"), help: "Show IDs and commands in full") var noTruncation = false
    @Flag(name: .shortAndLong, help: "Show the IDs alone") var quiet = false
    @Flag(name: [.customShort("H"), .long], inversion: .prefixedNo, help: "Show times and sizes as people read them")
    var human = true
    @Option(help: "table, json, or a Go template such as '{{.CreatedBy}}'") var format: String?
    @Option(help: "Take it only if it is for this platform, such as linux/arm64") var platform: String?
    @Argument(help: .image, completion: .images) var image: String

    private static let listing = Listing(
        titles: [
            "ID": "IMAGE", "CreatedSince": "CREATED", "CreatedAt": "CREATED AT", "CreatedBy": "CREATED BY",
            "Size": "SIZE", "Comment": "COMMENT",
        ],
        columns: ["ID", "CreatedSince", "CreatedBy", "Size", "Comment"])

    func run() throws {
        let store = try ImageCommand.openStore()
        let steps = try store.history(of: ImageCommand.find(image, for: platform, in: store))
        if quiet, format == nil {
            for step in steps { Output.line(id(step)) }
            return
        }
        Output.write(try Self.listing.render(steps.map(value), format: format))
    }

    private func id(_ step: ImageHistoryStep) -> String {
        guard let id = step.id else { return "<missing>" }
        return noTruncation ? id.description : id.short
    }

    private func value(_ step: ImageHistoryStep) -> Value {
        let created = step.created.flatMap { Timestamp(rfc3339: $0) }
        let size = UInt64(clamping: step.size)
        let command = step.createdBy.replacing("\t", with: " ")
        let since = human ? created.map { "\($0.age) ago" } : created?.rfc3339
        return [
            "ID": .string(id(step)), "CreatedSince": .string(since ?? "N/A"),
            "CreatedAt": .string(created?.rfc3339 ?? ""),
            "CreatedBy": .string(!noTruncation && command.count > 45 ? "\(command.prefix(44))…" : command),
            "Size": .string(human ? ByteSize.decimal(size) : "\(size)"), "Comment": .string(step.comment),
        ]
    }
}
