public import Linux
import NIOHTTP1
import OCI

/// A repository that a search has found.
public struct SearchResult: Sendable, Hashable {
    /// As a user would pull it.
    public let name: String
    public let description: String
    public let stars: Int
    public let isOfficial: Bool
    public let isAutomated: Bool
}

/// What a search in one registry has found.
public struct SearchResults: Sendable {
    public let registry: String
    public let results: [SearchResult]
    /// Whether the registry cannot search, so that these are those of all its repositories that have the term in their name.
    public let isFromCatalog: Bool
}

public enum Search {
    /// Looks for repositories by a part of their name.
    ///
    /// - Parameters:
    ///   - term: With a registry in front, in that one: `localhost:5000/app`.
    ///   - limit: The most results from one registry, 1 to 100.
    /// - Returns: What each registry has, in the order of `registries.conf`.
    public static func run(_ term: String, limit: Int, options: RegistryOptions) throws(Failure) -> [SearchResults] {
        try RegistrySession.run(options) { (session) throws(Failure) in
            let (registries, word) = Self.split(term, session.configuration.searched)
            var found: [SearchResults] = []
            for registry in registries {
                found.append(try await Self.search(word, in: registry, limit: limit, session))
            }
            return found
        }
    }

    /// The first part is a registry if it looks like a host, as in references.
    private static func split(_ term: String, _ searched: [String]) -> (registries: [String], word: String) {
        guard let slash = term.firstIndex(of: "/") else { return (searched, term) }
        let first = String(term[..<slash])
        guard first == "localhost" || first.contains(".") || first.contains(":") else { return (searched, term) }
        return ([AuthFile.registry(first)], String(term[term.index(after: slash)...]))
    }

    private static func search(
        _ word: String, in registry: String, limit: Int, _ session: RegistrySession
    ) async throws(Failure) -> SearchResults {
        var place = try session.configuration.registryPlace(registry)
        let isHub = place.host == "docker.io"
        if isHub { place.host = "index.docker.io" }  // which searches, and has no images
        let client = try session.client(for: place)
        do throws(RequestFailure) {
            do throws(RequestFailure) {
                let path = "/v1/search?q=\(WebAddress.encoded(word))&n=\(limit)"
                let answer = try await client.request(.GET, path, scopes: [])
                let bytes = try await answer.bytes(limit: 8 << 20, timeouts: client.transport.timeouts)
                let page: SearchPage = try client.read(bytes)
                let results = page.results.prefix(limit).map { $0.result(isHub ? "" : "\(registry)/") }
                return SearchResults(registry: registry, results: results, isFromCatalog: false)
            } catch {
                guard error.status == 404 else { throw error }
            }
            let names = try await client.catalog().filter { $0.contains(word.lowercased()) }.prefix(limit)
            let results = names.map {
                SearchResult(
                    name: "\(registry)/\($0)", description: "", stars: 0, isOfficial: false, isAutomated: false)
            }
            return SearchResults(registry: registry, results: results, isFromCatalog: true)
        } catch {
            throw error.failure("search", word, registry)
        }
    }
}

/// - Note: Docker Registry HTTP API V1, "Search".
private struct SearchPage: JSONMappable {
    struct Entry: JSONMappable {
        var name = ""
        var description: String?
        var stars: Int?
        var isOfficial: Bool?
        var isAutomated: Bool?

        mutating func map(_ fields: JSONFields) {
            fields.required("name", &name)
            fields.optional("description", &description)
            fields.optional("star_count", &stars)
            fields.optional("is_official", &isOfficial)
            fields.optional("is_automated", &isAutomated)
        }

        func result(_ prefix: String) -> SearchResult {
            SearchResult(
                name: prefix + name, description: description ?? "", stars: stars ?? 0,
                isOfficial: isOfficial ?? false, isAutomated: isAutomated ?? false)
        }
    }

    var results: [Entry] = []

    mutating func map(_ fields: JSONFields) { fields.required("results", &results) }
}
