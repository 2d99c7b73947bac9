public import Linux
public import OCI

/// An image: its configuration and its layers, the lowest first.
///
/// - Note: OCI Image Specification, manifest.md; Docker's Image Manifest, version 2, schema 2.
public struct Manifest: JSONMappable, Sendable, Hashable {
    /// The most bytes that one may have.
    public static let sizeLimit = 4 << 20
    /// The most layers: beyond that no root is made of them.
    public static let layerLimit = 500

    public var schemaVersion: Int
    public var mediaType: MediaType?
    public var artifactType: String?
    public var config: Descriptor
    public var layers: [Descriptor]
    /// What this is about, where it is no image but something said of one.
    public var subject: Descriptor?
    public var annotations: [String: String]?

    public init(
        mediaType: MediaType = .ociManifest, config: Descriptor, layers: [Descriptor],
        annotations: [String: String]? = nil
    ) {
        schemaVersion = 2
        self.mediaType = mediaType
        self.config = config
        self.layers = layers
        self.annotations = annotations
    }

    package init() { self.init(config: Descriptor(), layers: []) }

    package mutating func map(_ fields: JSONFields) {
        fields.required("schemaVersion", &schemaVersion)
        fields.check("schemaVersion", schemaVersion == 2, expected: "2")
        fields.optional("mediaType", &mediaType)
        fields.optional("artifactType", &artifactType)
        fields.required("config", &config)
        fields.required("layers", &layers)
        fields.check("layers", layers.count <= Self.layerLimit, expected: "at most \(Self.layerLimit) layers")
        fields.optional("subject", &subject)
        fields.optional("annotations", &annotations)
    }

    /// Reads one and checks that it is what it is said to be.
    ///
    /// - Parameters:
    ///   - mediaType: What whoever named it says that it is.
    ///   - subject: The image, for errors.
    public init(json: [UInt8], as mediaType: MediaType, of subject: String) throws(Failure) {
        guard mediaType.isManifest else {
            throw Failure("read manifest", subject, "media type '\(mediaType)' is not an image's")
        }
        self = try ImageJSON.read("manifest", json, limit: Self.sizeLimit, of: subject)
        try ImageJSON.checkType(self.mediaType, mediaType, "manifest", of: subject)
    }
}

/// Images for several platforms by one name.
///
/// - Note: OCI Image Specification, image-index.md; Docker's manifest list.
public struct ImageIndex: JSONMappable, Sendable, Hashable {
    public var schemaVersion: Int
    public var mediaType: MediaType?
    public var artifactType: String?
    public var manifests: [Descriptor]
    public var subject: Descriptor?
    public var annotations: [String: String]?

    public init(
        mediaType: MediaType = .ociIndex, manifests: [Descriptor], annotations: [String: String]? = nil
    ) {
        schemaVersion = 2
        self.mediaType = mediaType
        self.manifests = manifests
        self.annotations = annotations
    }

    package init() { self.init(manifests: []) }

    package mutating func map(_ fields: JSONFields) {
        fields.required("schemaVersion", &schemaVersion)
        fields.check("schemaVersion", schemaVersion == 2, expected: "2")
        fields.optional("mediaType", &mediaType)
        fields.optional("artifactType", &artifactType)
        fields.required("manifests", &manifests)
        fields.optional("subject", &subject)
        fields.optional("annotations", &annotations)
    }

    /// As `Manifest.init(json:as:of:)`.
    public init(json: [UInt8], as mediaType: MediaType, of subject: String) throws(Failure) {
        guard mediaType.isIndex else {
            throw Failure("read index", subject, "media type '\(mediaType)' is not that of an index of images")
        }
        self = try ImageJSON.read("index", json, limit: Manifest.sizeLimit, of: subject)
        try ImageJSON.checkType(self.mediaType, mediaType, "index", of: subject)
    }
}

/// How JSON from outside is read: bounded, and with errors that name the image.
enum ImageJSON {
    static func read<Value: JSONMappable>(
        _ what: String, _ json: [UInt8], limit: Int, of subject: String
    ) throws(Failure) -> Value {
        guard json.count <= limit else {
            throw Failure("read \(what)", subject, "has \(json.count) bytes; at most \(limit) are read")
        }
        do throws(SpecError) {
            return try Value(json: json)
        } catch {
            throw Failure("read \(what)", subject, "\(error)")
        }
    }

    /// A text whose own word differs from what it was announced as could be read as two things by two programs.
    static func checkType(
        _ own: MediaType?, _ announced: MediaType, _ what: String, of subject: String
    ) throws(Failure) {
        guard let own, own != announced else { return }
        throw Failure("read \(what)", subject, "it says that it is '\(own)', and is named as '\(announced)'")
    }
}
