import Glibc
public import Linux
import OCI

/// An image that is being put together in the store: what is missing of it comes from anywhere, and is unpacked while it
/// comes. Nothing names the image before all of it is there and right.
///
///     let assembly = try ImageAssembly(in: store, image: "alpine:latest", manifest: bytes, as: type, config: bytes)
///     for descriptor in assembly.missing {        // in any order, in parallel
///         let ingest = try store.ingest(descriptor)
///         try assembly.unpack(ingest)             // its layers are unpacked as it grows
///         …                                       // ingest.append(bytes), or ingest.fail(failure)
///         try assembly.hold(ingest.finish())
///     }
///     try assembly.finish(as: [name], target: descriptor)
///
/// `unpack` and `hold` may be called from several threads at a time.
public final class ImageAssembly: @unchecked Sendable {
    /// What is to be fetched, each once, in the order of the layers.
    public let missing: [Descriptor]
    public let manifest: Manifest
    public let config: ImageConfig
    /// The manifest's own descriptor.
    public let descriptor: Descriptor
    /// What the user should know of the layers that were unpacked; complete after `finish`.
    public private(set) var remarks: Remarks = []

    /// What is not as the image has it, in unpacked layers.
    public struct Remarks: OptionSet, Sendable {
        public let rawValue: Int
        public init(rawValue: Int) { self.rawValue = rawValue }

        /// All files belong to the user, who has no subordinate IDs.
        public static let hasOneOwner = Self(rawValue: 1)
        /// Device nodes are missing: nobody makes them in a user namespace.
        public static let omittedDevices = Self(rawValue: 2)
    }

    private let store: ImageStore
    private let image: String
    private let bounds: UnpackBounds
    private let chains: [Digest]
    private let slots: Slots
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    // All below under the mutex.
    private var held: [Held] = []
    private var layers: [Layer] = []

    private struct Layer {
        let descriptor: Descriptor
        let diffID: Digest
        let chain: Digest
        let parent: Digest?
        /// The layer, if it is unpacked.
        var folder: Held?
        var work: (worker: Worker, unpacking: LayerUnpacking, blob: GrowingFile)?
    }

    /// - Parameters:
    ///   - image: Its name, for errors.
    ///   - manifest: As it came: its bytes are what its digest is of.
    ///   - mediaType: What it was announced as.
    ///   - config: As it came, with the digest that the manifest says.
    ///   - bounds: What layers may unpack to.
    public init(
        in store: ImageStore, image: String, manifest manifestBytes: [UInt8], as mediaType: MediaType,
        config configBytes: [UInt8], bounds: UnpackBounds = .fromEnvironment
    ) throws(Failure) {
        self.store = store
        self.image = image
        self.bounds = bounds
        try store.sweep(partialBlobs: false)
        slots = Slots(UInt32(max(4, sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
        pthread_mutex_init(mutex, nil)
        manifest = try Manifest(json: manifestBytes, as: mediaType, of: image)
        try Self.check(manifest, configBytes, image)
        config = try ImageConfig(json: configBytes, of: image)
        let diffIDs = config.rootfs.diffIDs
        guard diffIDs.count == manifest.layers.count else {
            throw Failure(
                "read image", image,
                "its manifest has \(manifest.layers.count) layers, and its configuration \(diffIDs.count)")
        }
        chains = config.rootfs.chainIDs
        var held: [Held] = []
        let (descriptor, manifestBlob) = try store.add(manifestBytes, as: mediaType)
        self.descriptor = descriptor
        held.append(manifestBlob)
        held.append(try store.add(configBytes, as: manifest.config.mediaType).1)
        var missing: [Descriptor] = []
        for layer in manifest.layers where !missing.contains(where: { $0.digest == layer.digest }) {
            guard let blob = try store.openIfThere(blob: layer.digest) else {
                missing.append(layer)
                continue
            }
            try Self.check(layer, blob, image)
            held.append(blob)
        }
        self.missing = missing
        self.held = held
        for (index, layer) in manifest.layers.enumerated() {
            layers.append(
                Layer(
                    descriptor: layer, diffID: diffIDs[index], chain: chains[index],
                    parent: index > 0 ? chains[index - 1] : nil, folder: try store.openIfThere(layer: chains[index])))
        }
    }

    deinit {
        // What is followed may never come: whoever was to bring it has given up, and knows why.
        for layer in layers { layer.work?.blob.finish(.failure(Failure("unpack", "", "interrupted"))) }
        for layer in layers { try? layer.work?.worker.finish() }  // `try?`: as above
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    private static func check(_ manifest: Manifest, _ config: [UInt8], _ image: String) throws(Failure) {
        guard manifest.config.mediaType.isConfig else {
            throw Failure(
                "read image", image, "is no image but '\(manifest.artifactType ?? manifest.config.mediaType.rawValue)'")
        }
        var hasher = Digest.Hasher(manifest.config.digest.algorithm)
        config.withUnsafeBytes { hasher.update($0) }
        let digest = hasher.finish()
        guard digest == manifest.config.digest, Int64(config.count) == manifest.config.size else {
            throw Failure(
                "read image", image,
                "its configuration has \(config.count) bytes and the digest \(digest), not \(manifest.config.size) and "
                    + "\(manifest.config.digest)")
        }
        for layer in manifest.layers {
            guard !layer.mediaType.isForeignLayer else {
                throw Failure(
                    "read image", "\(image): layer \(layer.digest.short)",
                    "is kept elsewhere than in the registry (\(layer.mediaType)), and is not fetched from there")
            }
            guard layer.mediaType.isLayer else {
                throw Failure(
                    "read image", "\(image): layer \(layer.digest.short)",
                    "media type '\(layer.mediaType)' is no layer's")
            }
        }
    }

    /// Refuses a size that is not the blob's, as `BlobIngest` does for one that is still to come.
    private static func check(_ layer: Descriptor, _ blob: Held, _ image: String) throws(Failure) {
        let subject = "\(image): layer \(layer.digest.short)"
        let size = try attempt("read image", subject) { () throws(SystemCallError) in
            Int64(try blob.descriptor.status().st_size)
        }
        guard size == layer.size else {
            throw Failure("read image", subject, "has \(size) bytes, not the \(layer.size) that its manifest says")
        }
    }

    // MARK: Parts

    /// Keeps a blob until the image is named.
    public func hold(_ blob: Held) { withLock { held.append(blob) } }

    /// Begins to unpack the layers that a blob is, while it grows; those that are unpacked already are left alone.
    public func unpack(_ ingest: BlobIngest) throws(Failure) {
        try unpack(ingest.descriptor.digest, ingest.growing)
    }

    private func unpack(_ digest: Digest, _ blob: GrowingFile) throws(Failure) {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        for index in layers.indices {
            let layer = layers[index]
            guard layer.descriptor.digest == digest, layer.folder == nil, layer.work == nil else { continue }
            let unpacking: LayerUnpacking
            do throws(Failure) {
                unpacking = try LayerUnpacking(in: store, diffID: layer.diffID, parent: layer.parent, bounds: bounds)
            } catch {
                throw named(error, layer.descriptor)
            }
            let work = Work(unpacking: unpacking, blob: blob, slots: slots)
            layers[index].work = (try Worker { () throws(Failure) in try work.run() }, unpacking, blob)
        }
    }

    /// What a thread needs: it alone touches the unpacking until it was waited for.
    private struct Work: @unchecked Sendable {
        let unpacking: LayerUnpacking
        let blob: GrowingFile
        let slots: Slots

        func run() throws(Failure) { try slots.use { () throws(Failure) in try unpacking.unpack(blob) } }
    }

    // MARK: The end

    /// Waits until all layers are unpacked, puts them into the store, and gives the image its names.
    ///
    /// - Parameters:
    ///   - names: None for an image without a name.
    ///   - target: What the names stand for, if it is not the manifest but an index, whose blob must be in the store.
    ///   - repoDigests: The names by which registries have it.
    /// - Returns: What the first name stands for now.
    @discardableResult
    public func finish(
        as names: [ImageReference], target: Descriptor? = nil, repoDigests: [String] = []
    ) throws(Failure) -> ImageRecord {
        try unpackRest()
        var folders: [Held] = []
        for index in layers.indices { folders.insert(try finishLayer(index, over: folders), at: 0) }
        // Neither a layer nor a name counts before all of the image would survive a power cut.
        try store.synchronise()
        var size: Int64 = 0
        for index in layers.indices {
            let folder = try storeLayer(index)
            folders.append(folder)
            size += try store.record(ofLayer: layers[index].chain)?.size ?? 0
        }
        let target = target ?? descriptor
        if target.digest != descriptor.digest { held.append(try store.open(blob: target.digest)) }
        let record = makeRecord(size, target, repoDigests)
        remarks = try store.remarks(on: record)
        let named = try name(record, names)
        withExtendedLifetime((folders, held)) {}
        return named
    }

    /// Those whose blobs were there from the start, or have come without being followed.
    private func unpackRest() throws(Failure) {
        for layer in layers where layer.folder == nil && layer.work == nil {
            let blob = try store.open(blob: layer.descriptor.digest)
            held.append(blob)
            let size = try attempt("open blob", "\(layer.descriptor.digest)") { () throws(SystemCallError) in
                Int64(try blob.descriptor.status().st_size)
            }
            try unpack(layer.descriptor.digest, GrowingFile(blob, length: size, isWhole: true))
        }
    }

    /// - Returns: Its directory, which is not among the others yet.
    private func finishLayer(_ index: Int, over below: [Held]) throws(Failure) -> Held {
        let layer = layers[index]
        if let folder = layer.folder { return folder }
        do throws(Failure) {
            guard let work = layer.work else { throw Failure("unpack", "", "was not begun") }
            try work.worker.finish()
            // Only the whole blob in the store says that what was unpacked is what the manifest means.
            guard store.has(blob: layer.descriptor.digest) else {
                throw Failure("unpack", "", "its blob is not in the store")
            }
            return try work.unpacking.complete(over: below)
        } catch {
            throw named(error, layer.descriptor)
        }
    }

    private func storeLayer(_ index: Int) throws(Failure) -> Held {
        let layer = layers[index]
        if let folder = layer.folder { return folder }
        do throws(Failure) {
            guard let work = layer.work else { throw Failure("unpack", "", "was not begun") }
            let folder = try work.unpacking.store(as: layer.chain)
            layers[index].folder = folder
            return folder
        } catch {
            throw named(error, layer.descriptor)
        }
    }

    private func makeRecord(_ size: Int64, _ target: Descriptor, _ repoDigests: [String]) -> ImageRecord {
        var blobs = [target.digest]
        for blob in [descriptor.digest, manifest.config.digest] + manifest.layers.map(\.digest)
        where !blobs.contains(blob) {
            blobs.append(blob)
        }
        return ImageRecord(
            name: nil, target: target, manifest: descriptor, id: manifest.config.digest, platform: config.platform,
            layers: chains, blobs: blobs, size: size, created: config.created, repoDigests: repoDigests,
            config: config.config ?? ImageConfig.Execution())
    }

    /// - Returns: The record of the first name.
    private func name(_ record: ImageRecord, _ names: [ImageReference]) throws(Failure) -> ImageRecord {
        var first: ImageRecord?
        for name in names {
            var named = record
            named.name = name.canonical
            try store.record(named)
            if first == nil { first = named }
        }
        if first == nil { try store.record(record) }
        return first ?? record
    }

    /// An error that says which image and which layer.
    private func named(_ failure: Failure, _ layer: Descriptor) -> Failure {
        var result = failure
        let subject = failure.subject.isEmpty ? "" : ": '\(failure.subject)'"
        result.subject = "\(image): layer \(layer.digest.short)\(subject)"
        return result
    }

    private func withLock(_ body: () -> Void) {
        pthread_mutex_lock(mutex)
        body()
        pthread_mutex_unlock(mutex)
    }
}
