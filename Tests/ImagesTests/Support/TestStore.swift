import CLinux
import Glibc
import Images
import Linux
import OCI
import SystemPackage

/// A store in a directory of its own, which is removed with it.
final class TestStore {
    let path: String
    let store: ImageStore

    init() throws {
        path = Self.temporaryPath("store")
        store = try ImageStore(path: "\(path)/images")
    }

    deinit { try? FileDescriptor.workingDirectory.removeTree(path) }

    static func temporaryPath(_ kind: String) -> String {
        "/tmp/apus-images-\(kind)-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
    }

    /// Stores an image of these layers, as they come from outside: each an archive, packed or not.
    @discardableResult
    func add(
        _ name: String?, _ layers: [[UInt8]], diffIDs: [Digest]? = nil, config: ImageConfig.Execution? = nil,
        bounds: UnpackBounds = UnpackBounds()
    ) throws -> ImageRecord {
        let config = ImageConfig(
            created: "2024-01-02T03:04:05Z", config: config, diffIDs: diffIDs ?? layers.map { Digest.of($0) },
            history: [.init(createdBy: "test")])
        let configJSON = config.json()
        let descriptors = layers.map {
            Descriptor(
                mediaType: $0.starts(with: [0x1F, 0x8B]) ? .ociLayerGzip : .ociLayer, digest: .of($0),
                size: Int64($0.count))
        }
        let manifest = Manifest(
            config: Descriptor(mediaType: .ociConfig, digest: .of(configJSON), size: Int64(configJSON.count)),
            layers: descriptors)
        let assembly = try ImageAssembly(
            in: store, image: name ?? "unnamed", manifest: manifest.json(), as: .ociManifest, config: configJSON,
            bounds: bounds)
        for descriptor in assembly.missing {
            let ingest = try store.ingest(descriptor)
            try assembly.unpack(ingest)
            let bytes = layers[descriptors.firstIndex { $0.digest == descriptor.digest }!]
            // In pieces that fit nothing, as a network has them.
            var offset = Int(ingest.offset)
            while offset < bytes.count {
                let end = min(offset + 10_007, bytes.count)
                try bytes[offset..<end].withUnsafeBytes { try ingest.append($0) }
                offset = end
            }
            assembly.hold(try ingest.finish())
        }
        return try assembly.finish(as: name.map { [try ImageReference($0)] } ?? [])
    }

    /// Where the files of an image's layer are, the lowest being 0.
    func diff(_ record: ImageRecord, _ index: Int = 0) -> String { store.path(ofLayer: record.layers[index]) }

    /// What is in `ingest/`.
    var leftovers: [String] {
        get throws {
            let ingest = try FileDescriptor.workingDirectory.open("\(path)/images/ingest", O_RDONLY | O_DIRECTORY)
            defer { ingest.closeQuietly() }
            return try ingest.entries()
        }
    }
}

/// What is in a directory, a line a file: mode, owner, size, time to the nanosecond, attributes, links, holes, content.
func listing(of path: String) throws -> [String] {
    var lines: [String] = []
    var links: [ino_t: String] = [:]
    func visit(_ folder: FileDescriptor, _ prefix: String) throws {
        for name in try folder.fileNames().sorted() {
            let status = try folder.status(of: name)
            let raw = String(decoding: name.cString.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let here = "\(prefix)/\(raw)"
            var line = "\(here) \(String(status.st_mode, radix: 8)) \(status.st_uid):\(status.st_gid)"
            line += " \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
            let file = "\(folder.path)/\(raw)"
            if raw.utf8.contains(0xEF) {
                line += " (no UTF-8: \(name.cString.dropLast().map { UInt8(bitPattern: $0) }))"
            }
            for attribute in attributes(of: file) { line += " \(attribute)" }
            if status.st_nlink > 1, status.st_mode & S_IFMT != S_IFDIR {
                line += " link of \(links[status.st_ino] ?? "itself")"
                if links[status.st_ino] == nil { links[status.st_ino] = here }
            }
            switch status.st_mode & S_IFMT {
            case S_IFDIR:
                lines.append(line)
                let below = try folder.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
                defer { below.closeQuietly() }
                try visit(below, here)
                continue
            case S_IFREG:
                let opened = try folder.open(name, O_RDONLY)
                defer { opened.closeQuietly() }
                let isSparse = Int64(status.st_blocks) * 512 < Int64(status.st_size) / 2
                line += " \(status.st_size) \(isSparse ? "sparse " : "")"
                line += Digest.of(try opened.readAll(limit: 64 << 20)).short
            case S_IFLNK: line += " -> \(folder.linkTarget(of: name)?.description ?? "")"
            default: line += " device \(status.st_rdev)"
            }
            lines.append(line)
        }
    }
    let top = try FileDescriptor.workingDirectory.open(path, O_RDONLY | O_DIRECTORY)
    defer { top.closeQuietly() }
    try visit(top, "")
    return lines
}

/// Extended attributes of a file itself, sorted; without those that overlays and security modules leave.
func attributes(of path: String) -> [String] {
    var names = [CChar](repeating: 0, count: 65536)
    let length = llistxattr(path, &names, names.count)
    guard length > 0 else { return [] }
    return names[..<length].split(separator: 0).map { name in
        let name = String(decoding: name.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        var value = [UInt8](repeating: 0, count: 65536)
        let count = lgetxattr(path, name, &value, value.count)
        return "\(name)=\(value[..<max(0, count)].map { String($0, radix: 16) }.joined(separator: "."))"
    }.filter { !$0.hasPrefix("security.selinux") }.sorted()
}
