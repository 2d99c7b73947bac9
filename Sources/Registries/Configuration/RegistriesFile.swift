import Linux
import OCI
import SystemPackage

/// What one file says: `registries.conf`, or one of `registries.conf.d`.
///
/// - Note: containers-registries.conf(5), version 2.
struct RegistriesFile: JSONMappable {
    var searchRegistries: [String]?
    var shortNameMode: String?
    var registries: [RegistryEntry] = []
    var aliases: [String: String] = [:]
    /// Version 1's only table.
    var versionOne: JSONText?

    mutating func map(_ fields: JSONFields) {
        fields.optional("unqualified-search-registries", &searchRegistries)
        fields.optional("short-name-mode", &shortNameMode)
        fields.check(
            "short-name-mode", ["", "enforcing", "permissive", "disabled"].contains(shortNameMode ?? ""),
            expected: "enforcing, permissive or disabled")
        fields.defaulted("registry", &registries)
        fields.defaulted("aliases", &aliases)
        fields.optional("registries", &versionOne)
    }

    /// The most bytes that one may have.
    private static let sizeLimit = 1 << 20

    /// - Returns: `nil` if there is no such file.
    static func read(_ path: String) throws(Failure) -> RegistriesFile? {
        let bytes: [UInt8]
        do throws(SystemCallError) {
            bytes = try FileDescriptor.workingDirectory.contents(of: path, limit: sizeLimit)
        } catch {
            if [.noSuchFileOrDirectory, .notDirectory].contains(error.errno) { return nil }
            throw Failure("read configuration", path, error.errno.reason)
        }
        let file = try parse(String(decoding: bytes, as: UTF8.self), path)
        guard file.versionOne == nil else {
            throw Failure(
                "read configuration", path, "it is of version 1",
                remedy: "write 'unqualified-search-registries' and [[registry]] as registries.conf(5) has them")
        }
        for entry in file.registries { try entry.check(path) }
        return file
    }

    private static func parse(_ text: String, _ path: String) throws(Failure) -> RegistriesFile {
        let json: [UInt8]
        do throws(TOML.Wrong) {
            json = try TOML.json(text)
        } catch {
            throw Failure("read configuration", path, "line \(error.line): \(error.reason)")
        }
        do throws(SpecError) {
            return try RegistriesFile(json: json)
        } catch {
            throw Failure("read configuration", path, "\(error)")
        }
    }
}

/// What is said of a registry, or of a part of one.
struct RegistryEntry: JSONMappable {
    /// Which images are meant: `HOST[:PORT][/PATH…][:TAG|@DIGEST]`, or `*.HOST`.
    var prefix = ""
    /// Where they really are; empty for where they are named.
    var location = ""
    var isInsecure = false
    var isBlocked = false
    var mirrorsByDigestOnly = false
    var mirrors: [Mirror] = []

    struct Mirror: JSONMappable {
        var location = ""
        var isInsecure = false
        var pulls: String?

        mutating func map(_ fields: JSONFields) {
            fields.required("location", &location)
            fields.defaulted("insecure", &isInsecure)
            fields.optional("pull-from-mirror", &pulls)
            fields.check(
                "pull-from-mirror", ["", "all", "digest-only", "tag-only"].contains(pulls ?? ""),
                expected: "all, digest-only or tag-only")
        }
    }

    mutating func map(_ fields: JSONFields) {
        fields.defaulted("prefix", &prefix)
        fields.defaulted("location", &location)
        fields.defaulted("insecure", &isInsecure)
        fields.defaulted("blocked", &isBlocked)
        fields.defaulted("mirror-by-digest-only", &mirrorsByDigestOnly)
        fields.defaulted("mirror", &mirrors)
        if prefix.isEmpty { prefix = location }
        while prefix.hasSuffix("/") { prefix.removeLast() }
        while location.hasSuffix("/") { location.removeLast() }
    }

    fileprivate func check(_ path: String) throws(Failure) {
        if prefix.isEmpty {
            throw Failure("read configuration", path, "a [[registry]] has neither 'prefix' nor 'location'")
        }
        if prefix.hasPrefix("*."), prefix.contains(where: { "/:@".contains($0) }) {
            throw Failure("read configuration", path, "prefix '\(prefix)': behind '*.' there is a host's name alone")
        }
        if mirrorsByDigestOnly, mirrors.contains(where: { $0.pulls ?? "" != "" }) {
            throw Failure(
                "read configuration", path,
                "registry '\(prefix)' has both 'mirror-by-digest-only' and a mirror's 'pull-from-mirror'")
        }
        if location.contains("://") || mirrors.contains(where: { $0.location.contains("://") }) {
            throw Failure("read configuration", path, "registry '\(prefix)': a location has no scheme")
        }
    }

    /// How much of `name` is this entry's prefix, in bytes; `nil` if it is not meant.
    ///
    /// - Parameter name: In full: `docker.io/library/alpine:latest`.
    func matchedLength(of name: String) -> Int? {
        let name = Array(name.utf8)
        var length = 0
        if prefix.hasPrefix("*.") {
            let host = name.prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") }
            let domain = Array(prefix.utf8.dropFirst())
            guard host.count > domain.count, host.suffix(domain.count).elementsEqual(domain) else { return nil }
            length = host.count
        } else {
            guard name.starts(with: prefix.utf8) else { return nil }
            length = prefix.utf8.count
        }
        let isWhole = length == name.count || "/:@".utf8.contains(name[length])
        return isWhole ? length : nil
    }
}
