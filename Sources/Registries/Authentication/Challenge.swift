import NIOHTTP1

/// What a registry wants before it answers.
///
/// - Note: RFC 9110, 11.6.1; distribution's "Token Authentication Specification".
enum Challenge: Sendable, Equatable {
    case basic
    /// A token from `realm`.
    case bearer(realm: WebAddress, service: String?, scope: String?)

    /// The best that `headers` offer; `nil` if they offer none.
    init?(_ headers: HTTPHeaders) {
        var offersBasic = false
        for header in headers["WWW-Authenticate"] {
            let (scheme, parameters) = Self.parse(header)
            switch scheme {
            case "bearer":
                guard let realm = parameters["realm"].flatMap({ WebAddress($0) }) else { continue }
                self = .bearer(realm: realm, service: parameters["service"], scope: parameters["scope"])
                return
            case "basic": offersBasic = true
            default: continue
            }
        }
        guard offersBasic else { return nil }
        self = .basic
    }

    /// - Returns: The scheme and the names of the parameters in lower case.
    private static func parse(_ header: String) -> (scheme: String, parameters: [String: String]) {
        var rest = Array(header.utf8)[...]
        let scheme = take(&rest) { $0 != UInt8(ascii: " ") }.lowercased()
        var parameters: [String: String] = [:]
        while !rest.isEmpty {
            _ = take(&rest) { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: ",") }
            let name = take(&rest) { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: ",") }.lowercased()
            guard rest.popFirst() == UInt8(ascii: "=") else { continue }
            if rest.first == UInt8(ascii: "\"") {
                parameters[name] = takeQuoted(&rest)
            } else {
                parameters[name] = take(&rest) { $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: " ") }
            }
        }
        return (scheme, parameters)
    }

    private static func take(_ rest: inout ArraySlice<UInt8>, while isPart: (UInt8) -> Bool) -> String {
        let part = rest.prefix(while: isPart)
        rest = rest[part.endIndex...]
        return String(decoding: part, as: UTF8.self)
    }

    private static func takeQuoted(_ rest: inout ArraySlice<UInt8>) -> String {
        rest = rest.dropFirst()
        var text: [UInt8] = []
        while let byte = rest.popFirst(), byte != UInt8(ascii: "\"") {
            if byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() {
                text.append(escaped)
            } else {
                text.append(byte)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
