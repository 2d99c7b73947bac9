import Linux

/// The name of an entry in a layer: bytes, beneath the layer's root.
struct EntryPath: Hashable, Comparable {
    /// Without slashes at the ends; empty for the root itself.
    private(set) var bytes: [UInt8]

    static let root = EntryPath(bytes: [])
    private static let slash = UInt8(ascii: "/")
    private static let dot = UInt8(ascii: ".")

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// - Returns: `nil` for what leads or could lead out of the root: an absolute name, or one with `..` in it.
    init?(_ name: [UInt8]) {
        // Nothing but a slash is what some builders call the root.
        if name.first == Self.slash, name.contains(where: { $0 != Self.slash && $0 != Self.dot }) { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(name.count)
        for part in name.split(separator: Self.slash) {
            if part.elementsEqual([Self.dot]) { continue }
            if part.elementsEqual([Self.dot, Self.dot]) { return nil }
            if !result.isEmpty { result.append(Self.slash) }
            result += part
        }
        bytes = result
    }

    var isRoot: Bool { bytes.isEmpty }

    /// The directory it is in; the root's is the root.
    var parent: EntryPath {
        EntryPath(bytes: bytes.lastIndex(of: Self.slash).map { Array(bytes[..<$0]) } ?? [])
    }

    /// The last part.
    var last: ArraySlice<UInt8> {
        bytes.lastIndex(of: Self.slash).map { bytes[($0 + 1)...] } ?? bytes[...]
    }

    /// Another file in the same directory.
    func sibling(_ name: ArraySlice<UInt8>) -> EntryPath {
        let folder = parent
        return EntryPath(bytes: folder.isRoot ? Array(name) : folder.bytes + [Self.slash] + name)
    }

    func isBelow(_ other: EntryPath) -> Bool {
        bytes.count > other.bytes.count && bytes[other.bytes.count] == Self.slash && bytes.starts(with: other.bytes)
    }

    /// How deep it is.
    var depth: Int { isRoot ? 0 : 1 + bytes.count { $0 == Self.slash } }

    /// Calls `body` with it as a C string; `.` for the root.
    func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        EntryPath.withCString(isRoot ? [Self.dot] : bytes[...], body)
    }

    static func withCString<Result>(_ bytes: ArraySlice<UInt8>, _ body: (UnsafePointer<CChar>) -> Result) -> Result {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 1) { buffer in
            for (index, byte) in bytes.enumerated() { buffer[index] = CChar(bitPattern: byte) }
            buffer[bytes.count] = 0
            return body(buffer.baseAddress!)
        }
    }

    /// For people.
    var text: String { isRoot ? "/" : String(decoding: bytes, as: UTF8.self) }

    static func < (one: EntryPath, other: EntryPath) -> Bool { one.bytes.lexicographicallyPrecedes(other.bytes) }
}
