import Archives
import CLinux
import Glibc
import Linux
import OCI
import SystemPackage

/// One layer on its way from a blob, which may still be growing, to a directory of its own in `ingest/`.
///
/// Nothing of it is in `layers/` before the digest of what was unpacked has turned out right, and the blob's as well.
final class LayerUnpacking {
    private let store: ImageStore
    private let diffID: Digest
    private let bounds: UnpackBounds
    private let ownership = Ownership.current()
    /// In `ingest/`; locked, so that it is no leftover.
    private let name: String
    private let folder: Held
    private let diff: Held
    private var implied: Set<EntryPath> = []
    private var record: LayerRecord
    private var isStored = false

    init(in store: ImageStore, diffID: Digest, parent: Digest?, bounds: UnpackBounds) throws(Failure) {
        self.store = store
        self.diffID = diffID
        self.bounds = bounds
        record = LayerRecord(diffID: diffID, parent: parent, size: 0)
        (name, folder) = try attempt("make layer", "\(diffID)") { () throws(SystemCallError) in
            try store.makeTemporary("layer", isDirectory: true)
        }
        let made = folder.descriptor
        diff = try attempt("make layer", "\(diffID)") { () throws(SystemCallError) in
            try made.makeDirectory("diff", mode: 0o755)
            return Held(try made.open("diff", O_RDONLY | O_DIRECTORY))
        }
    }

    /// What failed half-way is no use to anybody.
    deinit {
        if !isStored { try? store.directory.removeTree(name) }  // `try?`: the next prune removes what is left
    }

    // MARK: Unpacking

    /// Unpacks all of `blob`, waiting for it as it grows.
    func unpack(_ blob: GrowingFile) throws(Failure) {
        var offset: Int64 = 0
        let stream = try Decompression { (buffer) throws(Failure) in
            let count = try blob.read(into: buffer, at: offset)
            offset += Int64(count)
            return count
        }
        var hasher = Digest.Hasher(diffID.algorithm)
        var size: Int64 = 0
        let next: () throws(Failure) -> UnsafeRawBufferPointer? = { () throws(Failure) in
            guard let piece = try stream.next() else { return nil }
            hasher.update(piece)
            size += Int64(piece.count)
            try self.check(size, packed: stream.consumed)
            return piece
        }
        var tree = LayerTree(diff.descriptor, ownership)
        try unpackEntries(TarReader(next), into: &tree)
        // What follows the archive's end is part of what the digest is of.
        while try next() != nil {}
        let digest = hasher.finish()
        guard digest == diffID else {
            throw Failure("unpack", "", "its content has the digest \(digest), and the image says \(diffID)")
        }
        try tree.finishDirectories()
        implied = tree.implied
        record.size = tree.size
        record.omittedDevices = tree.omittedDevices
        record.hasOneOwner = !ownership.givesAway
    }

    private func unpackEntries(_ reader: TarReader, into tree: inout LayerTree) throws(Failure) {
        var count = 0
        while let entry = try reader.next() {
            count += 1
            guard count <= bounds.entries else {
                throw Failure("unpack", "", "has more than \(bounds.entries) entries", remedy: Self.boundsRemedy)
            }
            guard let path = EntryPath(entry.name) else {
                let name = String(decoding: entry.name, as: UTF8.self)
                throw Failure("unpack", name, "is a name that leads out of the layer")
            }
            guard !path.bytes.contains(0) else { throw LayerTree.refused(path, "has a name with a NUL") }
            try unpack(entry, path, reader, into: &tree)
        }
    }

    private func unpack(
        _ entry: TarEntry, _ path: EntryPath, _ reader: TarReader, into tree: inout LayerTree
    ) throws(Failure) {
        switch Whiteout(path.last) {
        case .none: try tree.add(entry, path, data: reader)
        case .opaque: try tree.hideAll(in: path.parent)
        case .hides(let name): try tree.hide(path.sibling(name))
        case .bookkeeping: return
        case .wrong: throw LayerTree.refused(path, "is a mark of a removed file that names none")
        }
    }

    private func check(_ size: Int64, packed: Int64) throws(Failure) {
        guard size <= bounds.size else {
            throw Failure("unpack", "", "is larger than \(bounds.size) bytes", remedy: Self.boundsRemedy)
        }
        guard size <= bounds.ratioFreeSize || size / max(packed, 1) < bounds.ratio else {
            throw Failure(
                "unpack", "", "unpacks to more than \(bounds.ratio) times its size", remedy: Self.boundsRemedy)
        }
    }

    private static let boundsRemedy =
        "if it is right, raise APUS_LAYER_MAX_BYTES, APUS_LAYER_MAX_RATIO or APUS_LAYER_MAX_ENTRIES"

    // MARK: Storing

    /// Gives the layer what it has from those below it; from here on it is as it will be stored.
    ///
    /// - Parameter below: The directories of those below, the nearest first.
    /// - Returns: Its own directory.
    func complete(over below: [Held]) throws(Failure) -> Held {
        for path in implied.sorted(by: { $0.depth > $1.depth }) { try adopt(path, from: below) }
        try attempt("store layer", "\(diffID)") { () throws(SystemCallError) in
            try folder.descriptor.replaceFile("layer.json", with: record.json(), mode: 0o644)
        }
        return folder
    }

    /// Puts the layer, which is complete and on the disk, among the others.
    ///
    /// - Parameter chain: Its own and all below it.
    /// - Returns: The layer, kept from being removed: another process may have been faster.
    func store(as chain: Digest) throws(Failure) -> Held {
        let path = ImageStore.folder(of: chain)
        while true {
            if let other = try store.openIfThere(layer: chain) { return other }
            do throws(SystemCallError) {
                try Linux.check("rename", path) {
                    renameat(store.directory.rawValue, name, store.directory.rawValue, path)
                }
                isStored = true
                return folder
            } catch  where error.errno == .directoryNotEmpty || error.errno == .fileExists {
                // Another process was faster: the next round finds it.
            } catch {
                throw Failure("store layer", "\(chain)", error)
            }
        }
    }

    /// Gives a directory that the archive does not name what it has in the layers below.
    private func adopt(_ path: EntryPath, from below: [Held]) throws(Failure) {
        guard case .success(let directory) = path.open(beneath: diff.descriptor, O_RDONLY | O_DIRECTORY) else { return }
        defer { directory.closeQuietly() }
        var original: FileDescriptor?
        defer { original?.closeQuietly() }
        for layer in below where original == nil {
            guard case .success(let root) = EntryPath.diff.open(beneath: layer.descriptor, O_PATH | O_DIRECTORY) else {
                continue
            }
            defer { root.closeQuietly() }
            if case .success(let found) = path.open(beneath: root, O_RDONLY | O_DIRECTORY) { original = found }
        }
        try attempt("write", path.text) { () throws(SystemCallError) in try copy(from: original, to: directory, path) }
    }

    private func copy(
        from original: FileDescriptor?, to directory: FileDescriptor, _ path: EntryPath
    ) throws(SystemCallError) {
        var status = FileStatus()
        // Where no layer says anything: root's, and of a time that is always the same.
        status.st_mode = 0o755
        if let original { status = try original.status() }
        if ownership.givesAway {
            try Linux.check("chown", path.text) { fchown(directory.rawValue, status.st_uid, status.st_gid) }
        }
        if let original {
            for (name, value) in try FileAttributes.all(of: original) {
                _ = try FileAttributes.set(name, value, on: directory)
            }
        }
        try Linux.check("fchmod", path.text) { fchmod(directory.rawValue, status.st_mode & 0o7777) }
        let times = [status.st_mtim, status.st_mtim]
        try Linux.check("futimens", path.text) { futimens(directory.rawValue, times) }
    }
}

extension EntryPath {
    /// Where a layer's files are in its directory.
    fileprivate static let diff = EntryPath(Array("diff".utf8)) ?? .root
}

/// The names by which a layer's archive says that something of the layers below is gone.
///
/// - Note: OCI Image Specification, layer.md, "Whiteouts"; what else begins with `.wh..wh.` is AUFS' bookkeeping.
enum Whiteout: Equatable {
    /// An ordinary name.
    case none
    /// All that the layers below have in this directory.
    case opaque
    /// The file with this name in the same directory.
    case hides(ArraySlice<UInt8>)
    case bookkeeping
    /// Of nothing that could be a file.
    case wrong

    static let prefix = Array(".wh.".utf8)
    static let opaqueName = Array(".wh..wh..opq".utf8)

    init(_ name: ArraySlice<UInt8>) {
        guard name.starts(with: Self.prefix) else {
            self = .none
            return
        }
        let hidden = name.dropFirst(Self.prefix.count)
        if name.elementsEqual(Self.opaqueName) {
            self = .opaque
        } else if hidden.starts(with: Self.prefix) {
            self = .bookkeeping
        } else if hidden.isEmpty || hidden.elementsEqual([0x2E]) || hidden.elementsEqual([0x2E, 0x2E]) {
            self = .wrong
        } else {
            self = .hides(hidden)
        }
    }
}
