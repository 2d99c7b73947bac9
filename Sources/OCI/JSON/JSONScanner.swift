/// One value of a JSON text, or one name in an object.
struct JSONNode {
    enum Kind: UInt8 {
        case null, `true`, `false`, number, string, list, object
    }

    let kind: Kind
    /// Whether a string has escapes, so that it is not what stands in the text.
    var hasEscapes = false
    /// The first byte in the text; of a string the one behind its quote.
    let start: UInt32
    /// Behind the last byte; of a string its closing quote.
    var end: UInt32 = 0
    /// The index behind this node and all that is in it.
    var next: UInt32 = 0
}

/// Splits a JSON text into its values, as strictly as RFC 8259 has it.
///
/// The nodes come in the order of the text: a list is followed by its elements, an object by a name, a value, a name…
/// so that whoever reads them goes on or skips without making anything. `JSONDecoder` takes 4 to 10 times as long.
struct JSONScanner {
    /// How deep lists and objects may lie in each other. What the specification knows needs ten.
    static let depthLimit = 512

    private let bytes: [UInt8]
    private var position = 0
    private var nodes: [JSONNode] = []

    /// - Throws: When `bytes` is no JSON text, with the line and column where it stops being one.
    static func scan(_ bytes: [UInt8]) throws(SpecError) -> [JSONNode] {
        var scanner = JSONScanner(bytes)
        try scanner.scanValue(depth: 0)
        guard scanner.position == bytes.count else { throw scanner.wrong("something behind the end") }
        return scanner.nodes
    }

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
        nodes.reserveCapacity(bytes.count / 8 + 1)  // a usual config.json has a value in every nine bytes
    }

    /// 0, which may stand nowhere in a JSON text, at the end.
    private var current: UInt8 { position < bytes.count ? bytes[position] : 0 }

    // MARK: Values

    /// Reads a value and the space around it.
    private mutating func scanValue(depth: Int) throws(SpecError) {
        skipSpace()
        switch current {
        case UInt8(ascii: "\""): try scanString()
        case UInt8(ascii: "{"): try scanObject(depth: depth + 1)
        case UInt8(ascii: "["): try scanList(depth: depth + 1)
        case UInt8(ascii: "t"): try scanWord("true", .true)
        case UInt8(ascii: "f"): try scanWord("false", .false)
        case UInt8(ascii: "n"): try scanWord("null", .null)
        default: try scanNumber()
        }
        skipSpace()
    }

    private mutating func scanObject(depth: Int) throws(SpecError) {
        let index = try open(.object, depth: depth)
        if current != UInt8(ascii: "}") {
            try scanMember(depth: depth)
            while current == UInt8(ascii: ",") {
                position += 1
                skipSpace()
                try scanMember(depth: depth)
            }
        }
        try close(index, with: UInt8(ascii: "}"), "',' or '}'")
    }

    private mutating func scanMember(depth: Int) throws(SpecError) {
        guard current == UInt8(ascii: "\"") else { throw wrong("expected a name in quotes") }
        try scanString()
        skipSpace()
        guard current == UInt8(ascii: ":") else { throw wrong("expected ':'") }
        position += 1
        try scanValue(depth: depth)
    }

    private mutating func scanList(depth: Int) throws(SpecError) {
        let index = try open(.list, depth: depth)
        if current != UInt8(ascii: "]") {
            try scanValue(depth: depth)
            while current == UInt8(ascii: ",") {
                position += 1
                try scanValue(depth: depth)
            }
        }
        try close(index, with: UInt8(ascii: "]"), "',' or ']'")
    }

    private mutating func open(_ kind: JSONNode.Kind, depth: Int) throws(SpecError) -> Int {
        guard depth <= Self.depthLimit else {
            throw wrong("more than \(Self.depthLimit) lists and objects in each other")
        }
        nodes.append(JSONNode(kind: kind, start: UInt32(position)))
        position += 1
        skipSpace()
        return nodes.count - 1
    }

    private mutating func close(_ index: Int, with bracket: UInt8, _ expected: String) throws(SpecError) {
        guard current == bracket else { throw wrong("expected \(expected)") }
        position += 1
        nodes[index].end = UInt32(position)
        nodes[index].next = UInt32(nodes.count)
    }

    private mutating func scanWord(_ word: StaticString, _ kind: JSONNode.Kind) throws(SpecError) {
        let start = position
        for index in 0..<word.utf8CodeUnitCount {
            guard current == word.utf8Start[index] else { throw wrong("expected '\(word)'") }
            position += 1
        }
        appendLeaf(kind, from: start)
    }

    private mutating func appendLeaf(_ kind: JSONNode.Kind, hasEscapes: Bool = false, from start: Int) {
        nodes.append(
            JSONNode(
                kind: kind, hasEscapes: hasEscapes, start: UInt32(start), end: UInt32(position),
                next: UInt32(nodes.count + 1)))
    }

    // MARK: Numbers

    private mutating func scanNumber() throws(SpecError) {
        let start = position
        if current == UInt8(ascii: "-") { position += 1 }
        if current == UInt8(ascii: "0") {
            position += 1
        } else {
            try scanDigits(position == start ? "expected a value" : "expected a digit")
        }
        if current == UInt8(ascii: ".") {
            position += 1
            try scanDigits("expected a digit")
        }
        if current | 0x20 == UInt8(ascii: "e") {
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            try scanDigits("expected a digit")
        }
        appendLeaf(.number, from: start)
    }

    private mutating func scanDigits(_ expected: String) throws(SpecError) {
        guard current.isDigit else { throw wrong(expected) }
        repeat { position += 1 } while current.isDigit
    }

    // MARK: Strings

    private mutating func scanString() throws(SpecError) {
        position += 1
        let start = position
        var hasEscapes = false
        var isASCII = true
        while true {
            position = endOfPlainCharacters()
            if current == UInt8(ascii: "\"") { break }
            if current == UInt8(ascii: "\\") {
                hasEscapes = true
                try scanEscape()
            } else if current >= 0x80 {
                isASCII = false
                position += 1
            } else {
                throw wrong(position < bytes.count ? "a control character in a string" : "a string without an end")
            }
        }
        guard isASCII || String(validating: bytes[start..<position], as: UTF8.self) != nil else {
            throw wrong("invalid UTF-8 in the string that ends here")
        }
        appendLeaf(.string, hasEscapes: hasEscapes, from: start)
        position += 1
    }

    /// The first place from here on with something else than the printable ASCII of which most of a text consists.
    private func endOfPlainCharacters() -> Int {
        bytes[position...].firstIndex {
            $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") || $0 < 0x20 || $0 >= 0x80
        } ?? bytes.count
    }

    private mutating func scanEscape() throws(SpecError) {
        position += 1
        switch current {
        case UInt8(ascii: "u"):
            position += 1
            let unit = try scanCodeUnit()
            guard UTF16.isTrailSurrogate(unit) == false else { throw wrong("half of a surrogate pair") }
            if UTF16.isLeadSurrogate(unit) { try scanTrailSurrogate() }
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 1
        default:
            throw wrong("an unknown escape in a string")
        }
    }

    private mutating func scanTrailSurrogate() throws(SpecError) {
        for byte in "\\u".utf8 {
            guard current == byte else { throw wrong("half of a surrogate pair") }
            position += 1
        }
        guard UTF16.isTrailSurrogate(try scanCodeUnit()) else { throw wrong("half of a surrogate pair") }
    }

    private mutating func scanCodeUnit() throws(SpecError) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let digit = current.hexadecimalValue else { throw wrong("expected a hexadecimal digit") }
            unit = unit << 4 | UInt16(digit)
            position += 1
        }
        return unit
    }

    // MARK: Around them

    private mutating func skipSpace() {
        while current == 0x20 || current == 0x0A || current == 0x09 || current == 0x0D { position += 1 }
    }

    private func wrong(_ reason: String) -> SpecError {
        let before = bytes[..<min(position, bytes.count)]
        let line = before.count { $0 == 0x0A } + 1
        let column = position - (before.lastIndex(of: 0x0A) ?? -1)
        return SpecError(path: "", reason: "not valid JSON: line \(line), column \(column): \(reason)")
    }
}

extension UInt8 {
    var isDigit: Bool { self &- UInt8(ascii: "0") < 10 }

    /// What this stands for as a hexadecimal digit.
    var hexadecimalValue: UInt8? {
        if isDigit { return self - UInt8(ascii: "0") }
        let letter = (self | 0x20) &- UInt8(ascii: "a")
        return letter < 6 ? letter + 10 : nil
    }
}
