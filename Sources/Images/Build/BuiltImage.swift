import Glibc
public import Linux
import OCI

extension ImageStore {
    /// The layers of an image as the manifest of one that is made of it names them, the lowest first.
    public func layers(of image: ImageRecord) throws(Failure) -> [Descriptor] {
        try manifest(of: image).layers.map { $0.inOCI }
    }

    /// Names an image whose layers are in the store.
    ///
    /// - Parameters:
    ///   - layers: As the manifest names them, the lowest first.
    ///   - chains: Their chain IDs.
    ///   - names: None for an image without a name.
    public func nameBuilt(
        _ config: ImageConfig, layers: [Descriptor], chains: [Digest], as names: [ImageReference],
        annotations: [String: String] = [:]
    ) throws(Failure) -> ImageRecord {
        let image = names.first?.familiar ?? "new image"
        var held: [Held] = []
        var size: Int64 = 0
        for chain in chains {
            held.append(try open(layer: chain))
            size += try record(ofLayer: chain)?.size ?? 0
        }
        for layer in layers { if let blob = try openIfThere(blob: layer.digest) { held.append(blob) } }
        let configJSON = config.json()
        let configDescriptor = Descriptor(
            mediaType: .ociConfig, digest: .of(configJSON), size: Int64(configJSON.count))
        let manifestJSON = Manifest(
            config: configDescriptor, layers: layers, annotations: annotations.isEmpty ? nil : annotations
        ).json()
        let manifest = Descriptor(
            mediaType: .ociManifest, digest: .of(manifestJSON), size: Int64(manifestJSON.count))
        var record = ImageRecord(
            name: nil, target: manifest, manifest: manifest, id: configDescriptor.digest, platform: config.platform,
            layers: chains, blobs: Self.unique([manifest.digest, configDescriptor.digest] + layers.map(\.digest)),
            size: size, created: config.created, repoDigests: [], config: config.config ?? ImageConfig.Execution())
        // An image that is there already, by these names: nothing is written.
        if try isNamed(record, as: names) { return record }
        held.append(try add(manifestJSON, as: .ociManifest).1)
        held.append(try add(configJSON, as: .ociConfig).1)
        do throws(Failure) {
            try synchroniseLayers(chains)
        } catch {
            throw Failure("store image", image, error.reason)
        }
        if names.isEmpty { try self.record(record) }
        for name in names {
            record.name = name.canonical
            try self.record(record)
        }
        withExtendedLifetime(held) {}
        return record
    }

    private static func unique(_ digests: [Digest]) -> [Digest] {
        var seen: Set<Digest> = []
        return digests.filter { seen.insert($0).inserted }
    }

    private func isNamed(_ record: ImageRecord, as names: [ImageReference]) throws(Failure) -> Bool {
        if names.isEmpty { return try records(of: record.id).contains { $0.manifest.digest == record.manifest.digest } }
        for name in names {
            guard let known = try find(name), known.id == record.id, known.manifest.digest == record.manifest.digest
            else { return false }
        }
        return has(blob: record.manifest.digest) && has(blob: record.id)
    }
}
