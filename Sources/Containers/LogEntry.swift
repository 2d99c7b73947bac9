/// One line that a container wrote, as the log keeps it.
public struct LogEntry: Sendable, Equatable {
    /// Which of its two output streams it was written to.
    public enum Stream: String, Sendable { case stdout, stderr }

    /// What was written, with its newline if it had one.
    public let text: [UInt8]
    public let stream: Stream
    /// RFC 3339, as the log has it.
    public let time: String

    /// Reads a line of a json-file log.
    ///
    ///     {"log":"hello\\n","stream":"stdout","time":"2024-05-06T07:08:09.123456789Z"}
    ///
    /// - Returns: `nil` for anything but the three fields in that order, which is how Apus writes them.
    public init?(line: ArraySlice<UInt8>) {
        var scanner = LineScanner(rest: line)
        guard scanner.take("{\"log\":"), let text = scanner.string(), scanner.take(",\"stream\":"),
            let name = scanner.string(), let stream = Stream(rawValue: String(decoding: name, as: UTF8.self)),
            scanner.take(",\"time\":"), let time = scanner.string(), scanner.take("}"), scanner.rest.isEmpty
        else { return nil }
        self.text = text
        self.stream = stream
        self.time = String(decoding: time, as: UTF8.self)
    }
}

/// Takes a log line apart. A general JSON decoder takes fifty times as long, and logs have millions of lines.
private struct LineScanner {
    var rest: ArraySlice<UInt8>

    mutating func take(_ text: StaticString) -> Bool {
        let matches = text.withUTF8Buffer { rest.starts(with: $0) }
        if matches { rest = rest.dropFirst(text.utf8CodeUnitCount) }
        return matches
    }

    /// A string's content without its escapes.
    mutating func string() -> [UInt8]? {
        guard rest.first == UInt8(ascii: "\"") else { return nil }
        rest = rest.dropFirst()
        var text: [UInt8] = []
        while let end = rest.firstIndex(where: { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }) {
            text += rest[..<end]
            let isEnd = rest[end] == UInt8(ascii: "\"")
            rest = rest[(end + 1)...]
            if isEnd { return text }
            guard takeEscape(into: &text) else { return nil }
        }
        return nil
    }

    private mutating func takeEscape(into text: inout [UInt8]) -> Bool {
        switch rest.popFirst() {
        case UInt8(ascii: "n"): text.append(0x0a)
        case UInt8(ascii: "r"): text.append(0x0d)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0c)
        case UInt8(ascii: "u"):
            guard let scalar = takeScalar() else { return false }
            text += String(scalar).utf8
        case let byte? where "\"\\/".utf8.contains(byte): text.append(byte)
        default: return false
        }
        return true
    }

    private mutating func takeScalar() -> Character? {
        guard let first = takeUnit() else { return nil }
        if let scalar = Unicode.Scalar(first) { return Character(scalar) }
        guard take("\\u"), let second = takeUnit() else { return nil }
        return String(decoding: [first, second], as: UTF16.self).first
    }

    private mutating func takeUnit() -> UInt16? {
        let digits = rest.prefix(4)
        rest = rest.dropFirst(4)
        return digits.count == 4 ? UInt16(String(decoding: digits, as: UTF8.self), radix: 16) : nil
    }
}
