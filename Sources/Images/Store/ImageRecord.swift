import Linux
public import OCI

/// What a name stands for, with all that a run needs to know of the image: one small file a name.
public struct ImageRecord: JSONMappable, Sendable, Hashable {
    /// In full, as `ImageReference.canonical`; `nil` for an image without a name.
    public var name: String?
    /// What the name stands for in its registry: an index or a manifest.
    public var target: Descriptor
    /// The image for this platform.
    public var manifest: Descriptor
    /// The digest of its configuration, by which Docker knows an image.
    public var id: Digest
    public var platform: Platform
    /// Chain IDs of its layers, the lowest first: the names of directories in `layers/`.
    public var layers: [Digest]
    /// All that it consists of: the target, the manifest, the configuration, the layers packed.
    public var blobs: [Digest]
    /// Of all files in all layers, in bytes.
    public var size: Int64
    /// RFC 3339, as the image says.
    public var created: String?
    /// The names by which registries have it: `alpine@sha256:…`.
    public var repoDigests: [String]
    /// What containers of it do where their user does not say otherwise.
    public var config: ImageConfig.Execution

    /// Of this file's form.
    private var schemaVersion = 1

    public init(
        name: String?, target: Descriptor, manifest: Descriptor, id: Digest, platform: Platform, layers: [Digest],
        blobs: [Digest], size: Int64, created: String?, repoDigests: [String], config: ImageConfig.Execution
    ) {
        self.name = name
        self.target = target
        self.manifest = manifest
        self.id = id
        self.platform = platform
        self.layers = layers
        self.blobs = blobs
        self.size = size
        self.created = created
        self.repoDigests = repoDigests
        self.config = config
    }

    package init() {
        self.init(
            name: nil, target: Descriptor(), manifest: Descriptor(), id: Digest(hex: ""),
            platform: Platform(os: "", architecture: ""), layers: [], blobs: [], size: 0, created: nil, repoDigests: [],
            config: .init())
    }

    package mutating func map(_ fields: JSONFields) {
        fields.required("schemaVersion", &schemaVersion)
        fields.check("schemaVersion", schemaVersion == 1, expected: "1")
        fields.optional("name", &name)
        fields.required("target", &target)
        fields.required("manifest", &manifest)
        fields.required("id", &id)
        fields.required("platform", &platform)
        fields.required("layers", &layers)
        fields.required("blobs", &blobs)
        fields.required("size", &size)
        fields.optional("created", &created)
        fields.required("repoDigests", &repoDigests)
        fields.required("config", &config)
    }

    /// Its name; `nil` for an image without one.
    public var reference: ImageReference? {
        guard let name else { return nil }
        return try? ImageReference(name, defaultTag: nil)  // `try?`: nothing else is ever written there
    }

    /// As users see it: the name, or the ID of an image without one.
    public var familiar: String { reference?.familiar ?? id.short }
}
