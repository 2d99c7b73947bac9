public import Images
public import OCI

/// An image in the making, between two steps: its configuration, its layers, and the key of all that led to it.
public struct BuildState: JSONMappable, Sendable, Hashable {
    public var config: ImageConfig
    /// As a manifest names them, the lowest first.
    public var layers: [Descriptor]
    /// Chain IDs of these.
    public var chains: [Digest]
    /// What the next step's key is made of.
    public var key: Digest
    /// The arguments that a stage based on this one begins with.
    public var arguments: [Argument] = []

    public struct Argument: JSONMappable, Sendable, Hashable {
        public var name = ""
        public var value = ""

        package init() {}

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }

        package mutating func map(_ fields: JSONFields) {
            fields.required("name", &name)
            fields.required("value", &value)
        }
    }

    public init(config: ImageConfig, layers: [Descriptor], chains: [Digest], key: Digest) {
        self.config = config
        self.layers = layers
        self.chains = chains
        self.key = key
    }

    package init() { self.init(config: ImageConfig(platform: .host), layers: [], chains: [], key: Digest.of([])) }

    package mutating func map(_ fields: JSONFields) {
        fields.required("config", &config)
        fields.required("layers", &layers)
        fields.required("chains", &chains)
        fields.required("key", &key)
        fields.required("arguments", &arguments)
    }

    /// What containers of it do.
    var execution: ImageConfig.Execution {
        get { config.config ?? ImageConfig.Execution() }
        set { config.config = newValue }
    }

    /// Where the next step works: absolute.
    var workingDirectory: String {
        let path = execution.workingDir ?? ""
        return path.isEmpty ? "/" : path.utf8.first == UInt8(ascii: "/") ? path : "/\(path)"
    }

    /// The chain IDs of its layers as containers name them, the topmost first.
    var layerNames: [String] { chains.reversed().map(\.hex) }

    /// Adds what a step has made.
    mutating func add(_ record: BuildRecord) {
        if let layer = record.layer {
            config.rootfs.diffIDs.append(layer.diffID)
            layers.append(layer.descriptor)
            chains.append(layer.chain)
        }
        config.created = record.created
        config.history =
            (config.history ?? []) + [
                ImageConfig.History(
                    created: record.created, author: config.author, createdBy: record.step,
                    emptyLayer: record.layer == nil ? true : nil)
            ]
        key = record.key
    }
}

/// The digest of all that a step depends on.
///
/// Each part is preceded by its name and its length, so that no two lists of parts are written alike.
struct StepKey {
    private var hasher = Digest.Hasher()

    /// - Parameter parent: The key of the step before.
    init(after parent: Digest, _ instruction: String) {
        // Changes of what keys are made of, or of what steps do, make all older records void.
        add("apus-build", "1")
        add("parent", "\(parent)")
        add("instruction", instruction)
    }

    mutating func add(_ name: String, _ value: String) {
        let text = "\(name) \(value.utf8.count)\n\(value)\n"
        var copy = text
        copy.withUTF8 { hasher.update(UnsafeRawBufferPointer($0)) }
    }

    func finish() -> Digest { hasher.finish() }
}
