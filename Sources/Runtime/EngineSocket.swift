import CLinux
import Glibc
public import Linux
import SystemPackage

/// A Unix socket at which an engine waits for a descriptor: that of a container's terminal, or of a process.
///
/// - Note: runc's docs/terminals.md: one message with one descriptor.
public struct EngineSocket {
    private let path: String
    private let socket: FileDescriptor

    /// Connects to the socket at `path`.
    public init(connecting path: String) throws(Failure) {
        self.path = path
        do throws(SystemCallError) {
            socket = FileDescriptor(
                rawValue: try check("socket") {
                    Glibc.socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
                })
            try Self.connect(socket, to: path)
        } catch {
            throw Failure("connect", path, error)
        }
    }

    /// Sends the master side of a terminal, and closes the socket.
    public func send(terminal: FileDescriptor) throws(Failure) {
        try send(terminal, named: "/dev/ptmx")
    }

    /// Sends a descriptor that stands for a process (pidfd_open(2)), and closes the socket.
    public func send(process: ProcessHandle) throws(Failure) {
        try send(process.pidfd, named: "pidfd")
    }

    /// - Parameter name: Anything: a descriptor comes only with at least one byte.
    private func send(_ descriptor: FileDescriptor, named name: StaticString) throws(Failure) {
        defer { socket.closeQuietly() }
        _ = try step("send descriptor", path) { () throws(SystemCallError) in
            try check("sendmsg", "'\(path)'") {
                DescriptorPassing.send(Array("\(name)".utf8), descriptor: descriptor, over: socket)
            }
        }
    }

    /// By its directory, since a socket's address has room for 107 bytes only.
    private static func connect(_ socket: FileDescriptor, to path: String) throws(SystemCallError) {
        let file = try FileDescriptor.workingDirectory.open(path, O_PATH)
        defer { file.closeQuietly() }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: file.path.utf8) }
        try check("connect", "'\(path)'") { apus_connect_unix(socket.rawValue, &address) }
    }
}

/// The file in which an engine looks for a PID.
public struct PIDFile {
    private let path: String
    private let directory: FileDescriptor

    /// Takes hold of the directory that the file is to be in.
    public init(_ path: String) throws(Failure) {
        self.path = path
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        directory = try step("write --pid-file", path) { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.open(
                slash == path.startIndex ? "/" : String(path[..<slash]), O_RDONLY | O_DIRECTORY)
        }
    }

    /// Writes it whole: who finds the file finds the number.
    public func write(_ pid: pid_t) throws(Failure) {
        defer { directory.closeQuietly() }
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let name = slash.map { String(path[path.utf8.index(after: $0)...]) } ?? path
        try step("write --pid-file", path) { () throws(SystemCallError) in
            try directory.replaceFile(name, with: "\(pid)".utf8, mode: 0o644)
        }
    }
}
