public import OCI

/// What content is meant, and where to get it.
///
/// - Note: OCI Image Specification, descriptor.md.
public struct Descriptor: JSONMappable, Sendable, Hashable {
    public var mediaType: MediaType
    public var digest: Digest
    /// In bytes.
    public var size: Int64
    /// Other places to get it from.
    public var urls: [String]?
    public var annotations: [String: String]?
    /// In an index: what the image runs on.
    public var platform: Platform?
    public var artifactType: String?

    public init(
        mediaType: MediaType, digest: Digest, size: Int64, urls: [String]? = nil,
        annotations: [String: String]? = nil, platform: Platform? = nil, artifactType: String? = nil
    ) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        self.urls = urls
        self.annotations = annotations
        self.platform = platform
        self.artifactType = artifactType
    }

    package init() { self.init(mediaType: MediaType(rawValue: ""), digest: Digest(hex: ""), size: 0) }

    package mutating func map(_ fields: JSONFields) {
        fields.required("mediaType", &mediaType)
        fields.required("digest", &digest)
        fields.required("size", &size)
        fields.check("size", size >= 0, expected: "at least 0")
        fields.optional("urls", &urls)
        fields.optional("annotations", &annotations)
        fields.optional("platform", &platform)
        fields.optional("artifactType", &artifactType)
    }
}

/// What an image runs on.
///
/// - Note: OCI Image Specification, image-index.md, "platform"; the names are Go's.
public struct Platform: JSONMappable, Sendable, Hashable, CustomStringConvertible {
    public var os: String
    public var architecture: String
    /// Of the processor: `v8`, `v7`.
    public var variant: String?
    public var osVersion: String?
    public var osFeatures: [String]?

    public init(
        os: String, architecture: String, variant: String? = nil, osVersion: String? = nil, osFeatures: [String]? = nil
    ) {
        self.os = os
        self.architecture = architecture
        self.variant = variant
        self.osVersion = osVersion
        self.osFeatures = osFeatures
    }

    package init() { self.init(os: "", architecture: "") }

    package mutating func map(_ fields: JSONFields) {
        fields.required("architecture", &architecture)
        fields.required("os", &os)
        fields.optional("os.version", &osVersion)
        fields.optional("os.features", &osFeatures)
        fields.optional("variant", &variant)
    }

    /// `linux/amd64`, `linux/arm64/v8`.
    public var description: String { "\(os)/\(architecture)" + (variant.map { "/\($0)" } ?? "") }
}
