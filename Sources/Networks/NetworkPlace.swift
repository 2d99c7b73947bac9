import CLinux
import Glibc
public import Linux
public import SystemPackage

/// A network namespace, and the user namespace that owns it, if that is not this process' own.
public struct NetworkPlace: Sendable {
    public let user: FileDescriptor?
    public let network: FileDescriptor

    /// - Parameter user: Kept until `close`, as is the other.
    public init(user: FileDescriptor?, network: FileDescriptor) {
        self.user = user
        self.network = network
    }

    /// That of a process.
    public init(of pid: pid_t) throws(Failure) {
        let here = FileDescriptor.workingDirectory
        let isOwn = here.linkTarget(of: "/proc/\(pid)/ns/user") == here.linkTarget(of: "/proc/self/ns/user")
        var user: FileDescriptor?
        do throws(SystemCallError) {
            if !isOwn { user = try here.open("/proc/\(pid)/ns/user") }
            self.init(user: user, network: try here.open("/proc/\(pid)/ns/net"))
        } catch {
            user?.closeQuietly()
            throw Failure("open", "namespaces of process \(pid)", error)
        }
    }

    /// A network namespace of this process' own user namespace.
    ///
    /// - Parameter namespace: Stays the caller's.
    public init(network namespace: FileDescriptor) throws(Failure) {
        let path = "/proc/self/fd/\(namespace.rawValue)"
        let network = try step("open", path) { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.open(path)
        }
        self.init(user: nil, network: network)
    }

    public func close() {
        user?.closeQuietly()
        network.closeQuietly()
    }

    /// Makes this process one that is there; there is no way back.
    func enter() throws(SystemCallError) {
        if let user { try CurrentProcess.join(.user, file: user, named: "user") }
        try CurrentProcess.join(.network, file: network, named: "network")
    }

    /// Does something there, in a child: to be in a user namespace is for good.
    ///
    /// The caller must have one thread.
    ///
    /// - Throws: What `body` throws.
    public func run(_ body: () throws(Failure) -> Void) throws(Failure) {
        let report = try step("run", "in network namespace") { () throws(SystemCallError) in
            let (read, write) = try FileDescriptor.makePipe()
            defer { read.closeQuietly() }
            guard let child = try Clone.clone() else { work(body, report: write) }
            write.closeQuietly()
            defer { child.pidfd.closeQuietly() }
            let report = try read.readAll(limit: 1 << 16)
            return (status: try child.reap(), text: String(decoding: report, as: UTF8.self))
        }
        let parts = report.text.parts(between: "\0")
        if parts.count == 4 {
            throw Failure(parts[0], parts[1], parts[2], remedy: parts[3].isEmpty ? nil : parts[3])
        }
        if report.status != .exited(code: 0) {
            throw Failure("network", "child process", "ended with status \(report.status?.code ?? 1)")
        }
    }

    private func work(_ body: () throws(Failure) -> Void, report: FileDescriptor) -> Never {
        do throws(Failure) {
            try step("enter", "network namespace") { () throws(SystemCallError) in try enter() }
            try body()
            CurrentProcess.exitNow(0)
        } catch {
            let parts = [error.step, error.subject, error.reason, error.remedy ?? ""]
            try? report.writeFully(parts.joined(separator: "\0").utf8)  // `try?`: the status says as much
            CurrentProcess.exitNow(1)
        }
    }
}
