import Archives
import CLinux
import Glibc
public import Linux
import OCI
import SystemPackage

/// The upper directory of an overlay, which is to become a layer.
public struct UpperDirectory: Sendable {
    /// Absolute; on the file system of the store.
    public var path: String
    /// The layer below; `nil` for none.
    public var parent: Digest?
    /// Paths in the root that were made only to mount upon: empty ones go.
    public var stubs: [String]
    /// No file is younger than that, in seconds since 1970.
    public var latest: Int64?

    public init(path: String, parent: Digest?, stubs: [String] = [], latest: Int64? = nil) {
        self.path = path
        self.parent = parent
        self.stubs = stubs
        self.latest = latest
    }
}

extension ImageStore {
    /// Makes a layer of an upper directory, by moving it into the store.
    ///
    /// - Returns: `nil` where nothing was changed. The layer is kept from being removed for as long as the second lives.
    public func storeUpper(_ upper: UpperDirectory) throws(Failure) -> (BuiltLayer, Held)? {
        let ownership = Ownership.current()
        let directory = try attempt("open layer", upper.path) { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.open(upper.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        }
        defer { directory.closeQuietly() }
        try removeStubs(upper, in: directory)
        let isEmpty = try attempt("read layer", upper.path) { () throws(SystemCallError) in
            try directory.entries().isEmpty
        }
        if isEmpty, !OverlayMarks.isOpaque(directory) { return nil }
        var normalisation = UpperNormalisation(ownership: ownership, latest: upper.latest)
        try normalisation.run(directory, "/")
        var hasher = Digest.Hasher()
        var size: Int64 = 0
        var writer = try TreeWriter(
            to: { (bytes) throws(Failure) in
                hasher.update(bytes)
                size += Int64(bytes.count)
            }, isLayer: true)
        try writer.write(directory)
        let diffID = hasher.finish()
        let chain = upper.parent.map { Digest.of(Array("\($0) \(diffID)".utf8)) } ?? diffID
        var record = LayerRecord(
            diffID: diffID, parent: upper.parent, size: normalisation.size, hasOneOwner: !ownership.givesAway)
        record.boot = Boot.id
        let held = try store(upper.path, as: chain, record)
        return (BuiltLayer(chain: chain, diffID: diffID, size: size), held)
    }

    private func store(_ upper: String, as chain: Digest, _ record: LayerRecord) throws(Failure) -> Held {
        while true {
            if let other = try openIfThere(layer: chain) {
                if let known = try self.record(ofLayer: chain), known.isTrusted { return other }
                try setAside(chain)
            }
            let (name, folder) = try attempt("make layer", "\(chain)") { () throws(SystemCallError) in
                try makeTemporary("layer", isDirectory: true)
            }
            do throws(SystemCallError) {
                try folder.descriptor.replaceFile("layer.json", with: record.json(), mode: 0o644)
                // By way of the store: in a process with mounts of its own the same path lies on another mount, and
                // nothing is renamed from one to another.
                try check("rename", "'\(upper)'") {
                    renameat(directory.rawValue, besideStore(upper), folder.descriptor.rawValue, "diff")
                }
                try check("rename", "'\(name)'") {
                    renameat(directory.rawValue, name, directory.rawValue, Self.folder(of: chain))
                }
                return folder
            } catch  where error.errno == .directoryNotEmpty || error.errno == .fileExists {
                // Another process was faster with the same files: the next round finds them.
                try attempt("make layer", "\(chain)") { () throws(SystemCallError) in try directory.removeTree(name) }
            } catch {
                try? directory.removeTree(name)  // `try?`: the next one removes it
                throw Failure("store layer", "\(chain)", error)
            }
        }
    }

    /// A path in the data directory, from the store's.
    private func besideStore(_ path: String) -> String {
        let data = self.path.utf8.lastIndex(of: UInt8(ascii: "/")).map { self.path[...$0] } ?? ""
        return path.hasPrefix(data) ? "../\(path.dropFirst(data.count))" : path
    }

    /// Takes a layer away that a power cut may have damaged.
    private func setAside(_ chain: Digest) throws(Failure) {
        try attempt("replace layer", "\(chain)") { () throws(SystemCallError) in
            let name = Self.temporaryName("removed")
            try check("rename", "'\(chain)'") {
                renameat(directory.rawValue, Self.folder(of: chain), directory.rawValue, name)
            }
            try directory.removeTree(name)
        }
    }

    /// Removes what was made to mount upon, unless the layers below have it too or something is in it.
    private func removeStubs(_ upper: UpperDirectory, in directory: FileDescriptor) throws(Failure) {
        for stub in upper.stubs.sorted(by: { $0.utf8.count > $1.utf8.count }) {
            guard let path = EntryPath(Array(stub.utf8.drop { $0 == UInt8(ascii: "/") })), !path.isRoot,
                case .success(let parent) = path.parent.open(beneath: directory, O_PATH | O_DIRECTORY)
            else { continue }
            defer { parent.closeQuietly() }
            let name = FileName(bytes: path.last)
            // `try?`: it is not there
            guard let status = try? parent.status(of: name), try !isBelow(path, upper.parent) else { continue }
            switch status.st_mode & S_IFMT {
            // One that is not empty stays, as the kernel says.
            case S_IFDIR: _ = EntryPath.withCString(path.last) { unlinkat(parent.rawValue, $0, AT_REMOVEDIR) }
            case S_IFREG where status.st_size == 0:
                _ = EntryPath.withCString(path.last) { unlinkat(parent.rawValue, $0, 0) }
            default: continue
            }
        }
    }

    /// Whether any layer below has something at that path.
    private func isBelow(_ path: EntryPath, _ parent: Digest?) throws(Failure) -> Bool {
        var next = parent
        while let chain = next {
            let root = try attempt("open layer", "\(chain)") { () throws(SystemCallError) in
                try directory.open("\(Self.folder(of: chain))/diff", O_PATH | O_DIRECTORY)
            }
            defer { root.closeQuietly() }
            if case .success(let folder) = path.parent.open(beneath: root, O_PATH | O_DIRECTORY) {
                defer { folder.closeQuietly() }
                // `try?`: it is not there
                if let status = try? folder.status(of: FileName(bytes: path.last)), !status.isWhiteout { return true }
            }
            next = try record(ofLayer: chain)?.parent
        }
        return false
    }

    /// Says of layers that they are on the disk, once all of the store is.
    public func synchroniseLayers(_ chains: [Digest]) throws(Failure) {
        var marked: [(Digest, LayerRecord)] = []
        for chain in chains {
            if let record = try record(ofLayer: chain), record.boot != nil { marked.append((chain, record)) }
        }
        if marked.isEmpty { return }
        try synchronise()
        for (chain, record) in marked {
            var record = record
            record.boot = nil
            try attempt("store layer", "\(chain)") { () throws(SystemCallError) in
                let folder = try directory.open(Self.folder(of: chain), O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
                defer { folder.closeQuietly() }
                try folder.replaceFile("layer.json", with: record.json(), mode: 0o644)
            }
        }
    }
}

/// Makes what an overlay has left in its upper directory what unpacked layers have.
private struct UpperNormalisation {
    let ownership: Ownership
    let latest: Int64?
    /// Of all files, in bytes.
    var size: Int64 = 0

    mutating func run(_ directory: FileDescriptor, _ path: String) throws(Failure) {
        let names = try attempt("read layer", path) { () throws(SystemCallError) in try directory.fileNames() }
        for name in names {
            let status = try attempt("read layer", "\(path)\(name)") { () throws(SystemCallError) in
                try directory.status(of: name)
            }
            if status.st_mode & S_IFMT == S_IFREG { size += Int64(status.st_size) }
            if status.st_mode & S_IFMT == S_IFDIR {
                let below = try attempt("read layer", "\(path)\(name)") { () throws(SystemCallError) in
                    try directory.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
                }
                defer { below.closeQuietly() }
                try run(below, "\(path)\(name)/")
            }
            if let latest, status.st_mtim.tv_sec >= latest { try setTime(latest, of: name, in: directory, path) }
        }
        // Containers with and without a user namespace look for different marks.
        guard ownership.isHostRoot, OverlayMarks.isOpaque(directory) else { return }
        try attempt("mark layer", path) { () throws(SystemCallError) in
            for mark in ownership.opaqueAttributes {
                _ = try FileAttributes.set(mark, [UInt8(ascii: "y")], on: directory)
            }
        }
    }

    private func setTime(
        _ time: Int64, of name: FileName, in directory: FileDescriptor, _ path: String
    ) throws(Failure) {
        let times = [timespec(tv_sec: Int(time), tv_nsec: 0), timespec(tv_sec: Int(time), tv_nsec: 0)]
        try attempt("set times", "\(path)\(name)") { () throws(SystemCallError) in
            _ = try check("utimensat", "") {
                name.cString.withUnsafeBufferPointer {
                    utimensat(directory.rawValue, $0.baseAddress!, times, AT_SYMLINK_NOFOLLOW)
                }
            }
        }
    }
}
