import Images
import NIOHTTP1
import OCI

extension RegistryClient {
    /// The most names that one list may have.
    private static let nameLimit = 100_000
    /// The most bytes that a page of a list may have; a document of JSON may not have more.
    private static let pageLimit = 8 << 20

    /// All tags of a repository.
    func tags(of repository: String) async throws(RequestFailure) -> [String] {
        try await pages("/v2/\(repository)/tags/list?n=1000", scopes: Self.pullScope(repository)) { (page: TagPage) in
            page.tags ?? []
        }
    }

    /// All repositories of the registry.
    func catalog() async throws(RequestFailure) -> [String] {
        try await pages("/v2/_catalog?n=1000", scopes: ["registry:catalog:*"]) { (page: CatalogPage) in
            page.repositories ?? []
        }
    }

    /// What is said of an image: signatures, bills of material.
    ///
    /// - Parameter artifactType: Of that kind alone.
    /// - Note: OCI Distribution Specification 1.1, "Listing Referrers", with the tag that older registries have instead.
    func referrers(
        of digest: Digest, in repository: String, artifactType: String? = nil
    ) async throws(RequestFailure) -> [Descriptor] {
        let filter = artifactType.map { "?artifactType=\(WebAddress.encoded($0))" } ?? ""
        let scopes = Self.pullScope(repository)
        do throws(RequestFailure) {
            let found = try await pages("/v2/\(repository)/referrers/\(digest)\(filter)", scopes: scopes) {
                (index: ImageIndex) in index.manifests
            }
            return Self.filter(found, artifactType)
        } catch {
            guard error.status == 404 else { throw error }
        }
        do throws(RequestFailure) {
            let tag = "\(digest.algorithm.rawValue)-\(digest.hex)"
            let index: ImageIndex = try read(try await manifest(tag, in: repository).bytes)
            return Self.filter(index.manifests, artifactType)
        } catch {
            guard error.status == 404 else { throw error }
            return []
        }
    }

    /// A registry may leave the filtering to whoever asks.
    private static func filter(_ descriptors: [Descriptor], _ artifactType: String?) -> [Descriptor] {
        descriptors.filter { artifactType == nil || $0.artifactType == artifactType }
    }

    /// All pages of a list.
    private func pages<Page: JSONMappable, Element: Sendable>(
        _ path: String, scopes: [String], _ elements: (Page) -> [Element]
    ) async throws(RequestFailure) -> [Element] {
        var all: [Element] = []
        var next: String? = path
        var seen: Set<String> = []
        while let path = next, seen.insert(path).inserted {
            let answer = try await request(.GET, path, scopes: scopes)
            all += elements(try read(try await answer.bytes(limit: Self.pageLimit, timeouts: transport.timeouts)))
            guard all.count <= Self.nameLimit else {
                throw RequestFailure("its list has more than \(Self.nameLimit) entries")
            }
            next = answer.nextPage?.path
        }
        return all
    }

    func read<Value: JSONMappable>(_ bytes: [UInt8]) throws(RequestFailure) -> Value {
        do throws(SpecError) {
            return try Value(json: bytes)
        } catch {
            throw RequestFailure("its answer is not as it should be: \(error)")
        }
    }
}

private struct TagPage: JSONMappable {
    var tags: [String]?

    mutating func map(_ fields: JSONFields) { fields.optional("tags", &tags) }
}

private struct CatalogPage: JSONMappable {
    var repositories: [String]?

    mutating func map(_ fields: JSONFields) { fields.optional("repositories", &repositories) }
}
