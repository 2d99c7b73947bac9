import CLinux
import Glibc
public import Linux
import OCI
import Sandbox
import SystemPackage

extension Container {
    /// What the container has changed in its root, each directory before what is in it.
    ///
    /// - Throws: For a container whose root is used as it is: nothing is kept to compare it with.
    public func changes() throws(Failure) -> [LayerChange] {
        let config = try loadConfig()
        let spec = try loadSpec()
        if case .directory(let path) = config.root {
            throw Failure(
                "diff", config.name ?? shortID, "its root '\(path)' is used as it is, so there is no layer to compare",
                remedy: "use --rootfs DIR:O to keep changes in a layer")
        }
        let isRoot = geteuid() == 0  // of this machine: in the child everybody is
        let mapsRoot = try mapsRoot(config, spec)
        return try comparedInChild(config.mapsIDs ? spec.withoutNamespaces : spec) { () throws(Failure) in
            var comparison = LayerComparison(
                mountPoints: Set((spec.mounts ?? []).map(\.destination)), comparesOwners: isRoot)
            if mapsRoot { comparison.mapOwners(spec.linux?.uidMappings ?? [], spec.linux?.gidMappings ?? []) }
            do {
                switch (config.root, config.storage) {
                case (.overlay(let source), .copy): try compareCopy(with: source, &comparison)
                case (.overlay(let source), .overlay):
                    try Self.compareLayer(layersPath, lower: source, at: "/", &comparison)
                case (.image(let image), _): try compareImage(image, config, spec, &comparison)
                case (.host, _): try compareHostLayers(&comparison)
                case (.directory, _): break
                }
            } catch let failure as Failure {
                throw failure
            } catch let error as SystemCallError {
                throw Failure("diff", error.subject, error)
            } catch {
                throw Failure("diff", shortID, "\(error)")
            }
            return comparison.changes.sorted { $0.path < $1.path }
        }
    }

    private func compareCopy(with source: String, _ comparison: inout LayerComparison) throws(SystemCallError) {
        guard directory.has("copy") else { return }  // never started
        let copy = try directory.open("copy", O_RDONLY | O_DIRECTORY)
        defer { copy.closeQuietly() }
        let original = try FileDescriptor.workingDirectory.open(source, O_RDONLY | O_DIRECTORY)
        defer { original.closeQuietly() }
        try comparison.compareCopy(copy, original: original, at: "/")
    }

    /// Compares with what the image's layers show together.
    private func compareImage(
        _ image: ImageRoot, _ config: ContainerConfig, _ spec: Spec, _ comparison: inout LayerComparison
    ) throws {
        let name = config.storage == .copy ? "copy" : "layers/upper"
        guard directory.has(name) else { return }  // never started
        let upper = try directory.open(name, O_RDONLY | O_DIRECTORY)
        defer { upper.closeQuietly() }
        let lower = try LayerView.open(
            config.storage == .copy ? layerPaths(of: image) : try lowerPaths(of: image), at: mountPoint,
            inUserNamespace: spec.has(.user) && !config.mapsIDs)
        defer { lower.closeQuietly() }
        if config.storage == .copy {
            try comparison.compareCopy(upper, original: lower, at: "/")
        } else {
            try comparison.compareOverlay(upper: upper, lower: lower, at: "/")
        }
    }

    /// A layer for the root, and one for each file system or directory that has an overlay of its own.
    private func compareHostLayers(_ comparison: inout LayerComparison) throws(SystemCallError) {
        guard directory.has("layers") else { return }  // never started
        let layers = try directory.open("layers", O_RDONLY | O_DIRECTORY)
        defer { layers.closeQuietly() }
        if layers.has("upper") { try Self.compareLayer(layersPath, lower: "/", at: "/", &comparison) }
        for name in try layers.entries().sorted() where name.hasPrefix("%") {
            let path = RootFilesystem.path(ofLayer: name)
            try Self.compareLayer("\(layersPath)/\(name)", lower: path, at: path, &comparison)
        }
    }

    private static func compareLayer(
        _ layers: String, lower: String, at path: String, _ comparison: inout LayerComparison
    ) throws(SystemCallError) {
        let here = FileDescriptor.workingDirectory
        guard here.has("\(layers)/upper") else { return }  // never mounted
        let upper = try here.open("\(layers)/upper", O_RDONLY | O_DIRECTORY)
        defer { upper.closeQuietly() }
        guard try !upper.entries().isEmpty else { return }
        let below = try openLower(lower)
        defer { below?.closeQuietly() }
        let count = comparison.changes.count
        try comparison.compareOverlay(upper: upper, lower: below, at: path)
        if path != "/" && comparison.changes.count > count { comparison.markChanged(path) }
    }

    /// - Returns: `nil` for a directory that this user may not read: in the container nobody could change what is in it.
    private static func openLower(_ path: String) throws(SystemCallError) -> FileDescriptor? {
        do {
            return try FileDescriptor.workingDirectory.open(path, O_RDONLY | O_DIRECTORY)
        } catch  where error.errno == .permissionDenied {
            return nil
        }
    }

    /// Runs `body` with the rights of the container's root user: files of its other users lie in the layers too. Only the
    /// machine's root reads what is below a mapped root.
    private func comparedInChild(
        _ spec: Spec, _ body: () throws(Failure) -> [LayerChange]
    ) throws(Failure) -> [LayerChange] {
        let answer = try RootVisit.answer(asOwnerOf: spec) { () throws(Failure) in
            Array(try body().map { "\($0.kind.rawValue)\($0.path)\0" }.joined().utf8)
        }
        return answer.split(separator: 0).compactMap { line in
            let kind = LayerChange.Kind(rawValue: String(decoding: line.prefix(1), as: UTF8.self))
            return kind.map { LayerChange($0, String(decoding: line.dropFirst(), as: UTF8.self)) }
        }
    }
}

extension Spec {
    /// Of a container with the users of this machine.
    fileprivate var withoutNamespaces: Spec {
        var spec = self
        spec.linux?.namespaces = nil
        return spec
    }
}
