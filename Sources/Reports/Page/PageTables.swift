extension UsageReport {
    // MARK: Limits

    var limitSection: String {
        guard !limits.isEmpty else { return "" }
        return """
            <section><h2>Limits</h2><div class="card limits scroll"><table>
            <thead><tr><th scope="col">Limit</th><th scope="col">Asked</th><th scope="col">Highest</th>\
            <th scope="col">Held by</th><th scope="col">Reached</th><th scope="col"></th></tr></thead>
            <tbody>
            \(limits.map(row).joined(separator: "\n"))
            </tbody></table></div></section>
            """
    }

    private func row(_ limit: Limit) -> String {
        let holder =
            limit.enforced
            ? HTMLText.escaped(limit.mechanism?.rawValue ?? "yes") : #"<span class="tag cut">not enforced</span>"#
        return """
            <tr><th scope="row">\(HTMLText.escaped(limit.name))</th><td>\(HTMLText.escaped(limit.asked))</td>\
            <td>\(highest(limit))</td><td>\(holder)</td><td>\(reached(limit))</td>\
            <td class="note">\(HTMLText.escaped(limit.note ?? ""))</td></tr>
            """
    }

    private func highest(_ limit: Limit) -> String {
        guard let peak = limit.peak else { return "–" }
        guard let share = limit.share(of: peak) else { return Readable.text(peak, limit.unit) }
        let width = Readable.decimal(min(100, share * 100), places: 1)
        return """
            <span class="bar\(limit.hit == true ? " hit" : "")" aria-hidden="true">\
            <span style="width: \(width)%"></span></span>\
            \(Readable.text(peak, limit.unit)) (\(Readable.percent(share)))
            """
    }

    private func reached(_ limit: Limit) -> String {
        if limit.name == outcome.limit { return #"<span class="tag failed">ended the command</span>"# }
        return limit.hit.map { $0 ? #"<span class="tag cut">reached</span>"# : "no" } ?? "–"
    }

    // MARK: Figures

    var figureSection: String {
        let tables = figures.map { group in
            table(group.title, group.figures.map { Row($0) })
        }
        return #"<section><h2>All figures</h2><div class="groups">"# + "\n"
            + (tables + [table("How it ended", endRows), table("Where", placeRows)]).joined() + "</div></section>"
    }

    private func table(_ title: String, _ rows: [Row]) -> String {
        guard !rows.isEmpty else { return "" }
        let lines = rows.map { row in
            """
            <tr><th scope="row">\(HTMLText.escaped(row.label))</th>\
            <td\(row.isNumber ? #" class="number""# : "")><bdi>\(HTMLText.escaped(row.text))</bdi></td></tr>
            """
        }
        return """
            <div class="card group"><table><caption>\(title)</caption><tbody>
            \(lines.joined(separator: "\n"))
            </tbody></table></div>

            """
    }

    private var endRows: [Row] {
        let process = outcome.killed.map { killed in
            [killed.name, killed.pid.map { "pid \($0)" }].compactMap { $0 }.joined(separator: ", ")
        }
        return [
            Row("reason", outcome.reason.rawValue), Row("exit code", outcome.exitCode.map { "\($0)" }),
            Row("signal", outcome.signal.map { "\($0)" }), Row("status of Apus", "\(outcome.status)"),
            Row("limit", outcome.limit), Row("killed process", process),
        ].compactMap { $0 }
    }

    private var placeRows: [Row] {
        let owner = user.map { [$0.name, "\($0.id)"].compactMap { $0 }.joined(separator: ", ") }
        return [
            Row("begin", start.map(Self.readable)), Row("end", end.map(Self.readable)), Row("host", host.name),
            Row("kernel", host.kernel), Row("architecture", host.architecture),
            Row("processors", host.processors.map { "\($0)" }), Row("memory", host.memory.map(Readable.bytes)),
            Row("cgroups", host.cgroups), Row("user", owner), Row("directory", workingDirectory),
            Row("container", container?.id), Row("name", container?.name), Row("image", container?.image),
            Row("figures from", accounting?.rawValue),
        ].compactMap { $0 }
    }
}

/// A line of a table with two columns.
private struct Row {
    let label: String
    let text: String
    var isNumber = false

    /// - Returns: `nil` for what is not known.
    init?(_ label: String, _ text: String?) {
        guard let text else { return nil }
        self.label = label
        self.text = text
    }

    init(_ figure: Figure) {
        label = figure.label
        text = figure.text
        isNumber = true
    }
}
