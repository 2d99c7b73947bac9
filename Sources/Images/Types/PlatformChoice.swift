public import Linux

/// Which image of an index is for which machine.
///
/// - Note: as containerd's platforms package has it, which Docker follows.
extension Platform {
    /// This machine's.
    public static var host: Platform {
        #if arch(arm64)
            Platform(os: "linux", architecture: "arm64", variant: "v8")
        #else
            Platform(os: "linux", architecture: "amd64")
        #endif
    }

    /// Reads `linux/arm64/v8`, `linux/amd64`, `arm64` or `linux`, with the names that other systems have for processors.
    public init(_ text: String) throws(Failure) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { $0.lowercased() }
        let isGood = parts.allSatisfy { part in
            !part.isEmpty
                && part.utf8.allSatisfy {
                    Digest.isLowerHex($0) || (0x67...0x7A).contains($0) || "._-".utf8.contains($0)
                }
        }
        guard isGood, (1...3).contains(parts.count) else {
            throw Failure(
                "--platform", text, "is not a platform", remedy: "give one such as linux/amd64 or linux/arm64/v8")
        }
        if parts.count > 1 {
            self.init(os: parts[0], architecture: parts[1], variant: parts.count > 2 ? parts[2] : nil)
        } else if ["linux", "windows", "darwin", "freebsd"].contains(parts[0]) {
            self.init(os: parts[0], architecture: Self.host.architecture, variant: Self.host.variant)
        } else {
            self.init(os: "linux", architecture: parts[0])
        }
        self = normalized
    }

    /// The same by Go's names: `x86_64` is `amd64`, `aarch64` is `arm64`, whose variant `v8` goes without saying.
    var normalized: Platform {
        var result = self
        switch (architecture, variant) {
        case ("x86_64", _), ("x86-64", _): result.architecture = "amd64"
        case ("i386", _), ("i686", _): result.architecture = "386"
        case ("aarch64", _): result.architecture = "arm64"
        case ("armhf", nil): (result.architecture, result.variant) = ("arm", "v7")
        case ("armel", nil): (result.architecture, result.variant) = ("arm", "v6")
        default: break
        }
        switch (result.architecture, result.variant) {
        case ("arm64", "v8"), ("arm64", "8"), ("amd64", "v1"): result.variant = nil
        case ("arm", nil): result.variant = "v7"
        case ("arm", "5"), ("arm", "6"), ("arm", "7"): result.variant = result.variant.map { "v\($0)" }
        default: break
        }
        return result
    }

    /// How well this image runs on `wanted`: 0 is exactly, higher is less so; `nil` is not at all.
    public func distance(from wanted: Platform) -> Int? {
        let (one, other) = (normalized, wanted.normalized)
        guard one.os == other.os, one.architecture == other.architecture else { return nil }
        if one.variant == other.variant { return 0 }
        // An older variant of the same processor runs on a newer one.
        guard let have = Self.level(one.variant), let want = Self.level(other.variant), have <= want else { return nil }
        return want - have
    }

    private static func level(_ variant: String?) -> Int? {
        guard let variant else { return 0 }
        return variant.first == "v" ? Int(variant.dropFirst().prefix { $0 != "." }) : nil
    }
}

extension ImageIndex {
    /// The image in this index that runs best on `platform`; of several equally good ones the first.
    public func best(for platform: Platform) -> Descriptor? {
        var best: (distance: Int, descriptor: Descriptor)?
        for descriptor in manifests {
            guard let distance = descriptor.platform?.distance(from: platform) else { continue }
            if best.map({ distance < $0.distance }) ?? true { best = (distance, descriptor) }
        }
        if let best { return best.descriptor }
        // An index with one image that doesn't say what for: its configuration does.
        let unsaid = manifests.filter { $0.platform == nil && $0.artifactType == nil }
        return unsaid.count == 1 && manifests.count == 1 ? unsaid[0] : nil
    }
}
