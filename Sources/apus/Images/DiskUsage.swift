import ArgumentParser
import Containers
import Formats
import Images
import Linux

/// `apus system df`: what images and containers take.
struct DiskUsage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "system df", abstract: "Show what images, containers and caches take of the disk")

    @Flag(name: .shortAndLong, help: "Show each image and each container") var verbose = false
    @Option(help: "table, json, or a Go template such as '{{.Size}}'") var format: String?

    private static let listing = Listing(
        titles: [
            "Type": "TYPE", "TotalCount": "TOTAL", "Active": "ACTIVE", "Size": "SIZE", "Reclaimable": "RECLAIMABLE",
        ],
        columns: ["Type", "TotalCount", "Active", "Size", "Reclaimable"])

    func run() throws {
        let containers = try openStore()
        let store = try ImageCommand.openStore(beside: containers)
        let uses = try containers.imageUses()
        let states = try containers.states()
        for failure in states.damaged { Report.line("warning: \(failure)") }
        var rows: [ContainerRow] = []
        var measurement = SizeMeasurement()
        for state in states.found {
            var row = try ContainerRow(state, in: containers, truncated: true)
            let container = try containers.open(id: state.id)
            defer { container.close() }
            do throws(Failure) {
                row.size = try measurement.size(of: container)
            } catch {
                Report.line("warning: \(error)")
            }
            rows.append(row)
        }
        let records = try store.list()
        if verbose, format == nil {
            Output.line("Images space usage:\n")
            let images = records.map { record in
                ImageRow(
                    record: record, containers: uses.count { $0.image.id == record.id.description }, isTruncated: true)
            }
            Output.write(try ImageRow.listing(withDigest: false).render(images.map(\.value), format: nil))
            Output.line("\nContainers space usage:\n")
            Output.write(try ContainerRow.listing(withSize: true).render(rows.map(\.value), format: nil))
            return
        }
        let values = [try images(store, records, uses), containersValue(rows), try caches(containers)]
        Output.write(try Self.listing.render(values, format: format))
    }

    private func images(_ store: ImageStore, _ records: [ImageRecord], _ uses: [ImageUse]) throws -> Value {
        // Layers that several images share count once.
        let layers = try store.allLayers()
        let used = Set(uses.flatMap(\.image.layers))
        let total = layers.values.reduce(0) { $0 + $1.size }
        let unused = layers.reduce(0) { $0 + (used.contains($1.key.hex) ? 0 : $1.value.size) }
        let ids = Set(records.map(\.id.description))
        return Self.row("Images", ids.count, Set(uses.map(\.image.id)).intersection(ids).count, total, unused)
    }

    private func containersValue(_ rows: [ContainerRow]) -> Value {
        func sum(_ rows: [ContainerRow]) -> Int64 { rows.reduce(0) { $0 + Int64(clamping: $1.size?.layer ?? 0) } }
        let up = rows.filter(\.isUp)
        return Self.row("Containers", rows.count, up.count, sum(rows), sum(rows.filter { !$0.isUp }))
    }

    private func caches(_ containers: ContainerStore) throws -> Value {
        let store = CacheStore(containers)
        let found = try store.names().compactMap { try store.describe($0) }
        let used = found.filter(\.isInUse)
        func sum(_ caches: [CacheStore.Description]) -> Int64 { caches.reduce(0) { $0 + Int64(clamping: $1.size) } }
        return Self.row("Caches", found.count, used.count, sum(found), sum(found.filter { !$0.isInUse }))
    }

    private static func row(_ type: String, _ total: Int, _ active: Int, _ size: Int64, _ free: Int64) -> Value {
        let share = size > 0 ? " (\(free * 100 / size)%)" : ""
        return [
            "Type": .string(type), "TotalCount": .string("\(total)"), "Active": .string("\(active)"),
            "Size": .string(ByteSize.decimal(UInt64(clamping: size))),
            "Reclaimable": .string(ByteSize.decimal(UInt64(clamping: free)) + share),
        ]
    }
}
