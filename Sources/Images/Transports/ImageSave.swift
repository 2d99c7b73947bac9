import Archives
import CLinux
import Glibc
public import Linux
import OCI
import SystemPackage

/// An image to be written somewhere, by the names that it has there.
public struct SavedImage: Sendable {
    public let record: ImageRecord
    public let names: [ImageReference]

    public init(_ record: ImageRecord, as names: [ImageReference]) {
        self.record = record
        self.names = names
    }
}

/// Both of what tools read as an archive of images: an OCI layout, and Docker's list of images beside it.
public enum SaveFormat: Sendable {
    /// For `docker load` and `podman load` too.
    case docker
    /// The layout alone.
    case oci
}

extension ImageStore {
    /// Writes images as a tar stream; the same images always become the same bytes.
    public func save(_ images: [SavedImage], _ format: SaveFormat, to sink: @escaping ByteSink) throws(Failure) {
        var held: [[Held]] = []
        for image in images { held.append(try holdBlobs(image.record)) }
        let writer = try TarWriter(to: sink)
        try writer.add(Self.file("index.json"), data: ImageIndex(manifests: descriptors(images)).json())
        if format == .docker { try writer.add(Self.file("manifest.json"), data: try dockerList(images)) }
        try writer.add(Self.file("oci-layout"), data: Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8))
        for digest in try blobs(of: images).keys.sorted() {
            let blob = try open(blob: digest)
            var entry = Self.file(Self.path(of: digest))
            entry.size = try attempt("read blob", "\(digest)") { () throws(SystemCallError) in
                Int64(try blob.descriptor.status().st_size)
            }
            try writer.add(entry, dataOf: blob.descriptor)
        }
        try writer.finish()
        withExtendedLifetime(held) {}
    }

    /// Writes an image to a directory or an archive.
    public func save(_ images: [SavedImage], to transport: Transport) throws(Failure) {
        switch transport.kind {
        case .oci: for image in images { try saveLayout(image, transport) }
        case .dir:
            guard let image = images.first, images.count == 1 else {
                throw Failure("save", transport.path, "dir: takes one image")
            }
            try saveFolder(image, transport.path)
        case .ociArchive, .dockerArchive:
            let file = try attempt("save", transport.path) { () throws(SystemCallError) in
                try FileDescriptor.workingDirectory.open(
                    transport.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode: 0o644)
            }
            defer { file.closeQuietly() }
            let format = transport.kind == .ociArchive ? SaveFormat.oci : .docker
            var offset: Int64 = 0
            try save(images, format) { (bytes) throws(Failure) in
                try attempt("save", transport.path) { () throws(SystemCallError) in
                    try file.writeAll(bytes, at: offset)
                }
                offset += Int64(bytes.count)
            }
        }
    }

    private func holdBlobs(_ record: ImageRecord) throws(Failure) -> [Held] {
        var held: [Held] = []
        for blob in record.blobs { held.append(try open(blob: blob)) }
        return held
    }

    private static func file(_ name: String) -> TarEntry {
        TarEntry(name: Array(name.utf8), kind: .file, mode: 0o644, uid: 0, gid: 0, modified: timespec())
    }

    /// What the images consist of, without indexes that speak of others.
    private func blobs(of images: [SavedImage]) throws(Failure) -> [Digest: Descriptor] {
        var blobs: [Digest: Descriptor] = [:]
        for image in images {
            let manifest = try manifest(of: image.record)
            for descriptor in [image.record.manifest, manifest.config] + manifest.layers {
                blobs[descriptor.digest] = descriptor
            }
        }
        return blobs
    }

    private func descriptors(_ images: [SavedImage]) -> [Descriptor] {
        var result: [Descriptor] = []
        for image in images {
            var descriptor = image.record.manifest
            descriptor.platform = image.record.platform
            descriptor.annotations = nil
            if image.names.isEmpty { result.append(descriptor) }
            for name in image.names.sorted() {
                descriptor.annotations = [
                    LayoutNames.image: name.canonical, LayoutNames.reference: name.tag ?? name.canonical,
                ]
                result.append(descriptor)
            }
        }
        return result
    }

    /// `manifest.json` as Docker has it.
    private func dockerList(_ images: [SavedImage]) throws(Failure) -> [UInt8] {
        var parts: [[UInt8]] = []
        for image in images {
            let manifest = try manifest(of: image.record)
            parts.append(
                DockerEntry(
                    config: Self.path(of: manifest.config.digest),
                    repoTags: image.names.filter { $0.tag != nil }.sorted().map(\.familiar),
                    layers: manifest.layers.map { Self.path(of: $0.digest) }
                ).json())
        }
        return [UInt8(ascii: "[")] + Array(parts.joined(separator: [UInt8(ascii: ",")])) + [UInt8(ascii: "]")]
    }

    private struct DockerEntry: JSONMappable {
        var config = ""
        var repoTags: [String] = []
        var layers: [String] = []

        mutating func map(_ fields: JSONFields) {
            fields.required("Config", &config)
            fields.required("RepoTags", &repoTags)
            fields.required("Layers", &layers)
        }
    }

    // MARK: Directories

    private func saveLayout(_ image: SavedImage, _ transport: Transport) throws(Failure) {
        let here = FileDescriptor.workingDirectory
        let folder = try attempt("save", transport.path) { () throws(SystemCallError) in
            for name in ["", "/blobs", "/blobs/sha256"] { try here.makeDirectories(transport.path + name) }
            return try here.open(transport.path, O_RDONLY | O_DIRECTORY)
        }
        defer { folder.closeQuietly() }
        for (digest, _) in try blobs(of: [image]).sorted(by: { $0.key < $1.key }) {
            try copy(digest, to: folder, as: Self.path(of: digest))
        }
        var index = ImageIndex(manifests: [])
        if folder.has("index.json") {
            let json = try attempt("save", "\(transport.path)/index.json") { () throws(SystemCallError) in
                try folder.contents(of: "index.json", limit: Manifest.sizeLimit)
            }
            index = try ImageJSON.read("index", json, limit: Manifest.sizeLimit, of: transport.path)
        }
        var added = image.record.manifest
        added.platform = image.record.platform
        let name = transport.reference ?? image.names.first?.tag ?? ImageReference.defaultTag
        added.annotations = [LayoutNames.reference: name]
        index.manifests.removeAll { $0.annotations?[LayoutNames.reference] == name }
        index.manifests.append(added)
        try attempt("save", transport.path) { () throws(SystemCallError) in
            try folder.replaceFile("oci-layout", with: #"{"imageLayoutVersion":"1.0.0"}"#.utf8, mode: 0o644)
            try folder.replaceFile("index.json", with: index.json(), mode: 0o644)
        }
    }

    private func saveFolder(_ image: SavedImage, _ path: String) throws(Failure) {
        let here = FileDescriptor.workingDirectory
        let folder = try attempt("save", path) { () throws(SystemCallError) in
            try here.makeDirectories(path)
            return try here.open(path, O_RDONLY | O_DIRECTORY)
        }
        defer { folder.closeQuietly() }
        let blobs = try blobs(of: [image]).keys.filter { $0 != image.record.manifest.digest }
        for digest in blobs.sorted() { try copy(digest, to: folder, as: digest.hex) }
        let manifest = try contents(of: image.record.manifest.digest, limit: Manifest.sizeLimit)
        try attempt("save", path) { () throws(SystemCallError) in
            try folder.replaceFile("version", with: "Directory Transport Version: 1.1\n".utf8, mode: 0o644)
            try folder.replaceFile("manifest.json", with: manifest, mode: 0o644)
        }
    }

    /// Copies a blob, sharing its blocks where the file system can; one that is there already stays.
    private func copy(_ digest: Digest, to folder: FileDescriptor, as name: String) throws(Failure) {
        let blob = try open(blob: digest)
        try attempt("save", name) { () throws(SystemCallError) in
            let size = try blob.descriptor.status().st_size
            if folder.has(name), try folder.status(of: name).st_size == size { return }
            let temporary = "\(name).\(getpid())"
            let file = try folder.open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o644)
            defer { file.closeQuietly() }
            var offset: off_t = 0
            while offset < size {
                let count = sendfile(file.rawValue, blob.descriptor.rawValue, &offset, Int(min(size - offset, 1 << 30)))
                if count < 0 { throw SystemCallError("sendfile", "'\(name)'", Errno(rawValue: errno)) }
                if count == 0 { break }
            }
            try check("rename", "'\(name)'") { renameat(folder.rawValue, temporary, folder.rawValue, name) }
        }
    }
}
