import CLinux
import Glibc
import Linux
import SystemPackage

/// Where a D-Bus peer listens.
struct DBusAddress: Equatable {
    /// A path, or with a leading NUL an abstract name.
    var path: String
    /// Whether it is a message bus, on which systemd is one of many, or systemd itself.
    var isBus: Bool

    /// The Unix sockets of an address such as `unix:path=/run/user/1000/bus,guid=0;unix:abstract=/tmp/dbus`.
    ///
    /// - Note: D-Bus Specification, "Server Addresses".
    static func parse(_ text: String) -> [DBusAddress] {
        text.split(separator: ";").compactMap { address in
            guard address.hasPrefix("unix:") else { return nil }
            for pair in address.dropFirst(5).split(separator: ",") {
                let halves = pair.split(separator: "=", maxSplits: 1)
                guard halves.count == 2 else { continue }
                if halves[0] == "path" { return DBusAddress(path: unescape(halves[1]), isBus: true) }
                if halves[0] == "abstract" { return DBusAddress(path: "\0" + unescape(halves[1]), isBus: true) }
            }
            return nil
        }
    }

    private static func unescape(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(Substring(rest.prefix(2)), radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// A connection to one D-Bus peer, for a few calls: everything on it ends by its deadline.
final class DBusConnection {
    private let socket: FileDescriptor
    private let deadline: Deadline
    private let isBus: Bool
    private var serial: UInt32 = 0
    private var received: ArraySlice<UInt8> = []
    /// Signals that came while a reply was waited for.
    private var signals: [DBusMessage] = []

    /// Connects and authenticates, on a bus also as a member that hears of systemd's jobs.
    init(_ address: DBusAddress, deadline: Deadline) throws(DBusError) {
        socket = try Self.connect(address.path)
        self.deadline = deadline
        isBus = address.isBus
        try authenticate()
        guard isBus else { return }
        _ = try call("Hello", of: "org.freedesktop.DBus", at: "/org/freedesktop/DBus", to: "org.freedesktop.DBus")
        var rule = DBusWriter()
        rule.string(
            "type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.systemd1.Manager',"
                + "member='JobRemoved'")
        _ = try call(
            "AddMatch", of: "org.freedesktop.DBus", at: "/org/freedesktop/DBus", to: "org.freedesktop.DBus", "s", rule)
        _ = try call("org.freedesktop.systemd1.Manager", "Subscribe", nil, DBusWriter())
    }

    deinit { socket.closeQuietly() }

    private static func connect(_ path: String) throws(DBusError) -> FileDescriptor {
        let fd = Glibc.socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard fd >= 0 else { throw DBusError("socket: \(Errno(rawValue: Glibc.errno).reason)") }
        let socket = FileDescriptor(rawValue: fd)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.utf8)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard name.count < room else {
            socket.closeQuietly()
            throw DBusError("'\(path)' is too long for a socket", isNotThere: true)
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        // An abstract name ends where its length says, a path with its NUL.
        let length = MemoryLayout<sa_family_t>.size + name.count + (name.first == 0 ? 0 : 1)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(fd, .init(__sockaddr__: $0), socklen_t(length))
            }
        }
        guard result == 0 else {
            let errno = Errno(rawValue: Glibc.errno)
            socket.closeQuietly()
            // What is not permitted is another user's, whose variables su has left.
            let isNotThere =
                [.noSuchFileOrDirectory, .connectionRefused, .notDirectory, .permissionDenied].contains(errno)
            throw DBusError("connect '\(path)': \(errno.reason)", isNotThere: isNotThere)
        }
        return socket
    }

    /// By what the kernel tells the peer of this process.
    ///
    /// - Note: D-Bus Specification, "Authentication Protocol", EXTERNAL.
    private func authenticate() throws(DBusError) {
        let digits = Array("0123456789abcdef".utf8)
        let identity = "\(geteuid())".utf8.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        try send([0] + Array("AUTH EXTERNAL ".utf8) + identity + Array("\r\nBEGIN\r\n".utf8))
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                let line = received[..<end]
                received = received[(end + 1)...]
                if line.starts(with: "OK ".utf8) { return }
                throw DBusError("systemd refuses to talk to this user")
            }
            guard received.count < 4096 else { throw DBusError("no D-Bus peer answers") }
            try receive()
        }
    }

    /// Calls a method of systemd's manager.
    func call(
        _ interface: String, _ member: String, _ signature: String?, _ body: DBusWriter
    ) throws(DBusError) -> DBusMessage {
        try call(
            member, of: interface, at: "/org/freedesktop/systemd1", to: isBus ? "org.freedesktop.systemd1" : nil,
            signature, body)
    }

    private func call(
        _ member: String, of interface: String, at path: String, to destination: String?, _ signature: String? = nil,
        _ body: DBusWriter = DBusWriter()
    ) throws(DBusError) -> DBusMessage {
        serial += 1
        var message = DBusMessage(call: member, of: interface, at: path, to: destination, serial: serial)
        message.signature = signature
        message.body = body.bytes
        try send(message.encoded())
        while true {
            let answer = try nextMessage()
            switch answer.kind {
            case .signal: signals.append(answer)
            case .reply where answer.replySerial == serial: return answer
            case .error where answer.replySerial == serial: throw Self.error(answer)
            default: continue
            }
        }
    }

    private static func error(_ message: DBusMessage) -> DBusError {
        var reader = DBusReader(message.body)
        let text = message.signature?.hasPrefix("s") == true ? try? reader.string() : nil  // `try?`: its name says it
        return DBusError("systemd: \(text ?? message.errorName ?? "unknown error")", name: message.errorName)
    }

    /// The next signal of this name, those first that came meanwhile.
    func nextSignal(_ member: String) throws(DBusError) -> DBusMessage {
        while !signals.isEmpty {
            let signal = signals.removeFirst()
            if signal.member == member { return signal }
        }
        while true {
            let message = try nextMessage()
            if message.kind == .signal && message.member == member { return message }
        }
    }

    private func nextMessage() throws(DBusError) -> DBusMessage {
        while true {
            if let length = try DBusMessage.length(of: received), received.count >= length {
                let message = received.prefix(length)
                received = received.dropFirst(length)
                return try DBusMessage(message)
            }
            try receive()
        }
    }

    private func receive() throws(DBusError) {
        try wait(for: POLLIN)
        var buffer = [UInt8](repeating: 0, count: 16384)
        let count = recv(socket.rawValue, &buffer, buffer.count, CInt(MSG_DONTWAIT))
        if count < 0 {
            let errno = Errno(rawValue: Glibc.errno)
            if errno == .interrupted || errno == .wouldBlock { return }
            throw DBusError("recv: \(errno.reason)")
        }
        guard count > 0 else { throw DBusError("systemd closed the connection") }
        received = ArraySlice(Array(received) + buffer[..<count])
    }

    private func send(_ bytes: [UInt8]) throws(DBusError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            try wait(for: POLLOUT)
            let count = rest.withUnsafeBytes {
                Glibc.send(
                    socket.rawValue, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL | MSG_DONTWAIT))
            }
            if count < 0 {
                let errno = Errno(rawValue: Glibc.errno)
                if errno == .interrupted || errno == .wouldBlock { continue }
                throw DBusError("send: \(errno.reason)")
            }
            rest = rest.dropFirst(count)
        }
    }

    private func wait(for event: CInt) throws(DBusError) {
        var entry = pollfd(fd: socket.rawValue, events: Int16(event), revents: 0)
        guard poll(&entry, 1, deadline.milliseconds) == 0 else { return }
        throw DBusError("systemd did not answer within \(DelegatedUnit.patience) s")
    }
}
