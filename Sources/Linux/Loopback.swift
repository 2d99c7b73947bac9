import CLinux
import Glibc
import SystemPackage

/// The loopback interface of this network namespace.
public enum Loopback {
    /// Sets it up; a new network namespace has it down.
    ///
    /// - Note: netdevice(7), `SIOCSIFFLAGS`.
    public static func bringUp() throws(SystemCallError) {
        let socket = FileDescriptor(
            rawValue: try check("socket") {
                Glibc.socket(AF_INET, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
            })
        defer { socket.closeQuietly() }
        // struct ifreq: 16 bytes of name, then a union of 24 that begins with the flags
        var request = [UInt8](repeating: 0, count: 40)
        request.replaceSubrange(0..<2, with: "lo".utf8)
        let flags = UInt16(IFF_UP)
        request.replaceSubrange(16..<18, with: [UInt8(flags & 0xff), UInt8(flags >> 8)])
        try check("ioctl", "SIOCSIFFLAGS 'lo'") { apus_ioctl_ptr(socket.rawValue, UInt(SIOCSIFFLAGS), &request) }
    }
}
