import CLinux
import Glibc
public import SystemPackage

/// A network namespace in the making, its loopback interface up, while its future user does something else.
///
/// The kernel takes longer for it (0.6 ms) than for all other namespaces of a container together: the one thing of a
/// start that is worth a second processor. Whoever is to live in it receives it over a socket, as late as it can.
public struct NetworkPreparation: ~Copyable {
    /// Where `join` receives the namespace, once.
    public let receiver: FileDescriptor
    /// The other end, by which a namespace that was taken is handed on.
    public let sender: FileDescriptor
    private let work: UnsafeMutablePointer<apus_network_work>
    private let stack: UnsafeMutableRawPointer
    private let pid: pid_t

    private static let stackSize = 16 << 10

    /// Starts a process that shares this one's memory and descriptors, makes the namespace, sends it and ends.
    ///
    /// This process must have one thread, and keeps having one.
    ///
    /// - Returns: `nil` where no socket or no process can be had.
    /// - Note: clone3(2), `CLONE_VM` and `CLONE_FILES`; unix(7), `SCM_RIGHTS`.
    public static func start() -> NetworkPreparation? {
        let preparation = NetworkPreparation()
        guard preparation.pid > 0 else { return nil }
        return preparation
    }

    private init() {
        var ends: (receiver: CInt, sender: CInt) = (-1, -1)
        let type = CInt(SOCK_SEQPACKET.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        let isConnected = withUnsafeMutableBytes(of: &ends) {
            socketpair(AF_UNIX, type, 0, $0.baseAddress!.assumingMemoryBound(to: CInt.self)) == 0
        }
        receiver = FileDescriptor(rawValue: ends.receiver)
        sender = FileDescriptor(rawValue: ends.sender)
        stack = .allocate(byteCount: Self.stackSize, alignment: 16)
        work = Self.allocateWork(socket: ends.sender, anyByte: stack)
        guard isConnected else {
            pid = -1
            return
        }
        var arguments = clone_args()
        arguments.flags = UInt64(CLONE_VM | CLONE_FILES)
        arguments.stack = UInt64(UInt(bitPattern: stack))
        arguments.stack_size = UInt64(Self.stackSize)
        pid = pid_t(apus_clone3_on_stack(&arguments, apus_make_network, work))
    }

    /// What its maker is given: everything that needs memory is allocated before.
    private static func allocateWork(
        socket: CInt, anyByte: UnsafeMutableRawPointer
    ) -> UnsafeMutablePointer<apus_network_work> {
        let work = UnsafeMutablePointer<apus_network_work>.allocate(capacity: 1)
        work.initialize(to: apus_network_work())
        work.pointee.socket = socket
        Loopback.requestUp(&work.pointee.interface)
        work.pointee.byte = iovec(iov_base: anyByte, iov_len: 1)  // the descriptor is the message
        work.pointee.control.header.cmsg_len = 20
        work.pointee.control.header.cmsg_level = SOL_SOCKET
        work.pointee.control.header.cmsg_type = CInt(SCM_RIGHTS)
        work.pointee.message.msg_iovlen = 1
        work.pointee.message.msg_controllen = 24
        withUnsafeMutablePointer(to: &work.pointee.byte) { work.pointee.message.msg_iov = $0 }
        withUnsafeMutablePointer(to: &work.pointee.control) { work.pointee.message.msg_control = .init($0) }
        return work
    }

    deinit {
        // Without __WALL a child that sends no signal at its end is not waited for.
        while pid > 0, waitpid(pid, nil, apus_wait_all) < 0, errno == EINTR {}
        receiver.closeQuietly()
        sender.closeQuietly()
        work.deallocate()
        stack.deallocate()
    }

    /// Waits for the namespace and takes it, for somebody who has something to do in it before `join`.
    ///
    /// - Returns: The caller closes it.
    /// - Throws: `EPERM` where none could be made.
    public static func take(from receiver: FileDescriptor) throws(SystemCallError) -> FileDescriptor {
        var byte: [UInt8] = [0]
        var namespace: CInt = -1
        try check("recvmsg", "network namespace") {
            CInt(DescriptorPassing.receive(&byte, descriptor: &namespace, from: receiver))
        }
        guard namespace >= 0 else { throw SystemCallError("unshare", "network namespace", .notPermitted) }
        return FileDescriptor(rawValue: namespace)
    }

    /// Hands a namespace on to who will call `join`.
    public static func hand(_ namespace: FileDescriptor, over sender: FileDescriptor) throws(SystemCallError) {
        try check("sendmsg", "network namespace") { DescriptorPassing.send([0], descriptor: namespace, over: sender) }
    }

    /// Waits for the namespace and moves this process into it; makes another where it could not be made, or says why not.
    public static func join(from receiver: FileDescriptor) throws(SystemCallError) {
        var byte: [UInt8] = [0]
        var namespace: CInt = -1
        let count = try check("recvmsg", "network namespace") {
            CInt(DescriptorPassing.receive(&byte, descriptor: &namespace, from: receiver))
        }
        guard count > 0, namespace >= 0 else {
            try CurrentProcess.unshare(.network)
            return try Loopback.bringUp()
        }
        let file = FileDescriptor(rawValue: namespace)
        defer { file.closeQuietly() }
        try CurrentProcess.join(.network, file: file, named: "network")
    }
}
