import Glibc
public import Images
public import Linux
import SystemPackage

/// What is done with a name that several registries might have.
///
/// - Note: containers-registries.conf(5), "SHORT-NAME ALIASING".
enum ShortNameMode: String {
    /// The user is asked, and without a terminal it is refused.
    case enforcing
    /// The user is asked, and without a terminal the registries are tried in their order.
    case permissive
    /// They are tried in their order.
    case disabled
}

/// What a name as users type it can mean.
public struct NameMeaning: Sendable {
    /// To be tried in this order; at least one.
    public let candidates: [ImageReference]
    private let text: String
    private let mode: ShortNameMode

    init(_ text: String, _ candidates: [ImageReference], mode: ShortNameMode = .disabled) {
        self.text = text
        self.candidates = candidates
        self.mode = mode
    }

    /// Whether a user at a terminal is asked which one is meant.
    public var isToBeAsked: Bool { candidates.count > 1 && mode != .disabled }

    /// What is to be tried where nobody can be asked.
    ///
    /// - Throws: When none is to be preferred.
    public func candidatesUnasked() throws(Failure) -> [ImageReference] {
        guard isToBeAsked, mode == .enforcing else { return candidates }
        let list = candidates.map(\.domain).joined(separator: ", ")
        throw Failure(
            "short name", text, "it may be in \(list)",
            remedy: "give the registry too, as in '\(candidates[0].domain)/\(text)'")
    }
}

extension RegistriesConfiguration {
    /// Where Podman keeps what its users have answered, and Apus with it.
    package static func rememberedPath(_ environment: (String) -> String?, isMachineRoot: Bool) -> String? {
        let file = "containers/short-name-aliases.conf"
        if isMachineRoot { return "/var/cache/\(file)" }
        if let cache = environment("XDG_CACHE_HOME"), cache.hasPrefix("/") { return "\(cache)/\(file)" }
        return environment("HOME").map { "\($0)/.cache/\(file)" }
    }

    /// Keeps which image a short name means, so that nobody is asked again.
    ///
    /// - Parameter text: As the user typed it, with its tag or without.
    public func remember(_ text: String, as reference: ImageReference) throws(Failure) {
        guard let path = remembered, let slash = path.lastIndex(of: "/") else { return }
        let name = try ImageReference(text).familiarName
        // Two that answer at one time: the later one counts, and the other is asked again.
        var aliases = try RegistriesFile.read(path)?.aliases ?? [:]
        aliases[name] = reference.name
        let lines = aliases.sorted { $0.key < $1.key }.map { "  \"\($0.key)\" = \"\($0.value)\"\n" }
        do throws(SystemCallError) {
            let here = FileDescriptor.workingDirectory
            try here.makeDirectories(String(path[..<slash]))
            let folder = try here.open(String(path[..<slash]), O_RDONLY | O_DIRECTORY)
            defer { folder.closeQuietly() }
            try folder.replaceFile(
                String(path[path.index(after: slash)...]), with: ("[aliases]\n" + lines.joined()).utf8, mode: 0o644)
        } catch {
            throw Failure("remember short name", path, error)
        }
    }
}
