import Glibc
import Synchronization

/// A server of HTTP on loopback that sends just the bytes it is told to, be they HTTP or not.
final class OwnServer: Sendable {
    struct Request: Sendable {
        let method: String
        /// With the query.
        let path: String
        /// By their names in lower case.
        let headers: [String: String]
        let body: [UInt8]
    }

    enum Step: Sendable {
        case send([UInt8])
        /// Says nothing more until the other side has had enough.
        case stall
        /// Goes on after a while.
        case pause(milliseconds: UInt32)
        case close
    }

    let port: UInt16
    private let listener: CInt
    private let handler: @Sendable (Request) -> [Step]
    private let log = Mutex<[Request]>([])
    private let isEnding = Mutex(false)

    init(_ handler: @escaping @Sendable (Request) -> [Step]) {
        self.handler = handler
        let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        self.listener = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            bind(listener, .init(__sockaddr_in__: UnsafePointer(pointer)), length) == 0 && listen(listener, 64) == 0
                && getsockname(listener, .init(__sockaddr_in__: pointer), &length) == 0
        }
        precondition(bound, "no port on loopback")
        port = UInt16(bigEndian: address.sin_port)
        Self.startThread { [self] in acceptAll() }
    }

    /// Ends what accepts; those that stall end with their other side.
    func stop() {
        isEnding.withLock { $0 = true }
        shutdown(listener, CInt(SHUT_RDWR))
    }

    var host: String { "127.0.0.1:\(port)" }

    /// All that came, in its order.
    var requests: [Request] { log.withLock { $0 } }

    private static func startThread(_ body: @escaping @Sendable () -> Void) {
        final class Box: Sendable {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        var thread = pthread_t()
        let box = Unmanaged.passRetained(Box(body)).toOpaque()
        pthread_create(
            &thread, nil,
            {
                Unmanaged<Box>.fromOpaque($0!).takeRetainedValue().body()
                return nil
            }, box)
        pthread_detach(thread)
    }

    private func acceptAll() {
        while true {
            let connection = accept4(listener, .init(__sockaddr__: nil), nil, CInt(SOCK_CLOEXEC.rawValue))
            guard connection >= 0 else { break }
            Self.startThread { [self] in serve(connection) }
        }
        close(listener)
    }

    private func serve(_ connection: CInt) {
        defer { close(connection) }
        var pending: [UInt8] = []
        while let request = Self.read(connection, &pending) {
            log.withLock { $0.append(request) }
            for step in handler(request) {
                switch step {
                case .send(let bytes):
                    var sent = 0
                    while sent < bytes.count {
                        let count = bytes.withUnsafeBytes {
                            send(connection, $0.baseAddress! + sent, bytes.count - sent, CInt(MSG_NOSIGNAL))
                        }
                        guard count > 0 else { return }
                        sent += count
                    }
                case .stall:
                    var byte: UInt8 = 0
                    while recv(connection, &byte, 1, 0) > 0 {}
                    return
                case .pause(let milliseconds): usleep(milliseconds * 1000)
                case .close: return
                }
            }
        }
    }

    private static func read(_ connection: CInt, _ pending: inout [UInt8]) -> Request? {
        let separator = Array("\r\n\r\n".utf8)
        while true {
            if let end = (0..<max(pending.count - 3, 0)).first(where: {
                pending[$0..<($0 + 4)].elementsEqual(separator)
            }) {
                let lines = String(decoding: pending[..<end], as: UTF8.self).split(separator: "\r\n")
                let words = (lines.first ?? "").split(separator: " ")
                var headers: [String: String] = [:]
                for line in lines.dropFirst() {
                    let parts = line.split(separator: ":", maxSplits: 1)
                    headers[parts[0].lowercased()] = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
                }
                guard words.count == 3 else { return nil }
                let length = headers["content-length"].flatMap { Int($0) } ?? 0
                while pending.count < end + 4 + length {
                    guard receive(connection, &pending) else { return nil }
                }
                let body = Array(pending[(end + 4)..<(end + 4 + length)])
                pending.removeFirst(end + 4 + length)
                return Request(method: String(words[0]), path: String(words[1]), headers: headers, body: body)
            }
            guard receive(connection, &pending) else { return nil }
        }
    }

    private static func receive(_ connection: CInt, _ pending: inout [UInt8]) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(connection, &buffer, buffer.count, 0)
        if count > 0 { pending += buffer[..<count] }
        return count > 0
    }
}

extension [OwnServer.Step] {
    /// An answer as it should be.
    static func answer(
        _ status: Int, _ headers: [String: String] = [:], _ body: [UInt8] = [], isHead: Bool = false
    ) -> Self {
        [.send(head(status, headers.merging(["Content-Length": "\(body.count)"]) { $1 })), .send(isHead ? [] : body)]
    }

    static func head(_ status: Int, _ headers: [String: String]) -> [UInt8] {
        let lines = headers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)\r\n" }.joined()
        return [UInt8]("HTTP/1.1 \(status) Status\r\n\(lines)\r\n".utf8)
    }
}
