/// JSON for people, out of JSON for programs.
enum JSONLayout {
    /// A JSON text with each field and element on a line of its own.
    ///
    /// - Parameter unit: What each level is set in by.
    static func indented(_ json: [UInt8], by unit: StaticString = "  ") -> String {
        var output: [UInt8] = []
        var level = 0
        var isInString = false
        var isEscaped = false
        func newLine() {
            output.append(UInt8(ascii: "\n"))
            for _ in 0..<level { unit.withUTF8Buffer { output += $0 } }
        }
        for (index, byte) in json.enumerated() {
            if isInString {
                output.append(byte)
                if byte == UInt8(ascii: "\"") && !isEscaped { isInString = false }
                isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
                continue
            }
            let next = index + 1 < json.count ? json[index + 1] : 0
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                output.append(byte)
                level += 1
                if next != UInt8(ascii: "}") && next != UInt8(ascii: "]") { newLine() }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                level -= 1
                if output.last != UInt8(ascii: "{") && output.last != UInt8(ascii: "[") { newLine() }
                output.append(byte)
            case UInt8(ascii: ","):
                output.append(byte)
                newLine()
            case UInt8(ascii: ":"):
                output += [byte, UInt8(ascii: " ")]
            default:
                isInString = byte == UInt8(ascii: "\"")
                output.append(byte)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
