import CLinux
import Glibc
public import SystemPackage

/// Stream sockets of this machine, by their path.
///
/// - Note: unix(7).
public enum UnixSocket {
    /// Connects to whoever listens at `path`.
    ///
    /// - Returns: Close-on-exec; the caller closes it.
    /// - Throws: `ECONNREFUSED` when nobody listens; `EPROTOTYPE` for a socket that is no stream.
    public static func connect(to path: String) throws(SystemCallError) -> FileDescriptor {
        // An address holds 107 bytes of a path: a longer one is gone by way of a descriptor.
        guard path.utf8.count < MemoryLayout.size(ofValue: sockaddr_un().sun_path) else {
            let place = try FileDescriptor.workingDirectory.open(path, O_PATH)
            defer { place.closeQuietly() }
            return try connect(to: place.path)
        }
        let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        let socket = FileDescriptor(rawValue: try check("socket") { Glibc.socket(AF_UNIX, type, 0) })
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        do throws(SystemCallError) {
            try check("connect", "'\(path)'") { apus_connect_unix(socket.rawValue, &address) }
            return socket
        } catch {
            socket.closeQuietly()
            throw error
        }
    }
}
