import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// An answer, and where it came from in the end.
struct Answer: Sendable {
    let status: UInt
    let headers: HTTPHeaders
    let body: HTTPClientResponse.Body
    let address: WebAddress

    /// Where an upload goes on, or the next page is.
    ///
    /// - Parameter name: Of the header.
    func location(_ name: String = "Location") -> WebAddress? {
        headers.first(name: name).flatMap { address.resolving($0) }
    }

    /// The next page of a list.
    ///
    /// - Note: RFC 8288: `</v2/_catalog?last=b>; rel="next"`.
    var nextPage: WebAddress? {
        guard let link = headers.first(name: "Link"), link.hasPrefix("<"),
            link.contains("rel=\"next\"") || link.contains("rel=next"),
            let end = link.firstIndex(of: ">")
        else { return nil }
        return address.resolving(String(link[link.index(after: link.startIndex)..<end]))
    }
}

extension Transport {
    /// The most redirects that one request follows.
    private static let redirectLimit = 5

    /// Sends a request, and again to wherever the server says.
    ///
    /// Credentials go to no other server; from HTTPS there is no way to HTTP.
    func exchange(
        _ method: HTTPMethod, _ address: WebAddress, headers: HTTPHeaders, body: RequestBody = .none,
        trust: ServerTrust
    ) async throws(RequestFailure) -> Answer {
        var address = address
        var headers = headers
        var seen: Set<WebAddress> = []
        while true {
            let response = try await send(method, address, headers: headers, body: body, trust: trust)
            let status = response.status.code
            guard [301, 302, 303, 307, 308].contains(status), status >= 307 || method == .GET || method == .HEAD else {
                return Answer(status: status, headers: response.headers, body: response.body, address: address)
            }
            guard let location = response.headers.first(name: "Location"), let next = address.resolving(location) else {
                throw RequestFailure("it redirects to what is no address of HTTP")
            }
            guard address.scheme == .http || next.scheme == .https else {
                throw RequestFailure("it redirects to '\(next)', without TLS")
            }
            guard seen.insert(address).inserted, !seen.contains(next) else {
                throw RequestFailure("it redirects in a circle, at '\(next)'")
            }
            guard seen.count <= Self.redirectLimit else {
                throw RequestFailure("it redirects more than \(Self.redirectLimit) times")
            }
            if !address.sharesOrigin(with: next) { headers.remove(name: "Authorization") }
            address = next
        }
    }
}

extension Answer {
    /// All of the body.
    ///
    /// - Parameter limit: The most bytes that it may have.
    func bytes(limit: Int, timeouts: TransportTimeouts) async throws(RequestFailure) -> [UInt8] {
        if let length = headers.first(name: "Content-Length").flatMap({ Int($0) }), length > limit {
            throw RequestFailure("it has \(length) bytes; at most \(limit) are read")
        }
        var bytes: [UInt8] = []
        var pace = Pace(timeouts)
        do {
            for try await part in body {
                try pace.came(part.readableBytes)
                guard bytes.count + part.readableBytes <= limit else {
                    throw RequestFailure("it has more than \(limit) bytes")
                }
                bytes += part.readableBytesView
            }
        } catch {
            throw RequestFailure(error, timeouts: timeouts)
        }
        return bytes
    }
}
