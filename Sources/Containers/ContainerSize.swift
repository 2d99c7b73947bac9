import CLinux
import Glibc
public import Linux
import OCI
import Sandbox
import SystemPackage

/// What a container's files hold, in bytes.
public struct ContainerSize: Sendable, Equatable {
    /// In the container's own writable layer, or in its own copy of the root.
    public let layer: UInt64
    /// In what it sees as its root: the layer and what is below it, without mounts.
    public let root: UInt64
}

/// Measures containers; roots that several have are looked through once.
///
/// The cost grows with the files that there are.
public struct SizeMeasurement {
    private var roots: [String: UInt64] = [:]

    public init() {}

    /// How much the container's files hold now.
    ///
    /// - Throws: When its layer cannot be read, or its root is gone.
    public mutating func size(of container: Container) throws(Failure) -> ContainerSize {
        let config = try container.loadConfig()
        switch (config.root, config.storage) {
        case (.directory(let path), _):
            return ContainerSize(layer: 0, root: try rootSize(path, container))
        case (.overlay(let path), .overlay),
            (.overlay(let path), .copy) where !container.directory.has("copy"):
            let layer = try container.layerSize()
            return ContainerSize(layer: layer, root: layer + (try rootSize(path, container)))
        case (.overlay, .copy):
            let copy = try container.sum([container.copyPath])
            return ContainerSize(layer: copy, root: copy)
        case (.image(let image), .overlay),
            (.image(let image), .copy) where !container.directory.has("copy"):
            let layer = try container.layerSize()
            var root = layer
            for path in container.layerPaths(of: image) { root += try rootSize(path, container) }
            return ContainerSize(layer: layer, root: root)
        case (.image, .copy):
            let copy = try container.sum([container.copyPath])
            return ContainerSize(layer: copy, root: copy)
        case (.host, _):
            let layer = try container.layerSize()
            return ContainerSize(layer: layer, root: layer + Self.machineSize())
        }
    }

    private mutating func rootSize(_ path: String, _ container: Container) throws(Failure) -> UInt64 {
        if let known = roots[path] { return known }
        let size = try container.sum([path])
        roots[path] = size
        return size
    }

    /// What is in use on the file system at `/`: to look through a whole machine would take minutes.
    private static func machineSize() -> UInt64 {
        var status = statvfs()
        guard statvfs("/", &status) == 0 else { return 0 }
        return UInt64(status.f_blocks - status.f_bfree) * UInt64(status.f_frsize)
    }
}

extension Container {
    /// The upper directories of all its overlays.
    fileprivate func layerSize() throws(Failure) -> UInt64 {
        guard directory.has("layers") else { return 0 }  // never started
        return try sum(try upperDirectories().map { "\(layersPath)/\($0)" })
    }

    private func upperDirectories() throws(Failure) -> [String] {
        do throws(SystemCallError) {
            let layers = try directory.open("layers", O_RDONLY | O_DIRECTORY)
            defer { layers.closeQuietly() }
            return try layers.entries().map { $0 == "upper" ? $0 : "\($0)/upper" }.filter { layers.has($0) }
        } catch {
            throw Failure("measure", layersPath, error)
        }
    }

    /// Adds up what is in some directories: with the caller's rights, and where they do not suffice with those of the
    /// container's root user, whose other users' files may be there.
    fileprivate func sum(_ paths: [String]) throws(Failure) -> UInt64 {
        let own = try Self.add(paths)
        guard own.wasDenied, geteuid() != 0 else { return own.bytes }
        let spec = try loadSpec()
        // The users of another container's namespace are out of reach: what can be read counts.
        guard spec.linux?.namespaces?.contains(where: { $0.type == .user && $0.path != nil }) != true else {
            return own.bytes
        }
        return try sumAsOwner(paths, spec)
    }

    private func sumAsOwner(_ paths: [String], _ spec: Spec) throws(Failure) -> UInt64 {
        let answer = try RootVisit.answer(asOwnerOf: spec) { () throws(Failure) in
            Array("\(try Self.add(paths).bytes)".utf8)
        }
        return UInt64(String(decoding: answer, as: UTF8.self)) ?? 0
    }

    private static func add(_ paths: [String]) throws(Failure) -> FileSizes {
        var sizes = FileSizes()
        for path in paths {
            do throws(SystemCallError) {
                let directory = try FileDescriptor.workingDirectory.open(path, O_RDONLY | O_DIRECTORY)
                defer { directory.closeQuietly() }
                try sizes.add(directory)
            } catch {
                throw Failure("measure", path, error)
            }
        }
        return sizes
    }
}
