import AsyncHTTPClient
import Glibc
import Linux

/// What the environment says of proxies, as curl and Go take it.
struct ProxySettings: Sendable {
    private let forHTTP: HTTPClient.Configuration.Proxy?
    private let forHTTPS: HTTPClient.Configuration.Proxy?
    private let exceptions: [String]

    /// - Parameter environment: What the variable of that name has.
    /// - Throws: When a proxy is given by an address that is none.
    init(_ environment: (String) -> String? = variable(of:)) throws(Failure) {
        func value(_ name: String) -> String? {
            environment(name).flatMap { $0.isEmpty ? nil : $0 }
        }
        // Not HTTP_PROXY: in a CGI program it comes from a request's header.
        forHTTP = try Self.proxy(value("http_proxy"), named: "http_proxy")
        forHTTPS = try Self.proxy(value("https_proxy") ?? value("HTTPS_PROXY"), named: "HTTPS_PROXY")
        exceptions = (value("no_proxy") ?? value("NO_PROXY") ?? "").lowercased()
            .split { $0 == "," || $0 == " " }.map(String.init)
    }

    /// Each that may be needed, once.
    var all: Set<HTTPClient.Configuration.Proxy> { Set([forHTTP, forHTTPS].compactMap(\.self)) }

    /// The proxy for requests to `address`.
    func proxy(for address: WebAddress) -> HTTPClient.Configuration.Proxy? {
        let proxy = address.scheme == .https ? forHTTPS : forHTTP
        return address.isLoopback || exceptions.contains { Self.matches($0, address) } ? nil : proxy
    }

    /// - Parameter exception: `*`, a host, `HOST:PORT`, or a domain, with or without a dot in front.
    private static func matches(_ exception: String, _ address: WebAddress) -> Bool {
        if exception == "*" { return true }
        guard let place = WebAddress(.http, authority: String(exception.drop { $0 == "*" || $0 == "." })) else {
            return false
        }
        guard place.port == nil || place.port == address.effectivePort else { return false }
        let isDomain = exception.hasPrefix(".") || exception.hasPrefix("*.")
        return (place.host == address.host && !isDomain) || address.host.hasSuffix(".\(place.host)")
    }

    private static func proxy(_ text: String?, named name: String) throws(Failure) -> HTTPClient.Configuration.Proxy? {
        guard var text else { return nil }
        var authorization: HTTPClient.Authorization?
        if text.lowercased().hasPrefix("http://") { text = String(text.dropFirst(7)) }
        guard !text.contains("://") else { throw Failure("proxy", name, "a proxy is reached by http:// alone") }
        if let end = text.lastIndex(of: "@") {
            let parts = text[..<end].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            authorization = .basic(
                username: decoded(String(parts[0])), password: parts.count > 1 ? decoded(String(parts[1])) : "")
            text = String(text[text.index(after: end)...])
        }
        guard let address = WebAddress("http://\(text)") else {
            throw Failure("proxy", name, "not an address; write http://HOST:PORT")
        }
        return .server(host: address.host, port: address.effectivePort, authorization: authorization)
    }

    /// `text` without the escapes of an address.
    private static func decoded(_ text: String) -> String {
        var result: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                result.append(value)
                rest = rest.dropFirst(2)
            } else {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

/// The value of a variable of the environment.
func variable(of name: String) -> String? {
    getenv(name).map { String(cString: $0) }
}
