import AsyncHTTPClient
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import SystemPackage

/// Why a request was not answered as was hoped.
struct RequestFailure: Error, Sendable {
    /// In lower case and without a full stop.
    var reason: String
    var remedy: String?
    /// Whether the same request may succeed later.
    var isTransient = false
    /// Whether nobody took the connection.
    var isUnreachable = false
    /// Whether what was at fault is how the server was spoken to: with TLS, or without.
    var isWrongScheme = false
    /// The status of the answer, if there was one.
    var status: UInt?
    /// How long the server asks to be left alone.
    var retryAfter: Duration?

    init(_ reason: String, remedy: String? = nil, isTransient: Bool = false, status: UInt? = nil) {
        self.reason = reason
        self.remedy = remedy
        self.isTransient = isTransient
        self.status = status
    }

    /// What went wrong below HTTP, or in it.
    init(_ error: any Error, timeouts: TransportTimeouts) {
        switch error {
        case let failure as RequestFailure: self = failure
        case let error as HTTPClientError: self.init(error, timeouts)
        case let error as NIOConnectionError: self.init(error)
        case let error as NIOSSLError: self.init(tls: "\(error)")
        case let error as NIOSSLExtraError: self.init(tls: "\(error)")
        case let error as BoringSSLError: self.init(tls: "\(error)")
        case let error as HTTPParserError where error == .invalidEOFState:
            self.init("the connection was cut", isTransient: true)
        case let error as HTTPParserError:
            self.init("the answer is no HTTP: \(error)", isTransient: true)
            isWrongScheme = true
        case let error as IOError:
            self.init(Self.reason(error.errnoCode), isTransient: true)
            isUnreachable = [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ENETDOWN].contains(error.errnoCode)
        case is ChannelError: self.init("the connection was cut", isTransient: true)
        case is CancellationError: self.init("given up")
        default: self.init("\(error)")
        }
    }

    private init(_ error: HTTPClientError, _ timeouts: TransportTimeouts) {
        switch error {
        case .connectTimeout, .getConnectionFromPoolTimeout, .tlsHandshakeTimeout, .httpProxyHandshakeTimeout:
            self.init("no connection within \(timeouts.connect.wording)", isTransient: true)
            isUnreachable = true
        case .readTimeout, .writeTimeout:
            self.init("it stalled: nothing came for \(timeouts.stall.wording)", isTransient: true)
        case .deadlineExceeded:
            self.init("no answer within \(timeouts.answer.wording)", isTransient: true)
        case .remoteConnectionClosed, .uncleanShutdown, .requestStreamCancelled:
            self.init("the connection was cut", isTransient: true)
        case .invalidProxyResponse:
            self.init("the proxy did not make the connection", isTransient: true)
            isUnreachable = true
        case .proxyAuthenticationRequired: self.init("the proxy wants another user or password")
        case .cancelled: self.init("given up")
        default: self.init(error.description)
        }
    }

    private init(_ error: NIOConnectionError) {
        if let last = error.connectionErrors.last {
            let errno = (last.error as? IOError)?.errnoCode
            self.init(errno.map(Self.reason) ?? "no connection", isTransient: errno != nil)
            isUnreachable = true
        } else {
            self.init("no such host '\(error.host)'")
        }
    }

    private init(tls text: String) {
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            self.init(
                "its certificate is not trusted",
                remedy: "put the CA's certificate in /etc/containers/certs.d/HOST:PORT/ca.crt")
        } else if text.contains("ailedToValidateHostname") || text.contains("ouldn't find") && text.contains("SAN") {
            self.init("its certificate is that of another host")
        } else if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
            self.init("it does not speak TLS", remedy: "set 'insecure = true' for it in registries.conf")
            isWrongScheme = true
        } else if text.contains("uncleanShutdown") {
            self.init("the connection was cut", isTransient: true)
        } else {
            self.init("TLS: \(text)")
        }
    }

    private static func reason(_ errno: CInt) -> String {
        Errno(rawValue: errno) == .connectionReset
            ? "the connection was cut" : Errno(rawValue: errno).description.lowercased()
    }
}

/// How long a server may take.
public struct TransportTimeouts: Sendable {
    /// To take a connection, with TLS.
    public var connect: Duration = .seconds(10)
    /// From a request to the head of its answer.
    public var answer: Duration = .seconds(60)
    /// Between two parts of an answer.
    public var stall: Duration = .seconds(60)

    public init() {}
}

extension Duration {
    /// As messages have it: `30 s`, `500 ms`.
    var wording: String {
        let (seconds, attoseconds) = components
        return attoseconds == 0 ? "\(seconds) s" : "\(seconds * 1000 + attoseconds / 1_000_000_000_000_000) ms"
    }

    var timeAmount: TimeAmount {
        .nanoseconds(components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000)
    }
}
