import ArgumentParser
import Formats
import Linux
import Reports

/// `apus report compare`: what is different between two runs.
struct CompareReports: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report compare", abstract: "Show what has changed from one report to another",
        discussion: "Figures that have grown are marked, and how many times as much they are now.")

    @Option(help: "table or json") var format = "table"
    @Argument(help: "The earlier report as JSON", completion: .file()) var before: String
    @Argument(help: "The later one", completion: .file()) var after: String

    func run() throws {
        guard format == "table" || format == "json" else {
            throw Failure("report compare", "--format \(format)", "is not table or json")
        }
        let comparison = Comparison(try UsageReport.read(before), try UsageReport.read(after))
        if format == "json" { return Output.line(value(comparison).json(indent: 2)) }
        Output.write(table(comparison))
        let same = comparison.unchanged
        if comparison.changes.isEmpty {
            Output.line("no figure has changed")
        } else if same > 0 {
            Output.line("\(same) \(same == 1 ? "figure has" : "figures have") not changed")
        }
    }

    private func table(_ comparison: Comparison) -> String {
        guard !comparison.facts.isEmpty || !comparison.changes.isEmpty else { return "" }
        var table = Table(header: ["", "BEFORE", "AFTER", "RATIO", ""])
        for fact in comparison.facts { table.add([fact.label, fact.before ?? "-", fact.after ?? "-", "", ""]) }
        for change in comparison.changes {
            table.add([
                "\(change.group.lowercased()): \(change.figure.label)", change.text(change.before),
                change.text(change.after),
                change.ratio.map { "\(Readable.decimal($0, places: $0 < 10 ? 3 : 0)) x" } ?? "",
                change.hasGrown ? "grew" : change.hasShrunk ? "shrank" : "",
            ])
        }
        return table.trimmedText
    }

    private func value(_ comparison: Comparison) -> Value {
        [
            "kind": "apus-comparison", "schemaVersion": 1, "before": .string(before), "after": .string(after),
            "facts": .list(
                comparison.facts.map {
                    ["name": .string($0.label), "before": .optional($0.before), "after": .optional($0.after)]
                }),
            "figures": .list(comparison.changes.map(value)), "unchanged": .integer(of: comparison.unchanged),
        ]
    }

    private func value(_ change: Comparison.Change) -> Value {
        [
            "field": .string(change.figure.field), "unit": .optional(change.figure.unit?.rawValue),
            "before": .optional(change.before), "after": .optional(change.after),
            "ratio": change.ratio.map { .number($0) } ?? .null, "grew": .bool(change.hasGrown),
        ]
    }
}
