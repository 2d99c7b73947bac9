import Images
import NIOHTTP1
import OCI
import Synchronization

/// One registry, spoken to as the distribution specification has it.
///
/// - Note: OCI Distribution Specification 1.1.
public final class RegistryClient: Sendable {
    /// `HOST[:PORT]` as references have it.
    public let host: String
    let transport: Transport
    let retries: RetryPolicy
    private let trust: ServerTrust
    private let authorizer: Authorizer
    /// Those that may be tried, the likelier first, until one has been found to be right.
    private let schemes: Mutex<[WebAddress.Scheme]>
    /// Whether it has answered anything at all.
    private let hasAnswered = Mutex(false)

    /// - Parameters:
    ///   - isInsecure: Whether it may be spoken to without TLS, or with a certificate that nobody vouches for.
    init(
        host: String, isInsecure: Bool, credentials: Credentials?, transport: Transport, retries: RetryPolicy,
        trust: ServerTrust
    ) {
        self.host = host
        self.transport = transport
        self.retries = retries
        self.trust = trust
        authorizer = Authorizer(transport: transport, trust: trust, isInsecure: isInsecure, credentials: credentials)
        let isLoopback = WebAddress(.http, authority: host)?.isLoopback ?? false
        switch (trust.isSetUp, isLoopback, isInsecure) {
        case (true, _, false): schemes = Mutex([.https])
        // On this machine nobody listens, and a registry without TLS is the usual one.
        case (false, true, _): schemes = Mutex([.http, .https])
        case (_, _, true): schemes = Mutex([.https, .http])
        default: schemes = Mutex([.https])
        }
    }

    /// Where references to `docker.io` really go.
    private var server: String { host == "docker.io" ? "registry-1.docker.io" : host }

    // MARK: Requests

    /// Sends a request, with credentials where they are asked for, and again where that may help.
    ///
    /// - Parameters:
    ///   - path: Below the registry's root, with the query.
    ///   - scopes: What the request needs rights for: `repository:library/alpine:pull`.
    ///   - accepted: The statuses that are no failure.
    func request(
        _ method: HTTPMethod, _ path: String, scopes: [String], headers: HTTPHeaders = [:],
        body: RequestBody = .none, accepted: [UInt] = [200]
    ) async throws(RequestFailure) -> Answer {
        try await retries.retrying { () async throws(RequestFailure) in
            try await self.once(method, path, scopes: scopes, headers: headers, body: body, accepted: accepted)
        }
    }

    /// As `request`, but without another try.
    func once(
        _ method: HTTPMethod, _ path: String, scopes: [String], headers: HTTPHeaders = [:],
        body: RequestBody = .none, accepted: [UInt] = [200]
    ) async throws(RequestFailure) -> Answer {
        var first: RequestFailure?
        let candidates = schemes.withLock { $0 }
        for scheme in candidates {
            guard let address = WebAddress(scheme, authority: server, path: path) else {
                throw RequestFailure("'\(server)' is not a host's name")
            }
            do throws(RequestFailure) {
                let answer = try await authorized(method, address, scopes, headers, body)
                hasAnswered.withLock { $0 = true }
                // A server of HTTPS that is spoken to without TLS says "bad request".
                let isMistaken = answer.status == 400 && scheme == .http && candidates.last == .https
                if !isMistaken {
                    schemes.withLock { $0 = [scheme] }
                    return try await check(answer, accepted)
                }
            } catch {
                let failure = judged(error)
                guard candidates.count > 1, failure.status == nil else { throw failure }
                if first == nil || first?.isWrongScheme == true { first = failure }
            }
        }
        throw first ?? RequestFailure("it answers 400", status: 400)
    }

    /// A server that nobody has heard of yet is more likely not there than starting just now: waiting for it would only keep
    /// its user from the message. One that goes away meanwhile is waited for.
    private func judged(_ failure: RequestFailure) -> RequestFailure {
        guard failure.isUnreachable, !hasAnswered.withLock({ $0 }) else { return failure }
        var failure = failure
        failure.isTransient = false
        return failure
    }

    /// As `once`, where an earlier answer has said to go on.
    func once(
        _ method: HTTPMethod, at address: WebAddress, scopes: [String], headers: HTTPHeaders = [:],
        body: RequestBody = .none, accepted: [UInt]
    ) async throws(RequestFailure) -> Answer {
        try await check(authorized(method, address, scopes, headers, body), accepted)
    }

    private func authorized(
        _ method: HTTPMethod, _ address: WebAddress, _ scopes: [String], _ headers: HTTPHeaders, _ body: RequestBody
    ) async throws(RequestFailure) -> Answer {
        var headers = headers
        // To the registry alone: an upload may go on elsewhere.
        let isOwn = WebAddress(address.scheme, authority: server).map(address.sharesOrigin) ?? false
        if isOwn, let known = await authorizer.known(for: scopes) {
            headers.replaceOrAdd(name: "Authorization", value: known)
        }
        let answer = try await transport.exchange(method, address, headers: headers, body: body, trust: trust)
        guard answer.status == 401, answer.address.sharesOrigin(with: address), isOwn,
            let offer = try await authorizer.answer(answer.headers, from: address, scopes: scopes)
        else { return answer }
        // So that its connection serves again. `try?`: another one is made otherwise.
        _ = try? await answer.bytes(limit: 64 << 10, timeouts: transport.timeouts)
        headers.replaceOrAdd(name: "Authorization", value: offer)
        return try await transport.exchange(method, address, headers: headers, body: body, trust: trust)
    }

    // MARK: Failures

    /// Whether what gave this status may pass.
    static func isTransient(_ status: UInt) -> Bool { [408, 429, 500, 502, 503, 504].contains(status) }

    private func check(_ answer: Answer, _ accepted: [UInt]) async throws(RequestFailure) -> Answer {
        if accepted.contains(answer.status) { return answer }
        // `try?`: an answer whose body cannot be read still has its status.
        let body = (try? await answer.bytes(limit: 64 << 10, timeouts: transport.timeouts)) ?? []
        var failure = RequestFailure(
            reason(answer.status, Self.detail(body)), isTransient: Self.isTransient(answer.status),
            status: answer.status)
        if answer.status == 401 { failure.remedy = "log in with 'apus login \(host)'" }
        failure.retryAfter = answer.headers.first(name: "Retry-After").flatMap { UInt32($0) }.map { .seconds($0) }
        throw failure
    }

    private func reason(_ status: UInt, _ detail: String?) -> String {
        let suffix = detail.map { ": \($0)" } ?? ""
        switch status {
        case 401: return "it wants a user and a password that may do this\(suffix)"
        case 403: return "it denies access\(suffix)"
        case 404: return detail ?? "not found"
        case 407: return "the proxy wants another user or password"
        case 429: return "it had too many requests\(suffix)"
        default: return "it answers \(status)\(suffix)"
        }
    }

    /// What the registry says of an error, in one line of at most 200 characters.
    private static func detail(_ body: [UInt8]) -> String? {
        // `try?`: proxies answer with pages for people, which say nothing here.
        guard let errors = (try? ErrorResponse(json: body))?.errors, let first = errors.first else { return nil }
        let text = first.message.flatMap { $0.isEmpty ? nil : $0 } ?? first.code?.lowercased()
        return text.map { String($0.prefix(200)) }
    }
}

/// - Note: OCI Distribution Specification, "Error Codes".
private struct ErrorResponse: JSONMappable {
    struct Entry: JSONMappable {
        var code: String?
        var message: String?

        mutating func map(_ fields: JSONFields) {
            fields.optional("code", &code)
            fields.optional("message", &message)
        }
    }

    var errors: [Entry] = []

    mutating func map(_ fields: JSONFields) {
        fields.required("errors", &errors)
    }
}
