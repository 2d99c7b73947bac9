public import Linux

/// How a command shows rows: as a table, as JSON, or as its user says with `--format`.
public struct Listing: Sendable {
    /// Each field's title over its column.
    private let titles: [String: String]
    /// The fields that the table shows unless asked otherwise.
    private let columns: [String]

    public init(titles: [String: String], columns: [String]) {
        self.titles = titles
        self.columns = columns
    }

    /// The rows as text, each ending with a newline.
    ///
    /// - Parameter format: `nil` or `table`, `json`, `table TEMPLATE`, or a template for each row.
    public func render(_ rows: [Value], format: String?) throws(Failure) -> String {
        switch format {
        case nil, "", "table": return table(rows)
        case "json": return rows.map { $0.json() + "\n" }.joined()
        case let format?:
            let template = try Template(format)
            var lines = template.isTable ? [try template.header(titles)] : []
            for row in rows { lines.append(try template.render(row)) }
            guard template.isTable else { return lines.map { $0 + "\n" }.joined() }
            var table = Table()
            for line in lines {
                table.add(line.split(separator: "\t", omittingEmptySubsequences: false).map { String($0) })
            }
            return table.text
        }
    }

    private func table(_ rows: [Value]) -> String {
        var table = Table(header: columns.map { titles[$0] ?? $0 })
        for row in rows { table.add(columns.map { row[$0]?.text ?? "" }) }
        return table.text
    }
}
