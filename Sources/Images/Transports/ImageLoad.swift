import Archives
import CLinux
import Glibc
public import Linux
import OCI
import SystemPackage

/// What was loaded from a file or a directory.
public struct LoadedImage: Sendable {
    public let record: ImageRecord
    /// What it is called there; none if it has no name.
    public let names: [ImageReference]
    public let remarks: ImageAssembly.Remarks
}

/// Gives bytes of a blob to whoever asks: from a directory, or from what was put into the store before.
typealias BlobReader = (Descriptor) throws(Failure) -> Held

extension ImageStore {
    /// Takes images from a directory or an archive into the store.
    ///
    /// - Parameters:
    ///   - platform: Which one of several.
    ///   - names: What they are to be called; `nil` for what they are called there.
    public func load(
        _ transport: Transport, platform: Platform = .host, as names: [ImageReference]? = nil
    ) throws(Failure) -> [LoadedImage] {
        switch transport.kind {
        case .oci:
            let folder = try Self.openFolder(transport.path)
            defer { folder.closeQuietly() }
            let index = try Self.readFile("index.json", in: folder, limit: Manifest.sizeLimit, of: transport.path)
            return try loadLayout(index, transport.path, transport.reference, platform, names) {
                (descriptor) throws(Failure) in
                try Self.openBlob("blobs/\(descriptor.digest.algorithm.rawValue)/\(descriptor.digest.hex)", in: folder)
            }
        case .dir:
            return [try loadFolder(transport.path, platform, names ?? [])]
        case .ociArchive, .dockerArchive:
            let file = try attempt("open", transport.path) { () throws(SystemCallError) in
                try FileDescriptor.workingDirectory.open(transport.path, O_RDONLY)
            }
            defer { file.closeQuietly() }
            return try load(
                from: file, named: transport.path, reference: transport.reference, platform: platform, as: names)
        }
    }

    private func loadFolder(
        _ path: String, _ platform: Platform, _ names: [ImageReference]
    ) throws(Failure) -> LoadedImage {
        let folder = try Self.openFolder(path)
        defer { folder.closeQuietly() }
        let manifest = try Self.readFile("manifest.json", in: folder, limit: Manifest.sizeLimit, of: path)
        // Nothing else says what it is.
        let announced: Announced = try ImageJSON.read("manifest", manifest, limit: Manifest.sizeLimit, of: path)
        let descriptor = Descriptor(
            mediaType: announced.mediaType ?? .ociManifest, digest: .of(manifest), size: Int64(manifest.count))
        return try loadImage(descriptor, manifest, path, names) { (descriptor) throws(Failure) in
            try Self.openBlob(descriptor.digest.hex, in: folder)
        }
    }

    /// What a manifest says that it is.
    private struct Announced: JSONMappable {
        var mediaType: MediaType?
        mutating func map(_ fields: JSONFields) { fields.optional("mediaType", &mediaType) }
    }

    // MARK: Layouts

    /// Takes the images that an OCI layout names.
    ///
    /// - Parameter reference: Which one; `nil` for all.
    func loadLayout(
        _ indexJSON: [UInt8], _ subject: String, _ reference: String?, _ platform: Platform,
        _ names: [ImageReference]?, _ blobs: BlobReader
    ) throws(Failure) -> [LoadedImage] {
        let index: ImageIndex = try ImageJSON.read("index", indexJSON, limit: Manifest.sizeLimit, of: subject)
        let found = index.manifests.filter { descriptor in
            reference.map { LayoutNames.all(of: descriptor).contains($0) } ?? true
        }
        guard !found.isEmpty else {
            throw Failure("load", subject, reference.map { "has no image '\($0)'" } ?? "has no image")
        }
        guard names == nil || found.count == 1 else {
            throw Failure("load", subject, "has \(found.count) images", remedy: "say which one: oci:DIR:REF")
        }
        var loaded: [LoadedImage] = []
        for descriptor in found {
            let own = LayoutNames.references(of: descriptor)
            // One image may stand there by several names.
            if names == nil, let same = loaded.firstIndex(where: { $0.record.target.digest == descriptor.digest }) {
                loaded[same] = try addNames(own, to: loaded[same])
                continue
            }
            let (target, manifest) = try resolve(descriptor, subject, platform, blobs)
            let image = try loadImage(target, manifest, subject, names ?? own, blobs)
            loaded.append(image)
        }
        return loaded
    }

    private func addNames(_ names: [ImageReference], to image: LoadedImage) throws(Failure) -> LoadedImage {
        for name in names {
            var record = image.record
            record.name = name.canonical
            try self.record(record)
        }
        return LoadedImage(record: image.record, names: image.names + names, remarks: image.remarks)
    }

    /// Goes down through indexes to the image for `platform`.
    ///
    /// - Throws: Also when they lead in a circle, which no honest digests can, or too deep.
    private func resolve(
        _ descriptor: Descriptor, _ subject: String, _ platform: Platform, _ blobs: BlobReader
    ) throws(Failure) -> (Descriptor, [UInt8]) {
        var descriptor = descriptor
        for _ in 0..<4 {
            let bytes = try read(descriptor, subject, blobs)
            guard descriptor.mediaType.isIndex else { return (descriptor, bytes) }
            let index = try ImageIndex(json: bytes, as: descriptor.mediaType, of: subject)
            guard let next = index.best(for: platform) else {
                throw Failure("load", subject, "has no image for \(platform)")
            }
            descriptor = next
        }
        throw Failure("load", subject, "has indexes in indexes in indexes")
    }

    private func read(_ descriptor: Descriptor, _ subject: String, _ blobs: BlobReader) throws(Failure) -> [UInt8] {
        guard descriptor.size <= Manifest.sizeLimit else {
            throw Failure(
                "load", subject,
                "\(descriptor.digest) has \(descriptor.size) bytes; at most \(Manifest.sizeLimit) are read")
        }
        let file: Held
        do throws(Failure) {
            file = try blobs(descriptor)
        } catch {
            throw error.about("load", subject)
        }
        let bytes = try attempt("read", "\(subject): \(descriptor.digest)") { () throws(SystemCallError) in
            guard lseek(file.descriptor.rawValue, 0, SEEK_SET) == 0 else {
                throw SystemCallError("lseek", "", Errno(rawValue: errno))
            }
            return try file.descriptor.readAll(limit: Manifest.sizeLimit)
        }
        var hasher = Digest.Hasher(descriptor.digest.algorithm)
        bytes.withUnsafeBytes { hasher.update($0) }
        guard hasher.finish() == descriptor.digest else {
            throw Failure("load", subject, "what is there as \(descriptor.digest) has another digest")
        }
        return bytes
    }

    /// Takes one image, whose blobs `blobs` gives.
    func loadImage(
        _ descriptor: Descriptor, _ manifestJSON: [UInt8], _ subject: String, _ names: [ImageReference],
        _ blobs: BlobReader
    ) throws(Failure) -> LoadedImage {
        let manifest = try Manifest(json: manifestJSON, as: descriptor.mediaType, of: subject)
        let config = try read(manifest.config, subject, blobs)
        let assembly = try ImageAssembly(
            in: self, image: subject, manifest: manifestJSON, as: descriptor.mediaType, config: config)
        for layer in assembly.missing {
            do throws(Failure) {
                try add(layer, blobs, to: assembly)
            } catch {
                throw error.about("load", "\(subject): layer \(layer.digest.short)")
            }
        }
        let record = try assembly.finish(as: names)
        return LoadedImage(record: record, names: names, remarks: assembly.remarks)
    }

    private func add(_ layer: Descriptor, _ blobs: BlobReader, to assembly: ImageAssembly) throws(Failure) {
        let source = try blobs(layer)
        let ingest = try ingest(layer)
        try assembly.unpack(ingest)
        if !ingest.isComplete {
            do throws(Failure) {
                try Self.copy(source.descriptor, to: ingest)
            } catch {
                ingest.fail(error)
                throw error
            }
        }
        assembly.hold(try ingest.finish())
    }

    private static func copy(_ file: FileDescriptor, to ingest: BlobIngest) throws(Failure) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
        defer { buffer.deallocate() }
        while true {
            let count = try attempt("read", "\(ingest.descriptor.digest)") { () throws(SystemCallError) in
                try file.read(into: buffer, at: ingest.offset)
            }
            if count == 0 { return }
            try ingest.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    // MARK: Files

    private static func openFolder(_ path: String) throws(Failure) -> FileDescriptor {
        try attempt("open", path) { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.open(path, O_RDONLY | O_DIRECTORY)
        }
    }

    private static func readFile(
        _ name: String, in folder: FileDescriptor, limit: Int, of subject: String
    ) throws(Failure) -> [UInt8] {
        try attempt("load", "\(subject)/\(name)") { () throws(SystemCallError) in
            try folder.contents(of: name, limit: limit)
        }
    }

    private static func openBlob(_ name: String, in folder: FileDescriptor) throws(Failure) -> Held {
        try attempt("load", name) { () throws(SystemCallError) in
            let file = Held(try folder.open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY))
            guard try file.descriptor.status().st_mode & S_IFMT == S_IFREG else {
                throw SystemCallError("open", "'\(name)'", .invalidArgument)
            }
            return file
        }
    }
}

/// What images are called in an OCI layout.
enum LayoutNames {
    static let reference = "org.opencontainers.image.ref.name"
    /// containerd's and Docker's, always in full.
    static let image = "io.containerd.image.name"

    static func all(of descriptor: Descriptor) -> [String] {
        [reference, image].compactMap { descriptor.annotations?[$0] }
    }

    /// Names that images can have here: a mere tag (`latest`) is none.
    static func references(of descriptor: Descriptor) -> [ImageReference] {
        let full = descriptor.annotations?[image] ?? descriptor.annotations?[reference]
        guard let full, full.contains("/") || full.contains(":") else { return [] }
        return (try? ImageReference(full)).map { [$0] } ?? []  // `try?`: then it is something else than a name
    }
}
