// What a container's init and its supervisor say to each other, in this order, over one socket pair:
//
//   init  → supervisor   .mapIDs            only with a new user namespace whose map needs the supervisor
//   supervisor → init    .proceed           only after .mapIDs
//   init  → supervisor   .hooks             only with hooks that run outside, before the pivot
//   supervisor → init    .proceed           after them
//   init  → supervisor   .console + fd      only with a terminal: the master side of its pseudo-terminal
//   init  → supervisor   .listener + fd     only with a filter that asks: where its questions are read
//   supervisor → init    .proceed           only after .listener, which may come after .executing
//   init  → supervisor   .netDevices        only with network devices of the host: its network namespace is there
//   supervisor → init    .proceed           only after .netDevices
//   init  → supervisor   .view + fd         only when asked for: its mount namespace, which so outlives it
//   init  → supervisor   .note              any time: something that the user should know
//   init  → supervisor   .executing         everything is set up
//   child → parent       .tree + fd         from an errand into another mount namespace: a mount from there
//   init  → supervisor   .failed            a step failed; init has ended
//   (end of file)                           after .executing: init runs the container's command, as the socket is
//                                           close-on-exec, or waits at its gate; before it: init was killed
//
// Anything else is an error.

import CLinux
import Glibc
import Linux
import SystemPackage

/// A message between a container's init and its supervisor.
enum Message {
    case mapIDs
    case proceed
    case hooks
    case console(FileDescriptor)
    case note(String)
    case tree(FileDescriptor)
    case listener(FileDescriptor)
    case netDevices
    case view(FileDescriptor)
    case executing
    case failed(Failure)
    /// The other side is gone, or has started the container's command.
    case end
}

/// One end of the socket pair between init and its supervisor.
struct Channel {
    let socket: FileDescriptor

    /// The most bytes that one message may have; a longer failure is cut.
    static let limit = 4096

    /// Makes the pair.
    static func makePair() throws(SystemCallError) -> (supervisor: Channel, initProcess: Channel) {
        var ends: [CInt] = [0, 0]
        let type = CInt(SOCK_SEQPACKET.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        try check("socketpair") { socketpair(AF_UNIX, type, 0, &ends) }
        return (Channel(socket: FileDescriptor(rawValue: ends[0])), Channel(socket: FileDescriptor(rawValue: ends[1])))
    }

    /// Sends a message, whole.
    func send(_ message: Message) throws(SystemCallError) {
        switch message {
        case .mapIDs: try send(bytes: [UInt8(ascii: "m")])
        case .proceed: try send(bytes: [UInt8(ascii: "p")])
        case .hooks: try send(bytes: [UInt8(ascii: "h")])
        case .console(let terminal): try send(bytes: [UInt8(ascii: "c")], descriptor: terminal)
        case .tree(let tree): try send(bytes: [UInt8(ascii: "t")], descriptor: tree)
        case .netDevices: try send(bytes: [UInt8(ascii: "d")])
        case .listener(let listener): try send(bytes: [UInt8(ascii: "l")], descriptor: listener)
        case .view(let mounts): try send(bytes: [UInt8(ascii: "v")], descriptor: mounts)
        case .note(let text): try send(bytes: Array([UInt8(ascii: "n")] + text.utf8.prefix(Self.limit - 1)))
        case .executing: try send(bytes: [UInt8(ascii: "x")])
        case .failed(let failure): try send(bytes: Array(Self.encode(failure).prefix(Self.limit)))
        case .end: break
        }
    }

    /// Waits for the next message.
    func receive() throws(SystemCallError) -> Message {
        var bytes = [UInt8](repeating: 0, count: Self.limit)
        var descriptor: CInt = -1
        let count = Int(
            try check("recvmsg") { CInt(truncatingIfNeeded: Self.receive(socket.rawValue, &bytes, &descriptor)) })
        switch count == 0 ? 0 : bytes[0] {
        case UInt8(ascii: "m"): return .mapIDs
        case UInt8(ascii: "p"): return .proceed
        case UInt8(ascii: "h"): return .hooks
        case UInt8(ascii: "c") where descriptor >= 0: return .console(FileDescriptor(rawValue: descriptor))
        case UInt8(ascii: "t") where descriptor >= 0: return .tree(FileDescriptor(rawValue: descriptor))
        case UInt8(ascii: "d"): return .netDevices
        case UInt8(ascii: "l") where descriptor >= 0: return .listener(FileDescriptor(rawValue: descriptor))
        case UInt8(ascii: "v") where descriptor >= 0: return .view(FileDescriptor(rawValue: descriptor))
        case UInt8(ascii: "n"): return .note(String(decoding: bytes[1..<count], as: UTF8.self))
        case UInt8(ascii: "x"): return .executing
        case UInt8(ascii: "f"): return .failed(Self.decode(bytes[1..<count]))
        default: return .end
        }
    }

    static func encode(_ failure: Failure) -> [UInt8] {
        let fields = [
            "\(failure.exitCode)", failure.step, failure.subject, failure.reason, failure.remedy ?? "",
        ]
        return [UInt8(ascii: "f")] + Array(fields.joined(separator: "\0").utf8)
    }

    static func decode(_ bytes: ArraySlice<UInt8>) -> Failure {
        let fields = bytes.split(separator: 0, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        guard fields.count == 5 else { return Failure("start container", "", "its init sent a damaged report") }
        return Failure(
            fields[1], fields[2], fields[3], remedy: fields[4].isEmpty ? nil : fields[4],
            exitCode: Int32(fields[0]) ?? 125)
    }

    private func send(bytes: [UInt8], descriptor: FileDescriptor? = nil) throws(SystemCallError) {
        try check("sendmsg") {
            DescriptorPassing.send(bytes, descriptor: descriptor, over: socket)
        }
    }

    private static func receive(_ socket: CInt, _ bytes: inout [UInt8], _ descriptor: inout CInt) -> Int {
        DescriptorPassing.receive(&bytes, descriptor: &descriptor, from: FileDescriptor(rawValue: socket))
    }
}
