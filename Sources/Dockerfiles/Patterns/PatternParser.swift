/// Takes a pattern of paths apart.
struct PatternParser {
    enum Part {
        case literal(UInt32)
        case any
        case star
        /// With the `/` behind it.
        case doubleStar(isLast: Bool)
        case set([ClosedRange<UInt32>], isNegated: Bool)
    }

    private let source: [UInt32]
    private var position = 0

    init(_ source: [UInt32]) {
        self.source = source
    }

    private mutating func take() -> Unicode.Scalar? {
        guard position < source.count else { return nil }
        position += 1
        return Unicode.Scalar(source[position - 1])
    }

    private mutating func skip(_ scalar: Unicode.Scalar) -> Bool {
        guard position < source.count, source[position] == scalar.value else { return false }
        position += 1
        return true
    }

    /// - Returns: `nil` at the end.
    mutating func next() throws(SyntaxError) -> Part? {
        guard let scalar = take() else { return nil }
        switch scalar {
        case "?": return .any
        case "*":
            guard skip("*") else { return .star }
            _ = skip("/")
            return .doubleStar(isLast: position == source.count)
        case "[": return try set()
        case "\\": return .literal((take() ?? scalar).value)
        default: return .literal(scalar.value)
        }
    }

    private mutating func set() throws(SyntaxError) -> Part {
        let isNegated = skip("^")
        var ranges: [ClosedRange<UInt32>] = []
        while !ranges.isEmpty || position < source.count {
            if !ranges.isEmpty, skip("]") { return .set(ranges, isNegated: isNegated) }
            let first = try bound()
            let last = skip("-") ? try bound() : first
            // One the wrong way round has nothing in it, as in Go.
            ranges.append(first <= last ? first...last : 0x11_0001...0x11_0001)
        }
        throw Self.malformed
    }

    private mutating func bound() throws(SyntaxError) -> UInt32 {
        guard let scalar = take(), scalar != "-", scalar != "]" else { throw Self.malformed }
        guard scalar == "\\" else { return scalar.value }
        guard let escaped = take() else { throw Self.malformed }
        return escaped.value
    }

    private static let malformed = SyntaxError(
        "a malformed set in a pattern", remedy: "give one such as [a-z], or '\\[' for a bracket")
}
