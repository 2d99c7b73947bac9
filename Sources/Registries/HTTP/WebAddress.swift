/// An address of HTTP or HTTPS in its parts.
struct WebAddress: Hashable, Sendable, CustomStringConvertible {
    enum Scheme: String, Sendable { case http, https }

    let scheme: Scheme
    /// In lower case; of IPv6 with its brackets.
    let host: String
    /// `nil` for the scheme's own.
    let port: Int?
    /// With the query, and from its first slash on.
    var path: String

    /// - Parameter authority: `HOST[:PORT]`.
    init?(_ scheme: Scheme, authority: String, path: String = "/") {
        let bytes = Array(authority.lowercased().utf8)
        var end = bytes.count
        var port: Int?
        if let colon = bytes.lastIndex(of: UInt8(ascii: ":")), !bytes[colon...].contains(UInt8(ascii: "]")) {
            guard let number = UInt16(String(decoding: bytes[(colon + 1)...], as: UTF8.self)), number > 0 else {
                return nil
            }
            port = Int(number)
            end = colon
        }
        let host = bytes[..<end]
        let isBracketed = host.first == UInt8(ascii: "[") && host.last == UInt8(ascii: "]")
        guard !host.isEmpty, isBracketed || host.allSatisfy(Self.isHostByte) else { return nil }
        self.scheme = scheme
        self.host = String(decoding: host, as: UTF8.self)
        self.port = port
        self.path = path
    }

    /// - Returns: `nil` for another scheme, for one with a user in it, and for what is no address.
    init?(_ text: String) {
        guard let scheme = Self.scheme(of: text) else { return nil }
        let rest = Array(text.utf8.dropFirst(scheme.rawValue.utf8.count + 3))
        let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.count
        let path = rest[end...].prefix { $0 != UInt8(ascii: "#") }
        guard path.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
        let slash = path.first == UInt8(ascii: "/") ? "" : "/"
        self.init(
            scheme, authority: String(decoding: rest[..<end], as: UTF8.self),
            path: slash + String(decoding: path, as: UTF8.self))
    }

    private static func scheme(of text: String) -> Scheme? {
        let start = text.prefix(8).lowercased()
        if start.hasPrefix("https://") { return .https }
        return start.hasPrefix("http://") ? .http : nil
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
            UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    /// What a `Location` header means that came from here; `nil` if it is no address of HTTP.
    ///
    /// - Note: RFC 3986, 5.2, without `..`, which no registry sends and a server may resolve itself.
    func resolving(_ location: String) -> WebAddress? {
        if Self.scheme(of: location) != nil { return WebAddress(location) }
        if location.hasPrefix("//") { return WebAddress("\(scheme.rawValue):\(location)") }
        if location.hasPrefix("/") { return WebAddress(origin + location) }
        guard !location.isEmpty, !location.contains("://") else { return nil }
        let whole = path.utf8.prefix { $0 != UInt8(ascii: "?") }
        if location.hasPrefix("?") { return WebAddress(origin + String(whole)! + location) }
        let directory = whole.lastIndex(of: UInt8(ascii: "/")).map { whole[...$0] } ?? whole[...]
        return WebAddress(origin + String(directory)! + location)
    }

    var effectivePort: Int { port ?? (scheme == .https ? 443 : 80) }

    /// `HOST[:PORT]`.
    var authority: String { port.map { "\(host):\($0)" } ?? host }

    var origin: String { "\(scheme.rawValue)://\(authority)" }

    /// Without what the query may carry that is nobody's business, as messages show it.
    var description: String { origin + path.prefix { $0 != "?" } }

    /// Whether credentials for this one may go to `other`.
    func sharesOrigin(with other: WebAddress) -> Bool {
        scheme == other.scheme && host == other.host && effectivePort == other.effectivePort
    }

    /// Whether it is this machine itself, so that nobody between can listen.
    var isLoopback: Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        let isIPv4 = parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
        return host == "localhost" || host == "[::1]" || isIPv4
    }

    /// With a further parameter in its query.
    func adding(_ name: String, _ value: String) -> WebAddress {
        var copy = self
        copy.path += (path.contains("?") ? "&" : "?") + "\(name)=\(Self.encoded(value))"
        return copy
    }

    /// `text` with everything escaped that means something in a query or a form.
    static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                result.append(byte)
            default: result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
