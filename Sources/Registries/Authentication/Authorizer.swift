import NIOHTTP1
import OCI

/// Who somebody is, for a registry.
public enum Credentials: Sendable, Hashable {
    case password(user: String, password: String)
    /// What a registry gave at login in a password's place.
    case identityToken(String)
}

/// Answers a registry's challenges, and keeps the tokens that it got for them.
actor Authorizer {
    private struct Token {
        let text: String
        let expiry: ContinuousClock.Instant
    }

    private let transport: Transport
    private let trust: ServerTrust
    private let isInsecure: Bool
    private let credentials: Credentials?
    private var challenge: Challenge?
    /// By their scopes.
    private var tokens: [[String]: Token] = [:]

    init(transport: Transport, trust: ServerTrust, isInsecure: Bool, credentials: Credentials?) {
        self.transport = transport
        self.trust = trust
        self.isInsecure = isInsecure
        self.credentials = credentials
    }

    /// The value of `Authorization` that is known to do for `scopes`.
    func known(for scopes: [String]) -> String? {
        switch challenge {
        case nil: nil
        case .basic: basic
        case .bearer:
            tokens[scopes].flatMap { $0.expiry > .now ? "Bearer \($0.text)" : nil }
        }
    }

    /// The value of `Authorization` that should do after a refusal.
    ///
    /// - Parameters:
    ///   - headers: Of the refusal.
    ///   - address: Which was refused.
    /// - Returns: `nil` if there is nothing to offer.
    func answer(
        _ headers: HTTPHeaders, from address: WebAddress, scopes: [String]
    ) async throws(RequestFailure) -> String? {
        guard let challenge = Challenge(headers) else { return nil }
        self.challenge = challenge
        guard case .bearer(let realm, let service, let scope) = challenge else { return basic }
        guard realm.scheme == .https || realm.isLoopback || isInsecure && address.scheme == .http else {
            throw RequestFailure("it wants a token from '\(realm)', without TLS")
        }
        let wanted = scopes.isEmpty ? scope.map { [$0] } ?? [] : scopes
        let token = try await fetchToken(realm, service: service, scopes: wanted)
        tokens[scopes] = token
        return "Bearer \(token.text)"
    }

    private var basic: String? {
        guard case .password(let user, let password) = credentials else { return nil }
        return "Basic " + Base64.encode(Array("\(user):\(password)".utf8))
    }

    private func fetchToken(
        _ realm: WebAddress, service: String?, scopes: [String]
    ) async throws(RequestFailure) -> Token {
        let asked = ContinuousClock.now
        let answer: Answer
        if case .identityToken(let identity) = credentials {
            answer = try await exchange(identity, realm, service: service, scopes: scopes)
        } else {
            var address = realm
            if let service { address = address.adding("service", service) }
            for scope in scopes { address = address.adding("scope", scope) }
            if case .password(let user, _) = credentials { address = address.adding("account", user) }
            var headers = HTTPHeaders()
            if let basic { headers.add(name: "Authorization", value: basic) }
            answer = try await transport.exchange(.GET, address, headers: headers, trust: trust)
        }
        guard answer.status == 200 else { throw Self.refusal(answer.status, from: realm) }
        let bytes = try await answer.bytes(limit: 1 << 20, timeouts: transport.timeouts)
        guard let response = try? TokenResponse(json: bytes),  // `try?`: the error that follows says enough
            let text = response.token ?? response.accessToken, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { throw RequestFailure("'\(realm)' gives no token that can be read") }
        // A little earlier, for the time that requests are on their way.
        let seconds = min(max(response.expiresIn ?? 60, 60), 86_400)
        return Token(text: text, expiry: asked + .seconds(seconds * 9 / 10))
    }

    /// Gives an identity token for one that opens `scopes`.
    ///
    /// - Note: distribution's "OAuth2 Token Authentication".
    private func exchange(
        _ identity: String, _ realm: WebAddress, service: String?, scopes: [String]
    ) async throws(RequestFailure) -> Answer {
        let form = [
            ("grant_type", "refresh_token"), ("refresh_token", identity), ("client_id", "apus"),
            ("service", service ?? ""), ("scope", scopes.joined(separator: " ")),
        ].map { "\($0)=\(WebAddress.encoded($1))" }.joined(separator: "&")
        return try await transport.exchange(
            .POST, realm, headers: ["Content-Type": "application/x-www-form-urlencoded"],
            body: .bytes(Array(form.utf8)), trust: trust)
    }

    private static func refusal(_ status: UInt, from realm: WebAddress) -> RequestFailure {
        switch status {
        case 400, 401, 403: RequestFailure("'\(realm)' refuses the user or the password", status: 401)
        default:
            RequestFailure(
                "'\(realm)' answers \(status)", isTransient: RegistryClient.isTransient(status), status: status)
        }
    }
}

/// - Note: distribution's "Token Authentication Specification".
private struct TokenResponse: JSONMappable {
    var token: String?
    var accessToken: String?
    /// In seconds.
    var expiresIn: Int?

    mutating func map(_ fields: JSONFields) {
        fields.optional("token", &token)
        fields.optional("access_token", &accessToken)
        fields.optional("expires_in", &expiresIn)
    }
}
