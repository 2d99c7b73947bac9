import FoundationEssentials
import Glibc
import Linux
import SystemPackage
import Testing

extension Requirement {
    static let registry: ConditionTrait = .enabled(
        if: LocalRegistry.isInstalled || Machine.isCI, "needs docker-registry, curl and skopeo")
}

/// Debian's docker-registry on a free port of loopback, empty at first.
final class LocalRegistry {
    static let isInstalled = ["docker-registry", "curl", "skopeo"].allSatisfy { access("/usr/bin/\($0)", X_OK) == 0 }

    /// As references to its images begin.
    let host: String
    private let directory: String
    private let server: RunningProcess

    init() throws {
        let port = try Self.freePort()
        host = "127.0.0.1:\(port)"
        directory = makeTemporaryDirectory("apus-registry")
        let settings = """
            version: 0.1
            log: {level: error, accesslog: {disabled: true}}
            storage: {filesystem: {rootdirectory: \(directory)/data}}
            http: {addr: "\(host)"}
            """
        try settings.write(toFile: "\(directory)/config.yml", atomically: false, encoding: .utf8)
        server = try RunningProcess(
            ["/usr/bin/docker-registry", "serve", "\(directory)/config.yml"], environment: [:], directory: directory)
        let words = ["curl", "-sf", "--retry", "20", "--retry-connrefused", "--retry-delay", "1", "http://\(host)/v2/"]
        let ready = try RunningProcess(["/usr/bin/env"] + words, environment: [:], directory: "/").wait()
        try #require(ready.status == 0, "docker-registry does not listen: \(ready)")
    }

    deinit {
        stop()
        // `try?`: a directory in /tmp that stays is no failed test
        try? FileManager.default.removeItem(atPath: directory)
    }

    func stop() {
        // `try?`: it has been stopped already
        try? server.send(SIGKILL)
        _ = try? server.waitForEnd()
    }

    private static func freePort() throws -> UInt16 {
        let listener = try check("socket", "") { socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0) }
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        try check("bind", "") {
            withUnsafeMutablePointer(to: &address) { pointer in
                let bound = bind(listener, .init(__sockaddr_in__: UnsafePointer(pointer)), length)
                return bound == 0 ? getsockname(listener, .init(__sockaddr_in__: pointer), &length) : bound
            }
        }
        return UInt16(bigEndian: address.sin_port)
    }
}
