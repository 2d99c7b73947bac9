import Glibc
import Images
import Linux
import OCI
import SystemPackage

/// Unpacks any bytes as a layer: whatever they are, nothing changes outside of the store, and nothing is left in it of what
/// was refused.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzLayer(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    let here = FileDescriptor.workingDirectory
    let top = "/dev/shm/apus-fuzz-layer-\(getpid())"
    defer { try? here.removeTree(top) }  // `try?`: the next one would fail then
    do {
        try here.makeDirectories("\(top)/images")
        try unpack(bytes, ImageStore(path: "\(top)/images"))
        let folder = try here.open(top, O_RDONLY | O_DIRECTORY)
        defer { folder.closeQuietly() }
        let beside = try folder.entries()
        precondition(beside == ["images"], "something is beside the store")
        let ingest = try folder.open("images/ingest", O_RDONLY | O_DIRECTORY)
        defer { ingest.closeQuietly() }
        let left = try ingest.entries()
        precondition(left.isEmpty, "something is left")
    } catch {
        fatalError("\(error)")
    }
    return 0
}

private func unpack(_ bytes: [UInt8], _ store: ImageStore) throws {
    let config = ImageConfig(platform: .host, diffIDs: [.of(bytes)]).json()
    let (layer, blob) = try store.add(bytes, as: .ociLayer)
    let manifest = Manifest(
        config: Descriptor(mediaType: .ociConfig, digest: .of(config), size: Int64(config.count)), layers: [layer])
    var bounds = UnpackBounds()
    bounds.size = 1 << 22
    bounds.entries = 1000
    let assembly = try ImageAssembly(
        in: store, image: "fuzz", manifest: manifest.json(), as: .ociManifest, config: config, bounds: bounds)
    do throws(Failure) {
        try assembly.finish(as: [])
    } catch {
        precondition(error.description.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "not printable: \(error)")
    }
    withExtendedLifetime(blob) {}
}
