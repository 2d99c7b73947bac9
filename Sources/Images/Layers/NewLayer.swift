import Archives
public import Linux
import OCI
public import SystemPackage

/// A layer that was made here and not fetched: its blob is in the store.
public struct NewLayer: Sendable {
    public let descriptor: Descriptor
    /// What it is known by uncompressed.
    public let diffID: Digest
    let blob: Held
}

/// How layers are packed.
public enum LayerCompression: String, Sendable, CaseIterable {
    case none
    case gzip
    case zstd

    var kind: Compression.Kind {
        switch self {
        case .none: .none
        case .gzip: .gzip
        case .zstd: .zstd
        }
    }

    var mediaType: MediaType {
        switch self {
        case .none: .ociLayer
        case .gzip: .ociLayerGzip
        case .zstd: .ociLayerZstd
        }
    }
}

extension ImageStore {
    /// Packs the changes of a container into a layer.
    ///
    /// - Parameters:
    ///   - upper: The upper directory of its overlay.
    ///   - owners: Those in the container, from those on disk.
    ///   - leavesOut: See `TreeWriter`.
    public func makeLayer(
        ofUpper upper: FileDescriptor, compression: LayerCompression = .gzip,
        owners: @escaping TreeWriter.Owners = { ($0, $1) }, leavesOut: @escaping (String) -> Bool = { _ in false }
    ) throws(Failure) -> NewLayer {
        try makeLayer(compression) { (sink) throws(Failure) in
            var writer = try TreeWriter(to: sink, isLayer: true, owners: owners, leavesOut: leavesOut)
            try writer.write(upper)
        }
    }

    /// Makes a layer of what `write` gives: a tar stream.
    func makeLayer(
        _ compression: LayerCompression, _ write: (@escaping ByteSink) throws(Failure) -> Void
    ) throws(Failure) -> NewLayer {
        let blob = try newBlob()
        let packed = try Compression(compression.kind) { (bytes) throws(Failure) in try blob.append(bytes) }
        var hasher = Digest.Hasher()
        try write { (bytes) throws(Failure) in
            hasher.update(bytes)
            try packed.write(bytes)
        }
        try packed.finish()
        let (descriptor, held) = try blob.finish(as: compression.mediaType)
        return NewLayer(descriptor: descriptor, diffID: hasher.finish(), blob: held)
    }

    /// Makes a layer of the tar stream of a root, compressed or not.
    ///
    /// - Parameter source: Gives its bytes.
    public func makeLayer(ofArchive source: @escaping ByteSource) throws(Failure) -> NewLayer {
        let archive = try Decompression(of: source)
        return try makeLayer(.gzip) { (sink) throws(Failure) in
            while let bytes = try archive.next() { try sink(bytes) }
        }
    }

    /// Stores an image that was made here.
    ///
    /// - Parameters:
    ///   - base: The image that it is made from; `nil` for one from nothing.
    ///   - layer: Comes on top; `nil` where nothing changed.
    ///   - step: What was done, for the history.
    ///   - names: None for an image without a name.
    ///   - change: Changes its configuration, which is that of `base`.
    public func makeImage(
        from base: ImageRecord?, adding layer: NewLayer?, step: ImageConfig.History, as names: [ImageReference],
        change: (inout ImageConfig) throws(Failure) -> Void = { _ in }
    ) throws(Failure) -> ImageRecord {
        var config = ImageConfig(platform: .host)
        var layers: [Descriptor] = []
        var held: [Held] = []
        if let base {
            held = try hold(base)
            config = try self.config(of: base)
            layers = try manifest(of: base).layers.map { $0.inOCI }
        }
        config.created = step.created
        config.author = step.author ?? config.author
        if let layer {
            config.rootfs.diffIDs.append(layer.diffID)
            layers.append(layer.descriptor)
        }
        var step = step
        step.emptyLayer = layer == nil ? true : nil
        config.history = (config.history ?? []) + [step]
        try change(&config)
        let json = config.json()
        let manifest = Manifest(
            config: Descriptor(mediaType: .ociConfig, digest: .of(json), size: Int64(json.count)), layers: layers)
        let image = names.first?.familiar ?? "new image"
        let assembly = try ImageAssembly(
            in: self, image: image, manifest: manifest.json(), as: .ociManifest, config: json)
        let record = try assembly.finish(as: names)
        withExtendedLifetime((held, layer)) {}
        return record
    }

    /// Writes the files of a root as a tar stream.
    public static func exportRoot(_ root: FileDescriptor, to sink: @escaping ByteSink) throws(Failure) {
        var writer = try TreeWriter(to: sink, isLayer: false)
        try writer.write(root)
    }
}

extension Descriptor {
    /// A layer by the name that the OCI has for what it is.
    var inOCI: Descriptor {
        var result = self
        switch mediaType {
        case .dockerLayer: result.mediaType = .ociLayer
        case .dockerLayerGzip: result.mediaType = .ociLayerGzip
        case .dockerLayerZstd: result.mediaType = .ociLayerZstd
        default: break
        }
        return result
    }
}
