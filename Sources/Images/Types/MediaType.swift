public import OCI

/// What kind of content something is.
public struct MediaType: Hashable, Sendable, RawRepresentable, CustomStringConvertible, JSONValue {
    public let rawValue: String

    public init(rawValue: String) { self.rawValue = rawValue }

    public var description: String { rawValue }

    public static let ociIndex = Self(rawValue: "application/vnd.oci.image.index.v1+json")
    public static let ociManifest = Self(rawValue: "application/vnd.oci.image.manifest.v1+json")
    public static let ociConfig = Self(rawValue: "application/vnd.oci.image.config.v1+json")
    public static let ociLayer = Self(rawValue: "application/vnd.oci.image.layer.v1.tar")
    public static let ociLayerGzip = Self(rawValue: "application/vnd.oci.image.layer.v1.tar+gzip")
    public static let ociLayerZstd = Self(rawValue: "application/vnd.oci.image.layer.v1.tar+zstd")
    public static let dockerIndex = Self(rawValue: "application/vnd.docker.distribution.manifest.list.v2+json")
    public static let dockerManifest = Self(rawValue: "application/vnd.docker.distribution.manifest.v2+json")
    public static let dockerConfig = Self(rawValue: "application/vnd.docker.container.image.v1+json")
    public static let dockerLayer = Self(rawValue: "application/vnd.docker.image.rootfs.diff.tar")
    public static let dockerLayerGzip = Self(rawValue: "application/vnd.docker.image.rootfs.diff.tar.gzip")
    public static let dockerLayerZstd = Self(rawValue: "application/vnd.docker.image.rootfs.diff.tar.zstd")

    /// Whether it is a list of images, one a platform.
    public var isIndex: Bool { self == .ociIndex || self == .dockerIndex }

    /// Whether it is one image.
    public var isManifest: Bool { self == .ociManifest || self == .dockerManifest }

    /// Whether it is an image's configuration.
    public var isConfig: Bool { self == .ociConfig || self == .dockerConfig }

    /// Whether it is a layer that is kept where its licence wants it, and not in the registry.
    public var isForeignLayer: Bool {
        rawValue.hasPrefix("application/vnd.oci.image.layer.nondistributable.v1.")
            || rawValue.hasPrefix("application/vnd.docker.image.rootfs.foreign.diff.")
    }

    /// Whether it is a layer that can be unpacked.
    public var isLayer: Bool {
        [.ociLayer, .ociLayerGzip, .ociLayerZstd, .dockerLayer, .dockerLayerGzip, .dockerLayerZstd].contains(self)
            || self == Self.dockerLayerGzipByOtherName
    }

    /// As some builders write it.
    private static let dockerLayerGzipByOtherName = Self(rawValue: "application/vnd.docker.image.rootfs.diff.tar+gzip")
}
