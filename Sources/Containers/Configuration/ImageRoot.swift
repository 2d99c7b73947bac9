public import OCI

/// The image that a container's root is made of, as it was when the container was made.
public struct ImageRoot: JSONMappable, Sendable, Equatable {
    /// As its user wrote it.
    public var reference: String
    /// Its name in full: `docker.io/library/alpine:latest`; empty for an image without one.
    public var name: String
    /// `sha256:` and the hexadecimal digits of the digest of its configuration.
    public var id: String
    /// The hexadecimal digits of the chain IDs of its layers, the topmost first.
    public var layers: [String]
    /// The ports that it says it listens on, such as `80/tcp`.
    public var exposedPorts: [String]
    /// Where it wants its data in volumes.
    public var volumes: [String]

    public init(
        reference: String, name: String = "", id: String = "", layers: [String] = [], exposedPorts: [String] = [],
        volumes: [String] = []
    ) {
        self.reference = reference
        self.name = name
        self.id = id
        self.layers = layers
        self.exposedPorts = exposedPorts
        self.volumes = volumes
    }

    package init() { self.init(reference: "") }

    package mutating func map(_ fields: JSONFields) {
        fields.required("reference", &reference)
        fields.required("name", &name)
        fields.required("id", &id)
        fields.required("layers", &layers)
        // They become paths.
        fields.check("layers", layers.allSatisfy(Self.isChainID), expected: "hexadecimal digits")
        fields.required("exposedPorts", &exposedPorts)
        fields.required("volumes", &volumes)
    }

    private static func isChainID(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
}
