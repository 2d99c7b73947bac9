/// A value as JSON has them, for people and programs to read: what `inspect`, `ps --format` and the like print.
public enum Value: Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case list([Value])
    /// Fields that are always there, in this order; asking for another one is a mistake.
    case object([Field])
    /// Keys that users chose: one that is missing has no value.
    case map([String: Value])
    /// Answers a key given as an argument, as in `{{.Label "name"}}`; has no text of its own.
    case lookup([String: String])

    /// One field of an object.
    public struct Field: Sendable {
        public let name: String
        public let value: Value

        public init(_ name: String, _ value: Value) {
            self.name = name
            self.value = value
        }
    }

    /// A string, or null.
    public static func optional(_ text: String?) -> Value { text.map { .string($0) } ?? .null }

    /// An integer, or null.
    public static func optional(_ number: (some BinaryInteger)?) -> Value {
        number.map { .integer(Int64(clamping: $0)) } ?? .null
    }

    /// Any integer; one beyond Int64 becomes the nearest.
    public static func integer(of number: some BinaryInteger) -> Value { .integer(Int64(clamping: number)) }

    /// A list of strings.
    public static func strings(_ texts: [String]) -> Value { .list(texts.map { .string($0) }) }

    /// Strings by keys that users chose.
    public static func strings(_ texts: [String: String]) -> Value { .map(texts.mapValues { .string($0) }) }

    /// The field or key of that name.
    ///
    /// - Returns: `nil` when there is none, or when this has no fields at all.
    public subscript(name: String) -> Value? {
        switch self {
        case .object(let fields): fields.first { $0.name == name }?.value
        case .map(let values): values[name]
        default: nil
        }
    }
}

extension Value: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(arrayLiteral elements: Value...) { self = .list(elements) }
    public init(dictionaryLiteral elements: (String, Value)...) {
        self = .object(elements.map { Field($0.0, $0.1) })
    }
    public init(nilLiteral: ()) { self = .null }
}

extension Value {
    /// The text that a template shows for it, as Go's `fmt.Print` would.
    public var text: String {
        switch self {
        case .null: "<no value>"
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): "\(value)"
        case .number(let value): Self.text(of: value)
        case .string(let value): value
        case .list(let values): "[\(values.map(\.text).joined(separator: " "))]"
        case .object(let fields): "{\(fields.filter { !$0.value.isLookup }.map(\.value.text).joined(separator: " "))}"
        case .map(let values):
            "map[\(values.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value.text)" }.joined(separator: " "))]"
        case .lookup: ""
        }
    }

    static func text(of number: Double) -> String {
        number == number.rounded() && number.magnitude < 1e15 ? "\(Int64(number))" : "\(number)"
    }

    /// Whether `if` takes it for true: neither zero nor empty.
    var isTrue: Bool {
        switch self {
        case .null, .lookup: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .number(let value): value != 0
        case .string(let value): !value.isEmpty
        case .list(let values): !values.isEmpty
        case .object: true
        case .map(let values): !values.isEmpty
        }
    }

    var isLookup: Bool {
        if case .lookup = self { return true }
        return false
    }
}
