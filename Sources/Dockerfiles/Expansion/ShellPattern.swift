/// The pattern of `${NAME#pattern}` and its like: `*`, `?`, and characters, of which a backslash takes the meaning.
struct ShellPattern {
    private enum Token {
        case any, star
        case literal(Unicode.Scalar)
    }

    /// The most steps that a search may take: of a long pattern in a long text, nobody waits for the end.
    static let stepLimit = 1 << 26

    private var tokens: [Token] = []

    /// - Throws: For a backslash before a character that has no meaning.
    init(_ pattern: String, escape: Unicode.Scalar) throws(SyntaxError) {
        var rest = Array(pattern.unicodeScalars)[...]
        while let scalar = rest.popFirst() {
            switch scalar {
            case "*": tokens.append(.star)
            case "?": tokens.append(.any)
            case escape:
                guard let next = rest.popFirst(), ["*", "?", "}", "/", escape].contains(next) else {
                    throw SyntaxError("the pattern '\(pattern)' escapes what needs no escape")
                }
                tokens.append(.literal(next))
            default: tokens.append(.literal(scalar))
            }
        }
    }

    /// How many characters at the beginning of `text` match: as few or as many as possible.
    ///
    /// - Returns: `nil` if none do.
    func prefix(of text: [Unicode.Scalar], isLongest: Bool) throws(SyntaxError) -> Int? {
        try checkCost(text.count)
        return Self.match(tokens, in: text, from: 0, isLongest: isLongest, isAnchored: true)?.upperBound
    }

    /// How many characters at the end of `text` match.
    func suffix(of text: [Unicode.Scalar], isLongest: Bool) throws(SyntaxError) -> Int? {
        try checkCost(text.count)
        return Self.match(tokens.reversed(), in: text.reversed(), from: 0, isLongest: isLongest, isAnchored: true)?
            .upperBound
    }

    /// Where `text` matches, from left to right and as much as possible each time; never nothing.
    func matches(in text: [Unicode.Scalar], isOnlyFirst: Bool) throws(SyntaxError) -> [Range<Int>] {
        try checkCost(text.count)
        var found: [Range<Int>] = []
        var start = 0
        while let range = Self.match(tokens, in: text, from: start, isLongest: true, isAnchored: false) {
            found.append(range)
            start = range.upperBound
            if isOnlyFirst { break }
        }
        return found
    }

    private func checkCost(_ count: Int) throws(SyntaxError) {
        guard (tokens.count + 1).multipliedReportingOverflow(by: count + 1).partialValue <= Self.stepLimit else {
            throw SyntaxError("the pattern and what it is compared with are too long")
        }
    }

    /// Goes through the text once, with all places in the pattern that it can be at, each with where its match began.
    private static func match(
        _ tokens: [Token], in text: [Unicode.Scalar], from start: Int, isLongest: Bool, isAnchored: Bool
    ) -> Range<Int>? {
        /// For each token that may be next: where the match began; the last stands for the end of the pattern.
        var origins = [Int?](repeating: nil, count: tokens.count + 1)
        var found: Range<Int>?
        var position = start
        while true {
            if found == nil, position == start || !isAnchored, origins[0] == nil { origins[0] = position }
            // A star may be nothing.
            for (index, token) in tokens.enumerated() {
                guard case .star = token, let origin = origins[index] else { continue }
                origins[index + 1] = min(origin, origins[index + 1] ?? origin)
            }
            if let origin = origins[tokens.count], isAnchored || origin < position,
                found.map({ origin <= $0.lowerBound }) ?? true
            {
                found = origin..<position
                if !isLongest { return found }
            }
            guard position < text.count else { return found }
            let scalar = text[position]
            var next = [Int?](repeating: nil, count: tokens.count + 1)
            for (index, token) in tokens.enumerated() {
                // What began later than the match that was found is not wanted.
                guard let origin = origins[index], found.map({ origin <= $0.lowerBound }) ?? true else { continue }
                switch token {
                case .star: next[index] = min(origin, next[index] ?? origin)
                case .literal(let literal) where literal != scalar: break
                default: next[index + 1] = min(origin, next[index + 1] ?? origin)
                }
            }
            origins = next
            position += 1
            if origins.allSatisfy({ $0 == nil }), found != nil || isAnchored { return found }
        }
    }
}
