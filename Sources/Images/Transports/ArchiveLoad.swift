import Archives
import CLinux
import Glibc
public import Linux
import OCI
public import SystemPackage

extension ImageStore {
    /// Takes images from an archive that `docker save`, `podman save`, skopeo or Apus has written, compressed or not.
    ///
    /// - Parameters:
    ///   - file: Read once from where it stands, so that it may be a pipe.
    ///   - subject: What it is called, for errors.
    ///   - reference: Which of its images; `nil` for all.
    ///   - names: What they are to be called; `nil` for what they are called there.
    public func load(
        from file: FileDescriptor, named subject: String, reference: String? = nil, platform: Platform = .host,
        as names: [ImageReference]? = nil
    ) throws(Failure) -> [LoadedImage] {
        let archive = try StoredArchive(file, subject, in: self)
        let images: [LoadedImage]
        do throws(Failure) {
            images = try load(archive, subject, reference, platform, names)
        } catch {
            try dropUnneeded(archive)
            throw error
        }
        try dropUnneeded(archive)
        return images
    }

    private func load(
        _ archive: StoredArchive, _ subject: String, _ reference: String?, _ platform: Platform,
        _ names: [ImageReference]?
    ) throws(Failure) -> [LoadedImage] {
        if let index = archive.index {
            return try loadLayout(index, subject, reference, platform, names) { (descriptor) throws(Failure) in
                guard let held = try self.openIfThere(blob: descriptor.digest) else {
                    throw Failure("load", subject, "blob \(descriptor.digest) is missing")
                }
                return held
            }
        }
        guard let manifest = archive.manifest else {
            throw Failure("load", subject, "has neither index.json nor manifest.json: is no archive of images")
        }
        return try loadDocker(manifest, archive, subject, reference, names)
    }

    /// What was in the archive and belongs to no image goes again.
    private func dropUnneeded(_ archive: StoredArchive) throws(Failure) {
        let blobs = Set(archive.blobs.values.map(\.digest))
        archive.letGo()
        try removeUnneeded(blobs: blobs)
    }

    // MARK: What docker save writes

    /// The list of images in `manifest.json`.
    private struct DockerList: JSONMappable {
        var images: [DockerImage] = []
        mutating func map(_ fields: JSONFields) { fields.required("images", &images) }
    }

    private struct DockerImage: JSONMappable {
        var config = ""
        var repoTags: [String]?
        var layers: [String] = []

        mutating func map(_ fields: JSONFields) {
            fields.required("Config", &config)
            fields.optional("RepoTags", &repoTags)
            fields.required("Layers", &layers)
        }
    }

    private func loadDocker(
        _ json: [UInt8], _ archive: StoredArchive, _ subject: String, _ reference: String?, _ names: [ImageReference]?
    ) throws(Failure) -> [LoadedImage] {
        let list: DockerList = try ImageJSON.read(
            "manifest.json", Array(#"{"images":"#.utf8) + json + [UInt8(ascii: "}")], limit: Manifest.sizeLimit,
            of: subject)
        var loaded: [LoadedImage] = []
        for image in list.images {
            var own: [ImageReference] = []
            for tag in image.repoTags ?? [] { own.append(try ImageReference(tag)) }
            if let reference {
                let wanted = try ImageReference(reference)
                guard own.contains(wanted) else { continue }
                own = [wanted]
            }
            loaded.append(try load(image, archive, subject, names ?? own))
        }
        guard !loaded.isEmpty else {
            throw Failure("load", subject, reference.map { "has no image '\($0)'" } ?? "has no image")
        }
        return loaded
    }

    private func load(
        _ image: DockerImage, _ archive: StoredArchive, _ subject: String, _ names: [ImageReference]
    ) throws(Failure) -> LoadedImage {
        func find(_ name: String) throws(Failure) -> Descriptor {
            guard let blob = archive.blob(name) else { throw Failure("load", subject, "'\(name)' is missing") }
            return blob
        }
        var config = try find(image.config)
        config.mediaType = .ociConfig
        var layers: [Descriptor] = []
        for layer in image.layers {
            var descriptor = try find(layer)
            descriptor.mediaType = try mediaType(ofLayer: descriptor.digest)
            layers.append(descriptor)
        }
        let manifest = Manifest(config: config, layers: layers).json()
        let descriptor = Descriptor(mediaType: .ociManifest, digest: .of(manifest), size: Int64(manifest.count))
        return try loadImage(descriptor, manifest, subject, names) { (descriptor) throws(Failure) in
            try self.open(blob: descriptor.digest)
        }
    }

    /// What kind of layer a blob is, by its first bytes.
    private func mediaType(ofLayer digest: Digest) throws(Failure) -> MediaType {
        let blob = try open(blob: digest)
        var start: [UInt8] = [0, 0, 0, 0]
        _ = try start.withUnsafeMutableBufferPointer { (buffer) throws(Failure) in
            try attempt("read blob", "\(digest)") { () throws(SystemCallError) in
                try blob.descriptor.read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
            }
        }
        if start.starts(with: [0x1F, 0x8B]) { return .ociLayerGzip }
        return start == [0x28, 0xB5, 0x2F, 0xFD] ? .ociLayerZstd : .ociLayer
    }
}

/// An archive whose files have been put among the blobs, since what they are is often told only at its end.
private final class StoredArchive {
    private(set) var index: [UInt8]?
    private(set) var manifest: [UInt8]?
    /// By their names there.
    private(set) var blobs: [EntryPath: Descriptor] = [:]
    private var links: [EntryPath: EntryPath] = [:]
    private var held: [Held] = []

    init(_ file: FileDescriptor, _ subject: String, in store: ImageStore) throws(Failure) {
        do throws(Failure) {
            let packed = try Decompression { (buffer) throws(Failure) in
                try attempt("load", subject) { () throws(SystemCallError) in
                    while true {
                        let count = Glibc.read(file.rawValue, buffer.baseAddress, buffer.count)
                        if count >= 0 { return count }
                        let error = Errno(rawValue: errno)
                        if error != .interrupted { throw SystemCallError("read", "", error) }
                    }
                }
            }
            let reader = try TarReader { () throws(Failure) in try packed.next() }
            while let entry = try reader.next() { try add(entry, reader, store) }
        } catch {
            throw error.about("load", subject)
        }
    }

    private func add(_ entry: TarEntry, _ reader: TarReader, _ store: ImageStore) throws(Failure) {
        guard let path = EntryPath(entry.name) else {
            throw Failure(
                "load", String(decoding: entry.name, as: UTF8.self), "is a name that leads out of the archive")
        }
        switch entry.kind {
        case .file: break
        case .hardLink(let target): return note(target, path)
        // Docker writes a layer that is there already as one, relative to where it is.
        case .symlink(let target): return note(resolve(target, from: path), path)
        default: return
        }
        switch path.text {
        case "index.json": index = try read(reader)
        case "manifest.json": manifest = try read(reader)
        // What Docker writes beside each layer for its versions before 1.10.
        case "repositories", "oci-layout": return
        default:
            if path.text.hasSuffix("/VERSION") || path.text.hasSuffix("/json") { return }
            let writer = try store.newBlob()
            while let (bytes, _) = try reader.nextBlock() { try writer.append(bytes) }
            let (descriptor, blob) = try writer.finish(as: .ociLayer)
            blobs[path] = descriptor
            held.append(blob)
        }
    }

    private func note(_ target: [UInt8], _ path: EntryPath) {
        if let target = EntryPath(target) { links[path] = target }
    }

    /// A symlink's target without `..`, from the root of the archive on.
    private func resolve(_ target: [UInt8], from path: EntryPath) -> [UInt8] {
        var parts = path.parent.bytes.split(separator: UInt8(ascii: "/"))
        for part in target.split(separator: UInt8(ascii: "/")) {
            if part.elementsEqual("..".utf8) { _ = parts.popLast() } else { parts.append(part) }
        }
        return Array(parts.joined(separator: [UInt8(ascii: "/")]))
    }

    private func read(_ reader: TarReader) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        while let (piece, _) = try reader.nextBlock() {
            bytes += piece
            guard bytes.count <= Manifest.sizeLimit else {
                throw Failure("load", "", "its list of images has more than \(Manifest.sizeLimit) bytes")
            }
        }
        return bytes
    }

    func blob(_ name: String) -> Descriptor? {
        guard var path = EntryPath(Array(name.utf8)) else { return nil }
        for _ in 0..<8 {
            if let blob = blobs[path] { return blob }
            guard let next = links[path] else { return nil }
            path = next
        }
        return nil
    }

    /// Lets others remove what was put into the store.
    func letGo() { held = [] }
}
