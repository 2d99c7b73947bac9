import Images
import Linux

/// What a name stands for in a registry: the image for one platform, and where the rest of it is to be had.
struct Resolution: Sendable {
    /// As the user names it.
    let reference: ImageReference
    /// Where it was found first, and where else it may be.
    let places: [Source]
    /// What the name stands for: an index or a manifest.
    let target: FetchedManifest
    /// All indexes on the way, and the manifest as the last one.
    let chain: [FetchedManifest]
    let manifest: Manifest

    struct Source: Sendable {
        let client: RegistryClient
        let repository: String
    }
}

/// Finds out what a name stands for.
struct Resolver: Sendable {
    let session: RegistrySession
    let reference: ImageReference
    let platform: Platform

    /// How many indexes may lead to each other, and how many are looked at in all.
    private static let depthLimit = 4
    private static let indexLimit = 16

    /// The places to ask, in their order.
    func sources() throws(Failure) -> [Resolution.Source] {
        var sources: [Resolution.Source] = []
        for place in try session.configuration.pullPlaces(of: reference) {
            sources.append(.init(client: try session.client(for: place), repository: place.repository))
        }
        return sources
    }

    private var wanted: String { reference.digest?.description ?? reference.tag ?? ImageReference.defaultTag }

    /// What the name stands for, by one request without an answer's body.
    ///
    /// - Returns: `nil` if no place says it in this way.
    func currentDigest(_ sources: [Resolution.Source]) async -> Digest? {
        for source in sources {
            // `try?`: whatever is wrong shows again, and better, when the manifest itself is asked for.
            if let digest = try? await source.client.digest(of: wanted, in: source.repository) { return digest }
        }
        return nil
    }

    /// Gets the manifest of the image for the platform.
    func resolve(_ sources: [Resolution.Source]) async throws(Failure) -> Resolution {
        var failure: Failure?
        for (position, source) in sources.enumerated() {
            do throws(Failure) {
                let target = try await fetch(wanted, nil, from: source)
                var looked: [FetchedManifest] = []
                guard let chain = try await image(in: target, [], source, &looked) else {
                    throw noImage(looked)
                }
                let found = chain[chain.count - 1]
                let manifest = try Manifest(json: found.bytes, as: found.mediaType, of: reference.familiar)
                return Resolution(
                    reference: reference, places: [source] + sources[..<position] + sources[(position + 1)...],
                    target: target, chain: chain, manifest: manifest)
            } catch {
                failure = error  // the last place is the registry itself, whose word counts
            }
        }
        throw failure ?? Failure("pull", reference.familiar, "there is no place to pull it from")
    }

    private func fetch(
        _ name: String, _ size: Int64?, from source: Resolution.Source
    ) async throws(Failure) -> FetchedManifest {
        do throws(RequestFailure) {
            return try await source.client.manifest(name, in: source.repository, size: size)
        } catch {
            throw error.failure("pull", reference.familiar, "manifest from \(source.client.host)")
        }
    }

    /// The image for the platform that `fetched` is or leads to.
    ///
    /// - Parameters:
    ///   - above: The indexes that led here.
    ///   - looked: All indexes so far.
    private func image(
        in fetched: FetchedManifest, _ above: [FetchedManifest], _ source: Resolution.Source,
        _ looked: inout [FetchedManifest]
    ) async throws(Failure) -> [FetchedManifest]? {
        guard fetched.mediaType.isIndex else { return above + [fetched] }
        guard !above.contains(where: { $0.digest == fetched.digest }) else {
            throw Failure("pull", reference.familiar, "index \(fetched.digest.short) leads back to itself")
        }
        guard above.count < Self.depthLimit, looked.count < Self.indexLimit else {
            throw Failure(
                "pull", reference.familiar, "its indexes lead to more than \(Self.depthLimit) others in a row")
        }
        looked.append(fetched)
        let index = try ImageIndex(json: fetched.bytes, as: fetched.mediaType, of: reference.familiar)
        let nested = index.manifests.filter { $0.mediaType.isIndex && $0.platform == nil }
        for next in index.best(for: platform).map({ [$0] }) ?? nested {
            guard next.size <= Manifest.sizeLimit else {
                throw Failure(
                    "pull", reference.familiar,
                    "manifest \(next.digest.short) has \(next.size) bytes; at most \(Manifest.sizeLimit) are read")
            }
            let below = try await fetch(next.digest.description, next.size, from: source)
            guard below.mediaType == next.mediaType else {
                throw Failure(
                    "pull", reference.familiar,
                    "manifest \(next.digest.short) comes as '\(below.mediaType)' instead of '\(next.mediaType)'")
            }
            if let found = try await image(in: below, above + [fetched], source, &looked) { return found }
        }
        return nil
    }

    private func noImage(_ looked: [FetchedManifest]) -> Failure {
        var platforms: [String] = []
        for fetched in looked {
            // `try?`: each was read before.
            let index = try? ImageIndex(json: fetched.bytes, as: fetched.mediaType, of: "")
            platforms +=
                index?.manifests.compactMap { $0.platform?.description }.filter { $0 != "unknown/unknown" } ?? []
        }
        let list = platforms.prefix(20).joined(separator: ", ")
        return Failure(
            "pull", reference.familiar, "no image for platform \(platform)",
            remedy: list.isEmpty ? nil : "it has \(list): choose one by --platform")
    }
}
