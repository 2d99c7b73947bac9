public import Linux
public import OCI

/// How an image is run, what its layers are, and how they came to be.
///
/// - Note: OCI Image Specification, config.md.
public struct ImageConfig: JSONMappable, Sendable, Hashable {
    /// The most bytes that one may have.
    public static let sizeLimit = 4 << 20

    /// RFC 3339.
    public var created: String?
    public var author: String?
    public var architecture: String
    public var os: String
    public var variant: String?
    public var osVersion: String?
    public var osFeatures: [String]?
    /// What containers of the image do where their user does not say otherwise.
    public var config: Execution?
    public var rootfs: RootFS
    public var history: [History]?

    public init(
        created: String? = nil, author: String? = nil, platform: Platform = .host, config: Execution? = nil,
        diffIDs: [Digest] = [], history: [History]? = nil
    ) {
        self.created = created
        self.author = author
        architecture = platform.architecture
        os = platform.os
        variant = platform.variant
        self.config = config
        rootfs = RootFS(diffIDs: diffIDs)
        self.history = history
    }

    package init() { self.init(platform: Platform(os: "", architecture: "")) }

    package mutating func map(_ fields: JSONFields) {
        fields.optional("created", &created)
        fields.optional("author", &author)
        // Some old images don't say, and are for what most machines are.
        fields.defaulted("architecture", &architecture)
        fields.defaulted("os", &os)
        fields.optional("variant", &variant)
        fields.optional("os.version", &osVersion)
        fields.optional("os.features", &osFeatures)
        fields.optional("config", &config)
        fields.required("rootfs", &rootfs)
        fields.optional("history", &history)
    }

    /// Reads one.
    ///
    /// - Parameter subject: The image, for errors.
    public init(json: [UInt8], of subject: String) throws(Failure) {
        self = try ImageJSON.read("configuration", json, limit: Self.sizeLimit, of: subject)
    }

    /// What it runs on.
    public var platform: Platform {
        Platform(
            os: os.isEmpty ? "linux" : os, architecture: architecture.isEmpty ? "amd64" : architecture,
            variant: variant, osVersion: osVersion, osFeatures: osFeatures)
    }

    /// The layers, by what they are uncompressed.
    public struct RootFS: JSONMappable, Sendable, Hashable {
        public var type: String
        /// The lowest first.
        public var diffIDs: [Digest]

        public init(diffIDs: [Digest]) {
            type = "layers"
            self.diffIDs = diffIDs
        }

        package init() { self.init(diffIDs: []) }

        package mutating func map(_ fields: JSONFields) {
            fields.required("type", &type)
            fields.check("type", type == "layers", expected: "\"layers\"")
            // Null where there are none, as Go writes it.
            fields.defaulted("diff_ids", &diffIDs)
        }

        /// The names of what the first, the first two … and all layers make together.
        ///
        /// - Note: OCI Image Specification, config.md, "Layer ChainID".
        public var chainIDs: [Digest] {
            var chains: [Digest] = []
            for diffID in diffIDs {
                chains.append(chains.last.map { Digest.of(Array("\($0) \(diffID)".utf8)) } ?? diffID)
            }
            return chains
        }
    }

    /// One step of an image's making.
    public struct History: JSONMappable, Sendable, Hashable {
        public var created: String?
        public var author: String?
        public var createdBy: String?
        public var comment: String?
        /// Whether it made no layer.
        public var emptyLayer: Bool?

        public init(
            created: String? = nil, author: String? = nil, createdBy: String? = nil, comment: String? = nil,
            emptyLayer: Bool? = nil
        ) {
            self.created = created
            self.author = author
            self.createdBy = createdBy
            self.comment = comment
            self.emptyLayer = emptyLayer
        }

        package init() { self.init(created: nil) }

        package mutating func map(_ fields: JSONFields) {
            fields.optional("created", &created)
            fields.optional("author", &author)
            fields.optional("created_by", &createdBy)
            fields.optional("comment", &comment)
            fields.optional("empty_layer", &emptyLayer)
        }
    }
}
