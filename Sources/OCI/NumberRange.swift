import FoundationEssentials

/// Finds the number that does not fit its field, which `JSONDecoder` reports as "not valid JSON" without a place.
///
/// - Returns: `nil` when `data` is no JSON indeed.
func misfittingNumber<T: Decodable>(in data: Data, for type: T.Type) -> SpecError? {
    // `try?`: what the generic type cannot read either is no JSON; that is the answer.
    guard let whole = try? JSONDecoder().decode(JSONValue.self, from: data) else { return nil }
    var paths: [String] = []
    _ = whole.replacingNumbers(first: 0, at: "", visiting: &paths)
    // Zero fits everywhere. With the first `low` numbers replaced it still fails, with the first `high` it does not.
    var (low, high) = (0, paths.count)
    while low + 1 < high {
        let middle = (low + high) / 2
        var visited: [String] = []
        if fits(whole.replacingNumbers(first: middle, at: "", visiting: &visited), type) {
            high = middle
        } else {
            low = middle
        }
    }
    guard high > 0 else { return nil }
    return SpecError(path: paths[high - 1], reason: "a number that is negative, broken or too large for this field")
}

/// Whether nothing but numbers stands against `value` as a `type`.
private func fits<T: Decodable>(_ value: JSONValue, _ type: T.Type) -> Bool {
    do {
        _ = try JSONDecoder().decode(type, from: JSONEncoder().encode(value))
        return true
    } catch DecodingError.dataCorrupted(let context) {
        return !context.codingPath.isEmpty
    } catch {
        return true
    }
}

/// Any JSON.
private indirect enum JSONValue: Codable {
    case null
    case bool(Bool)
    case integer(Int64)
    case unsigned(UInt64)
    case number(Double)
    case string(String)
    case list([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let bool = try? container.decode(Bool.self) {  // `try?`, here and below: another kind of value
            self = .bool(bool)
        } else if let integer = try? container.decode(Int64.self) {  // `try?`: see above
            self = .integer(integer)
        } else if let unsigned = try? container.decode(UInt64.self) {  // `try?`: see above
            self = .unsigned(unsigned)
        } else if let number = try? container.decode(Double.self) {  // `try?`: see above
            self = .number(number)
        } else if let string = try? container.decode(String.self) {  // `try?`: see above
            self = .string(string)
        } else if let list = try? container.decode([JSONValue].self) {  // `try?`: see above
            self = .list(list)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let bool): try container.encode(bool)
        case .integer(let integer): try container.encode(integer)
        case .unsigned(let unsigned): try container.encode(unsigned)
        case .number(let number): try container.encode(number)
        case .string(let string): try container.encode(string)
        case .list(let list): try container.encode(list)
        case .object(let object): try container.encode(object)
        }
    }

    /// This value with zeros for the first `first` numbers, counted by `paths`, which gets the place of each.
    func replacingNumbers(first: Int, at path: String, visiting paths: inout [String]) -> JSONValue {
        switch self {
        case .integer, .unsigned, .number:
            paths.append(path)
            return paths.count <= first ? .integer(0) : self
        case .list(let list):
            return .list(
                list.indices.map {
                    list[$0].replacingNumbers(first: first, at: "\(path)[\($0)]", visiting: &paths)
                })
        case .object(let object):
            var result = object
            for key in object.keys.sorted() {
                let place = path.isEmpty ? key : "\(path).\(key)"
                result[key] = object[key]?.replacingNumbers(first: first, at: place, visiting: &paths)
            }
            return .object(result)
        case .null, .bool, .string:
            return self
        }
    }
}
