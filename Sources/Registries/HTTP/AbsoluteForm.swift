import AsyncHTTPClient
import NIOCore
import NIOHTTP1

extension HTTPClientRequest {
    /// Has `proxy` ask for `address`, which is one without TLS.
    ///
    /// - Note: Goes with `AbsoluteForm`, which tells the proxy by the header `Host` which server is meant.
    mutating func forward(_ address: WebAddress, by proxy: HTTPClient.Configuration.Proxy) {
        url = "http://\(proxy.host):\(proxy.port)\(address.path)"
        headers.replaceOrAdd(name: "Host", value: address.authority)
        if let authorization = proxy.authorization {
            headers.replaceOrAdd(name: "Proxy-Authorization", value: authorization.headerValue)
        }
    }
}

/// Makes the requests on a connection to a proxy those that a proxy answers: `GET http://HOST/PATH`.
///
/// async-http-client has a proxy make a tunnel for HTTP as for HTTPS, which many refuse to any other port than 443.
///
/// - Note: RFC 9112, 3.2.2, "absolute-form".
final class AbsoluteForm: ChannelOutboundHandler {
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = HTTPClientRequestPart

    /// Puts one behind what makes bytes of requests.
    static func add(to channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.submit {
            let pipeline = channel.pipeline.syncOperations
            let encoder = try pipeline.handler(type: HTTPRequestEncoder.self)
            try pipeline.addHandler(AbsoluteForm(), position: .after(encoder))
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .head(var head) = unwrapOutboundIn(data), let host = head.headers.first(name: "Host") else {
            return context.write(data, promise: promise)
        }
        head.uri = "http://\(host)\(head.uri)"
        context.write(wrapOutboundOut(.head(head)), promise: promise)
    }
}
