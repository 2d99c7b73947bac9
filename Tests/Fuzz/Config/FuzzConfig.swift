import OCI

/// Reads any bytes as a `config.json`: they are refused in one printable line, or mean something that reads back as
/// it was written.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzConfig(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let spec = read(Array(UnsafeBufferPointer(start: start, count: count))) else { return 0 }
    let readBack = read(spec.json())
    precondition(readBack == spec, "read back as another one")
    return 0
}

private func read(_ bytes: [UInt8]) -> Spec? {
    do throws(SpecError) {
        return try Spec(json: bytes)
    } catch {
        precondition(error.description.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "not printable: \(error)")
        return nil
    }
}
