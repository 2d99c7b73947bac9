import CLinux
import Glibc
import Linux
import SystemPackage

/// An engine's socket that waits for one descriptor: a terminal's, or a process'.
struct EngineListener {
    private let socket: FileDescriptor

    init(_ path: String) throws { socket = try Self.listen(at: path) }

    /// A stream socket at `path` that everybody may connect to.
    static func listen(at path: String) throws -> FileDescriptor {
        let socket = FileDescriptor(
            rawValue: try check("socket") {
                Glibc.socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
            })
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        try check("bind") { apus_bind_unix(socket.rawValue, &address) }
        try check("listen") { Glibc.listen(socket.rawValue, 4) }
        chmod(path, 0o777)
        return socket
    }

    /// Waits for a connection, and what comes over it; the caller closes that.
    func receive() throws -> FileDescriptor {
        _ = try Deadline.after().wait(for: [(socket, POLLIN)], "a connection")
        let connection = FileDescriptor(rawValue: try check("accept") { apus_accept(socket.rawValue) })
        defer { connection.closeQuietly() }
        _ = try Deadline.after().wait(for: [(connection, POLLIN)], "a descriptor")
        var descriptor: CInt = -1
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = DescriptorPassing.receive(&bytes, descriptor: &descriptor, from: connection)
        guard count > 0, descriptor >= 0 else { throw Unmet(reason: "a message without a descriptor") }
        return FileDescriptor(rawValue: descriptor)
    }

    func close() { socket.closeQuietly() }
}
