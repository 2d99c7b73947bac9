public import Linux

/// The name of an image, as users type it and as registries know it.
///
/// - Note: Docker's distribution/reference: `[domain/]path[:tag][@digest]`, where no domain means `docker.io`, and no path
///   below a user or organisation there means `library/`.
public struct ImageReference: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The registry: `docker.io`, `localhost:5000`, `[::1]:5000`.
    public var domain: String
    /// The repository there: `library/alpine`.
    public var path: String
    /// `nil` where there is a digest in its place.
    public var tag: String?
    public var digest: Digest?

    public static let defaultDomain = "docker.io"
    public static let defaultTag = "latest"
    /// Where Docker Hub keeps its own images.
    static let officialPrefix = "library/"
    /// The most characters of `domain/path`.
    static let nameLimit = 255
    /// The most characters of a tag.
    static let tagLimit = 128

    /// - Parameters: As the properties, which must be what the grammar allows.
    public init(domain: String, path: String, tag: String? = nil, digest: Digest? = nil) {
        self.domain = domain
        self.path = path
        self.tag = tag
        self.digest = digest
    }

    /// Reads a name as users type it.
    ///
    /// - Parameter defaultTag: What is taken where neither a tag nor a digest is given; `nil` for none.
    /// - Throws: What is wrong with it, as Docker sees it: upper case in a repository, an ID in a name's place.
    public init(_ text: String, defaultTag: String? = Self.defaultTag) throws(Failure) {
        let words = try Self.split(text)
        (domain, path) = Self.normalized(words.name)
        tag = words.tag
        digest = words.digest
        if tag == nil && digest == nil { tag = defaultTag }
        try check(text)
    }

    /// The domain and the path: `docker.io/library/alpine`.
    public var name: String { "\(domain)/\(path)" }

    /// The same as users type it: `alpine`, `localhost:5000/a`.
    public var familiarName: String {
        guard domain == Self.defaultDomain else { return name }
        let rest = path.dropFirst(Self.officialPrefix.count)
        let short = path.hasPrefix(Self.officialPrefix) && !rest.contains("/") ? String(rest) : path
        // A user there may be called as another registry's host is.
        return Self.normalized(short) == (domain, path) ? short : name
    }

    /// As users type and see it: `alpine:latest`.
    public var familiar: String { familiarName + suffix }

    /// In full: `docker.io/library/alpine:latest`.
    public var canonical: String { name + suffix }

    public var description: String { familiar }

    public static func < (one: ImageReference, other: ImageReference) -> Bool { one.canonical < other.canonical }

    private var suffix: String { (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "") }

    // MARK: Grammar

    private static func split(_ text: String) throws(Failure) -> (name: String, tag: String?, digest: Digest?) {
        var rest = text[...]
        var digest: Digest?
        if let at = rest.firstIndex(of: "@") {
            let digestText = String(rest[rest.index(after: at)...])
            guard let read = Digest.parse(digestText) else {
                throw wrong(text, "'\(digestText)' is not a digest such as sha256: and 64 hexadecimal digits")
            }
            digest = read
            rest = rest[..<at]
        }
        var tag: String?
        let lastPart = rest.lastIndex(of: "/").map { rest.index(after: $0) } ?? rest.startIndex
        if let colon = rest[lastPart...].firstIndex(of: ":") {
            let tagText = String(rest[rest.index(after: colon)...])
            guard isTag(tagText) else {
                throw wrong(text, "'\(tagText)' is not a tag: letters, digits, '_', '.' and '-', at most \(tagLimit)")
            }
            tag = tagText
            rest = rest[..<colon]
        }
        return (String(rest), tag, digest)
    }

    /// The first part is a registry if it looks like a host: it has a dot or a port, is `localhost`, or has upper case.
    private static func normalized(_ name: String) -> (domain: String, path: String) {
        guard let slash = name.firstIndex(of: "/") else { return (defaultDomain, officialPrefix + name) }
        let first = String(name[..<slash])
        let rest = String(name[name.index(after: slash)...])
        let isHost =
            first.contains(".") || first.contains(":") || first == "localhost"
            || first.utf8.contains { (0x41...0x5A).contains($0) }
        guard isHost else { return (defaultDomain, name) }
        let domain = first == "index.docker.io" ? defaultDomain : first
        return (domain, domain == defaultDomain && !rest.contains("/") ? officialPrefix + rest : rest)
    }

    private func check(_ text: String) throws(Failure) {
        guard Self.isDomain(domain) else { throw Self.wrong(text, "'\(domain)' is not a registry's host name") }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        if path.utf8.contains(where: { (0x41...0x5A).contains($0) }) {
            throw Self.wrong(text, "a repository's name is in lower case")
        }
        guard parts.allSatisfy({ Self.isPathPart(Array($0.utf8)) }) else {
            throw Self.wrong(text, "'\(path)' is not a repository's name")
        }
        guard name.utf8.count <= Self.nameLimit else {
            throw Self.wrong(text, "the name has more than \(Self.nameLimit) characters")
        }
        if domain == Self.defaultDomain, parts.count == 2, parts[0] == "library", parts[1].utf8.count == 64,
            parts[1].utf8.allSatisfy(Digest.isLowerHex)
        {
            throw Self.wrong(text, "a name cannot be 64 hexadecimal digits, which are an ID")
        }
    }

    private static func wrong(_ text: String, _ reason: String) -> Failure {
        Failure("invalid reference format", text.isEmpty ? "''" : text, reason)
    }

    /// Whether `text` can be a tag: `[\w][\w.-]{0,127}`.
    public static func isTag(_ text: String) -> Bool {
        guard let first = text.utf8.first, isWord(first), text.utf8.count <= tagLimit else { return false }
        return text.utf8.allSatisfy { isWord($0) || $0 == 0x2E || $0 == 0x2D }
    }

    private static func isWord(_ byte: UInt8) -> Bool { isAlphanumeric(byte) || byte == 0x5F }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        isLowerAlphanumeric(byte) || (0x41...0x5A).contains(byte)
    }

    private static func isLowerAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte)
    }

    /// `[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`
    private static func isPathPart(_ part: [UInt8]) -> Bool {
        guard let first = part.first, let last = part.last, isLowerAlphanumeric(first), isLowerAlphanumeric(last) else {
            return false
        }
        var separator: [UInt8] = []
        for byte in part {
            if isLowerAlphanumeric(byte) {
                guard isSeparator(separator) else { return false }
                separator = []
            } else {
                separator.append(byte)
            }
        }
        return true
    }

    private static func isSeparator(_ bytes: [UInt8]) -> Bool {
        bytes.isEmpty || bytes == [0x2E] || bytes == [0x5F] || bytes == [0x5F, 0x5F] || bytes.allSatisfy { $0 == 0x2D }
    }

    /// A host name, an IPv4 address or an IPv6 address in brackets, and a port where there is one.
    private static func isDomain(_ text: String) -> Bool {
        var host = text[...]
        if host.hasPrefix("[") {
            guard let end = host.firstIndex(of: "]") else { return false }
            let address = host[host.index(after: host.startIndex)..<end]
            let rest = host[host.index(after: end)...]
            return !address.isEmpty && address.utf8.allSatisfy { isHexDigit($0) || $0 == 0x3A }
                && (rest.isEmpty || isPort(rest))
        }
        if let colon = host.firstIndex(of: ":") {
            guard isPort(host[colon...]) else { return false }
            host = host[..<colon]
        }
        return host.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { part in
            guard let first = part.utf8.first, let last = part.utf8.last else { return false }
            return isAlphanumeric(first) && isAlphanumeric(last)
                && part.utf8.allSatisfy { isAlphanumeric($0) || $0 == 0x2D }
        }
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) || (0x41...0x46).contains(byte)
    }

    private static func isPort(_ text: Substring) -> Bool {
        text.first == ":" && text.utf8.count > 1 && text.utf8.dropFirst().allSatisfy { (0x30...0x39).contains($0) }
    }
}
