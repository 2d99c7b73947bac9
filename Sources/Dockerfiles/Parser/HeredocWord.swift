/// `<<NAME` in an instruction, before its text is read.
struct HeredocWord: Equatable {
    var name: String
    /// Not when a part of the name is quoted or escaped.
    var expands: Bool
    /// `<<-NAME`.
    var stripsTabs: Bool
    /// Where it stands in the instruction, with the digits of a file descriptor before it.
    var range: Range<Int>

    /// The heredocs that `text` begins, from left to right. None if a quote in it is not closed.
    static func all(in text: ArraySlice<UInt8>) -> [HeredocWord] {
        var found: [HeredocWord] = []
        var scanner = HeredocScanner(text)
        while let word = scanner.nextWord() {
            if let heredoc = word { found.append(heredoc) }
        }
        return scanner.isBalanced ? found : []
    }
}

/// Goes through the words of a command as a shell splits them.
private struct HeredocScanner {
    private let text: ArraySlice<UInt8>
    private var position: Int
    private(set) var isBalanced = true

    init(_ text: ArraySlice<UInt8>) {
        self.text = text
        position = text.startIndex
    }

    /// Bytes that end a name: they mean something to a shell.
    private static let operators = Array("|&;()<>".utf8)

    /// - Returns: A heredoc, or `.some(nil)` for another word; `nil` at the end.
    mutating func nextWord() -> HeredocWord?? {
        while position < text.endIndex, text[position].isBlank { position += 1 }
        guard position < text.endIndex else { return nil }
        let start = position
        while position < text.endIndex, (0x30...0x39).contains(text[position]) { position += 1 }
        guard text[position...].starts(with: "<<".utf8) else {
            position = start
            _ = readWord(endingAt: [])
            return .some(nil)
        }
        position += 2
        let stripsTabs = position < text.endIndex && text[position] == UInt8(ascii: "-")
        if stripsTabs { position += 1 }
        while position < text.endIndex, text[position].isBlank { position += 1 }
        let (name, isQuoted) = readWord(endingAt: Self.operators)
        // `<<<` is no heredoc, nor is one without a name.
        guard !name.isEmpty else {
            _ = readWord(endingAt: [])
            return .some(nil)
        }
        return HeredocWord(
            name: name[...].text, expands: !isQuoted, stripsTabs: stripsTabs, range: start..<position)
    }

    /// Reads up to a blank or one of `operators`, without quotes and escapes.
    private mutating func readWord(endingAt operators: [UInt8]) -> (word: [UInt8], isQuoted: Bool) {
        var word: [UInt8] = []
        var quote: UInt8?
        var isQuoted = false
        while position < text.endIndex {
            let byte = text[position]
            if quote == nil && (byte.isBlank || operators.contains(byte)) { break }
            if byte == quote {
                quote = nil
            } else if quote == nil && byte.isQuote {
                quote = byte
                isQuoted = true
            } else if byte == UInt8(ascii: "\\") && quote != UInt8(ascii: "'") {
                position += 1
                isQuoted = true
                if position < text.endIndex { word.append(text[position]) }
            } else {
                word.append(byte)
            }
            position += 1
        }
        position = min(position, text.endIndex)
        if quote != nil { isBalanced = false }
        return (word, isQuoted)
    }
}
