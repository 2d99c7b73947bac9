public import Linux
import NIOHTTP1

/// Whether a registry takes a user's credentials, and where they are kept.
public enum Login {
    /// Asks the registry whether it takes them, and keeps them.
    ///
    /// - Parameters:
    ///   - registry: `HOST[:PORT]`, with a namespace where the credentials are for that one alone.
    ///   - files: Where they are to be kept.
    public static func run(
        _ registry: String, user: String, password: String, options: RegistryOptions
    ) throws(Failure) {
        guard !user.isEmpty, !user.utf8.contains(UInt8(ascii: ":")), !password.isEmpty else {
            throw Failure("login", registry, "a user has a name without a colon, and a password")
        }
        let name = AuthFile.registry(registry)
        try RegistrySession.run(options) { (session) throws(Failure) in
            let host = name.split(separator: "/").first.map(String.init) ?? name
            let client = session.client(
                for: try session.configuration.registryPlace(host),
                credentials: .password(user: user, password: password))
            do throws(RequestFailure) {
                _ = try await client.request(.GET, "/v2/", scopes: [])
            } catch {
                var error = error
                if error.status == 401 {
                    error.reason = "it refuses the user or the password"
                    error.remedy = nil
                }
                throw error.failure("login", registry, "")
            }
        }
        try CredentialFiles(authFile: options.authFile).store(name, user: user, password: password)
    }

    /// Forgets the credentials for a registry.
    ///
    /// - Returns: Whether there were any.
    public static func forget(_ registry: String, options: RegistryOptions) throws(Failure) -> Bool {
        try CredentialFiles(authFile: options.authFile).erase(AuthFile.registry(registry))
    }

    /// Forgets the credentials for all registries.
    public static func forgetAll(options: RegistryOptions) throws(Failure) {
        try CredentialFiles(authFile: options.authFile).eraseAll()
    }

    /// The user whose credentials are kept for a registry.
    ///
    /// - Returns: `nil` if there are none, or a token in their place.
    public static func user(of registry: String, options: RegistryOptions) throws(Failure) -> String? {
        let found = try CredentialFiles(authFile: options.authFile).credentials(for: AuthFile.registry(registry))
        if case .password(let user, _) = found { return user }
        return nil
    }
}
