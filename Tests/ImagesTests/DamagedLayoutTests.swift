import Glibc
import Images
import Linux
import OCI
import SystemPackage
import Testing

/// Layouts of other tools with something wrong in them: the error names the layout, the layer and what is wrong, and
/// nothing of the image is left.
@Suite struct `damaged layouts` {
    private static let layer: [UInt8] = {
        var tar = TarBuilder()
        tar.add("f", data: Array("hello".utf8))
        return tar.finished()
    }()

    /// What loading a layout fails with, after `damage` was done to the blob of its only layer.
    private func failure(_ damage: (_ blob: String) throws -> Void) throws -> String {
        let (from, to) = (try TestStore(), try TestStore())
        let layout = "\(from.path)/layout"
        let record = try from.add("a", [Self.layer])
        try from.store.save([SavedImage(record, as: [])], to: Transport(.oci, path: layout))
        try damage("\(layout)/blobs/sha256/\(Digest.of(Self.layer).hex)")
        let text: String
        do {
            _ = try to.store.load(Transport(.oci, path: layout))
            text = "no failure"
        } catch {
            text = "\(error)"
        }
        #expect(try to.store.list().isEmpty)
        #expect(text.hasPrefix("load: \(layout): layer \(Digest.of(Self.layer).short): "), "\(text)")
        return text
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        let file = try FileDescriptor.workingDirectory.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
        defer { file.closeQuietly() }
        try file.writeFully(bytes)
    }

    @Test func `a layer that ends early, goes on or has other bytes is refused`() throws {
        let whole = Self.layer
        #expect(try failure { try write(Array(whole.dropLast(9)), to: $0) }.contains("ended after \(whole.count - 9)"))
        #expect(try failure { try write(whole + [0], to: $0) }.contains("more than the \(whole.count) bytes"))
        var other = whole
        other[600] ^= 1
        #expect(try failure { try write(other, to: $0) }.contains("what came has the digest"))
    }

    @Test func `a layer that is missing, or no file, is refused`() throws {
        #expect(try failure { unlink($0) }.contains("No such file"))
        let fifo = try failure { path in
            unlink(path)
            try check("mkfifo", path) { mkfifo(path, 0o600) }
        }
        #expect(fifo.contains("open: "))
    }

    @Test func `a manifest whose sizes are not those of blobs that are here already is refused`() throws {
        let test = try TestStore()
        try test.add("a", [Self.layer])
        let config = ImageConfig(platform: .host, diffIDs: [Digest.of(Self.layer)]).json()
        let manifest = Manifest(
            config: Descriptor(mediaType: .ociConfig, digest: .of(config), size: Int64(config.count)),
            layers: [
                Descriptor(mediaType: .ociLayer, digest: .of(Self.layer), size: Int64(Self.layer.count + 1))
            ])
        #expect {
            _ = try ImageAssembly(
                in: test.store, image: "b", manifest: manifest.json(), as: .ociManifest, config: config)
        } throws: { "\($0)".contains("b: layer \(Digest.of(Self.layer).short): has \(Self.layer.count) bytes") }
    }
}
