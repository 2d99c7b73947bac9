public import Images
public import Linux

/// How an image is pushed.
public struct PushOptions: Sendable {
    public var registry = RegistryOptions()
    /// How many layers go at a time, at least 1.
    public var parallelLayers = 3

    public init() {}
}

/// What a push has come to.
public struct PushResult: Sendable {
    /// Of the manifest.
    public let digest: Digest
    /// Of the manifest, in bytes.
    public let size: Int
}

/// From the store into a registry.
public enum Push {
    /// Pushes one image: what the registry has not got of it, and the manifest as the last.
    ///
    /// - Parameters:
    ///   - reference: Where to; with a tag.
    ///   - record: What of; it is held meanwhile.
    public static func run(
        _ reference: ImageReference, _ record: ImageRecord, options: PushOptions, store: ImageStore,
        progress: any TransferProgress
    ) throws(Failure) -> PushResult {
        guard let tag = reference.tag, reference.digest == nil else {
            throw Failure("push", reference.familiar, "a push is to a tag", remedy: "give a name and a tag")
        }
        return try RegistrySession.run(options.registry) { (session) throws(Failure) in
            let place = try session.configuration.pushPlace(of: reference)
            let job = PushJob(
                client: try session.client(for: place), repository: place.repository, reference: reference, tag: tag,
                record: record, options: options, store: store, progress: progress)
            return try await job.run()
        }
    }
}

/// One push.
struct PushJob: Sendable {
    let client: RegistryClient
    let repository: String
    let reference: ImageReference
    let tag: String
    let record: ImageRecord
    let options: PushOptions
    let store: ImageStore
    let progress: any TransferProgress

    private var image: String { reference.familiar }

    func run() async throws(Failure) -> PushResult {
        let held = try store.hold(record)
        let bytes = try store.contents(of: record.manifest.digest, limit: Manifest.sizeLimit)
        let manifest = try Manifest(json: bytes, as: record.manifest.mediaType, of: image)
        try await layers(of: manifest)
        try await blob(manifest.config, "configuration \(manifest.config.digest.short)") { _ in }
        let fetched = FetchedManifest(
            mediaType: record.manifest.mediaType, bytes: bytes, digest: record.manifest.digest)
        do throws(RequestFailure) {
            try await client.put(fetched, as: tag, in: repository)
        } catch {
            throw error.failure("push", image, "manifest to \(client.host)")
        }
        withExtendedLifetime(held) {}
        return PushResult(digest: fetched.digest, size: bytes.count)
    }

    private func layers(of manifest: Manifest) async throws(Failure) {
        var names: [(layer: Descriptor, name: String)] = []
        for (position, layer) in manifest.layers.enumerated() {
            guard !layer.mediaType.isForeignLayer, !names.contains(where: { $0.layer.digest == layer.digest }) else {
                continue
            }
            progress.update(layer.digest, .preparing)
            names.append((layer, "layer \(position + 1) of \(manifest.layers.count) (\(layer.digest.short))"))
        }
        try await inParallel(names, atOnce: options.parallelLayers) { (item) throws(Failure) in
            try await self.blob(item.layer, item.name) { self.progress.update(item.layer.digest, $0) }
        }
    }

    /// Pushes a blob, unless it is there.
    private func blob(
        _ blob: Descriptor, _ name: String, _ tell: @escaping @Sendable (LayerState) -> Void
    ) async throws(Failure) {
        let file = try store.open(blob: blob.digest)
        do throws(RequestFailure) {
            if try await client.hasBlob(blob.digest, in: repository) { return tell(.alreadyExists) }
            let outcome = try await client.upload(
                blob, from: file.descriptor, to: repository, mountingFrom: mountSource
            ) { tell(.pushing($0, of: blob.size)) }
            switch outcome {
            case .uploaded: tell(.pushed)
            case .mounted: tell(.mounted(from: mountSource ?? ""))
            }
        } catch {
            throw error.failure("push", image, "\(name) to \(client.host)")
        }
        withExtendedLifetime(file) {}
    }

    /// Another repository of the same registry that this image was pulled from, or pushed to.
    private var mountSource: String? {
        record.repoDigests.lazy
            .compactMap { try? ImageReference($0, defaultTag: nil) }  // `try?`: what is no name is no repository
            .first { $0.domain == reference.domain && $0.path != repository }?.path
    }
}
