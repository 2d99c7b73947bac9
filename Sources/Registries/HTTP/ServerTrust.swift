import Linux
import NIOSSL
import Synchronization
import SystemPackage

/// Whose certificates are believed, and which one of ours is shown, for one registry.
///
/// - Note: containers-certs.d(5): `HOST[:PORT]/*.crt` are further CAs, `*.cert` with its `*.key` is the client's own.
final class ServerTrust: Sendable {
    private let isInsecure: Bool
    /// Read when first needed: parsing certificates takes longer than a request.
    private let configuration = Mutex<TLSConfiguration?>(nil)
    private let directories: [String]
    /// `HOST[:PORT]` that the directories have it by; for no other server a client's certificate is meant.
    private let authority: String

    /// - Parameters:
    ///   - authority: `HOST[:PORT]` as references have it.
    ///   - isInsecure: Whether any certificate will do.
    ///   - directories: Where there may be a directory `HOST[:PORT]`; the first that has it counts.
    init(authority: String, isInsecure: Bool, directories: [String]) {
        self.authority = authority
        self.isInsecure = isInsecure
        self.directories = directories
    }

    /// The user's own first.
    static func directories() -> [String] {
        (variable(of: "HOME").map { ["\($0)/.config/containers/certs.d"] } ?? [])
            + ["/etc/containers/certs.d", "/etc/docker/certs.d"]
    }

    /// The directory with this registry's certificates.
    private var directory: String? {
        directories.map { "\($0)/\(authority)" }.first { FileDescriptor.workingDirectory.has($0) }
    }

    /// Whether somebody has set up certificates for this registry, so that it speaks TLS.
    var isSetUp: Bool { directory != nil }

    /// - Throws: When a file that is there cannot be read or is no certificate.
    func configuration(for address: WebAddress) throws(RequestFailure) -> TLSConfiguration {
        guard
            address.authority == authority || address.sharesOrigin(with: .init(.https, authority: authority) ?? address)
        else { return plain }
        if let known = configuration.withLock({ $0 }) { return known }
        let made = try makeConfiguration()
        configuration.withLock { $0 = made }
        return made
    }

    /// For a server that a registry redirects to.
    private var plain: TLSConfiguration {
        var result = TLSConfiguration.makeClientConfiguration()
        if isInsecure { result.certificateVerification = .none }
        return result
    }

    private func makeConfiguration() throws(RequestFailure) -> TLSConfiguration {
        var result = plain
        guard let directory else { return result }
        for name in try entries(of: directory) {
            let path = "\(directory)/\(name)"
            if name.hasSuffix(".crt") {
                result.additionalTrustRoots.append(.certificates(try certificates(path)))
            } else if name.hasSuffix(".cert") {
                let key = String(path.dropLast(4)) + "key"
                guard FileDescriptor.workingDirectory.has(key) else {
                    throw RequestFailure("'\(path)' has no key beside it", remedy: "put it in '\(key)'")
                }
                result.certificateChain = try certificates(path).map { .certificate($0) }
                result.privateKey = .privateKey(try privateKey(key))
            }
        }
        return result
    }

    private func entries(of directory: String) throws(RequestFailure) -> [String] {
        do throws(SystemCallError) {
            let opened = try FileDescriptor.workingDirectory.open(directory)
            defer { opened.closeQuietly() }
            return try opened.entries().sorted()
        } catch {
            throw RequestFailure("'\(directory)': \(error.errno.reason)")
        }
    }

    private func certificates(_ path: String) throws(RequestFailure) -> [NIOSSLCertificate] {
        let bytes = try contents(path)
        do {
            return try NIOSSLCertificate.fromPEMBytes(bytes)
        } catch {
            throw RequestFailure("'\(path)' has no certificate in it")
        }
    }

    private func privateKey(_ path: String) throws(RequestFailure) -> NIOSSLPrivateKey {
        let bytes = try contents(path)
        do {
            return try NIOSSLPrivateKey(bytes: bytes, format: .pem)
        } catch {
            throw RequestFailure("'\(path)' has no private key in it")
        }
    }

    private func contents(_ path: String) throws(RequestFailure) -> [UInt8] {
        do throws(SystemCallError) {
            return try FileDescriptor.workingDirectory.contents(of: path, limit: 1 << 20)
        } catch {
            throw RequestFailure("'\(path)': \(error.errno.reason)")
        }
    }
}
