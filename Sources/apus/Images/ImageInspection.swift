import Containers
import Formats
import Images
import Linux

/// Everything that is known of one image, in the shape of Docker's `image inspect`.
struct ImageInspection {
    private let store: ImageStore
    private let record: ImageRecord
    private let names: [ImageRecord]
    private let config: ImageConfig

    init(_ record: ImageRecord, in store: ImageStore) throws(Failure) {
        self.store = store
        self.record = record
        names = try store.records(of: record.id)
        config = try store.config(of: record)
    }

    var value: Value {
        [
            "Id": .string(record.id.description),
            "RepoTags": .strings(names.compactMap { $0.reference?.tag == nil ? nil : $0.reference?.familiar }),
            "RepoDigests": .strings(Set(names.flatMap(\.repoDigests)).sorted()),
            "Parent": "",
            "Comment": .string(config.history?.last?.comment ?? ""),
            "Created": .string(config.created ?? ""),
            "DockerVersion": "",
            "Author": .string(config.author ?? ""),
            "Config": execution,
            "Architecture": .string(config.architecture),
            "Variant": .string(config.variant ?? ""),
            "Os": .string(config.os),
            "Size": .integer(of: record.size),
            "VirtualSize": .integer(of: record.size),
            "GraphDriver": ["Data": .strings(layers), "Name": "overlay"],
            "RootFS": ["Type": "layers", "Layers": .strings(config.rootfs.diffIDs.map(\.description))],
            "Metadata": ["LastTagTime": "0001-01-01T00:00:00Z"],
            "Labels": .strings(record.config.labels ?? [:]),
            "Digest": .string(record.manifest.digest.description),
            "ManifestType": .string(record.manifest.mediaType.rawValue),
        ]
    }

    private var layers: [String: String] {
        let paths = record.layers.reversed().map { store.path(ofLayer: $0) }
        guard let top = paths.first else { return [:] }
        return ["UpperDir": top, "LowerDir": paths.dropFirst().joined(separator: ":")]
    }

    private var execution: Value {
        let config = record.config
        return [
            "User": .string(config.user ?? ""),
            "ExposedPorts": Self.set(config.ports),
            "Env": config.env.map { .strings($0) } ?? .null,
            "Cmd": config.cmd.map { .strings($0) } ?? .null,
            "Entrypoint": config.entrypoint.map { .strings($0) } ?? .null,
            "Volumes": Self.set(config.volumePaths),
            "WorkingDir": .string(config.workingDir ?? ""),
            "Labels": config.labels.map { .strings($0) } ?? .null,
            "StopSignal": .string(config.stopSignal ?? ""),
            "Healthcheck": config.healthcheck.map(Self.healthcheck) ?? .null,
            "OnBuild": config.onBuild.map { .strings($0) } ?? .null,
            "Shell": config.shell.map { .strings($0) } ?? .null,
        ]
    }

    private static func healthcheck(_ check: ImageConfig.Healthcheck) -> Value {
        [
            "Test": .strings(check.test ?? []), "Interval": .integer(of: check.interval ?? 0),
            "Timeout": .integer(of: check.timeout ?? 0), "StartPeriod": .integer(of: check.startPeriod ?? 0),
            "StartInterval": .integer(of: check.startInterval ?? 0), "Retries": .integer(of: check.retries ?? 0),
        ]
    }

    /// As Go writes sets: `{"80/tcp": {}}`.
    private static func set(_ members: [String]) -> Value {
        members.isEmpty ? .null : .map(Dictionary(members.map { ($0, Value.object([])) }) { one, _ in one })
    }
}
