import CLinux
import Glibc
public import Linux
public import OCI
import SystemPackage

/// What a step of a build has made: it is not done again as long as this is there.
///
/// Its key is the digest of all that the step depends on; `build/<key>.json` in the store.
public struct BuildRecord: JSONMappable, Sendable, Hashable {
    public var key: Digest
    /// The instruction, for people.
    public var step: String
    /// RFC 3339: when it was done, which the image's history repeats.
    public var created: String
    /// What it has changed in the files; `nil` for nothing.
    public var layer: BuiltLayer?

    private var schemaVersion = 1

    public init(key: Digest, step: String, created: String, layer: BuiltLayer?) {
        self.key = key
        self.step = step
        self.created = created
        self.layer = layer
    }

    package init() { self.init(key: Digest(hex: ""), step: "", created: "", layer: nil) }

    package mutating func map(_ fields: JSONFields) {
        fields.required("schemaVersion", &schemaVersion)
        fields.check("schemaVersion", schemaVersion == 1, expected: "1")
        fields.required("key", &key)
        fields.required("step", &step)
        fields.required("created", &created)
        fields.optional("layer", &layer)
    }
}

/// A layer of the store that was made by a step; its packed form is made when somebody first wants it.
public struct BuiltLayer: JSONMappable, Sendable, Hashable {
    /// Of it and all below it.
    public var chain: Digest
    /// Of its tar stream, which is what it is packed as, too.
    public var diffID: Digest
    /// Of its tar stream, in bytes.
    public var size: Int64

    public init(chain: Digest, diffID: Digest, size: Int64) {
        self.chain = chain
        self.diffID = diffID
        self.size = size
    }

    package init() { self.init(chain: Digest(hex: ""), diffID: Digest(hex: ""), size: 0) }

    package mutating func map(_ fields: JSONFields) {
        fields.required("chain", &chain)
        fields.required("diffID", &diffID)
        fields.required("size", &size)
    }

    /// As a manifest names it.
    public var descriptor: Descriptor { Descriptor(mediaType: .ociLayer, digest: diffID, size: size) }
}

extension ImageStore {
    private static func file(ofStep key: Digest) -> String { "build/\(key.hex).json" }

    /// What a step with this key has made before, if all of it is still there and on the disk.
    ///
    /// - Returns: `nil` also for a record that cannot be read: the step is then done again.
    public func buildRecord(_ key: Digest) -> BuildRecord? {
        guard let bytes = try? directory.contents(of: Self.file(ofStep: key), limit: 1 << 20),  // `try?`: as just said
            let record = try? BuildRecord(json: bytes), record.key == key  // `try?`: as above
        else { return nil }
        guard let layer = record.layer else { return record }
        // `try?`: as above
        guard let known = try? self.record(ofLayer: layer.chain), known.isTrusted else { return nil }
        return record
    }

    /// Remembers what a step has made. The caller holds its layer.
    public func save(_ record: BuildRecord) throws(Failure) {
        try attempt("record step", record.step) { () throws(SystemCallError) in
            try directory.makeDirectory("build", mode: 0o711)
            let folder = try directory.open("build", O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            defer { folder.closeQuietly() }
            try folder.replaceFile("\(record.key.hex).json", with: record.json(), mode: 0o644)
        }
    }

    /// Marks a step as used now, so that a prune by age keeps it.
    public func touch(_ record: BuildRecord) {
        // Only the order of removal depends on it.
        utimensat(directory.rawValue, Self.file(ofStep: record.key), nil, 0)
    }

    /// Every step that is remembered, with when it was last used, in seconds since 1970.
    public func buildRecords() throws(Failure) -> [(record: BuildRecord, used: Int)] {
        guard directory.has("build") else { return [] }
        return try attempt("list steps", "\(path)/build") { () throws(SystemCallError) in
            let folder = try directory.open("build", O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            defer { folder.closeQuietly() }
            var records: [(record: BuildRecord, used: Int)] = []
            for name in try folder.entries() where name.hasSuffix(".json") {
                guard let bytes = try? folder.contents(of: name, limit: 1 << 20),  // `try?`: removed meanwhile
                    let record = try? BuildRecord(json: bytes),  // `try?`: a damaged one counts for nothing
                    let status = try? folder.status(of: name)  // `try?`: removed meanwhile
                else { continue }
                records.append((record, status.st_mtim.tv_sec))
            }
            return records
        }
    }

    /// The layers that steps have made: they stay for as long as those are remembered.
    func layersOfSteps() throws(Failure) -> Set<Digest> {
        Set(try buildRecords().compactMap { $0.record.layer?.chain })
    }

    /// Forgets steps, and removes the layers that no image, no other step and no container has.
    ///
    /// - Parameter isUnneeded: Asked with a record and when it was last used, in seconds since 1970.
    public func pruneSteps(
        where isUnneeded: (BuildRecord, Int) -> Bool, inUse: LayersInUse
    ) throws(Failure) -> Removed {
        var layers: Set<Digest> = []
        for (record, used) in try buildRecords() where isUnneeded(record, used) {
            try attempt("forget step", record.step) { () throws(SystemCallError) in
                try directory.remove(Self.file(ofStep: record.key))
            }
            if let layer = record.layer { layers.insert(layer.chain) }
        }
        return try collect(blobs: [], layers: layers, inUse: inUse)
    }
}

extension LayerRecord {
    /// Whether its files are as they were written: until they are synchronised with the disk, no longer than this boot.
    var isTrusted: Bool { boot == nil || boot == Boot.id }
}
