import Testing

@testable import Formats

struct TableTests {
    @Test(arguments: ["\u{1b}[2J", "\n", "\u{7f}", "\u{9b}2J", "\u{202e}txt.exe", "\u{2066}"])
    func `nothing of a cell moves the cursor or turns the writing`(cell: String) {
        var table = Table()
        table.add(["a\(cell)b", "c"])
        #expect(table.text == "a?\(String(cell.unicodeScalars.dropFirst()))b   c\n")
    }

    @Test func `other text stays as it is`() {
        var table = Table()
        table.add(["é漢عب 🐧", "c"])
        #expect(table.text == "é漢عب 🐧   c\n")
    }
}
