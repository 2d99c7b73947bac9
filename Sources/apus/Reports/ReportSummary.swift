import Formats
import Reports

/// `--summary`: a report as text, for a terminal or a log.
enum ReportSummary {
    /// The whole of it, each line ending with a newline.
    static func text(_ report: UsageReport) -> String {
        let parts = [head(report), limits(report)] + report.figures.map(figures)
        return parts.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    private static func head(_ report: UsageReport) -> String {
        let verdict = report.verdict
        var table = Table()
        table.add(["Result", verdict.detail.map { "\(verdict.title): \($0)" } ?? verdict.title])
        table.add(["Command", report.commandLine])
        if let directory = report.workingDirectory { table.add(["Directory", directory]) }
        if let container = report.container { table.add(["Container", container.name ?? container.id]) }
        if let start = report.start { table.add(["Begin", start]) }
        return table.trimmedText
    }

    private static func limits(_ report: UsageReport) -> String {
        guard !report.limits.isEmpty else { return "" }
        var table = Table(header: ["LIMIT", "ASKED", "HIGHEST", "USED", "HELD BY", "REACHED"])
        for limit in report.limits {
            table.add([
                limit.name, limit.asked, limit.peak.map { Readable.text($0, limit.unit) } ?? "-",
                limit.peak.flatMap(limit.share).map(Readable.percent) ?? "-",
                limit.enforced ? limit.mechanism?.rawValue ?? "yes" : "not enforced",
                limit.name == report.outcome.limit ? "ended it" : limit.hit.map { $0 ? "yes" : "no" } ?? "-",
            ])
        }
        return table.trimmedText
    }

    private static func figures(_ group: FigureGroup) -> String {
        var table = Table(header: [group.title.uppercased(), ""])
        for figure in group.figures { table.add([figure.label, figure.text]) }
        return table.trimmedText
    }
}

extension Table {
    /// All rows as in `text`, where cells at the end that are empty leave nothing.
    var trimmedText: String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.lastIndex { $0 != " " }.map { String(line[...$0]) } ?? ""
        }.joined(separator: "\n")
    }
}
