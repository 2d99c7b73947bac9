import Archives
import Glibc
public import Linux
import OCI
import SystemPackage

/// Layers that steps have made are kept unpacked alone, as they are used. Who wants them packed, to save or to push them,
/// has that done then: the same files always become the same stream.
extension ImageStore {
    /// Whether some of an image's layers are not packed.
    public func lacksBlobs(_ record: ImageRecord) -> Bool { record.blobs.contains { !has(blob: $0) } }

    /// Whether one of these layers can be packed as this blob.
    func canPack(_ digest: Digest, from chains: [Digest]) throws(Failure) -> Bool {
        for chain in chains where try record(ofLayer: chain)?.diffID == digest { return true }
        return false
    }

    /// Packs the layers of an image that are not packed. The caller may read their files.
    public func pack(_ image: ImageRecord) throws(Failure) {
        for digest in image.blobs where !has(blob: digest) {
            for chain in image.layers where try record(ofLayer: chain)?.diffID == digest {
                try pack(chain, as: digest)
                break
            }
        }
    }

    private func pack(_ chain: Digest, as digest: Digest) throws(Failure) {
        let layer = try open(layer: chain)
        let files = try attempt("open layer", "\(chain)") { () throws(SystemCallError) in
            try layer.descriptor.open("diff", O_RDONLY | O_DIRECTORY)
        }
        defer { files.closeQuietly() }
        let blob = try newBlob()
        var writer = try TreeWriter(to: { (bytes) throws(Failure) in try blob.append(bytes) }, isLayer: true)
        try writer.write(files)
        let (descriptor, _) = try blob.finish(as: .ociLayer)
        guard descriptor.digest == digest else {
            throw Failure(
                "pack layer", chain.short, "its files have changed since it was made",
                remedy: "build the image again with --no-cache")
        }
    }
}
