import ArgumentParser
import Containers
import Formats
import Images

/// `apus images`, `apus image ls`: list images.
struct ListImages: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "images", abstract: "List images")

    @Flag(name: .shortAndLong, help: "Accepted as in Docker: all images are shown anyhow") var all = false
    @Flag(name: .shortAndLong, help: "Show the IDs alone") var quiet = false
    @Flag(name: .customLong("no-trunc"), help: "Show IDs in full") var noTruncation = false
    @Flag(help: "Show the digests that registries have them by") var digests = false
    @Option(
        name: .shortAndLong, parsing: .singleValue,
        help: "Show those with dangling, label, before, since or reference as given (KEY=VALUE)")
    var filter: [String] = []
    @Option(help: "table, json, or a Go template such as '{{.Repository}}'") var format: String?
    @Argument(help: ArgumentHelp("Those of this name alone; may have '*' and '?'", valueName: "repository[:tag]"))
    var repository: String?

    func run() throws {
        let containers = try openStore()
        let store = try ImageCommand.openStore(beside: containers)
        let filter = try ImageFilter(
            filter, keys: ["dangling", "label", "label!", "before", "since", "reference", "until"], command: "images")
        // Only a template asks for them, and to count them opens each container's record.
        let countsUses = format != nil && (format == "json" || format?.contains(".Containers") == true)
        let uses = countsUses ? try containers.imageUses() : []
        var rows: [ImageRow] = []
        for record in try store.list() {
            if let repository, !ImageFilter.isLike(repository, record) { continue }
            guard try filter.matches(record, in: store) else { continue }
            let id = record.id.description
            rows.append(
                ImageRow(
                    record: record, containers: uses.count { $0.image.id == id }, isTruncated: !noTruncation))
        }
        rows.sort { $0.created > $1.created }
        if quiet, format == nil {
            for row in rows { Output.line(row.shownID) }
            return
        }
        Output.write(try ImageRow.listing(withDigest: digests).render(rows.map(\.value), format: format))
    }
}
