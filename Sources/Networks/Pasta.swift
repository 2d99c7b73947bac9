import CLinux
import Glibc
public import Linux
import SystemPackage

/// The helper by which an ordinary user's container reaches what its user reaches, without any right over the machine's
/// network.
///
/// - Note: pasta(1), of Debian's `passt`.
public struct Pasta: Sendable {
    private let process: ProcessHandle

    /// The name server that containers ask where the machine's own is one that only the machine reaches.
    public static let resolver = IPAddress(isIPv6: false, value: 0xa9fe_0001)  // 169.254.0.1

    /// The name of its device in a container that is in networks too, or has a rate; elsewhere it is that of the machine's.
    public static let device = "pasta0"

    /// Whether it can be had here, or why not.
    public static func obstacle() -> Failure? {
        if ProgramPath.find("pasta") == nil { return HelperProgram.missing("pasta", package: "passt") }
        if access("/dev/net/tun", R_OK | W_OK) == 0 { return nil }
        return Failure(
            "network", "/dev/net/tun", "not for this user: pasta cannot make its device",
            remedy: "have it made readable and writable for all, as it is elsewhere, or use --network none or host")
    }

    /// Connects the network namespace of a process; returns once it is connected.
    ///
    /// The caller must have one thread. Pasta ends with it, however it ends.
    ///
    /// - Parameters:
    ///   - process: One that is in the namespace, and in the user namespace that owns it.
    ///   - ports: What of the machine's ports leads into it, with their numbers.
    ///   - device: Its device's name there; that of the machine's device if `nil`.
    /// - Throws: What pasta says, in one line.
    public static func start(
        for process: pid_t, ports: [PublishedPort], device: String? = nil
    ) throws(Failure) -> Pasta {
        guard let path = ProgramPath.find("pasta") else {
            throw HelperProgram.missing("pasta", package: "passt")
        }
        let arguments =
            ["pasta", "-f", "-q", "-e", "--config-net", "--no-map-gw", "--dns-forward", resolver.text]
            + forwarding(ports, .tcp, "-t") + forwarding(ports, .udp, "-u")
            // It writes its number where it also complains: whichever comes first says how it went.
            + ["-T", "none", "-U", "none", "-P", "/proc/self/fd/2"]
            // Root's pasta would become nobody, who has no right to the namespace; it drops its rights all the same.
            + (geteuid() == 0 ? ["--runas", "0"] : []) + (device.map { ["-I", $0] } ?? []) + [
                "--userns", "/proc/\(process)/ns/user", "--netns", "/proc/\(process)/ns/net",
            ]
        let (read, child) = try step("run", "pasta") { () throws(SystemCallError) in
            let (read, write) = try FileDescriptor.makePipe()
            defer { write.closeQuietly() }
            let null = try FileDescriptor.workingDirectory.open("/dev/null", O_RDWR)
            defer { null.closeQuietly() }
            let parent = getpid()
            guard let child = try Clone.clone() else {
                try? CurrentProcess.dieWithParent()  // `try?`: never refused
                if getppid() != parent { CurrentProcess.exitNow(1) }  // it ended before that took effect
                HelperProgram.execute(path, arguments, streams: [null, null, write])
            }
            return (read, child)
        }
        defer { read.closeQuietly() }
        let pasta = Pasta(process: child)
        var reason = ""
        // `try?`: without an answer it has failed
        while let line = try? line(of: read), !line.isEmpty {
            if pid_t(line) != nil { return pasta }
            // What it says is also for syslog, which need not be there. It begins its lines with the time.
            if !line.hasSuffix("to syslog") {
                reason = line.split(separator: ": ", maxSplits: 1).last.map { String($0) } ?? ""
            }
        }
        pasta.stop()
        throw Failure("network", "pasta", reason.isEmpty ? "ended without a word" : reason, remedy: "see pasta(1)")
    }

    private static func line(of pipe: FileDescriptor) throws(SystemCallError) -> String {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while line.count < 1024,
            try check("read", "pasta", { CInt(truncatingIfNeeded: read(pipe.rawValue, &byte, 1)) }) > 0,
            byte != UInt8(ascii: "\n")
        {
            line.append(byte)
        }
        return String(decoding: line, as: UTF8.self)
    }

    /// - Note: pasta(1), `-t`: `ADDRESS/PORT:INSIDE`.
    private static func forwarding(_ ports: [PublishedPort], _ kind: PortProtocol, _ flag: String) -> [String] {
        let specifications = ports.filter { $0.kind == kind }.map { port in
            "\(port.address.map { "\($0.text)/" } ?? "")\(port.hostPort):\(port.containerPort)"
        }
        return specifications.isEmpty ? [flag, "none"] : specifications.flatMap { [flag, $0] }
    }

    public var pid: pid_t { process.pid }

    /// Ends it.
    public func stop() {
        _ = try? process.send(SIGKILL)  // `try?`: it has ended, which is what is wanted
        _ = try? process.reap()  // `try?`: as above
        process.pidfd.closeQuietly()
    }
}
