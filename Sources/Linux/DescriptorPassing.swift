import CLinux
import Glibc
public import SystemPackage

/// Bytes with an open descriptor along, over a Unix socket.
///
/// - Note: unix(7), `SCM_RIGHTS`; cmsg(3).
public enum DescriptorPassing {
    /// Room for one control message with one descriptor: `CMSG_SPACE(sizeof(int))`.
    private static let controlSpace = 24
    /// `CMSG_LEN(sizeof(int))`.
    private static let controlLength = 20

    /// Sends `bytes`, and `descriptor` with them.
    ///
    /// - Returns: As sendmsg(2): the count of bytes, or -1 with errno set.
    public static func send(_ bytes: [UInt8], descriptor: FileDescriptor?, over socket: FileDescriptor) -> CInt {
        var bytes = bytes
        return withMessage(&bytes) { message, space in
            if let descriptor {
                var header = cmsghdr()
                header.cmsg_len = controlLength
                header.cmsg_level = SOL_SOCKET
                header.cmsg_type = CInt(SCM_RIGHTS)
                space.storeBytes(of: header, as: cmsghdr.self)
                space.storeBytes(of: descriptor.rawValue, toByteOffset: 16, as: CInt.self)
            } else {
                message.msg_control = nil
                message.msg_controllen = 0
            }
            return CInt(truncatingIfNeeded: sendmsg(socket.rawValue, &message, CInt(MSG_NOSIGNAL)))
        }
    }

    /// Receives up to `bytes.count` bytes; a descriptor that came along is stored in `descriptor`, close-on-exec.
    ///
    /// - Returns: As recvmsg(2): the count of bytes, 0 at the end, or -1 with errno set.
    public static func receive(
        _ bytes: inout [UInt8], descriptor: inout CInt, from socket: FileDescriptor
    ) -> Int {
        withMessage(&bytes) { message, space in
            let count = recvmsg(socket.rawValue, &message, CInt(MSG_CMSG_CLOEXEC))
            guard count > 0, message.msg_controllen >= controlLength else { return count }
            let header = space.load(as: cmsghdr.self)
            if header.cmsg_level == SOL_SOCKET && header.cmsg_type == CInt(SCM_RIGHTS) {
                descriptor = space.load(fromByteOffset: 16, as: CInt.self)
            }
            return count
        }
    }

    /// A message of `bytes`, with room for one descriptor.
    @inline(__always)
    private static func withMessage<Result>(
        _ bytes: inout [UInt8], _ body: (inout msghdr, UnsafeMutableRawBufferPointer) -> Result
    ) -> Result {
        var control = [UInt64](repeating: 0, count: controlSpace / 8)
        return bytes.withUnsafeMutableBytes { data in
            control.withUnsafeMutableBytes { space in
                var vector = iovec(iov_base: data.baseAddress, iov_len: data.count)
                return withUnsafeMutablePointer(to: &vector) { vector in
                    var message = msghdr()
                    message.msg_iov = vector
                    message.msg_iovlen = 1
                    message.msg_control = space.baseAddress
                    message.msg_controllen = controlSpace
                    return body(&message, space)
                }
            }
        }
    }
}
