import Glibc
public import Linux
import OCI
import SystemPackage

/// Where credentials are kept, and what is in there.
///
/// - Note: containers-auth.json(5); Docker's `config.json`.
public struct CredentialFiles: Sendable {
    /// Of those that are read, the first to be asked first.
    let readPaths: [String]
    /// That is written.
    public let writePath: String

    /// As the environment has them.
    ///
    /// - Parameter authFile: The user's choice, in place of all others.
    public init(authFile: String? = nil) { self.init(authFile: authFile, environment: variable(of:)) }

    init(authFile: String?, environment: (String) -> String?) {
        func value(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }
        if let chosen = authFile ?? value("REGISTRY_AUTH_FILE") {
            readPaths = [chosen]
            writePath = chosen
            return
        }
        let home = value("HOME")
        let own = (value("XDG_CONFIG_HOME") ?? home.map { "\($0)/.config" }).map { "\($0)/containers/auth.json" }
        var paths: [String] = []
        let user = Self.userOutside
        let machines = "\(Self.machineDirectory)/\(user)/auth.json"
        if let runtime = value("XDG_RUNTIME_DIR") {
            paths.append("\(runtime)/containers/auth.json")
        } else if user == 0 || FileDescriptor.workingDirectory.has(machines) {
            paths.append(machines)
        }
        // Without a session a user may make nothing in /run.
        let primary = paths.first ?? own ?? machines
        if let own { paths.append(own) }
        if let docker = value("DOCKER_CONFIG") ?? home.map({ "\($0)/.docker" }) {
            paths.append("\(docker)/config.json")
        }
        readPaths = paths
        writePath = primary
    }

    /// Where those without a session have theirs, each in a directory that is called by their number.
    private static let machineDirectory = "/run/containers"

    /// The user's number outside of the user namespace that an ordinary user's pull runs in.
    private static var userOutside: UInt32 {
        let user = geteuid()
        let map = FileDescriptor.contentsIfReadable(of: "/proc/self/uid_map", limit: 64 << 10) ?? []
        for line in map.split(separator: UInt8(ascii: "\n")) {
            let numbers = String(decoding: line, as: UTF8.self).split(separator: " ").compactMap { UInt32($0) }
            if numbers.count == 3, user >= numbers[0], user - numbers[0] < numbers[2] {
                return numbers[1] + (user - numbers[0])
            }
        }
        return user
    }

    /// The credentials for an image's repository.
    ///
    /// - Parameter name: `HOST[:PORT]`, with the repository where there is one.
    package func credentials(for name: String) throws(Failure) -> Credentials? {
        let registry = name.split(separator: "/").first.map(String.init) ?? name
        for path in readPaths {
            guard let file = try AuthFile.read(path) else { continue }
            if let helper = helper(for: registry, in: file) {
                if let found = try helper.get(AuthFile.dockerKey(registry)) { return found }
                continue
            }
            if let found = try file.credentials(for: name) { return found }
        }
        return nil
    }

    private func helper(for registry: String, in file: AuthFile) -> CredentialHelper? {
        let name = file.credHelpers[registry] ?? file.credHelpers[AuthFile.dockerKey(registry)] ?? file.credsStore
        return name.flatMap { $0.isEmpty ? nil : CredentialHelper(name: $0) }
    }

    // MARK: Login and logout

    /// Keeps a user's credentials.
    func store(_ name: String, user: String, password: String) throws(Failure) {
        let file = try AuthFile.read(writePath) ?? AuthFile()
        if let helper = helper(for: name, in: file) {
            return try helper.store(AuthFile.dockerKey(name), user: user, password: password)
        }
        let entry = AuthFile.Entry(auth: Base64.encode(Array("\(user):\(password)".utf8)))
        try change { $0[name] = JSONText(unchecked: entry.json()) }
    }

    /// Forgets the credentials for one registry.
    ///
    /// - Returns: Whether there were any.
    public func erase(_ name: String) throws(Failure) -> Bool {
        guard let file = try AuthFile.read(writePath) else { return false }
        if let helper = helper(for: name, in: file), try helper.erase(AuthFile.dockerKey(name)) { return true }
        guard file.auths[name] != nil else { return false }
        try change { $0[name] = nil }
        return true
    }

    /// Forgets the credentials for all registries.
    public func eraseAll() throws(Failure) {
        guard let file = try AuthFile.read(writePath) else { return }
        for (registry, helper) in file.credHelpers {
            _ = try CredentialHelper(name: helper).erase(AuthFile.dockerKey(registry))
        }
        try change { $0 = [:] }
    }

    /// Changes the entries of the file that is written, and leaves all else in it as it is.
    private func change(_ edit: (inout [String: JSONText]) -> Void) throws(Failure) {
        let parts = writePath.split(separator: "/")
        guard let name = parts.last else { throw Failure("keep credentials", writePath, "not a file's path") }
        let directoryPath = (writePath.hasPrefix("/") ? "/" : "./") + parts.dropLast().joined(separator: "/")
        do throws(SystemCallError) {
            let here = FileDescriptor.workingDirectory
            // All users pass through this one, whoever has made it.
            if directoryPath.hasPrefix("\(Self.machineDirectory)/") {
                try here.makeDirectories(Self.machineDirectory, mode: 0o755)
            }
            try here.makeDirectories(directoryPath, mode: 0o700)
            let directory = try FileDescriptor.workingDirectory.open(directoryPath, O_RDONLY | O_DIRECTORY)
            defer { directory.closeQuietly() }
            // Two logins at once: the later one must not forget the earlier.
            _ = try directory.lock(wait: true)
            var members = try members(of: String(name), in: directory)
            var auths = try Self.object(members["auths"])
            edit(&auths)
            members["auths"] = JSONText(unchecked: JSONObject(members: auths).json())
            try directory.replaceFile(String(name), with: JSONObject(members: members).json(), mode: 0o600)
        } catch {
            throw Failure("keep credentials", writePath, "\(error.call): \(error.errno.reason)")
        }
    }

    private func members(
        of name: String, in directory: FileDescriptor
    ) throws(SystemCallError) -> [String: JSONText] {
        guard directory.has(name) else { return [:] }
        let bytes = try directory.contents(of: name, limit: AuthFile.sizeLimit)
        return try Self.object(bytes.isEmpty ? nil : JSONText(unchecked: bytes))
    }

    private static func object(_ text: JSONText?) throws(SystemCallError) -> [String: JSONText] {
        guard let text else { return [:] }
        // What is wrong with it `AuthFile.read` has told by now.
        guard let object = try? JSONObject(json: text.bytes) else {
            throw SystemCallError("parse", "", .invalidArgument)
        }
        return object.members
    }
}
