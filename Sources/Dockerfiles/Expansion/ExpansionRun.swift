/// One expansion on its way from left to right.
struct ExpansionRun {
    /// How deep substitutions may lie in each other.
    private static let depthLimit = 64

    private let source: [Unicode.Scalar]
    private let escape: Unicode.Scalar
    private let quotes: Bool
    private let limit: Int
    private let lookup: (String) -> String?
    private var position = 0
    private var depth = 0
    /// Whether what is read now is not taken, so that nothing in it counts.
    private var isSkipping = false
    /// How much there is, in all substitutions together.
    private var total = 0

    private(set) var used: Set<String> = []
    private(set) var undefined: Set<String> = []

    init(
        _ text: String, escape: Unicode.Scalar, quotes: Bool, limit: Int, lookup: @escaping (String) -> String?
    ) {
        source = Array(text.unicodeScalars)
        self.escape = escape
        self.quotes = quotes
        self.limit = limit
        self.lookup = lookup
    }

    private var current: Unicode.Scalar? { position < source.count ? source[position] : nil }

    private mutating func take() -> Unicode.Scalar? {
        defer { position += 1 }
        return current
    }

    private mutating func append(
        _ scalar: Unicode.Scalar, to output: inout ExpansionOutput, isQuoted: Bool
    ) throws(SyntaxError) {
        guard !isSkipping else { return }
        total += 1
        guard total <= limit else { throw SyntaxError("a word becomes longer than \(limit >> 20) MiB") }
        output.append(scalar, isQuoted: isQuoted)
    }

    private mutating func append(
        _ text: String, to output: inout ExpansionOutput, isQuoted: Bool
    ) throws(SyntaxError) {
        for scalar in text.unicodeScalars { try append(scalar, to: &output, isQuoted: isQuoted) }
    }

    // MARK: Words

    /// - Parameters:
    ///   - stop: What ends it, and is taken; `nil` for the end of the text.
    ///   - keepsEscapes: In a pattern, which has escapes of its own.
    mutating func expand(until stop: Unicode.Scalar?, keepsEscapes: Bool = false) throws(SyntaxError) -> ExpansionOutput
    {
        var output = ExpansionOutput()
        while let scalar = take() {
            switch scalar {
            case stop: return output
            case "$": try append(try substitution(), to: &output, isQuoted: false)
            case "'" where quotes: try singleQuoted(into: &output)
            case "\"" where quotes: try doubleQuoted(into: &output, keepsEscapes: keepsEscapes)
            case escape:
                if keepsEscapes { try append(scalar, to: &output, isQuoted: true) }
                if let next = take() { try append(next, to: &output, isQuoted: true) }
            default: try append(scalar, to: &output, isQuoted: false)
            }
        }
        if let stop { throw SyntaxError("no '\(stop)' ends a substitution", remedy: Self.escapeRemedy(escape)) }
        return output
    }

    private static func escapeRemedy(_ escape: Unicode.Scalar) -> String {
        "write '\(escape)$' for a '$' that is no variable's"
    }

    private mutating func singleQuoted(into output: inout ExpansionOutput) throws(SyntaxError) {
        while let scalar = take() {
            if scalar == "'" { return }
            try append(scalar, to: &output, isQuoted: true)
        }
        throw SyntaxError("nothing closes a single quote")
    }

    private mutating func doubleQuoted(
        into output: inout ExpansionOutput, keepsEscapes: Bool
    ) throws(SyntaxError) {
        while let scalar = take() {
            switch scalar {
            case "\"": return
            case "$": try append(try substitution(), to: &output, isQuoted: true)
            case escape:
                // Before another character it is one itself.
                let isEscape = current == "\"" || current == "$" || current == escape
                if keepsEscapes || (current != nil && !isEscape) { try append(scalar, to: &output, isQuoted: true) }
                if isEscape, let next = take() { try append(next, to: &output, isQuoted: true) }
            default: try append(scalar, to: &output, isQuoted: true)
            }
        }
        throw SyntaxError("nothing closes a double quote")
    }

    // MARK: Variables

    /// What stands for `$…`, of which the `$` is taken.
    private mutating func substitution() throws(SyntaxError) -> String {
        guard current == "{" else {
            let name = self.name()
            return name.isEmpty ? "$" : value(of: name) ?? ""
        }
        position += 1
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else {
            throw SyntaxError("more than \(Self.depthLimit) substitutions in each other")
        }
        let start = position
        let name = self.name()
        guard !name.isEmpty else { throw badSubstitution(from: start) }
        switch take() {
        case "}": return value(of: name) ?? ""
        case ":":
            guard let sign = take(), ["-", "+", "?"].contains(sign) else { throw badSubstitution(from: start) }
            return try conditional(name, sign, emptyIsNone: true)
        case let sign? where ["-", "+", "?"].contains(sign): return try conditional(name, sign, emptyIsNone: false)
        case let sign? where ["#", "%"].contains(sign): return try trimmed(name, sign)
        case "/": return try replaced(name)
        case nil: throw SyntaxError("no '}' ends '${\(name)'", remedy: Self.escapeRemedy(escape))
        default: throw badSubstitution(from: start)
        }
    }

    private func badSubstitution(from start: Int) -> SyntaxError {
        let text = String(String.UnicodeScalarView(source[start..<min(position + 1, source.count)].prefix(40)))
        return SyntaxError("'${\(text)' is no substitution", remedy: Self.escapeRemedy(escape))
    }

    /// Letters, digits and `_`; or digits alone; or one of the shell's own parameters, which have no value here.
    private mutating func name() -> String {
        guard let first = current else { return "" }
        if Self.special.contains(first) {
            position += 1
            return String(first)
        }
        var name = String.UnicodeScalarView()
        let isNumber = Self.isDigit(first)
        while let scalar = current, Self.isDigit(scalar) || !isNumber && Self.isLetter(scalar) {
            name.append(scalar)
            position += 1
        }
        return String(name)
    }

    private static let special: [Unicode.Scalar] = ["@", "*", "#", "?", "-", "$", "!", "0"]

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII ? ("0"..."9").contains(scalar) : scalar.properties.generalCategory == .decimalNumber
    }

    private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return scalar == "_" || ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return true
        default: return false
        }
    }

    /// - Parameter isExpected: Whether there must be one.
    private mutating func value(of name: String, isExpected: Bool = true) -> String? {
        guard !isSkipping else { return nil }
        let value = lookup(name)
        if value != nil {
            used.insert(name)
        } else if isExpected {
            undefined.insert(name)
        }
        return value
    }

    // MARK: Substitutions

    private mutating func conditional(
        _ name: String, _ sign: Unicode.Scalar, emptyIsNone: Bool
    ) throws(SyntaxError) -> String {
        let value = self.value(of: name, isExpected: false)
        let isSet = value != nil && !(emptyIsNone && value == "")
        // The word counts only where it is taken.
        let wasSkipping = isSkipping
        isSkipping = wasSkipping || (sign == "+" ? !isSet : isSet)
        let word = try expand(until: "}").text
        isSkipping = wasSkipping
        switch sign {
        case "-": return isSet ? value ?? "" : word
        case "+": return isSet ? word : ""
        default:
            guard isSet || isSkipping else {
                let reason = value == nil ? "is not set" : "is empty"
                throw SyntaxError(word.isEmpty ? "the variable '\(name)' \(reason)" : "\(name): \(word)")
            }
            return value ?? ""
        }
    }

    private mutating func trimmed(_ name: String, _ sign: Unicode.Scalar) throws(SyntaxError) -> String {
        let isLongest = current == sign
        if isLongest { position += 1 }
        let pattern = try expand(until: "}", keepsEscapes: true).text
        guard let value = value(of: name) else { return "" }
        let text = Array(value.unicodeScalars)
        let matcher = try ShellPattern(pattern, escape: escape)
        let kept: ArraySlice<Unicode.Scalar>
        if sign == "#" {
            kept = text.dropFirst(try matcher.prefix(of: text, isLongest: isLongest) ?? 0)
        } else {
            kept = text.dropLast(try matcher.suffix(of: text, isLongest: isLongest) ?? 0)
        }
        return String(String.UnicodeScalarView(kept))
    }

    private mutating func replaced(_ name: String) throws(SyntaxError) -> String {
        let isOnlyFirst = current != "/"
        if !isOnlyFirst { position += 1 }
        let pattern = try expand(until: "/", keepsEscapes: true).text
        let replacement = try expand(until: "}").text
        guard let value = value(of: name) else { return "" }
        let text = Array(value.unicodeScalars)
        var result: [Unicode.Scalar] = []
        var end = 0
        for range in try ShellPattern(pattern, escape: escape).matches(in: text, isOnlyFirst: isOnlyFirst) {
            result.append(contentsOf: text[end..<range.lowerBound])
            result.append(contentsOf: replacement.unicodeScalars)
            end = range.upperBound
            guard result.count <= limit else { throw SyntaxError("a word becomes longer than \(limit >> 20) MiB") }
        }
        return String(String.UnicodeScalarView(result + text[end...]))
    }
}
