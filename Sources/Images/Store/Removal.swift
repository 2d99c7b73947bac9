import CLinux
import Glibc
public import Linux
import SystemPackage

/// One line of what `rmi` and `prune` say.
public enum RemovalStep: Sendable, Hashable {
    /// A name, as users see it.
    case untagged(String)
    /// An image, by its ID, or an unpacked layer, by its chain ID.
    case deleted(Digest)
}

/// What was removed.
public struct Removed: Sendable, Hashable {
    public var steps: [RemovalStep] = []
    /// What is free again, in bytes: of packed and unpacked layers.
    public var bytes: Int64 = 0

    public init() {}
}

extension ImageStore {
    /// The chain IDs of the layers that containers are made of, whether they run or not. It is asked once the layers to be
    /// removed are locked, so that no container can come to be between the answer and the removal.
    public typealias LayersInUse = () throws(Failure) -> Set<Digest>

    /// Removes a name, and with the last one the image.
    ///
    /// - Parameters:
    ///   - text: A name; or an ID or its beginning, for all its names.
    ///   - force: Whether an ID may stand for names in several repositories.
    ///   - inUse: Layers that stay.
    public func remove(_ text: String, force: Bool, inUse: LayersInUse) throws(Failure) -> Removed {
        guard let record = try find(text) else { throw Self.noSuchImage(text) }
        let all = try records(of: record.id)
        let isByName = record.name == nil ? false : try isName(text, of: record)
        if isByName, all.count > 1 {
            try removeName(record, keepsImage: true)
            var removed = Removed()
            removed.steps.append(.untagged(record.familiar))
            return removed
        }
        let repositories = Set(all.compactMap { $0.reference?.name })
        guard isByName || force || repositories.count < 2 else {
            throw Failure(
                "remove image", text,
                "has names in several repositories: \(all.map(\.familiar).joined(separator: ", "))",
                remedy: "remove them by name, or use --force")
        }
        return try removeWhole(isByName ? [record] : all, inUse: inUse)
    }

    private func isName(_ text: String, of record: ImageRecord) throws(Failure) -> Bool {
        do throws(Failure) {
            return try find(ImageReference(text)) == record
        } catch {
            return false  // `text` can be no name
        }
    }

    /// Removes images with all their names.
    private func removeWhole(_ records: [ImageRecord], inUse: LayersInUse) throws(Failure) -> Removed {
        var removed = Removed()
        for record in records {
            try removeName(record, keepsImage: false)
            if record.name != nil { removed.steps.append(.untagged(record.familiar)) }
        }
        var deleted: Set<Digest> = []
        for record in records where deleted.insert(record.id).inserted { removed.steps.append(.deleted(record.id)) }
        let layers = try collect(
            blobs: Set(records.flatMap(\.blobs)), layers: Set(records.flatMap(\.layers)), inUse: inUse)
        removed.steps += layers.steps
        removed.bytes += layers.bytes
        return removed
    }

    /// Removes images that nobody needs, and whatever else of the store belongs to none.
    ///
    /// - Parameters:
    ///   - isUnneeded: Which images go; asked for each name and each image without one.
    ///   - inUse: Layers that stay.
    public func prune(
        where isUnneeded: (ImageRecord) -> Bool, inUse: LayersInUse
    ) throws(Failure) -> Removed {
        let unneeded = try list().filter(isUnneeded)
        var removed = try removeWhole(unneeded, inUse: inUse)
        let rest = try collect(blobs: allBlobs(), layers: Set(allLayers().keys), inUse: inUse)
        removed.steps += rest.steps
        removed.bytes += rest.bytes
        removed.bytes += try sweep(partialBlobs: true)
        return removed
    }

    /// Every blob.
    func allBlobs() throws(Failure) -> Set<Digest> {
        try attempt("list blobs", path) { () throws(SystemCallError) in
            var blobs: Set<Digest> = []
            for algorithm in Digest.Algorithm.allCases {
                let folder = try directory.open("blobs/\(algorithm.rawValue)", O_RDONLY | O_DIRECTORY)
                defer { folder.closeQuietly() }
                blobs.formUnion(try folder.entries().compactMap { Digest.parse("\(algorithm.rawValue):\($0)") })
            }
            return blobs
        }
    }

    /// Every unpacked layer, by its chain ID.
    public func allLayers() throws(Failure) -> [Digest: LayerRecord] {
        let names = try attempt("list layers", path) { () throws(SystemCallError) in
            let folder = try directory.open("layers", O_RDONLY | O_DIRECTORY)
            defer { folder.closeQuietly() }
            return try folder.entries()
        }
        var layers: [Digest: LayerRecord] = [:]
        for name in names {
            guard let chain = Digest.parse("sha256:\(name)"), let record = try record(ofLayer: chain) else { continue }
            layers[chain] = record
        }
        return layers
    }

    // MARK: Collecting

    /// Removes those of these blobs and layers that no name needs and nobody holds.
    func collect(
        blobs: Set<Digest>, layers: Set<Digest>, inUse: LayersInUse
    ) throws(Failure) -> Removed {
        var removed = try collectLayers(layers, inUse)
        removed.bytes += try removeUnneeded(blobs: blobs)
        return removed
    }

    /// Removes those of these blobs that no name needs and nobody holds.
    ///
    /// - Returns: Their bytes.
    @discardableResult
    func removeUnneeded(blobs: Set<Digest>) throws(Failure) -> Int64 {
        var removed: Int64 = 0
        var rest = Array(blobs.subtracting(try list().flatMap(\.blobs)))[...]
        while !rest.isEmpty {
            let locked = try lockForRemoval(rest.prefix(Self.batch), Self.path)
            rest = rest.dropFirst(Self.batch)
            // Whoever names an image holds its blobs until then: no name can come to need one of these any more.
            let needed = Set(try list().flatMap(\.blobs))
            for (digest, file) in locked where !needed.contains(digest) {
                try attempt("remove blob", "\(digest)") { () throws(SystemCallError) in
                    removed += Int64(try file.descriptor.status().st_size)
                    try directory.remove(Self.path(of: digest))
                }
            }
        }
        return removed
    }

    private static let batch = 256

    private func collectLayers(_ layers: Set<Digest>, _ inUse: LayersInUse) throws(Failure) -> Removed {
        var removed = Removed()
        let all = try allLayers()
        var children: [Digest: Int] = [:]
        for record in all.values { if let parent = record.parent { children[parent, default: 0] += 1 } }
        // The highest first: a layer is needed as long as one is on it.
        func depth(_ chain: Digest) -> Int {
            var depth = 0
            var next = all[chain]?.parent
            while let chain = next, depth <= all.count {
                depth += 1
                next = all[chain]?.parent
            }
            return depth
        }
        var depths: [Digest: Int] = [:]
        for chain in layers where all[chain] != nil { depths[chain] = depth(chain) }
        var rest = depths.keys.sorted { (one: Digest, other: Digest) -> Bool in
            let (here, there) = (depths[one, default: 0], depths[other, default: 0])
            return here == there ? one < other : here > there
        }[...]
        while !rest.isEmpty {
            let locked = try lockForRemoval(rest.prefix(Self.batch), Self.folder)
            rest = rest.dropFirst(Self.batch)
            let needed = Set(try list().flatMap(\.layers)).union(try layersOfSteps()).union(try inUse())
            for (chain, folder) in locked where !needed.contains(chain) && children[chain, default: 0] == 0 {
                try remove(chain, folder)
                removed.steps.append(.deleted(chain))
                removed.bytes += all[chain]?.size ?? 0
                if let parent = all[chain]?.parent { children[parent, default: 1] -= 1 }
            }
        }
        return removed
    }

    /// Nobody sees a part of a layer: it goes out of the way as a whole first.
    private func remove(_ chain: Digest, _ folder: Held) throws(Failure) {
        try attempt("remove layer", "\(chain)") { () throws(SystemCallError) in
            let name = Self.temporaryName("removed")
            try check("rename", "'\(chain)'") {
                renameat(directory.rawValue, Self.folder(of: chain), directory.rawValue, name)
            }
            try directory.removeTree(name)
        }
    }

    /// Locks those of some blobs or layers that nobody holds. Each is an open file.
    private func lockForRemoval(
        _ digests: ArraySlice<Digest>, _ path: (Digest) -> String
    ) throws(Failure) -> [(Digest, Held)] {
        var locked: [(Digest, Held)] = []
        for digest in digests { if let held = try lockForRemoval(path(digest)) { locked.append((digest, held)) } }
        return locked
    }

    /// - Returns: `nil` if somebody holds it, or if it is gone.
    private func lockForRemoval(_ path: String) throws(Failure) -> Held? {
        do throws(SystemCallError) {
            let file = Held(try directory.open(path, O_RDONLY | O_NOFOLLOW))
            guard try file.descriptor.lock(wait: false), try isSame(file.descriptor, path) else { return nil }
            return file
        } catch  where error.errno == .noSuchFileOrDirectory {
            return nil
        } catch {
            throw Failure("remove", path, error)
        }
    }
}
