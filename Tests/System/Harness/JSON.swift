import FoundationEssentials

/// Any JSON, to look into.
enum JSON: Decodable, Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case list([JSON])
    case object([String: JSON])

    init(_ text: String) throws { self = try JSONDecoder().decode(JSON.self, from: Data(text.utf8)) }

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        // `try?`: what is not the one is another
        if value.decodeNil() {
            self = .null
        } else if let bool = try? value.decode(Bool.self) {  // `try?`: as above
            self = .bool(bool)
        } else if let number = try? value.decode(Double.self) {  // `try?`: as above
            self = .number(number)
        } else if let string = try? value.decode(String.self) {  // `try?`: as above
            self = .string(string)
        } else if let list = try? value.decode([JSON].self) {  // `try?`: as above
            self = .list(list)
        } else {
            self = .object(try value.decode([String: JSON].self))
        }
    }

    /// A member of an object; `nil` where there is none.
    subscript(_ name: String) -> JSON? {
        if case .object(let members) = self { members[name] } else { nil }
    }

    /// The elements of a list; none of anything else.
    var elements: [JSON] {
        if case .list(let elements) = self { elements } else { [] }
    }
}
