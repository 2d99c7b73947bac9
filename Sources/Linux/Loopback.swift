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
        var request = ifreq()
        requestUp(&request)
        try check("ioctl", "SIOCSIFFLAGS 'lo'") { apus_ioctl_ptr(socket.rawValue, UInt(SIOCSIFFLAGS), &request) }
    }

    /// Makes `request` the one that sets it up.
    static func requestUp(_ request: inout ifreq) {
        withUnsafeMutableBytes(of: &request) {
            // 16 bytes of name, then a union that begins with the flags
            $0.storeBytes(of: UInt8(ascii: "l"), as: UInt8.self)
            $0.storeBytes(of: UInt8(ascii: "o"), toByteOffset: 1, as: UInt8.self)
            $0.storeBytes(of: UInt16(IFF_UP), toByteOffset: 16, as: UInt16.self)
        }
    }
}
