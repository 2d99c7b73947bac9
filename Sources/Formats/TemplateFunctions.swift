/// The functions that templates may call: Go's own, and those that Docker adds.
enum TemplateFunctions {
    /// - Throws: An unknown name, or arguments that do not fit.
    static func call(_ name: String, _ arguments: [Value]) throws(TemplateProblem) -> Value {
        if let value = try logic(name, arguments) { return value }
        if let value = try text(name, arguments) { return value }
        switch name {
        case "json":
            return .string(try one(name, arguments).json())
        case "len":
            return .integer(Int64(try length(try one(name, arguments))))
        case "index":
            return try index(arguments)
        default:
            throw TemplateProblem("no function '\(name)'")
        }
    }

    private static func one(_ name: String, _ arguments: [Value]) throws(TemplateProblem) -> Value {
        guard arguments.count == 1 else {
            throw TemplateProblem("'\(name)' takes one argument, not \(arguments.count)")
        }
        return arguments[0]
    }

    private static func two(_ name: String, _ arguments: [Value]) throws(TemplateProblem) -> (Value, Value) {
        guard arguments.count == 2 else {
            throw TemplateProblem("'\(name)' takes two arguments, not \(arguments.count)")
        }
        return (arguments[0], arguments[1])
    }

    private static func length(_ value: Value) throws(TemplateProblem) -> Int {
        switch value {
        case .string(let text): text.utf8.count
        case .list(let values): values.count
        case .map(let values): values.count
        case .null: 0
        default: throw TemplateProblem("len of '\(value.text)'")
        }
    }

    private static func index(_ arguments: [Value]) throws(TemplateProblem) -> Value {
        guard var value = arguments.first else { throw TemplateProblem("'index' takes at least one argument") }
        for key in arguments.dropFirst() {
            switch (value, key) {
            case (.list(let values), .integer(let position)):
                guard values.indices.contains(Int(position)) else {
                    throw TemplateProblem("index \(position) is out of range")
                }
                value = values[Int(position)]
            case (.map(let values), _): value = values[key.text] ?? .null
            case (.object, _):
                guard let next = value[key.text] else { throw TemplateProblem("no field '\(key.text)'") }
                value = next
            case (.null, _): return .null
            default: throw TemplateProblem("'\(value.text)' has no index '\(key.text)'")
            }
        }
        return value
    }

    // MARK: Logic

    private static func logic(_ name: String, _ arguments: [Value]) throws(TemplateProblem) -> Value? {
        switch name {
        case "not": return .bool(!(try one(name, arguments).isTrue))
        case "and", "or":
            guard let last = arguments.last else { throw TemplateProblem("'\(name)' takes at least one argument") }
            return arguments.first { $0.isTrue == (name == "or") } ?? last
        case "eq":
            guard arguments.count > 1 else { throw TemplateProblem("'eq' takes at least two arguments") }
            return .bool(arguments.dropFirst().contains { isEqual(arguments[0], $0) })
        case "ne":
            let (one, other) = try two(name, arguments)
            return .bool(!isEqual(one, other))
        case "lt", "le", "gt", "ge":
            let (one, other) = try two(name, arguments)
            return .bool(try compare(name, one, other))
        default: return nil
        }
    }

    private static func isEqual(_ one: Value, _ other: Value) -> Bool {
        if let a = number(one), let b = number(other) { return a == b }
        return one.text == other.text
    }

    private static func number(_ value: Value) -> Double? {
        switch value {
        case .integer(let integer): Double(integer)
        case .number(let number): number
        default: nil
        }
    }

    private static func compare(_ name: String, _ one: Value, _ other: Value) throws(TemplateProblem) -> Bool {
        let (isLess, isEqual): (Bool, Bool)
        if let a = number(one), let b = number(other) {
            (isLess, isEqual) = (a < b, a == b)
        } else if case .string(let a) = one, case .string(let b) = other {
            (isLess, isEqual) = (a < b, a == b)
        } else {
            throw TemplateProblem("'\(one.text)' and '\(other.text)' cannot be compared")
        }
        switch name {
        case "lt": return isLess
        case "le": return isLess || isEqual
        case "gt": return !isLess && !isEqual
        default: return !isLess
        }
    }

    // MARK: Text

    private static func text(_ name: String, _ arguments: [Value]) throws(TemplateProblem) -> Value? {
        switch name {
        case "upper": return .string(try one(name, arguments).text.uppercased())
        case "lower": return .string(try one(name, arguments).text.lowercased())
        case "title": return .string(titled(try one(name, arguments).text))
        case "print": return .string(arguments.map(\.text).joined(separator: " "))
        case "println": return .string(arguments.map(\.text).joined(separator: " ") + "\n")
        case "printf": return .string(try TemplatePrintf.format(arguments))
        case "join":
            let (list, separator) = try two(name, arguments)
            guard case .list(let values) = list else {
                if case .null = list { return .string("") }
                throw TemplateProblem("join of '\(list.text)', which is no list")
            }
            return .string(values.map(\.text).joined(separator: separator.text))
        case "split":
            let (text, separator) = try two(name, arguments)
            return .strings(split(text.text, separator.text))
        case "truncate":
            let (text, length) = try two(name, arguments)
            guard case .integer(let count) = length, count >= 0 else {
                throw TemplateProblem("'\(length.text)' is no length")
            }
            return .string(String(text.text.prefix(Int(count))))
        default: return nil
        }
    }

    private static func titled(_ text: String) -> String {
        text.split(separator: " ", omittingEmptySubsequences: false)
            .map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined(separator: " ")
    }

    private static func split(_ text: String, _ separator: String) -> [String] {
        guard !separator.isEmpty else { return text.map { String($0) } }
        var parts: [String] = []
        var rest = text[...]
        while let found = rest.firstRange(of: separator) {
            parts.append(String(rest[..<found.lowerBound]))
            rest = rest[found.upperBound...]
        }
        return parts + [String(rest)]
    }
}

/// Go's `printf` for the verbs that output formats use: `%s %v %d %q %t %%`, with a width.
enum TemplatePrintf {
    static func format(_ arguments: [Value]) throws(TemplateProblem) -> String {
        guard case .string(let format) = arguments.first else { throw TemplateProblem("'printf' takes a format") }
        var values = arguments.dropFirst()
        var result = ""
        var rest = format[...]
        while let character = rest.popFirst() {
            guard character == "%" else {
                result.append(character)
                continue
            }
            let flags = rest.prefix { $0 == "-" || $0 == "0" }
            let width = rest[flags.endIndex...].prefix { $0.isNumber }
            rest = rest[width.endIndex...]
            guard let verb = rest.popFirst() else { throw TemplateProblem("'printf' ends with '%'") }
            if verb == "%" {
                result.append("%")
                continue
            }
            guard let value = values.popFirst() else { throw TemplateProblem("'printf' has too few arguments") }
            let text = try self.text(value, verb)
            let padding = String(repeating: " ", count: max(0, (Int(width) ?? 0) - text.count))
            result += flags.contains("-") ? text + padding : padding + text
        }
        return result
    }

    private static func text(_ value: Value, _ verb: Character) throws(TemplateProblem) -> String {
        switch verb {
        case "s", "v", "d", "t": value.text
        case "q": Value.string(value.text).json()
        default: throw TemplateProblem("'printf' has no verb '%\(verb)'")
        }
    }
}
