import Linux

/// Columns of text, as wide as their widest cell and three spaces apart, as Docker's tables are.
public struct Table {
    private var rows: [[String]] = []

    public init() {}

    public init(header: [String]) {
        rows = [header]
    }

    /// Adds a row; what a terminal would obey becomes `?`.
    public mutating func add(_ cells: [String]) {
        rows.append(cells.map(\.harmless))
    }

    /// All rows, each ending with a newline; the last column is not padded.
    public var text: String {
        var widths: [Int] = []
        for row in rows {
            for (index, cell) in row.enumerated() {
                if index == widths.count { widths.append(0) }
                widths[index] = max(widths[index], cell.count)
            }
        }
        var text = ""
        for row in rows {
            for (index, cell) in row.enumerated() {
                text += cell
                if index < row.count - 1 { text += String(repeating: " ", count: widths[index] - cell.count + 3) }
            }
            text += "\n"
        }
        return text
    }
}
