import Images
import Linux
import OCI

/// Reads any bytes as each text that comes from outside with an image: they are refused in one printable line, or mean
/// something that reads back as it was written.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzImageText(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    let text = String(decoding: bytes, as: UTF8.self)
    if let reference = read({ () throws(Failure) in try ImageReference(text) }) {
        guard let again = try? ImageReference(reference.canonical), again == reference,
            let familiar = try? ImageReference(reference.familiar), familiar == reference
        else { fatalError("\(reference.canonical) is read back as another one") }
        precondition(!reference.path.split(separator: "/").contains(".."), "a name that leads elsewhere")
    }
    if let platform = read({ () throws(Failure) in try Platform(text) }) {
        precondition((try? Platform(platform.description)) == platform, "\(platform) is read back as another one")
    }
    if let manifest = read({ () throws(Failure) in try Manifest(json: bytes, as: .ociManifest, of: "a") }) {
        precondition((try? Manifest(json: manifest.json(), as: .ociManifest, of: "a")) == manifest)
    }
    if let index = read({ () throws(Failure) in try ImageIndex(json: bytes, as: .ociIndex, of: "a") }) {
        precondition((try? ImageIndex(json: index.json(), as: .ociIndex, of: "a")) == index)
        _ = index.best(for: .host)
    }
    if let config = read({ () throws(Failure) in try ImageConfig(json: bytes, of: "a") }) {
        precondition((try? ImageConfig(json: config.json(), of: "a")) == config)
        _ = config.rootfs.chainIDs
    }
    return 0
}

/// - Returns: `nil` for what was refused.
private func read<Value>(_ body: () throws(Failure) -> Value) -> Value? {
    do throws(Failure) {
        return try body()
    } catch {
        precondition(error.description.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "not printable: \(error)")
        return nil
    }
}
