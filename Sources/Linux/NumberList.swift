/// Small numbers as the kernel writes them in lists, `0-3,7`: CPUs, memory nodes.
public struct NumberList: Sendable, Hashable {
    /// Bit N of all words together stands for N; at least one word.
    public let words: [UInt]

    /// More than any kernel has CPUs or nodes.
    public static let limit = 8192

    /// The smallest number of bits that holds the largest number.
    public var bitCount: Int { words.count * UInt.bitWidth }

    /// - Returns: `nil` for a text that is no such list, one that is empty, and for numbers of 8192 and above.
    public init?(_ text: String) {
        var words: [UInt] = []
        for part in text.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
            let ends = part.split(separator: UInt8(ascii: "-"), maxSplits: 1, omittingEmptySubsequences: false)
            guard let first = Self.number(ends[0]), let last = Self.number(ends[ends.count - 1]), first <= last else {
                return nil
            }
            for number in first...last {
                while words.count <= number / UInt.bitWidth { words.append(0) }
                words[number / UInt.bitWidth] |= 1 << UInt(number % UInt.bitWidth)
            }
        }
        self.words = words
    }

    private static func number(_ digits: Substring.UTF8View) -> Int? {
        guard let number = Int(Substring(digits)), (0..<limit).contains(number) else { return nil }
        return digits.first == UInt8(ascii: "+") ? nil : number
    }
}
