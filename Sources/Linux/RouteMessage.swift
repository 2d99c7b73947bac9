import CLinux
import Glibc
import SystemPackage

/// One message of rtnetlink: a header, a fixed part, attributes.
///
/// - Note: rtnetlink(7), netlink(7); numbers are the machine's own, all parts aligned to 4 bytes.
struct RouteMessage {
    private(set) var bytes: [UInt8] = []

    init(type: Int, flags: Int, sequence: UInt32) {
        append(UInt32(0))  // the length, known at the end
        append(UInt16(type))
        append(UInt16(flags | Int(NLM_F_REQUEST)))
        append(sequence)
        append(UInt32(0))
    }

    /// With its length.
    var finished: [UInt8] {
        var result = bytes
        withUnsafeBytes(of: UInt32(bytes.count)) { result.replaceSubrange(0..<4, with: $0) }
        return result
    }

    mutating func append<Number: FixedWidthInteger>(_ number: Number) {
        withUnsafeBytes(of: number) { bytes += $0 }
    }

    /// The fixed part of a message on a link.
    mutating func appendLink(index: Int32, flags: UInt32 = 0, change: UInt32 = 0) {
        append(UInt32(0))  // family, padding, type
        append(index)
        append(flags)
        append(change)
    }

    mutating func append(attribute type: UInt16, _ value: some Collection<UInt8>) {
        append(UInt16(4 + value.count))
        append(type)
        bytes += value
        while bytes.count % 4 != 0 { bytes.append(0) }
    }
}

/// A message that the kernel has sent.
struct RouteReply {
    let type: Int
    /// What follows the header.
    let body: ArraySlice<UInt8>

    /// A number in the body, `offset` bytes behind its start.
    func number<Number: FixedWidthInteger>(_ offset: Int, as: Number.Type = Number.self) -> Number {
        body.withUnsafeBytes {
            $0.count >= offset + MemoryLayout<Number>.size
                ? $0.loadUnaligned(fromByteOffset: offset, as: Number.self) : 0
        }
    }

    /// The attributes behind a fixed part of this many bytes.
    func attributes(after size: Int) -> [(type: UInt16, value: ArraySlice<UInt8>)] {
        var result: [(type: UInt16, value: ArraySlice<UInt8>)] = []
        var offset = size
        while offset + 4 <= body.count {
            let length = Int(number(offset, as: UInt16.self))
            guard length >= 4, offset + length <= body.count else { break }
            let start = body.startIndex + offset
            result.append((number(offset + 2, as: UInt16.self), body[(start + 4)..<(start + length)]))
            offset += (length + 3) & ~3
        }
        return result
    }
}

/// A conversation with the kernel about the network of one namespace: the one that this process is in when it begins.
struct RouteSocket {
    let socket: FileDescriptor
    private var sequence: UInt32 = 0

    init() throws(SystemCallError) {
        socket = FileDescriptor(
            rawValue: try check("socket", "rtnetlink") {
                Glibc.socket(AF_NETLINK, CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue), NETLINK_ROUTE)
            })
    }

    /// Asks for a change and waits until it is done.
    mutating func change(
        _ type: Int, flags: Int = 0, named name: String, _ fill: (inout RouteMessage) -> Void
    ) throws(SystemCallError) {
        _ = try ask(type, flags: flags | Int(NLM_F_ACK), named: name, fill)
    }

    /// Asks for all there is of a kind.
    mutating func list(
        _ type: Int, named name: String, _ fill: (inout RouteMessage) -> Void
    ) throws(SystemCallError) -> [RouteReply] {
        try ask(type, flags: Int(NLM_F_DUMP), named: name, fill)
    }

    private mutating func ask(
        _ type: Int, flags: Int, named name: String, _ fill: (inout RouteMessage) -> Void
    ) throws(SystemCallError) -> [RouteReply] {
        sequence += 1
        var message = RouteMessage(type: type, flags: flags, sequence: sequence)
        fill(&message)
        let bytes = message.finished
        try check("send", "'\(name)'") { CInt(truncatingIfNeeded: send(socket.rawValue, bytes, bytes.count, 0)) }
        var replies: [RouteReply] = []
        while try !receive(into: &replies, name) {}
        return replies
    }

    /// - Returns: Whether that was the end of the answer.
    private func receive(into replies: inout [RouteReply], _ name: String) throws(SystemCallError) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = Int(
            try check("recv", "'\(name)'") {
                CInt(truncatingIfNeeded: recv(socket.rawValue, &buffer, buffer.count, 0))
            })
        var offset = 0
        while offset + 16 <= count {
            let header = RouteReply(type: 0, body: buffer[offset..<count])
            let length = Int(header.number(0, as: UInt32.self))
            guard length >= 16, offset + length <= count else { break }
            let reply = RouteReply(
                type: Int(header.number(4, as: UInt16.self)), body: buffer[(offset + 16)..<(offset + length)])
            offset += (length + 3) & ~3
            if reply.type == Int(NLMSG_DONE) { return true }
            guard reply.type == Int(NLMSG_ERROR) else {
                replies.append(reply)
                continue
            }
            let error = -reply.number(0, as: Int32.self)
            if error != 0 { throw SystemCallError("rtnetlink", "'\(name)'", Errno(rawValue: error)) }
            return true
        }
        return false
    }
}
