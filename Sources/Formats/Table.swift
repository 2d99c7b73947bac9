/// Columns of text, as wide as their widest cell and three spaces apart, as Docker's tables are.
public struct Table {
    private var rows: [[String]] = []

    public init() {}

    public init(header: [String]) {
        rows = [header]
    }

    /// Adds a row. Control characters, which could move a terminal's cursor, become `?`, and so do those that turn the
    /// direction of writing and could show one name for another.
    public mutating func add(_ cells: [String]) {
        rows.append(cells.map(Self.harmless))
    }

    private static func harmless(_ cell: String) -> String {
        guard cell.unicodeScalars.contains(where: isHarmful) else { return cell }
        return String(String.UnicodeScalarView(cell.unicodeScalars.map { isHarmful($0) ? "?" : $0 }))
    }

    private static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case ..<0x20, 0x7f...0x9f, 0x202a...0x202e, 0x2066...0x2069: true
        default: false
        }
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
