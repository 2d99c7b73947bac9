import AsyncHTTPClient
import Linux
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Connections to servers: one thread that moves bytes, and whatever proxies the environment asks for.
///
/// Nothing of it exists before the first one is made, so that commands without a registry stay single-threaded.
final class Transport: Sendable {
    let timeouts: TransportTimeouts
    /// Never ended but by the process: a look-up that nobody waits for any more still answers to it.
    private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let proxies: ProxySettings
    private let direct: HTTPClient
    /// By the proxy through which each has itself connected to servers of HTTPS.
    private let tunnelling: [HTTPClient.Configuration.Proxy: HTTPClient]
    /// For proxies that are asked for what a server without TLS has.
    private let forwarding: HTTPClient

    init(timeouts: TransportTimeouts = TransportTimeouts(), proxies: ProxySettings) {
        self.timeouts = timeouts
        self.proxies = proxies
        direct = Self.client(timeouts)
        tunnelling = Dictionary(uniqueKeysWithValues: proxies.all.map { ($0, Self.client(timeouts, tunnel: $0)) })
        forwarding = Self.client(timeouts) { channel in AbsoluteForm.add(to: channel) }
    }

    private static func client(
        _ timeouts: TransportTimeouts, tunnel: HTTPClient.Configuration.Proxy? = nil,
        prepare: (@Sendable (any Channel) -> EventLoopFuture<Void>)? = nil
    ) -> HTTPClient {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,  // ours know what a registry's credentials are for
            timeout: .init(
                connect: timeouts.connect.timeAmount, read: timeouts.stall.timeAmount,
                write: timeouts.stall.timeAmount),
            proxy: tunnel)
        configuration.http1_1ConnectionDebugInitializer = prepare
        // One connection for each layer: over HTTP/2 they would share one window.
        configuration.httpVersion = .http1Only
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
    }

    /// Sends one request, and waits for the head of its answer.
    func send(
        _ method: HTTPMethod, _ address: WebAddress, headers: HTTPHeaders = [:], body: RequestBody = .none,
        trust: ServerTrust?
    ) async throws(RequestFailure) -> HTTPClientResponse {
        var request = HTTPClientRequest(url: address.origin + address.path)
        request.method = method
        request.headers = headers
        request.headers.replaceOrAdd(name: "User-Agent", value: "apus")
        request.body = body.content
        if address.scheme == .https { request.tlsConfiguration = try trust?.configuration(for: address) }
        let proxy = proxies.proxy(for: address)
        var client = direct
        if let proxy, address.scheme == .https {
            client = tunnelling[proxy] ?? direct
        } else if let proxy {
            client = forwarding
            request.forward(address, by: proxy)
        }
        do {
            // The body of the request counts until its answer comes, and takes as long as it takes.
            let deadline: NIODeadline = body.isLong ? .distantFuture : .now() + timeouts.answer.timeAmount
            return try await client.execute(request, deadline: deadline)
        } catch {
            var failure = RequestFailure(error, timeouts: timeouts)
            if let proxy, failure.isUnreachable { failure.reason += ", by the proxy \(proxy.host):\(proxy.port)" }
            throw failure
        }
    }

    /// Closes all connections.
    func shutdown() async {
        // `try?`: what fails to close is closed with the process.
        for client in [direct, forwarding] + tunnelling.values { try? await client.shutdown() }
    }
}

/// What a request sends, in a form that can be sent again.
enum RequestBody: Sendable {
    case none
    case bytes([UInt8])
    /// A part of a file, from an offset on.
    case file(FilePart)

    fileprivate var content: HTTPClientRequest.Body? {
        switch self {
        case .none: nil
        case .bytes(let bytes): .bytes(bytes)
        case .file(let part): .stream(part, length: .known(part.count))
        }
    }

    fileprivate var isLong: Bool {
        if case .file = self { true } else { false }
    }
}
