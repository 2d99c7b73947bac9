import Glibc
import Linux
import SystemPackage
import Testing

/// Debian's docker-registry on a free port of loopback.
final class DockerRegistry {
    enum Kind {
        case plain
        /// With TLS by a CA of its own, and with the user `user` and the password `secret`.
        case tlsWithPassword
        /// With TLS by a CA of its own, and only for clients with a certificate of that CA.
        case tlsWithClientCertificate
    }

    static let isInstalled = FileDescriptor.workingDirectory.has("/usr/bin/docker-registry")

    let host: String
    /// In PEM; of the CA.
    private(set) var authority = ""
    private let pid: pid_t

    /// bcrypt of `secret`.
    private static let password = #"user:$2b$04$0tc0XnLqiByL4q.dRecCFeNygOzPN0vPsQq.haBRFd32JDkufCD66"#

    init(_ kind: Kind, in scene: Scene) throws {
        let port = Self.freePort()
        host = "127.0.0.1:\(port)"
        let directory = scene.directory
        var http = "  addr: \(host)\n"
        var auth = ""
        if kind != .plain {
            try Self.run([
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-keyout", "\(directory)/key.pem", "-out", "\(directory)/cert.pem", "-days", "2", "-subj", "/CN=test",
                "-addext", "subjectAltName=IP:127.0.0.1",
            ])
            authority = try scene.contents("cert.pem")
            http += "  tls:\n    certificate: \(directory)/cert.pem\n    key: \(directory)/key.pem\n"
            if kind == .tlsWithClientCertificate { http += "    clientcas: [\(directory)/cert.pem]\n" }
        }
        if kind == .tlsWithPassword {
            try scene.write("\(Self.password)\n", to: "htpasswd")
            auth = "auth:\n  htpasswd:\n    realm: r\n    path: \(directory)/htpasswd\n"
        }
        try scene.write(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: \(directory)/registry\n"
                + "http:\n\(http)\(auth)", to: "config.yml")
        pid = try Self.spawn(["docker-registry", "serve", "\(directory)/config.yml"])
        try waitUntilItListens(port)
    }

    deinit {
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }

    private func waitUntilItListens(_ port: UInt16) throws {
        for _ in 0..<3000 {
            let client = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
            defer { close(client) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            let connected = withUnsafePointer(to: &address) { pointer in
                connect(client, .init(__sockaddr_in__: pointer), socklen_t(MemoryLayout<sockaddr_in>.size))
            }
            if connected == 0 { return }
            if waitpid(pid, nil, WNOHANG) == pid { break }
            usleep(10_000)
        }
        Issue.record("docker-registry does not listen")
    }

    private static func freePort() -> UInt16 {
        let server = OwnServer { _ in [] }
        defer { server.stop() }
        return server.port
    }

    private static func spawn(_ words: [String]) throws -> pid_t {
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for stream in 0...2 { posix_spawn_file_actions_addopen(&actions, CInt(stream), "/dev/null", O_RDWR, 0) }
        var pid: pid_t = 0
        let error = posix_spawnp(&pid, words[0], &actions, nil, &arguments, environ)
        guard error == 0 else { throw SystemCallError("posix_spawn", words[0], Errno(rawValue: error)) }
        return pid
    }

    /// Runs a program to its end.
    static func run(_ words: [String]) throws {
        var status: CInt = 0
        let pid = try spawn(words)
        waitpid(pid, &status, 0)
        #expect(status == 0, "\(words.joined(separator: " "))")
    }
}
