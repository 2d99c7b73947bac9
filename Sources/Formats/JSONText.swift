extension Value {
    /// As JSON: fields in their order, keys of maps sorted.
    ///
    /// - Parameter indent: Spaces per level; `nil` puts everything on one line.
    public func json(indent: Int? = nil) -> String {
        var writer = JSONWriter(indent: indent)
        writer.write(self)
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

/// Writes values as JSON.
private struct JSONWriter {
    let indent: Int?
    var bytes: [UInt8] = []
    private var level = 0

    init(indent: Int?) {
        self.indent = indent
    }

    mutating func write(_ value: Value) {
        switch value {
        case .null, .lookup: bytes += "null".utf8
        case .bool, .integer, .number: bytes += value.text.utf8
        case .string(let text): write(text)
        case .list(let values):
            enclose("[", "]", values) { $0.write($1) }
        case .object(let fields):
            enclose("{", "}", fields.filter { !$0.value.isLookup }) { $0.write($1.name, $1.value) }
        case .map(let values):
            enclose("{", "}", values.sorted { $0.key < $1.key }) { $0.write($1.key, $1.value) }
        }
    }

    private mutating func enclose<Element>(
        _ open: Unicode.Scalar, _ close: Unicode.Scalar, _ elements: [Element],
        _ body: (inout JSONWriter, Element) -> Void
    ) {
        bytes.append(UInt8(ascii: open))
        level += 1
        for (index, element) in elements.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            breakLine()
            body(&self, element)
        }
        level -= 1
        if !elements.isEmpty { breakLine() }
        bytes.append(UInt8(ascii: close))
    }

    private mutating func breakLine() {
        guard let indent else { return }
        bytes.append(0x0a)
        bytes.append(contentsOf: repeatElement(0x20, count: indent * level))
    }

    private mutating func write(_ name: String, _ value: Value) {
        write(name)
        bytes += indent == nil ? ":".utf8 : ": ".utf8
        write(value)
    }

    private mutating func write(_ text: String) {
        bytes.append(0x22)
        for byte in text.utf8 {
            switch byte {
            case 0x22: bytes += "\\\"".utf8
            case 0x5c: bytes += "\\\\".utf8
            case 0x0a: bytes += "\\n".utf8
            case 0x0d: bytes += "\\r".utf8
            case 0x09: bytes += "\\t".utf8
            case 0..<0x20, 0x7f: bytes += "\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8
            default: bytes.append(byte)
            }
        }
        bytes.append(0x22)
    }
}
