public import Linux

/// A Go template, as Docker's `--format` takes them: the part of the language that reads values.
///
/// - Note: pkg.go.dev/text/template, and Docker's "Format command and log output".
public struct Template: Sendable {
    private let source: String
    private let nodes: [TemplateNode]
    /// Whether it began with `table`: a header comes first and the output is in columns.
    public let isTable: Bool

    /// - Parameter source: `{{.ID}}`, or `table {{.ID}}\t{{.Names}}` with `\t` and `\n` for tab and newline.
    public init(_ source: String) throws(Failure) {
        self.source = source
        var body = source[...]
        isTable = body.hasPrefix("table ") || body.hasPrefix("table\t")
        if isTable { body = body.dropFirst(6) }
        do throws(TemplateProblem) {
            nodes = try TemplateParser.parse(Self.unescaped(body))
        } catch {
            throw Failure("format", "'\(source)'", error.reason, remedy: "write a Go template such as '{{.Name}}'")
        }
    }

    /// Shells pass `\t` on as it is; outside of `{{…}}` Docker takes it for a tab.
    private static func unescaped(_ text: Substring) -> String {
        var result = ""
        var rest = text
        var depth = 0
        while let character = rest.popFirst() {
            if character == "{", rest.first == "{" { depth += 1 }
            if character == "}", rest.first == "}" { depth = max(0, depth - 1) }
            if depth == 0, character == "\\", let next = rest.first, next == "t" || next == "n" {
                rest.removeFirst()
                result.append(next == "t" ? "\t" : "\n")
            } else {
                result.append(character)
            }
        }
        return result
    }

    /// The text that the template makes of `value`.
    public func render(_ value: Value) throws(Failure) -> String {
        var evaluation = TemplateEvaluation(root: value)
        do throws(TemplateProblem) {
            try evaluation.run(nodes, value)
            return evaluation.output
        } catch {
            throw Failure("format", "'\(source)'", error.reason)
        }
    }

    /// The header's cells for a table: each column's own title for the fields that it shows.
    public func header(_ titles: [String: String]) throws(Failure) -> String {
        let labels = titles.mapValues { Value.string($0) }
        return try render(.object(labels.map { Value.Field($0.key, $0.value) }))
    }
}

/// One run of a template.
struct TemplateEvaluation {
    let root: Value
    var output = ""
    private var variables: [(name: String, value: Value)] = []

    init(root: Value) {
        self.root = root
    }

    mutating func run(_ nodes: [TemplateNode], _ dot: Value) throws(TemplateProblem) {
        let depth = variables.count
        defer { variables.removeSubrange(depth...) }
        for node in nodes { try run(node, dot) }
    }

    private mutating func run(_ node: TemplateNode, _ dot: Value) throws(TemplateProblem) {
        switch node {
        case .text(let text): output += text
        case .output(let pipeline):
            let value = try evaluate(pipeline, dot)
            if let name = pipeline.variables.first { assign(name, value) } else { output += value.text }
        case .condition(let pipeline, let then, let otherwise):
            try run(evaluate(pipeline, dot).isTrue ? then : otherwise, dot)
        case .with(let pipeline, let then, let otherwise):
            let value = try evaluate(pipeline, dot)
            if let name = pipeline.variables.first { assign(name, value) }
            if value.isTrue { try run(then, value) } else { try run(otherwise, dot) }
        case .range(let pipeline, let body, let otherwise):
            try loop(over: evaluate(pipeline, dot), pipeline.variables, body, otherwise, dot)
        }
    }

    private mutating func assign(_ name: String, _ value: Value) {
        if let index = variables.lastIndex(where: { $0.name == name }) {
            variables[index].value = value
        } else {
            variables.append((name, value))
        }
    }

    private mutating func loop(
        over value: Value, _ names: [String], _ body: [TemplateNode], _ otherwise: [TemplateNode], _ dot: Value
    ) throws(TemplateProblem) {
        let entries = try Self.entries(of: value)
        if entries.isEmpty { return try run(otherwise, dot) }
        for (key, element) in entries {
            let depth = variables.count
            defer { variables.removeSubrange(depth...) }
            if names.count == 2 { variables.append((names[0], key)) }
            if let last = names.last { variables.append((last, element)) }
            try run(body, element)
        }
    }

    private static func entries(of value: Value) throws(TemplateProblem) -> [(Value, Value)] {
        switch value {
        case .null: []
        case .list(let values): values.enumerated().map { (.integer(Int64($0.offset)), $0.element) }
        case .map(let values): values.sorted { $0.key < $1.key }.map { (.string($0.key), $0.value) }
        case .object(let fields): fields.map { (.string($0.name), $0.value) }
        default: throw TemplateProblem("range over '\(value.text)', which is no list")
        }
    }

    // MARK: Values

    private func evaluate(_ pipeline: Pipeline, _ dot: Value) throws(TemplateProblem) -> Value {
        var result: Value?
        for command in pipeline.commands { result = try evaluate(command, after: result, dot) }
        return result ?? .null
    }

    private func evaluate(
        _ command: [Operand], after previous: Value?, _ dot: Value
    ) throws(TemplateProblem) -> Value {
        var arguments: [Value] = []
        for operand in command.dropFirst() { arguments.append(try evaluate(operand, dot)) }
        if let previous { arguments.append(previous) }
        if case .function(let name) = command[0] {
            return try TemplateFunctions.call(name, arguments)
        }
        let value = try evaluate(command[0], dot)
        if arguments.isEmpty { return value }
        guard case .lookup(let values) = value, arguments.count == 1 else {
            throw TemplateProblem("'\(value.text)' takes no arguments")
        }
        return .string(values[arguments[0].text] ?? "")
    }

    private func evaluate(_ operand: Operand, _ dot: Value) throws(TemplateProblem) -> Value {
        switch operand {
        case .literal(let value): value
        case .path(let names): try Self.follow(names, from: dot)
        case .variable("", let path): try Self.follow(path, from: root)
        case .variable(let name, let path): try Self.follow(path, from: variable(name))
        case .function(let name): try TemplateFunctions.call(name, [])
        case .parenthesized(let pipeline, let path): try Self.follow(path, from: evaluate(pipeline, dot))
        }
    }

    private func variable(_ name: String) throws(TemplateProblem) -> Value {
        guard let found = variables.last(where: { $0.name == name }) else {
            throw TemplateProblem("no variable '$\(name)'")
        }
        return found.value
    }

    private static func follow(_ names: [String], from value: Value) throws(TemplateProblem) -> Value {
        var value = value
        for name in names {
            switch value {
            case .object:
                guard let next = value[name] else { throw TemplateProblem("no field '\(name)'") }
                value = next
            case .map(let values): value = values[name] ?? .null
            case .null: return .null
            default: throw TemplateProblem("no field '\(name)' in '\(value.text)'")
            }
        }
        return value
    }
}
