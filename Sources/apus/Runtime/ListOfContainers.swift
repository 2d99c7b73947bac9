import Linux
import OCI
import Runtime

/// `apus-runtime list`: the containers below `--root`.
enum ListOfContainers {
    static let options: [RuntimeOption] = [.value("format", "f"), .flag("quiet", "q")]

    static func run(_ words: ArraySlice<String>, _ globals: RuntimeGlobals) throws -> Int32 {
        let words = try RuntimeWords(words, options)
        guard words.arguments.isEmpty else { throw Failure("", "", "\"list\" takes no arguments") }
        let store = try globals.store()
        let reports = try store.ids().compactMap { id in try report(store, id) }
        if try words.has("quiet") {
            return try RuntimeProgram.printing(reports.map { "\($0.id)\n" }.joined())
        }
        switch words.value("format") ?? "table" {
        case "table": return try RuntimeProgram.printing(table(reports))
        case "json":
            let texts = reports.map { String(decoding: $0.json(), as: UTF8.self) }
            return try RuntimeProgram.printing(texts.isEmpty ? "null\n" : "[\(texts.joined(separator: ","))]\n")
        case let other: throw Failure("", "", "invalid format option: \(other)")
        }
    }

    /// - Returns: `nil` for a container that is being made, or was deleted meanwhile.
    private static func report(_ store: RuntimeStore, _ id: String) throws -> StateReport? {
        guard let container = try store.find(id), try container.recordIfPresent() != nil else { return nil }
        return try container.report()
    }

    /// In runc's columns.
    private static func table(_ reports: [StateReport]) -> String {
        var rows = [["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]]
        rows += reports.map { [$0.id, "\($0.pid)", $0.status.rawValue, $0.bundle, $0.created, $0.owner] }
        let widths = rows[0].indices.map { column in max(12, rows.map { $0[column].utf8.count + 3 }.max() ?? 0) }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                column == row.count - 1
                    ? cell : cell + String(repeating: " ", count: widths[column] - cell.utf8.count)
            }
            return cells.joined() + "\n"
        }.joined()
    }
}
