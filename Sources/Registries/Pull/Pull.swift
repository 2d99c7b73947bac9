import Glibc
public import Images
public import Linux

/// How an image is pulled.
public struct PullOptions: Sendable {
    public var registry = RegistryOptions()
    /// `nil` for this machine's.
    public var platform: Platform?
    /// How many layers come at a time, at least 1.
    public var parallelLayers = 3
    /// What layers may unpack to.
    public var bounds = UnpackBounds.fromEnvironment

    public init() {}
}

/// What a pull has come to.
public struct PullResult: Sendable {
    public let record: ImageRecord
    /// What the name stands for in the registry.
    public let digest: Digest
    /// Whether the store had it already.
    public let isUpToDate: Bool
    /// What is not in the unpacked layers as the image has it.
    public let remarks: ImageAssembly.Remarks
}

/// From a registry into the store.
public enum Pull {
    /// Pulls one image. Nothing names it before all of it is there and right; what has come of it by an interruption or a
    /// failure is where the next pull goes on.
    ///
    /// - Parameter reference: With a tag or a digest, and as `RegistriesConfiguration.candidates` has it.
    public static func run(
        _ reference: ImageReference, options: PullOptions, store: ImageStore, progress: any TransferProgress
    ) throws(Failure) -> PullResult {
        try RegistrySession.run(options.registry) { (session) throws(Failure) in
            let job = PullJob(
                resolver: Resolver(session: session, reference: reference, platform: options.platform ?? .host),
                options: options, store: store, progress: progress)
            return try await job.run()
        }
    }

    /// All tags of a repository, for `--all-tags`.
    public static func tags(of reference: ImageReference, options: RegistryOptions) throws(Failure) -> [String] {
        try RegistrySession.run(options) { (session) throws(Failure) in
            let resolver = Resolver(session: session, reference: reference, platform: .host)
            // The registry itself: a mirror may have but some.
            guard let source = try resolver.sources().last else { return [] }
            do throws(RequestFailure) {
                return try await source.client.tags(of: source.repository)
            } catch {
                throw error.failure("pull", reference.familiarName, "tags from \(source.client.host)")
            }
        }
    }

    /// What its registry has about an image: signatures, bills of material.
    ///
    /// - Parameter artifactType: Of that kind alone.
    public static func referrers(
        to reference: ImageReference, artifactType: String?, options: RegistryOptions
    ) throws(Failure) -> [Descriptor] {
        try RegistrySession.run(options) { (session) throws(Failure) in
            let resolver = Resolver(session: session, reference: reference, platform: .host)
            guard let source = try resolver.sources().last else { return [] }
            do throws(RequestFailure) {
                let wanted = reference.tag ?? ImageReference.defaultTag
                let digest: Digest
                if let given = reference.digest {
                    digest = given
                } else {
                    digest = try await source.client.manifest(wanted, in: source.repository).digest
                }
                return try await source.client.referrers(
                    of: digest, in: source.repository, artifactType: artifactType)
            } catch {
                throw error.failure("image referrers", reference.familiar, "from \(source.client.host)")
            }
        }
    }
}

/// One pull.
struct PullJob: Sendable {
    let resolver: Resolver
    let options: PullOptions
    let store: ImageStore
    let progress: any TransferProgress

    private var reference: ImageReference { resolver.reference }
    private var image: String { reference.familiar }

    func run() async throws(Failure) -> PullResult {
        let sources = try resolver.sources()
        if let known = try await upToDate(sources) { return known }
        let resolution = try await resolver.resolve(sources)
        let config = try await config(of: resolution)
        guard let found = resolution.chain.last else {
            throw Failure("pull", image, "its index leads to no image")
        }
        try checkPlatform(config, isChosen: resolution.chain.count > 1)
        let assembly = try ImageAssembly(
            in: store, image: image, manifest: found.bytes, as: found.mediaType, config: config, bounds: options.bounds)
        // Held until the image is named.
        let (target, held) = try store.add(resolution.target.bytes, as: resolution.target.mediaType)
        try await layers(of: assembly, resolution)
        var record = try await onOwnThread { () throws(Failure) in
            try assembly.finish(as: [name], target: target, repoDigests: ["\(reference.familiarName)@\(target.digest)"])
        }
        record.name = name.canonical
        withExtendedLifetime(held) {}
        for layer in assembly.missing { progress.update(layer.digest, .pulled) }
        return PullResult(record: record, digest: target.digest, isUpToDate: false, remarks: assembly.remarks)
    }

    /// A digest says all; the tag beside it is but a word.
    private var name: ImageReference {
        var name = reference
        if name.digest != nil { name.tag = nil }
        return name
    }

    /// Whether the store has what the name stands for: one request, or none for a digest.
    private func upToDate(_ sources: [Resolution.Source]) async throws(Failure) -> PullResult? {
        guard let record = try store.find(name), record.platform.distance(from: resolver.platform) == 0 else {
            return nil
        }
        let current = reference.digest == nil ? await resolver.currentDigest(sources) : reference.digest
        guard let current, current == record.target.digest || current == record.manifest.digest,
            (try? store.hold(record)) != nil  // `try?`: what is damaged is pulled anew
        else { return nil }
        return PullResult(record: record, digest: current, isUpToDate: true, remarks: [])
    }

    // MARK: Configuration

    private func config(of resolution: Resolution) async throws(Failure) -> [UInt8] {
        let config = resolution.manifest.config
        guard config.mediaType.isConfig else {
            let kind = resolution.manifest.artifactType ?? config.mediaType.rawValue
            throw Failure("pull", image, "it is no image but '\(kind)'")
        }
        guard config.size <= ImageConfig.sizeLimit else {
            throw Failure(
                "pull", image, "its configuration has \(config.size) bytes; at most \(ImageConfig.sizeLimit) are read")
        }
        if let known = try? store.contents(of: config.digest, limit: ImageConfig.sizeLimit) {
            return known  // `try?`: what is not there, or damaged, is fetched
        }
        var failure: Failure?
        for place in resolution.places {
            do throws(RequestFailure) {
                return try await place.client.smallBlob(config, in: place.repository)
            } catch {
                failure = error.failure("pull", image, "configuration \(config.digest.short) from \(place.client.host)")
            }
        }
        throw failure ?? Failure("pull", image, "there is no place to pull it from")
    }

    /// An image that is not chosen from an index is taken as it is, unless the user wants one for another platform.
    private func checkPlatform(_ bytes: [UInt8], isChosen: Bool) throws(Failure) {
        guard let wanted = options.platform, !isChosen else { return }
        let config = try ImageConfig(json: bytes, of: image)
        guard config.platform.distance(from: wanted) == nil else { return }
        throw Failure("pull", image, "it is for platform \(config.platform) and not for \(wanted)")
    }

    // MARK: Layers

    private func layers(of assembly: ImageAssembly, _ resolution: Resolution) async throws(Failure) {
        let all = assembly.manifest.layers
        var fetches: [LayerFetch] = []
        for (position, layer) in all.enumerated() {
            let isMissing = assembly.missing.contains { $0.digest == layer.digest }
            progress.update(layer.digest, isMissing ? .waiting : .alreadyExists)
            guard isMissing, !fetches.contains(where: { $0.layer.digest == layer.digest }) else { continue }
            fetches.append(
                LayerFetch(
                    layer: layer, name: "layer \(position + 1) of \(all.count) (\(layer.digest.short))", image: image,
                    places: resolution.places, store: store, assembly: assembly, progress: progress))
        }
        try await inParallel(fetches, atOnce: options.parallelLayers) { (fetch) throws(Failure) in
            try await fetch.run()
        }
    }
}

/// Calls `body` for each of `items`, some at a time; the first failure ends all others.
func inParallel<Item: Sendable>(
    _ items: [Item], atOnce: Int, _ body: @escaping @Sendable (Item) async throws(Failure) -> Void
) async throws(Failure) {
    let result: Result<Void, Failure> = await withTaskGroup(of: Result<Void, Failure>.self) { group in
        var rest = items[...]
        func add() {
            guard let item = rest.popFirst() else { return }
            group.addTask {
                do throws(Failure) {
                    return .success(try await body(item))
                } catch {
                    return .failure(error)
                }
            }
        }
        for _ in 0..<max(atOnce, 1) { add() }
        var first: Result<Void, Failure> = .success(())
        while let next = await group.next() {
            if case .success = first, case .failure = next {
                first = next
                group.cancelAll()
            }
            if case .success = first { add() }
        }
        return first
    }
    try result.get()
}
