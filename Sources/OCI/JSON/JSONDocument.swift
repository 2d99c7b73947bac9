import Glibc

/// A JSON text that was read, with its values where they stand.
package final class JSONDocument {
    /// The most bytes that one may have, unless its reader says otherwise.
    package static let sizeLimit = 8 << 20

    let bytes: [UInt8]
    /// The first is the whole.
    let nodes: [JSONNode]

    /// - Throws: When `bytes` is no JSON text or has more than `limit` bytes.
    init(_ bytes: [UInt8], limit: Int = sizeLimit) throws(SpecError) {
        guard bytes.count <= limit else { throw SpecError(path: "", reason: "more than \(limit >> 20) MiB") }
        self.bytes = bytes
        nodes = try JSONScanner.scan(bytes)
    }

    /// The value of `name` in the object at `object`: the last, if there are several, as in Go.
    func member(_ name: StaticString, of object: Int) -> Int? {
        var found: Int?
        var key = object + 1
        let end = Int(nodes[object].next)
        while key < end {
            if isString(key, name) { found = key + 1 }
            key = Int(nodes[key + 1].next)
        }
        return found
    }

    /// Whether a string, or a name, is `text`.
    func isString(_ index: Int, _ text: StaticString) -> Bool {
        let node = nodes[index]
        if node.hasEscapes { return string(index) == text.description }
        let count = Int(node.end - node.start)
        guard count == text.utf8CodeUnitCount else { return false }
        return bytes[Int(node.start)..<Int(node.end)].withUnsafeBytes { bytes in
            bytes.baseAddress.map { memcmp($0, text.utf8Start, count) == 0 } ?? true
        }
    }

    /// The text of the value at `index`; without its quotes, but with its escapes, if it is a string.
    func text(_ index: Int) -> String {
        bytes[Int(nodes[index].start)..<Int(nodes[index].end)].withUnsafeBufferPointer {
            String(decoding: $0, as: UTF8.self)
        }
    }

    /// The string at `index`.
    func string(_ index: Int) -> String {
        nodes[index].hasEscapes ? unescaped(bytes[Int(nodes[index].start)..<Int(nodes[index].end)]) : text(index)
    }

    /// - Parameter text: What the scanner has found good.
    private func unescaped(_ text: ArraySlice<UInt8>) -> String {
        var units: [UInt16] = []
        var rest = text
        while let backslash = rest.firstIndex(of: UInt8(ascii: "\\")) {
            units += String(decoding: rest[..<backslash], as: UTF8.self).utf16
            let letter = rest[backslash + 1]
            rest = rest[(backslash + 2)...]
            if letter == UInt8(ascii: "u") {
                units.append(rest.prefix(4).reduce(0) { $0 << 4 | UInt16($1.hexadecimalValue ?? 0) })
                rest = rest.dropFirst(4)
            } else {
                units.append(UInt16(Self.meaning(ofEscape: letter)))
            }
        }
        units += String(decoding: rest, as: UTF8.self).utf16
        return String(decoding: units, as: UTF16.self)
    }

    private static func meaning(ofEscape letter: UInt8) -> UInt8 {
        switch letter {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: letter
        }
    }

    /// Where the value at `target` stands: `mounts[2].destination`.
    func path(to target: Int) -> String {
        var path = ""
        var index = 0
        while index < target {  // more, if that is a name: the path is the same
            var child = index + 1
            if nodes[index].kind == .object {
                while target >= nodes[child + 1].next { child = Int(nodes[child + 1].next) }
                path += path.isEmpty ? string(child) : ".\(string(child))"
                index = child + 1
            } else {
                var position = 0
                while target >= nodes[child].next {
                    child = Int(nodes[child].next)
                    position += 1
                }
                path += "[\(position)]"
                index = child
            }
        }
        return path
    }
}
