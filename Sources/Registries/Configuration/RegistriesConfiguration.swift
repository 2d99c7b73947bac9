import Glibc
public import Images
public import Linux
import SystemPackage

/// Which registries there are, and how they are reached: `registries.conf` and what overrides it.
///
/// - Note: containers-registries.conf(5), containers-registries.conf.d(5).
public struct RegistriesConfiguration: Sendable {
    private var searchRegistries: [String] = []
    private var mode = ShortNameMode.permissive
    private var entries: [RegistryEntry] = []
    private var aliases: [String: String] = [:]
    /// Where answers are kept; `nil` where they are not.
    var remembered: String?

    /// As this user has it.
    ///
    /// - Parameter isMachineRoot: Whether this is the machine's root, who has other files than users have.
    /// - Throws: When a file is there and cannot be understood.
    public init(isMachineRoot: Bool = geteuid() == 0) throws(Failure) {
        try self.init(
            paths: try Self.paths(variable(of:)),
            remembered: Self.rememberedPath(variable(of:), isMachineRoot: isMachineRoot))
    }

    /// - Parameters:
    ///   - paths: Of files that may be missing; the later ones override.
    ///   - remembered: Of the file with what users have answered, whose aliases come before all others.
    package init(paths: [String], remembered: String? = nil) throws(Failure) {
        for path in paths {
            if let file = try RegistriesFile.read(path) { merge(file) }
        }
        self.remembered = remembered
        guard let remembered, let file = try RegistriesFile.read(remembered) else { return }
        merge(file.aliases)
    }

    /// The user's own file or else the machine's, and then the directories, the user's last.
    package static func paths(_ environment: (String) -> String?) throws(Failure) -> [String] {
        let home = environment("HOME").map { "\($0)/.config/containers" }
        let system = "/etc/containers"
        if let chosen = environment("CONTAINERS_REGISTRIES_CONF"), !chosen.isEmpty {
            guard FileDescriptor.workingDirectory.has(chosen) else {
                throw Failure("read configuration", chosen, "no such file")
            }
            return [chosen]
        }
        let own = home.map { "\($0)/registries.conf" }.flatMap { FileDescriptor.workingDirectory.has($0) ? $0 : nil }
        var paths = [own ?? "\(system)/registries.conf"]
        for directory in [system, home].compactMap({ $0 }).map({ "\($0)/registries.conf.d" }) {
            paths += try entries(of: directory).filter { $0.hasSuffix(".conf") }.sorted().map { "\(directory)/\($0)" }
        }
        return paths
    }

    /// - Returns: Nothing for a directory that is not there, as most are. One that cannot be read is an error: what it has
    ///   may block registries.
    private static func entries(of directory: String) throws(Failure) -> [String] {
        do throws(SystemCallError) {
            let opened = try FileDescriptor.workingDirectory.open(directory, O_RDONLY | O_DIRECTORY)
            defer { opened.closeQuietly() }
            return try opened.entries()
        } catch  where error.errno == .noSuchFileOrDirectory {
            return []
        } catch {
            throw Failure("read configuration", directory, error)
        }
    }

    private mutating func merge(_ file: RegistriesFile) {
        if let search = file.searchRegistries { searchRegistries = search }
        if let mode = file.shortNameMode, !mode.isEmpty { self.mode = ShortNameMode(rawValue: mode) ?? .enforcing }
        for entry in file.registries {
            entries.removeAll { $0.prefix == entry.prefix }
            entries.append(entry)
        }
        merge(file.aliases)
    }

    private mutating func merge(_ aliases: [String: String]) {
        for (name, value) in aliases { self.aliases[name] = value.isEmpty ? nil : value }
    }

    // MARK: Short names

    /// What a name as users type it can mean.
    ///
    /// Without a registry it is what an alias says, or is in one of the registries to be searched, or is Docker's.
    ///
    /// - Throws: When it is no name.
    public func meaning(of text: String) throws(Failure) -> NameMeaning {
        let reference = try ImageReference(text)
        guard reference.domain == ImageReference.defaultDomain, !text.hasPrefix("docker.io/"),
            !text.hasPrefix("index.docker.io/")
        else { return NameMeaning(text, [reference]) }
        if let alias = aliases[reference.familiarName] {
            let target = try ImageReference(alias, defaultTag: nil)
            return NameMeaning(text, [Self.replacing(reference, domain: target.domain, path: target.path)])
        }
        guard !searchRegistries.isEmpty else { return NameMeaning(text, [reference]) }
        var found: [ImageReference] = []
        for registry in searchRegistries {
            let target = try ImageReference("\(registry)/\(reference.familiarName)", defaultTag: nil)
            found.append(Self.replacing(reference, domain: target.domain, path: target.path))
        }
        return NameMeaning(text, found, mode: mode)
    }

    /// As `meaning(of:)`, where nobody can be asked.
    ///
    /// - Throws: Also when several registries might have it and none is to be preferred.
    public func candidates(for text: String) throws(Failure) -> [ImageReference] {
        try meaning(of: text).candidatesUnasked()
    }

    private static func replacing(_ reference: ImageReference, domain: String, path: String) -> ImageReference {
        ImageReference(domain: domain, path: path, tag: reference.tag, digest: reference.digest)
    }

    // MARK: Places

    /// Where an image is to be had.
    package struct Place: Sendable, Hashable {
        /// `HOST[:PORT]`.
        package var host: String
        package var repository: String
        package var isInsecure: Bool
    }

    private func entry(for name: String) -> (entry: RegistryEntry, length: Int)? {
        var best: (entry: RegistryEntry, length: Int)?
        for entry in entries {
            guard let length = entry.matchedLength(of: name) else { continue }
            if best.map({ $0.entry.prefix.utf8.count < entry.prefix.utf8.count }) ?? true { best = (entry, length) }
        }
        return best
    }

    /// Where to pull `reference` from: its mirrors, and then the registry itself.
    ///
    /// - Throws: When it is blocked.
    package func pullPlaces(of reference: ImageReference) throws(Failure) -> [Place] {
        guard let (entry, length) = entry(for: reference.canonical) else { return [Self.plain(reference)] }
        try Self.refuseBlocked(entry, reference)
        let byDigest = reference.digest != nil
        var places: [Place] = []
        for mirror in entry.mirrors {
            let pulls = entry.mirrorsByDigestOnly ? "digest-only" : mirror.pulls ?? "all"
            guard pulls != (byDigest ? "tag-only" : "digest-only") else { continue }
            places.append(try Self.place(reference, length, mirror.location, mirror.isInsecure))
        }
        return places + [try Self.own(reference, entry, length)]
    }

    /// Where to push `reference` to: mirrors are read alone.
    func pushPlace(of reference: ImageReference) throws(Failure) -> Place {
        guard let (entry, length) = entry(for: reference.canonical) else { return Self.plain(reference) }
        try Self.refuseBlocked(entry, reference)
        return try Self.own(reference, entry, length)
    }

    /// Whether `host` itself may be spoken to without TLS, and is not blocked.
    func registryPlace(_ host: String) throws(Failure) -> Place {
        guard let (entry, _) = entry(for: host) else { return Place(host: host, repository: "", isInsecure: false) }
        if entry.isBlocked { throw Self.blocked(host) }
        let location = entry.location.split(separator: "/").first.map(String.init) ?? host
        return Place(host: location, repository: "", isInsecure: entry.isInsecure)
    }

    /// Those that short names are looked for in.
    var searched: [String] { searchRegistries.isEmpty ? [ImageReference.defaultDomain] : searchRegistries }

    private static func plain(_ reference: ImageReference) -> Place {
        Place(host: reference.domain, repository: reference.path, isInsecure: false)
    }

    private static func own(
        _ reference: ImageReference, _ entry: RegistryEntry, _ length: Int
    ) throws(Failure) -> Place {
        guard !entry.location.isEmpty else {
            return Place(host: reference.domain, repository: reference.path, isInsecure: entry.isInsecure)
        }
        return try place(reference, length, entry.location, entry.isInsecure)
    }

    /// The place where `location` stands for the first `length` bytes of the name.
    private static func place(
        _ reference: ImageReference, _ length: Int, _ location: String, _ isInsecure: Bool
    ) throws(Failure) -> Place {
        let rest = reference.canonical.utf8.dropFirst(length)
        let moved = try ImageReference(location + String(decoding: rest, as: UTF8.self), defaultTag: nil)
        return Place(host: moved.domain, repository: moved.path, isInsecure: isInsecure)
    }

    private static func refuseBlocked(_ entry: RegistryEntry, _ reference: ImageReference) throws(Failure) {
        if entry.isBlocked { throw blocked(reference.familiar) }
    }

    private static func blocked(_ name: String) -> Failure {
        Failure("registry", name, "it is blocked by registries.conf", remedy: "ask whoever keeps that file")
    }
}
