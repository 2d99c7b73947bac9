import Linux
import OCI
import SystemPackage

/// The credentials that one file has, as Podman and Docker write them.
///
/// - Note: containers-auth.json(5). What else is in the file stays when it is written.
struct AuthFile: JSONMappable {
    /// One registry's, or one namespace's.
    struct Entry: JSONMappable {
        /// `USER:PASSWORD` in base 64.
        var auth: String?
        var identityToken: String?

        mutating func map(_ fields: JSONFields) {
            fields.optional("auth", &auth)
            fields.optional("identitytoken", &identityToken)
        }
    }

    /// By `HOST[:PORT][/NAMESPACE…]`, and in Docker's file also by addresses.
    var auths: [String: Entry] = [:]
    /// By registry, what comes after `docker-credential-` in the name of the program that knows its credentials.
    var credHelpers: [String: String] = [:]
    /// That of all others.
    var credsStore: String?

    mutating func map(_ fields: JSONFields) {
        fields.defaulted("auths", &auths)
        fields.defaulted("credHelpers", &credHelpers)
        fields.optional("credsStore", &credsStore)
    }

    /// The most bytes that one may have.
    static let sizeLimit = 1 << 20

    /// - Returns: `nil` if there is no such file.
    /// - Throws: When it is not to be read, or is no JSON: credentials that are there must not go unused in silence.
    static func read(_ path: String) throws(Failure) -> AuthFile? {
        let bytes: [UInt8]
        do throws(SystemCallError) {
            bytes = try FileDescriptor.workingDirectory.contents(of: path, limit: sizeLimit)
        } catch {
            if [.noSuchFileOrDirectory, .notDirectory].contains(error.errno) { return nil }
            throw Failure("read credentials", path, error.errno.reason)
        }
        if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x0A }) { return AuthFile() }
        do throws(SpecError) {
            return try AuthFile(json: bytes)
        } catch {
            throw Failure("read credentials", path, "\(error)")
        }
    }

    /// The credentials of the longest part of `name` that this file knows.
    ///
    /// - Parameter name: `HOST[:PORT]`, with a repository where there is one.
    func credentials(for name: String) throws(Failure) -> Credentials? {
        for key in Self.keys(of: name) {
            if let entry = auths[key] ?? normalizedAuths[key], let found = try entry.credentials(key) { return found }
        }
        return nil
    }

    /// `a.b/c/d`, `a.b/c`, `a.b`.
    static func keys(of name: String) -> [String] {
        let parts = name.split(separator: "/")
        return (1...max(parts.count, 1)).reversed().map { parts.prefix($0).joined(separator: "/") }
    }

    /// Docker's way to write registries: `https://index.docker.io/v1/`.
    private var normalizedAuths: [String: Entry] {
        Dictionary(auths.map { (Self.registry($0.key), $0.value) }) { first, _ in first }
    }

    /// The registry that a key means, which can be an address.
    static func registry(_ key: String) -> String {
        guard let address = WebAddress(key) else { return key == "index.docker.io" ? "docker.io" : key }
        return address.host == "index.docker.io" ? "docker.io" : address.authority
    }

    /// How Docker has a registry in its own file and asks helpers for it.
    static func dockerKey(_ registry: String) -> String {
        registry == "docker.io" ? "https://index.docker.io/v1/" : registry
    }
}

extension AuthFile.Entry {
    fileprivate func credentials(_ key: String) throws(Failure) -> Credentials? {
        if let identityToken, !identityToken.isEmpty { return .identityToken(identityToken) }
        guard let auth, !auth.isEmpty else { return nil }
        guard let bytes = Base64.decode(auth), let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else {
            throw Failure("read credentials", key, "its 'auth' is not USER:PASSWORD in base 64")
        }
        // Some tools pad with NULs.
        let password = bytes[(colon + 1)...].prefix { $0 != 0 }
        return .password(
            user: String(decoding: bytes[..<colon], as: UTF8.self), password: String(decoding: password, as: UTF8.self))
    }
}
