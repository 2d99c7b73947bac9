public import Images
import Linux
import NIOHTTP1

/// A manifest or an index as a registry has it.
public struct FetchedManifest: Sendable {
    public let mediaType: MediaType
    /// As they came: their digest is that of the image.
    public let bytes: [UInt8]
    public let digest: Digest
}

extension RegistryClient {
    private static let acceptedTypes: [MediaType] = [.ociIndex, .ociManifest, .dockerIndex, .dockerManifest]

    /// The scope of requests that read a repository.
    static func pullScope(_ repository: String) -> [String] { ["repository:\(repository):pull"] }

    /// What `reference` means in a repository, by its headers alone.
    ///
    /// - Parameter reference: A tag or a digest.
    /// - Returns: `nil` where the registry does not say it in this way.
    func digest(of reference: String, in repository: String) async throws(RequestFailure) -> Digest? {
        // Once: whoever asks then gets the manifest, with as many attempts as that takes.
        let answer = try await once(
            .HEAD, "/v2/\(repository)/manifests/\(reference)", scopes: Self.pullScope(repository),
            headers: Self.accept)
        // `try?`: whoever asks then gets the manifest, and with it an error that says more.
        return answer.headers.first(name: "Docker-Content-Digest").flatMap { try? Digest($0) }
    }

    private static var accept: HTTPHeaders {
        ["Accept": acceptedTypes.map(\.rawValue).joined(separator: ", ")]
    }

    /// Gets a manifest or an index, and checks that it is the one that was meant.
    ///
    /// - Parameters:
    ///   - reference: A tag or a digest.
    ///   - size: What a descriptor says that it has, in bytes.
    func manifest(
        _ reference: String, in repository: String, size: Int64? = nil
    ) async throws(RequestFailure) -> FetchedManifest {
        try await retries.retrying { () async throws(RequestFailure) in
            let answer = try await self.once(
                .GET, "/v2/\(repository)/manifests/\(reference)", scopes: Self.pullScope(repository),
                headers: Self.accept)
            let bytes = try await answer.bytes(limit: Manifest.sizeLimit, timeouts: self.transport.timeouts)
            return try Self.verify(bytes, answer.headers, reference: reference, size: size)
        }
    }

    private static func verify(
        _ bytes: [UInt8], _ headers: HTTPHeaders, reference: String, size: Int64?
    ) throws(RequestFailure) -> FetchedManifest {
        if let size, size != bytes.count {
            throw RequestFailure("the manifest has \(bytes.count) bytes instead of \(size)")
        }
        // `try?`: a tag is no digest.
        let wanted = try? Digest(reference)
        let said = headers.first(name: "Docker-Content-Digest").flatMap { try? Digest($0) }
        let digest = Digest.of(bytes, (wanted ?? said)?.algorithm ?? .sha256)
        if let wanted = wanted ?? said, wanted != digest {
            throw RequestFailure("the manifest's digest is \(digest) instead of \(wanted)")
        }
        return FetchedManifest(mediaType: try mediaType(headers, bytes), bytes: bytes, digest: digest)
    }

    private static func mediaType(_ headers: HTTPHeaders, _ bytes: [UInt8]) throws(RequestFailure) -> MediaType {
        let header = headers.first(name: "Content-Type") ?? ""
        let type = MediaType(rawValue: header.prefix { $0 != ";" }.lowercased().filter { $0 != " " })
        if type.isIndex || type.isManifest { return type }
        if type.rawValue.hasPrefix("application/vnd.docker.distribution.manifest.v1+") {
            throw RequestFailure("the manifest is of Docker's schema 1, which nobody reads any more")
        }
        throw RequestFailure("it sends '\(type)' in a manifest's place")
    }

    /// Puts a manifest into a repository.
    ///
    /// - Parameter reference: A tag or its digest.
    func put(_ manifest: FetchedManifest, as reference: String, in repository: String) async throws(RequestFailure) {
        let answer = try await request(
            .PUT, "/v2/\(repository)/manifests/\(reference)", scopes: Self.pushScope(repository),
            headers: ["Content-Type": manifest.mediaType.rawValue], body: .bytes(manifest.bytes),
            accepted: [200, 201, 202])
        // `try?`: a registry need not say what it made of it.
        if let said = answer.headers.first(name: "Docker-Content-Digest").flatMap({ try? Digest($0) }),
            said.algorithm == manifest.digest.algorithm, said != manifest.digest
        {
            throw RequestFailure("it keeps the manifest as \(said) instead of \(manifest.digest)")
        }
    }
}

extension Digest {
    /// That of `bytes` by another algorithm than the usual one.
    static func of(_ bytes: [UInt8], _ algorithm: Algorithm) -> Digest {
        var hasher = Hasher(algorithm)
        bytes.withUnsafeBytes { hasher.update($0) }
        return hasher.finish()
    }
}
