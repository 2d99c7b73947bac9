import Linux
import OCI

/// A text in TOML, as far as files of configuration go: no dates, and no strings of several lines.
///
/// TOML libraries for Swift want Foundation, whose 35 MiB every start of the executable would pay for.
///
/// - Note: TOML 1.0.
struct TOML {
    indirect enum Value {
        case string(String)
        case boolean(Bool)
        /// An integer or a fraction, as it stands.
        case number(String)
        case list([Value])
        case table([String: Value])
    }

    /// What is wrong, and in which line.
    struct Wrong: Error {
        /// From 1.
        let line: Int
        let reason: String
    }

    private let bytes: [UInt8]
    private var position = 0
    private var line = 1
    private var root: [String: Value] = [:]
    /// Where keys of the table that is open belong.
    private var open: [String] = []
    /// Those that a line `[…]` has opened: none can be opened twice.
    private var opened: Set<[String]> = []

    /// - Returns: The same in JSON.
    static func json(_ text: String) throws(Wrong) -> [UInt8] {
        var toml = TOML(bytes: Array(text.utf8))
        try toml.scan()
        return Self.text(.table(toml.root)).bytes
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func wrong(_ reason: String) -> Wrong { Wrong(line: line, reason: reason) }

    // MARK: Lines

    private mutating func scan() throws(Wrong) {
        while true {
            skipSpaceAndComments()
            guard let byte = current else { return }
            if byte == UInt8(ascii: "[") { try scanHeader() } else { try scanPair() }
            skipSpaces()
            guard current == nil || current == UInt8(ascii: "\n") || current == UInt8(ascii: "#") else {
                throw wrong("something behind the value")
            }
        }
    }

    private mutating func scanHeader() throws(Wrong) {
        position += 1
        let isList = take("[")
        let path = try scanKey()
        guard take("]"), !isList || take("]") else { throw wrong("expected ']'") }
        open = path
        if isList {
            try Self.append(to: &root, path[...], self)
            opened = opened.filter { !$0.starts(with: path) || $0 == path }
        } else {
            guard opened.insert(path).inserted else {
                throw wrong("table '\(path.joined(separator: "."))' a second time")
            }
            try Self.insert(nil, into: &root, path[...], self)
        }
    }

    private mutating func scanPair() throws(Wrong) {
        let path = try scanKey()
        guard take("=") else { throw wrong("expected '='") }
        skipSpaces()
        let value = try scanValue(depth: 0)
        try Self.insert(value, into: &root, (open + path)[...], self)
    }

    // MARK: The tree

    /// Puts `value` at `path`; `nil` for an empty table, if nothing is there.
    private static func insert(
        _ value: Value?, into table: inout [String: Value], _ path: ArraySlice<String>, _ place: TOML
    ) throws(Wrong) {
        guard let name = path.first else { return }
        if path.count == 1, let value {
            guard table.updateValue(value, forKey: name) == nil else { throw place.wrong("'\(name)' a second time") }
            return
        }
        switch table[name] ?? .table([:]) {
        case .table(var inner):
            try insert(value, into: &inner, path.dropFirst(), place)
            table[name] = .table(inner)
        case .list(var elements):
            // A list of tables: the last one is open.
            guard case .table(var inner)? = elements.popLast() else { throw place.wrong("'\(name)' is no table") }
            try insert(value, into: &inner, path.dropFirst(), place)
            table[name] = .list(elements + [.table(inner)])
        default: throw place.wrong("'\(name)' is no table")
        }
    }

    /// Adds a table to the list at `path`.
    private static func append(
        to table: inout [String: Value], _ path: ArraySlice<String>, _ place: TOML
    ) throws(Wrong) {
        guard let name = path.first else { return }
        switch (table[name], path.count == 1) {
        case (nil, true): table[name] = .list([.table([:])])
        case (.list(let elements)?, true): table[name] = .list(elements + [.table([:])])
        case (.list(var elements)?, false):
            guard case .table(var inner)? = elements.popLast() else { throw place.wrong("'\(name)' is no table") }
            try append(to: &inner, path.dropFirst(), place)
            table[name] = .list(elements + [.table(inner)])
        case (.table(var inner)?, false):
            try append(to: &inner, path.dropFirst(), place)
            table[name] = .table(inner)
        case (nil, false):
            var inner: [String: Value] = [:]
            try append(to: &inner, path.dropFirst(), place)
            table[name] = .table(inner)
        default: throw place.wrong("'\(name)' is no list of tables")
        }
    }

    // MARK: Keys and values

    private mutating func scanKey() throws(Wrong) -> [String] {
        var path: [String] = []
        repeat {
            skipSpaces()
            if current == UInt8(ascii: "\"") || current == UInt8(ascii: "'") {
                path.append(try scanString())
            } else {
                let part = bytes[position...].prefix(while: Self.isBare)
                guard !part.isEmpty else { throw wrong("expected a name") }
                position = part.endIndex
                path.append(String(decoding: part, as: UTF8.self))
            }
            skipSpaces()
        } while take(".")
        return path
    }

    private static func isBare(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// How deep lists and tables may lie in each other.
    private static let depthLimit = 16

    private mutating func scanValue(depth: Int) throws(Wrong) -> Value {
        guard depth < Self.depthLimit else { throw wrong("lists in lists in lists") }
        switch current {
        case UInt8(ascii: "\"")?, UInt8(ascii: "'")?: return .string(try scanString())
        case UInt8(ascii: "[")?: return .list(try scanList(depth: depth + 1))
        case UInt8(ascii: "{")?: return .table(try scanInlineTable(depth: depth + 1))
        default: break
        }
        let word = bytes[position...].prefix { Self.isBare($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "+") }
        position = word.endIndex
        let text = String(decoding: word, as: UTF8.self)
        switch text {
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        default: break
        }
        let digits = text.replacing("_", with: "")
        guard let number = Int64(digits) else {
            throw wrong(text.isEmpty ? "expected a value" : "'\(text)' is no value; strings stand in quotes")
        }
        return .number(String(number))
    }

    private mutating func scanList(depth: Int) throws(Wrong) -> [Value] {
        position += 1
        var values: [Value] = []
        skipSpaceAndComments()
        while !take("]") {
            values.append(try scanValue(depth: depth))
            skipSpaceAndComments()
            guard take(",") || current == UInt8(ascii: "]") else { throw wrong("expected ',' or ']'") }
            skipSpaceAndComments()
        }
        return values
    }

    private mutating func scanInlineTable(depth: Int) throws(Wrong) -> [String: Value] {
        position += 1
        var table: [String: Value] = [:]
        skipSpaces()
        while !take("}") {
            let path = try scanKey()
            guard take("=") else { throw wrong("expected '='") }
            skipSpaces()
            try Self.insert(try scanValue(depth: depth), into: &table, path[...], self)
            skipSpaces()
            guard take(",") || current == UInt8(ascii: "}") else { throw wrong("expected ',' or '}'") }
            skipSpaces()
        }
        return table
    }

    // MARK: Strings

    private mutating func scanString() throws(Wrong) -> String {
        let quote = bytes[position]
        guard !bytes[position...].starts(with: [quote, quote, quote]) else {
            throw wrong("strings of several lines are not read")
        }
        position += 1
        var text: [UInt8] = []
        while let byte = current, byte != UInt8(ascii: "\n") {
            position += 1
            if byte == quote { return String(decoding: text, as: UTF8.self) }
            if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
                text += try scanEscape()
            } else {
                text.append(byte)
            }
        }
        throw wrong("a string without an end")
    }

    private mutating func scanEscape() throws(Wrong) -> [UInt8] {
        guard let letter = current else { throw wrong("a string without an end") }
        position += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): return [letter]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "u"), UInt8(ascii: "U"):
            let digits = bytes[position...].prefix(letter == UInt8(ascii: "u") ? 4 : 8)
            position = digits.endIndex
            guard let scalar = UInt32(String(decoding: digits, as: UTF8.self), radix: 16).flatMap(Unicode.Scalar.init)
            else { throw wrong("'\\u' without a character") }
            return Array(String(scalar).utf8)
        default: throw wrong("'\\\(Character(Unicode.Scalar(letter)))' is no escape")
        }
    }

    // MARK: Space

    private mutating func take(_ text: StaticString) -> Bool {
        guard current == text.utf8Start.pointee else { return false }
        position += 1
        return true
    }

    private mutating func skipSpaces() {
        while let byte = current, byte == 0x20 || byte == 0x09 || byte == 0x0D { position += 1 }
    }

    private mutating func skipSpaceAndComments() {
        while true {
            skipSpaces()
            switch current {
            case UInt8(ascii: "\n")?:
                line += 1
                position += 1
            case UInt8(ascii: "#")?:
                position = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            default: return
            }
        }
    }
}

extension TOML {
    /// `value` in JSON.
    private static func text(_ value: TOML.Value) -> JSONText {
        switch value {
        case .string(let text): JSONText(text)
        case .boolean(let value): JSONText(unchecked: Array("\(value)".utf8))
        case .number(let text): JSONText(unchecked: Array(text.utf8))
        case .list(let values): JSONText(values.map(Self.text))
        case .table(let members): JSONText(members.mapValues(Self.text))
        }
    }
}
