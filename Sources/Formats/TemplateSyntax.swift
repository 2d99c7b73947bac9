/// What a template consists of.
indirect enum TemplateNode: Sendable {
    case text(String)
    case output(Pipeline)
    case condition(Pipeline, then: [TemplateNode], otherwise: [TemplateNode])
    /// With the value as `.`, if it is true.
    case with(Pipeline, then: [TemplateNode], otherwise: [TemplateNode])
    case range(Pipeline, body: [TemplateNode], otherwise: [TemplateNode])
}

/// Commands, each getting the result of the one before as its last argument.
struct Pipeline: Sendable {
    /// The variables that take its value: `$x :=`, or `$key, $value :=` in a range.
    var variables: [String] = []
    var commands: [[Operand]] = []
}

/// An argument or a function's name.
indirect enum Operand: Sendable {
    case literal(Value)
    /// `.A.B`, or `.` for no names.
    case path([String])
    /// `$x.A`; the name is empty for `$`, the whole.
    case variable(String, path: [String])
    case function(String)
    case parenthesized(Pipeline, path: [String])
}

/// A part of what stands between `{{` and `}}`.
enum TemplateToken: Equatable {
    case word(String)
    /// `.Name`; attached when nothing stands between it and the token before.
    case field(String, attached: Bool)
    case dot
    case variable(String)
    case string(String)
    case number(String)
    /// `|`, `(`, `)`, `,`, `:=`, `=`
    case symbol(String)
}

/// Cuts an action into tokens.
struct TemplateLexer {
    private var rest: Substring

    init(_ action: Substring) {
        rest = action
    }

    /// - Throws: The reason, as a plain text for the caller to put into place.
    mutating func tokens() throws(TemplateProblem) -> [TemplateToken] {
        var found: [TemplateToken] = []
        while true {
            let start = rest.startIndex
            rest = rest.drop { $0.isWhitespace }
            guard let first = rest.first else { return found }
            found.append(try next(first, attached: rest.startIndex == start && !found.isEmpty))
        }
    }

    private mutating func next(_ first: Character, attached: Bool) throws(TemplateProblem) -> TemplateToken {
        switch first {
        case "\"", "`", "'": return .string(try quoted(first))
        case "$":
            rest.removeFirst()
            return .variable(name())
        case ".":
            rest.removeFirst()
            let name = name()
            return name.isEmpty ? .dot : .field(name, attached: attached)
        case ":" where rest.hasPrefix(":="):
            rest.removeFirst(2)
            return .symbol(":=")
        case "|", "(", ")", ",", "=":
            rest.removeFirst()
            return .symbol(String(first))
        case _ where first.isNumber || first == "-":
            rest.removeFirst()
            let digits = rest.prefix { $0.isNumber || $0 == "." }
            rest = rest[digits.endIndex...]
            return .number("\(first)\(digits)")
        default:
            let name = name()
            guard !name.isEmpty else { throw TemplateProblem("unexpected '\(first)'") }
            return .word(name)
        }
    }

    private mutating func name() -> String {
        let name = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
        rest = rest[name.endIndex...]
        return String(name)
    }

    private mutating func quoted(_ quote: Character) throws(TemplateProblem) -> String {
        rest.removeFirst()
        var text = ""
        while let character = rest.popFirst() {
            if character == quote { return text }
            guard character == "\\", quote != "`", let escaped = rest.popFirst() else {
                text.append(character)
                continue
            }
            switch escaped {
            case "n": text.append("\n")
            case "t": text.append("\t")
            case "r": text.append("\r")
            default: text.append(escaped)
            }
        }
        throw TemplateProblem("a string has no end")
    }
}

/// What is wrong with a template, in a few words.
struct TemplateProblem: Error {
    let reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}
