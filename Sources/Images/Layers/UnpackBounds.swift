import Glibc

/// What a layer may grow to when it is unpacked.
public struct UnpackBounds: Sendable, Hashable {
    /// Of the whole archive uncompressed, in bytes.
    public var size: Int64 = 1 << 40
    /// How many times the compressed size it may have, once it has more than `ratioFreeSize` bytes.
    public var ratio: Int64 = 500
    /// What any layer may unpack to, in bytes.
    public var ratioFreeSize: Int64 = 1 << 30
    /// How many files, directories and links.
    public var entries: Int = 5_000_000

    public init() {}

    /// As the environment says: `APUS_LAYER_MAX_BYTES`, `APUS_LAYER_MAX_RATIO`, `APUS_LAYER_MAX_ENTRIES`, each a number
    /// greater than 0.
    public static var fromEnvironment: UnpackBounds {
        var bounds = UnpackBounds()
        func number(_ name: String) -> Int64? {
            getenv(name).flatMap { Int64(String(cString: $0)) }.flatMap { $0 > 0 ? $0 : nil }
        }
        if let size = number("APUS_LAYER_MAX_BYTES") { bounds.size = size }
        if let ratio = number("APUS_LAYER_MAX_RATIO") {
            bounds.ratio = ratio
            bounds.ratioFreeSize = 1 << 20
        }
        if let entries = number("APUS_LAYER_MAX_ENTRIES") { bounds.entries = Int(entries) }
        return bounds
    }
}
