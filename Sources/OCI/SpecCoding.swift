public import FoundationEssentials

/// What is wrong with a `config.json`.
public struct SpecError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The place, as `linux.resources.memory.limit` or `mounts[2].destination`; empty for the whole.
    public let path: String
    /// Why, in lower case and without a full stop.
    public let reason: String

    public init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    public var description: String { path.isEmpty ? reason : "\(path): \(reason)" }
}

extension Spec {
    /// Reads a `config.json`; fields that are not known are ignored.
    ///
    /// - Throws: What is wrong first, with its place.
    public static func decode(_ data: Data) throws(SpecError) -> Spec {
        try decode(Spec.self, from: data)
    }

    /// Reads a part of a `config.json`, or a file that is close to one.
    ///
    /// - Throws: What is wrong first, with its place.
    public static func decode<T: Decodable>(_ type: T.Type, from data: Data) throws(SpecError) -> T {
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch DecodingError.dataCorrupted(let context) where context.codingPath.isEmpty {
            throw misfittingNumber(in: data, for: type) ?? SpecError(path: "", reason: "not valid JSON")
        } catch let error as DecodingError {
            throw SpecError(error)
        } catch {
            throw SpecError(path: "", reason: "\(error)")
        }
    }

    /// Writes a `config.json`, in one line.
    public func encoded() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return try encoder.encode(self)
    }
}

extension SpecError {
    /// Words a decoding error for whoever wrote the file.
    init(_ error: DecodingError) {
        switch error {
        case .typeMismatch(let type, let context):
            self.init(path: context.codingPath.jsonPath, reason: "expected \(nameInJSON(of: type))")
        case .valueNotFound(let type, let context):
            self.init(path: context.codingPath.jsonPath, reason: "expected \(nameInJSON(of: type)), found null")
        case .keyNotFound(let key, let context):
            self.init(path: (context.codingPath + [key]).jsonPath, reason: "missing")
        case .dataCorrupted(let context):
            self.init(path: context.codingPath.jsonPath, reason: corruption(context))
        @unknown default:
            self.init(path: "", reason: "\(error)")
        }
    }
}

/// What `type` is called by someone who writes JSON.
private func nameInJSON(of type: any Any.Type) -> String {
    switch type {
    case is String.Type, is any RawRepresentable<String>.Type: "a string"
    case is Bool.Type: "true or false"
    case is any Numeric.Type: "a number"
    case is [Any].Type: "a list"
    case is [String: Any].Type: "an object"
    default: "\(type)".hasPrefix("Array<") ? "a list" : "an object"
    }
}

/// Why a value of the right kind is not acceptable.
private func corruption(_ context: DecodingError.Context) -> String {
    // The standard library's synthesized enums say it like this, and give the value no other way.
    guard let found = context.debugDescription.firstRange(of: "invalid String value ") else {
        return context.debugDescription
    }
    return "unknown value '\(context.debugDescription[found.upperBound...])'"
}

extension [any CodingKey] {
    /// `mounts[2].destination`.
    fileprivate var jsonPath: String {
        var path = ""
        for key in self {
            if let index = key.intValue {
                path += "[\(index)]"
            } else {
                path += path.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
        return path
    }
}

// The specification's own Go types take a missing or null one of these for its zero value. The overloads are what the
// synthesized decoders above choose for a property of that type.
extension KeyedDecodingContainer {
    func decode(_ type: Spec.User.Type, forKey key: Key) throws -> Spec.User {
        try decodeIfPresent(type, forKey: key) ?? Spec.User()
    }
}
