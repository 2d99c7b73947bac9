/// Reads a template's text.
struct TemplateParser {
    private enum Piece {
        case text(String)
        case action([TemplateToken])
    }

    private var pieces: ArraySlice<Piece> = []

    /// Reads all of a template.
    static func parse(_ source: String) throws(TemplateProblem) -> [TemplateNode] {
        var parser = TemplateParser()
        parser.pieces = try split(source)[...]
        let (nodes, end) = try parser.nodes()
        if let end { throw TemplateProblem("'\(end.first == .word("end") ? "end" : "else")' without a beginning") }
        return nodes
    }

    // MARK: Pieces

    private static func split(_ source: String) throws(TemplateProblem) -> [Piece] {
        var pieces: [Piece] = []
        var rest = source[...]
        var trimsNext = false
        while let open = rest.firstRange(of: "{{") {
            var text = rest[..<open.lowerBound]
            rest = rest[open.upperBound...]
            if trimsNext { text = text.trimmedStart }
            if rest.hasPrefix("- ") {
                text = text.trimmedEnd
                rest = rest.dropFirst(2)
            }
            if !text.isEmpty { pieces.append(.text(String(text))) }
            guard let close = endOfAction(rest) else { throw TemplateProblem("'{{' without '}}'") }
            var action = rest[..<close]
            rest = rest[rest.index(close, offsetBy: 2)...]
            trimsNext = action.hasSuffix(" -")
            if trimsNext { action = action.dropLast(2) }
            if action.trimmedStart.hasPrefix("/*") { continue }
            var lexer = TemplateLexer(action)
            pieces.append(.action(try lexer.tokens()))
        }
        if trimsNext { rest = rest.trimmedStart }
        if !rest.isEmpty { pieces.append(.text(String(rest))) }
        return pieces
    }

    /// Where `}}` stands outside of a string.
    private static func endOfAction(_ text: Substring) -> String.Index? {
        var quote: Character?
        var index = text.startIndex
        while index < text.endIndex {
            let character = text[index]
            if let open = quote {
                if character == "\\", open != "`" {
                    index = text.index(after: index)
                    if index == text.endIndex { return nil }
                } else if character == open {
                    quote = nil
                }
            } else if character == "\"" || character == "`" {
                quote = character
            } else if text[index...].hasPrefix("}}") {
                return index
            }
            index = text.index(after: index)
        }
        return nil
    }

    // MARK: Nodes

    /// Reads up to the `end` or `else` of the block that it is in.
    private mutating func nodes() throws(TemplateProblem) -> (nodes: [TemplateNode], end: [TemplateToken]?) {
        var nodes: [TemplateNode] = []
        while let piece = pieces.popFirst() {
            switch piece {
            case .text(let text): nodes.append(.text(text))
            case .action(let tokens):
                switch tokens.first {
                case nil: throw TemplateProblem("an action is empty")
                case .word("end"), .word("else"): return (nodes, tokens)
                case .word("if"), .word("with"), .word("range"): nodes.append(try block(tokens))
                default: nodes.append(.output(try PipelineParser.parse(tokens[...])))
                }
            }
        }
        return (nodes, nil)
    }

    private mutating func block(_ tokens: [TemplateToken]) throws(TemplateProblem) -> TemplateNode {
        let head = try PipelineParser.parse(tokens.dropFirst())
        let (body, end) = try nodes()
        let otherwise = try afterBody(end, tokens)
        switch tokens.first {
        case .word("range"): return .range(head, body: body, otherwise: otherwise)
        case .word("with"): return .with(head, then: body, otherwise: otherwise)
        default: return .condition(head, then: body, otherwise: otherwise)
        }
    }

    private mutating func afterBody(
        _ end: [TemplateToken]?, _ opening: [TemplateToken]
    ) throws(TemplateProblem) -> [TemplateNode] {
        guard let end else { throw TemplateProblem("a block has no 'end'") }
        if end.first == .word("end") { return [] }
        if end.count > 1 { return [try block(Array(end.dropFirst()))] }  // else if
        let (nodes, last) = try nodes()
        guard last == [.word("end")] else { throw TemplateProblem("a block has no 'end'") }
        return nodes
    }
}

/// Reads what stands in one action.
private struct PipelineParser {
    private var rest: ArraySlice<TemplateToken>

    static func parse(_ tokens: ArraySlice<TemplateToken>) throws(TemplateProblem) -> Pipeline {
        var parser = PipelineParser(rest: tokens)
        let pipeline = try parser.pipeline()
        guard parser.rest.isEmpty else { throw TemplateProblem("unexpected ')'") }
        return pipeline
    }

    private mutating func pipeline() throws(TemplateProblem) -> Pipeline {
        var pipeline = Pipeline()
        pipeline.variables = variables()
        var command: [Operand] = []
        loop: while let token = rest.first {
            switch token {
            case .symbol(")"): break loop
            case .symbol("|"):
                rest.removeFirst()
                pipeline.commands.append(command)
                command = []
            default: command.append(try operand())
            }
        }
        pipeline.commands.append(command)
        guard pipeline.commands.allSatisfy({ !$0.isEmpty }) else { throw TemplateProblem("a value is missing") }
        return pipeline
    }

    /// `$x :=` or `$k, $v :=`, if that is how it begins.
    private mutating func variables() -> [String] {
        guard let assignment = rest.firstIndex(of: .symbol(":=")) ?? rest.firstIndex(of: .symbol("=")) else {
            return []
        }
        let names = rest[..<assignment].compactMap { token -> String? in
            if case .variable(let name) = token { return name }
            return nil
        }
        rest = rest[(assignment + 1)...]
        return names
    }

    private mutating func operand() throws(TemplateProblem) -> Operand {
        switch rest.removeFirst() {
        case .word("true"): return .literal(.bool(true))
        case .word("false"): return .literal(.bool(false))
        case .word("nil"): return .literal(.null)
        case .word(let name): return .function(name)
        case .string(let text): return .literal(.string(text))
        case .number(let text):
            if let integer = Int64(text) { return .literal(.integer(integer)) }
            guard let number = Double(text) else { throw TemplateProblem("'\(text)' is no number") }
            return .literal(.number(number))
        case .dot: return .path([])
        case .field(let name, _): return .path([name] + fields())
        case .variable(let name): return .variable(name, path: fields())
        case .symbol("("):
            let inner = try pipeline()
            guard rest.popFirst() == .symbol(")") else { throw TemplateProblem("'(' without ')'") }
            return .parenthesized(inner, path: fields())
        case .symbol(let symbol): throw TemplateProblem("unexpected '\(symbol)'")
        }
    }

    private mutating func fields() -> [String] {
        var names: [String] = []
        while case .field(let name, attached: true) = rest.first {
            names.append(name)
            rest.removeFirst()
        }
        return names
    }
}

extension Substring {
    fileprivate var trimmedStart: Substring { drop { $0.isWhitespace } }

    fileprivate var trimmedEnd: Substring {
        var text = self
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return text
    }
}
