public import Linux

/// The keys that leave a container running and give the terminal back.
public enum DetachKeys {
    /// Ctrl-P, Ctrl-Q.
    public static var standard: [UInt8] { [16, 17] }

    /// Reads keys as Docker writes them: `ctrl-p,ctrl-q`, `ctrl-@`, `a`; empty for none.
    public static func parse(_ text: String) throws(Failure) -> [UInt8] {
        var keys: [UInt8] = []
        if text.isEmpty { return keys }
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            keys.append(try key(word, in: text))
        }
        return keys
    }

    private static func key(_ word: Substring, in text: String) throws(Failure) -> UInt8 {
        let bytes = Array(word.utf8)
        if bytes.count == 1, bytes[0] < 0x80 { return bytes[0] }
        if bytes.count == 6, word.lowercased().hasPrefix("ctrl-") {
            let letter = bytes[5] >= UInt8(ascii: "a") && bytes[5] <= UInt8(ascii: "z") ? bytes[5] - 0x20 : bytes[5]
            if (0x40...0x5f).contains(letter) { return letter - 0x40 }
        }
        throw Values.failure(text, "unknown key '\(word)'", remedy: "give keys such as ctrl-p,ctrl-q")
    }
}
