/// A word of an instruction, and where in the instruction it begins, in bytes.
struct Fragment: Equatable {
    var text: String
    var offset: Int
}

/// An instruction in its parts: `KEYWORD [--flag…] arguments`.
struct SplitInstruction {
    /// As it is written.
    let keyword: Fragment
    /// With their `--`, without quotes.
    private(set) var flags: [Fragment] = []
    /// Without blanks at both ends; its indices are offsets in the instruction.
    private(set) var arguments: ArraySlice<UInt8>
    let escape: UInt8

    /// - Throws: For a quote in a flag that nothing closes.
    init(_ text: ArraySlice<UInt8>, escape: UInt8) throws(SyntaxError) {
        let text = text.trimmed
        let keyword = text.prefix { !$0.isBlank }
        self.keyword = Fragment(text: keyword.text, offset: text.startIndex)
        self.escape = escape
        arguments = text[keyword.endIndex...].trimmed
        while arguments.starts(with: "--".utf8) {
            let (flag, rest) = try Self.readFlag(arguments, escape: escape)
            arguments = rest.trimmed
            if flag.text == "--" { break }
            flags.append(flag)
        }
    }

    /// Reads up to the next blank that is not quoted.
    private static func readFlag(
        _ text: ArraySlice<UInt8>, escape: UInt8
    ) throws(SyntaxError) -> (Fragment, rest: ArraySlice<UInt8>) {
        var flag: [UInt8] = []
        var quote: (byte: UInt8, offset: Int)?
        var position = text.startIndex
        while position < text.endIndex {
            let byte = text[position]
            if quote == nil && byte.isBlank { break }
            if byte == quote?.byte {
                quote = nil
            } else if quote == nil && byte.isQuote {
                quote = (byte, position)
            } else if byte == escape {
                position += 1
                if position < text.endIndex { flag.append(text[position]) }
            } else {
                flag.append(byte)
            }
            position += 1
        }
        if let quote { throw SyntaxError("nothing closes this quote", at: quote.offset) }
        return (
            Fragment(text: flag[...].text, offset: text.startIndex), text[min(position, text.endIndex)...]
        )
    }

    // MARK: Words

    /// The arguments between blanks, whatever is quoted.
    var plainWords: [Fragment] {
        arguments.split(whereSeparator: \.isBlank).map { Fragment(text: $0.text, offset: $0.startIndex) }
    }

    /// The arguments between blanks that are neither quoted nor escaped; they keep their quotes.
    var quotedWords: [Fragment] {
        var words: [Fragment] = []
        var rest = arguments.trimmed
        while !rest.isEmpty {
            let end = endOfQuotedWord(rest)
            words.append(Fragment(text: rest[..<end].text, offset: rest.startIndex))
            rest = rest[end...].trimmed
        }
        return words
    }

    private func endOfQuotedWord(_ text: ArraySlice<UInt8>) -> Int {
        var quote: UInt8?
        var position = text.startIndex
        while position < text.endIndex {
            let byte = text[position]
            if quote == nil && byte.isBlank { return position }
            if byte == quote {
                quote = nil
            } else if quote == nil && byte.isQuote {
                quote = byte
            } else if byte == escape && quote != UInt8(ascii: "'") {
                position += 1
            }
            position += 1
        }
        return text.endIndex
    }

    /// All of the arguments, as one.
    var whole: Fragment { Fragment(text: arguments.text, offset: arguments.startIndex) }
}
