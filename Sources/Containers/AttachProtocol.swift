// What a client and a supervisor say to each other over `attach.sock` or, where there are no streams to attach to,
// `control.sock`. Both are SOCK_SEQPACKET sockets: each message is one packet whose first byte says what it is. Input
// without a reader, and output beyond a client's pace, wait.

import CLinux
import Glibc
import Linux
import SystemPackage

/// A message from an attached client to the supervisor.
enum ClientMessage {
    /// Bytes for the container's standard input.
    case input(ArraySlice<UInt8>)
    /// The client's input has ended.
    case endOfInput
    /// The client's terminal has this size.
    case resize(WindowSize)
    /// A signal for the container's init.
    case signal(Int32)
    /// The client leaves on purpose; the container goes on.
    case detach
    /// The client is ready: what comes from now on is for it.
    case ready
}

/// A message from the supervisor to an attached client.
enum ServerMessage {
    case output(ArraySlice<UInt8>)
    case error(ArraySlice<UInt8>)
    /// The container has ended with this exit code, and with what its user should know about that, if not empty.
    case exited(Int32, notice: String = "")
    /// The container could not be started.
    case failed(Failure)
}

/// One side of an attach connection.
struct AttachConnection {
    let socket: FileDescriptor

    /// The most bytes of a stream that one packet carries.
    static let chunk = 32 << 10

    func send(_ message: ClientMessage) throws(SystemCallError) {
        try send(encode(message))
    }

    private func encode(_ message: ClientMessage) -> [UInt8] {
        switch message {
        case .input(let bytes): [UInt8(ascii: "i")] + bytes
        case .endOfInput: [UInt8(ascii: "e")]
        case .resize(let size): [UInt8(ascii: "w")] + Self.bytes(Int32(size.rows)) + Self.bytes(Int32(size.columns))
        case .signal(let number): [UInt8(ascii: "s")] + Self.bytes(number)
        case .detach: [UInt8(ascii: "d")]
        case .ready: [UInt8(ascii: "r")]
        }
    }

    static func encode(_ message: ServerMessage) -> [UInt8] {
        switch message {
        case .output(let bytes): [UInt8(ascii: "1")] + bytes
        case .error(let bytes): [UInt8(ascii: "2")] + bytes
        case .exited(let code, let notice): [UInt8(ascii: "x")] + bytes(code) + Array(notice.utf8.prefix(4096))
        case .failed(let failure):
            [UInt8(ascii: "f")] + bytes(failure.exitCode) + Array(failure.description.utf8.prefix(4096))
        }
    }

    /// - Returns: `nil` when the client is gone or sent what is no message.
    func receiveFromClient() throws(SystemCallError) -> ClientMessage? {
        let packet = try receive()
        guard let kind = packet.first else { return nil }
        let body = packet.dropFirst()
        switch kind {
        case UInt8(ascii: "i"): return .input(body)
        case UInt8(ascii: "e"): return .endOfInput
        case UInt8(ascii: "w"):
            guard let rows = Self.number(body), let columns = Self.number(body.dropFirst(4)) else { return nil }
            return .resize(WindowSize(rows: UInt16(clamping: rows), columns: UInt16(clamping: columns)))
        case UInt8(ascii: "s"): return Self.number(body).map { .signal($0) }
        case UInt8(ascii: "d"): return .detach
        case UInt8(ascii: "r"): return .ready
        default: return nil
        }
    }

    /// - Returns: `nil` when the supervisor is gone.
    func receiveFromServer() throws(SystemCallError) -> ServerMessage? {
        let packet = try receive()
        guard let kind = packet.first else { return nil }
        let body = packet.dropFirst()
        switch kind {
        case UInt8(ascii: "1"): return .output(body)
        case UInt8(ascii: "2"): return .error(body)
        case UInt8(ascii: "x"):
            let notice = String(decoding: body.dropFirst(4), as: UTF8.self)
            return Self.number(body).map { .exited($0, notice: notice) }
        case UInt8(ascii: "f"):
            guard let code = Self.number(body) else { return nil }
            return .failed(Failure("", "", String(decoding: body.dropFirst(4), as: UTF8.self), exitCode: code))
        default: return nil
        }
    }

    func send(_ bytes: [UInt8], flags: CInt = 0) throws(SystemCallError) {
        try check("send", "attach socket") {
            CInt(truncatingIfNeeded: Glibc.send(socket.rawValue, bytes, bytes.count, CInt(MSG_NOSIGNAL) | flags))
        }
    }

    /// - Returns: One message; nothing at the end.
    private func receive() throws(SystemCallError) -> ArraySlice<UInt8> {
        // An other end that was closed with something unread is reported once, before what it had sent.
        for _ in 0..<2 {
            do throws(SystemCallError) {
                return try receiveOnce()
            } catch  where error.errno == .connectionReset {
                continue
            }
        }
        return []
    }

    private func receiveOnce() throws(SystemCallError) -> ArraySlice<UInt8> {
        var bytes = [UInt8](repeating: 0, count: Self.chunk + 16)
        let count = try check("recv", "attach socket") {
            CInt(truncatingIfNeeded: Glibc.recv(socket.rawValue, &bytes, bytes.count, 0))
        }
        return bytes[..<Int(count)]
    }

    private static func bytes(_ number: Int32) -> [UInt8] {
        let bits = UInt32(bitPattern: number)
        return [UInt8(bits & 0xff), UInt8(bits >> 8 & 0xff), UInt8(bits >> 16 & 0xff), UInt8(bits >> 24)]
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int32? {
        guard bytes.count >= 4 else { return nil }
        return Int32(bitPattern: bytes.prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) })
    }
}

/// The socket that a supervisor listens on.
enum AttachSocket: String {
    /// Of a supervisor that passes the container's streams on.
    case attach = "attach.sock"
    /// Of one whose container has its runner's own streams: it takes signals, and tells how the container ended.
    case control = "control.sock"

    func listen(in directory: FileDescriptor) throws(SystemCallError) -> FileDescriptor {
        try directory.remove(rawValue)
        let socket = try Self.make()
        var address = try address(in: directory)
        try check("bind", "'\(rawValue)'") {
            apus_bind_unix(socket.rawValue, &address)
        }
        try check("listen", "'\(rawValue)'") { Glibc.listen(socket.rawValue, 16) }
        return socket
    }

    /// Connects to a container's supervisor, whichever socket it has.
    static func connectToAny(in directory: FileDescriptor) throws(SystemCallError) -> FileDescriptor {
        do throws(SystemCallError) {
            return try attach.connect(in: directory)
        } catch {
            return try control.connect(in: directory)
        }
    }

    func connect(in directory: FileDescriptor) throws(SystemCallError) -> FileDescriptor {
        let socket = try Self.make()
        var address = try address(in: directory)
        do throws(SystemCallError) {
            try check("connect", "'\(rawValue)'") {
                apus_connect_unix(socket.rawValue, &address)
            }
            return socket
        } catch {
            socket.closeQuietly()
            throw error
        }
    }

    private static func make() throws(SystemCallError) -> FileDescriptor {
        let type = CInt(SOCK_SEQPACKET.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        return FileDescriptor(rawValue: try check("socket") { socket(AF_UNIX, type, 0) })
    }

    /// By way of the open directory: its own path may be longer than a socket address can hold.
    private func address(in directory: FileDescriptor) throws(SystemCallError) -> sockaddr_un {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let path = "\(directory.path)/\(rawValue)"
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return address
    }
}
