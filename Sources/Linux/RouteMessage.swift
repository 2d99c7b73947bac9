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

    mutating func append(attribute type: UInt16, number: some FixedWidthInteger) {
        append(attribute: type, withUnsafeBytes(of: number) { Array($0) })
    }

    /// A string, with the zero at its end that the kernel wants.
    mutating func append(attribute type: UInt16, text: String) {
        append(attribute: type, Array(text.utf8) + [0])
    }

    /// An attribute that is made of others, or of a fixed part and others.
    mutating func append(attribute type: UInt16, nested: (inout RouteMessage) -> Void) {
        let start = bytes.count
        append(UInt16(0))  // its length, known at the end
        append(type)
        nested(&self)
        withUnsafeBytes(of: UInt16(bytes.count - start)) { bytes.replaceSubrange(start..<(start + 2), with: $0) }
    }

    /// Gives the message its place among others.
    mutating func number(_ sequence: UInt32) {
        withUnsafeBytes(of: sequence) { bytes.replaceSubrange(8..<12, with: $0) }
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

    /// - Parameter family: What it is about: `NETLINK_ROUTE`, or `NETLINK_NETFILTER`.
    init(_ family: CInt = NETLINK_ROUTE) throws(SystemCallError) {
        socket = FileDescriptor(
            rawValue: try check("socket", "netlink") {
                Glibc.socket(AF_NETLINK, CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue), family)
            })
    }

    /// A socket stays in the namespace in which it was made.
    static func opened(in namespace: FileDescriptor) throws(SystemCallError) -> RouteSocket {
        let own = try FileDescriptor.workingDirectory.open("/proc/self/ns/net")
        defer { own.closeQuietly() }
        try CurrentProcess.join(.network, file: namespace, named: "network")
        let result = Result { () throws(SystemCallError) in try RouteSocket() }
        try CurrentProcess.join(.network, file: own, named: "network")
        return try result.get()
    }

    /// Asks for one thing.
    mutating func get(
        _ type: Int, named name: String, _ fill: (inout RouteMessage) -> Void
    ) throws(SystemCallError) -> RouteReply? {
        try ask(type, flags: Int(NLM_F_ACK), named: name, fill).first
    }

    /// Asks for several changes at once; each is made, even when one before it fails.
    ///
    /// - Throws: What was refused first.
    mutating func change(all messages: [(name: String, message: RouteMessage)]) throws(SystemCallError) {
        var bytes: [UInt8] = []
        let first = sequence + 1
        for (_, message) in messages {
            sequence += 1
            var message = message
            message.number(sequence)
            bytes += message.finished
        }
        try check("send", "'\(messages[0].name)'") {
            CInt(truncatingIfNeeded: send(socket.rawValue, bytes, bytes.count, 0))
        }
        var failure: SystemCallError?
        var answers = 0
        while answers < messages.count {
            for reply in try receive(messages[0].name) where reply.type == Int(NLMSG_ERROR) {
                answers += 1
                let error = -reply.number(0, as: Int32.self)
                // Behind the error comes the header of what it is about: length, type, flags, number.
                let index = Int(reply.number(12, as: UInt32.self) &- first)
                if error != 0, failure == nil, messages.indices.contains(index) {
                    failure = SystemCallError("rtnetlink", "'\(messages[index].name)'", Errno(rawValue: error))
                }
            }
        }
        if let failure { throw failure }
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
        for reply in try receive(name) {
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

    /// What the kernel has sent at once.
    private func receive(_ name: String) throws(SystemCallError) -> [RouteReply] {
        var replies: [RouteReply] = []
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
            replies.append(
                RouteReply(
                    type: Int(header.number(4, as: UInt16.self)), body: buffer[(offset + 16)..<(offset + length)])
            )
            offset += (length + 3) & ~3
        }
        return replies
    }
}
