/// What the value of a field in JSON can be.
package protocol JSONValue {
    /// - Returns: `nil` if it is something else, after `fields` was told.
    static func read(from fields: JSONFields, at place: JSONPlace) -> Self?
    func write(to fields: JSONFields)
}

extension Bool: JSONValue {
    package static func read(from fields: JSONFields, at place: JSONPlace) -> Bool? {
        switch place.kind {
        case .true: return true
        case .false: return false
        default:
            fields.fail(place, expected: "true or false")
            return nil
        }
    }

    package func write(to fields: JSONFields) {
        fields.output.append(contentsOf: (self ? "true" : "false").utf8)
    }
}

extension String: JSONValue {
    /// Strings end up as arguments of system calls, which end at the first NUL.
    package static func read(from fields: JSONFields, at place: JSONPlace) -> String? {
        guard place.kind == .string else {
            fields.fail(place, expected: "a string")
            return nil
        }
        let string = place.document.string(place.index)
        guard !place.document.nodes[place.index].hasEscapes || !string.utf8.contains(0) else {
            fields.fail(place, "a NUL character")
            return nil
        }
        return string
    }

    package func write(to fields: JSONFields) {
        var text = self
        text.withUTF8 { fields.writeString($0) }
    }
}

extension JSONValue where Self: RawRepresentable, RawValue == String {
    package static func read(from fields: JSONFields, at place: JSONPlace) -> Self? {
        guard let string = String.read(from: fields, at: place) else { return nil }
        guard let value = Self(rawValue: string) else {
            fields.fail(place, "unknown value '\(string)'")
            return nil
        }
        return value
    }

    package func write(to fields: JSONFields) { rawValue.write(to: fields) }
}

// MARK: Numbers

extension Int: JSONValue {}
extension Int32: JSONValue {}
extension Int64: JSONValue {}
extension UInt16: JSONValue {}
extension UInt32: JSONValue {}
extension UInt64: JSONValue {}

extension JSONValue where Self: FixedWidthInteger {
    package static func read(from fields: JSONFields, at place: JSONPlace) -> Self? {
        guard place.kind == .number else {
            fields.fail(place, expected: "an integer")
            return nil
        }
        guard let value = integer(at: place) else {
            fields.fail(place, expected: "an integer from \(min) to \(max)")
            return nil
        }
        return value
    }

    /// - Returns: `nil` for what has a fraction or an exponent, and for what does not fit.
    private static func integer(at place: JSONPlace) -> Self? {
        let node = place.document.nodes[place.index]
        let digits = place.document.bytes[Int(node.start)..<Int(node.end)]
        let isNegative = digits.first == UInt8(ascii: "-")
        var value: Self = 0
        for byte in digits.dropFirst(isNegative ? 1 : 0) {
            guard byte.isDigit else { return nil }
            let digit = Self(byte - UInt8(ascii: "0"))
            let (shifted, overflow) = value.multipliedReportingOverflow(by: 10)
            // Downwards for negative ones: the smallest has no positive counterpart.
            let (sum, overflow2) =
                isNegative ? shifted.subtractingReportingOverflow(digit) : shifted.addingReportingOverflow(digit)
            guard !overflow, !overflow2 else { return nil }
            value = sum
        }
        return value
    }

    /// Not by `description`, whose first call takes longer than all the rest.
    package func write(to fields: JSONFields) {
        if self < 0 { fields.output.append(UInt8(ascii: "-")) }
        let start = fields.output.count
        var rest = magnitude
        repeat {
            fields.output.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        fields.output[start...].reverse()
    }
}

// MARK: Lists and dictionaries

extension Array: JSONValue where Element: JSONValue {
    package static func read(from fields: JSONFields, at place: JSONPlace) -> [Element]? {
        guard place.kind == .list else {
            fields.fail(place, expected: "a list")
            return nil
        }
        var result: [Element] = []
        place.forEachChild { child in
            guard let element = Element.read(from: fields, at: child) else { return false }
            result.append(element)
            return true
        }
        return result
    }

    package func write(to fields: JSONFields) {
        fields.output.append(UInt8(ascii: "["))
        for element in self {
            fields.separate()
            element.write(to: fields)
        }
        fields.output.append(UInt8(ascii: "]"))
    }
}

extension Dictionary: JSONValue where Key == String, Value: JSONValue {
    package static func read(from fields: JSONFields, at place: JSONPlace) -> [String: Value]? {
        guard place.kind == .object else {
            fields.fail(place, expected: "an object")
            return nil
        }
        var result: [String: Value] = [:]
        place.forEachChild { child in
            let name = JSONPlace(document: child.document, index: child.index - 1)
            guard let key = String.read(from: fields, at: name), let value = Value.read(from: fields, at: child) else {
                return false
            }
            result[key] = value
            return true
        }
        return result
    }

    package func write(to fields: JSONFields) {
        fields.output.append(UInt8(ascii: "{"))
        for (key, value) in sorted(by: { $0.key < $1.key }) {
            fields.separate()
            key.write(to: fields)
            fields.output.append(UInt8(ascii: ":"))
            value.write(to: fields)
        }
        fields.output.append(UInt8(ascii: "}"))
    }
}

// MARK: Writing

extension JSONFields {
    /// Parts this element or field from the one before, if there is one.
    func separate() {
        guard let last = output.last, last != UInt8(ascii: "{"), last != UInt8(ascii: "[") else { return }
        output.append(UInt8(ascii: ","))
    }

    fileprivate func writeString(_ text: UnsafeBufferPointer<UInt8>) {
        output.append(UInt8(ascii: "\""))
        var written = 0
        for (index, byte) in text.enumerated()
        where byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
            output.append(contentsOf: text[written..<index])
            writeEscaped(byte)
            written = index + 1
        }
        output.append(contentsOf: text[written...])
        output.append(UInt8(ascii: "\""))
    }

    private func writeEscaped(_ byte: UInt8) {
        output.append(UInt8(ascii: "\\"))
        switch byte {
        case 0x08: output.append(UInt8(ascii: "b"))
        case 0x09: output.append(UInt8(ascii: "t"))
        case 0x0A: output.append(UInt8(ascii: "n"))
        case 0x0C: output.append(UInt8(ascii: "f"))
        case 0x0D: output.append(UInt8(ascii: "r"))
        case 0..<0x20:
            output.append(contentsOf: byte < 0x10 ? "u000".utf8 : "u001".utf8)
            output.append((byte & 0xF < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10) + byte & 0xF)
        default: output.append(byte)
        }
    }
}
