import CLinux
import Glibc
import Linux
import OCI
import SystemPackage

/// Mounts that the supervisor takes for init before the clone, as init could not by itself: those with mapped IDs, and
/// those of other containers.
struct HandedMounts {
    /// The layers that the root is made of, by their paths on the host; none for a root that is not mapped.
    private(set) var layers: [MappedLayer] = []
    private var binds: [(index: Int, source: MountTable.Source)] = []

    /// Takes what the mounts of `spec` and a root ask for; most containers ask for nothing.
    ///
    /// - Parameter lock: A lock of this process' that a child must not hold on to.
    init(_ spec: Spec, root: RootFilesystem, closing lock: FileDescriptor? = nil) throws(Failure) {
        var maps = ContainerMaps(spec, lock)
        defer { maps.close() }
        do throws(Failure) {
            if case .mapped(let root) = root {
                try takeLayers(of: root, IDMappedMount(userNamespace: maps.ofContainer()))
            }
            for (index, mount) in (spec.mounts ?? []).enumerated() {
                if mount.mapsIDs {
                    binds.append((index, try Self.take(mount, &maps)))
                } else if let foreign = ForeignMount(mount, spec) {
                    binds.append((index, try foreign.take(closing: lock)))
                }
            }
        } catch {
            close()
            throw error
        }
    }

    /// With the bind mounts that share mounts with the host taken as well, by init, while they still do.
    func takingShared(_ mounts: [Spec.Mount]) throws(Failure) -> HandedMounts {
        guard mounts.contains(where: { $0.sharesMounts }) else { return self }
        var all = self
        for (index, mount) in mounts.enumerated() where mount.sharesMounts {
            if binds.contains(where: { $0.index == index }) { continue }
            all.binds.append((index, try MountTable.openSource(mount)))
        }
        return all
    }

    /// What the mount at `index` of the Spec shows: taken here, or by the caller now.
    func source(of mount: Spec.Mount, at index: Int) throws(Failure) -> MountTable.Source {
        for bind in binds where bind.index == index { return bind.source }
        return try MountTable.openSource(mount)
    }

    /// Closes what init, or whoever else was handed these, has taken over.
    func close() {
        for layer in layers { layer.tree.closeQuietly() }
        for bind in binds { bind.source.mount.closeQuietly() }
    }

    // MARK: Bind mounts

    private static func take(_ mount: Spec.Mount, _ maps: inout ContainerMaps) throws(Failure) -> MountTable.Source {
        let options = MountOptions(mount.options ?? [])
        guard options.isBind || mount.type == "bind" else {
            throw Failure("map IDs", mount.destination, "only a bind mount can be mapped (idmap)")
        }
        let path = mount.source ?? ""
        let isDirectory = try step("mount", path) { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.status(of: path).st_mode & S_IFMT == S_IFDIR
        }
        guard geteuid() == 0 else {
            throw Failure("map IDs", path, "only root can map the IDs of a mount (idmap)", remedy: "leave 'idmap' out")
        }
        let mapped = IDMappedMount(userNamespace: try maps.of(mount))
        let tree = try mapped.clone(
            path, recursive: options.isRecursiveBind, mapsBelow: mount.idMapOption?.isRecursive ?? false)
        if options.propagation == nil {
            // It comes from the host's own tree: a mount in the container would else be one there.
            try step("mount", path) { () throws(SystemCallError) in
                try Mount.setAttributes(of: tree, named: path, propagation: .private, recursive: true)
            }
        }
        return MountTable.Source(mount: tree, isDirectory: isDirectory, options: options)
    }

    // MARK: The root

    private mutating func takeLayers(of root: RootFilesystem, _ mapped: IDMappedMount) throws(Failure) {
        switch root {
        case .directory(let path):
            layers.append((path, try Self.wholeTree(path, mapped)))
        case .overlay(let lower, _, _):
            for path in lower {
                layers.append((path, try mapped.clone(path, recursive: false, mapsBelow: false)))
            }
        case .host(let layersPath):
            layers.append(("/", try mapped.clone("/", recursive: false, mapsBelow: false)))
            for path in try HostRoot(layers: layersPath, inUserNamespace: true).mountPoints() {
                // `try?`: what cannot be mapped is shown as it is, with the owners that are nobody inside
                if let tree = try? mapped.clone(path, recursive: false, mapsBelow: false) {
                    layers.append((path, tree))
                }
            }
        case .mapped: return
        }
    }

    /// A directory with the mounts below it; those stay as they are if one of them cannot be mapped, as a procfs can't.
    private static func wholeTree(_ path: String, _ mapped: IDMappedMount) throws(Failure) -> FileDescriptor {
        let tree: FileDescriptor
        do throws(Failure) {
            tree = try mapped.clone(path, recursive: true, mapsBelow: true)
        } catch {
            tree = try mapped.clone(path, recursive: true, mapsBelow: false)
        }
        do throws(SystemCallError) {
            try Mount.setAttributes(of: tree, named: path, set: .noDevices)
            return tree
        } catch {
            tree.closeQuietly()
            throw Failure("mount root", path, error)
        }
    }
}

extension Spec.Mount {
    /// - Note: OCI runtime-spec, config.md, "Linux mount options": maps of a mount's own mean `idmap` where neither it nor
    ///   `ridmap` is given.
    fileprivate var mapsIDs: Bool {
        uidMappings != nil || gidMappings != nil || options?.contains { IDMapOption.isOne($0) } ?? false
    }

    /// Whether it is a bind mount whose mounts below come from, or go to, the host at any time.
    fileprivate var sharesMounts: Bool {
        options?.contains { $0 == "rslave" || $0 == "slave" || $0 == "rshared" || $0 == "shared" } ?? false
    }

    /// The last one counts.
    fileprivate var idMapOption: IDMapOption? { options?.compactMap { IDMapOption($0) }.last }
}

/// The user namespaces that maps are taken from, made at their first use.
private struct ContainerMaps {
    private let spec: Spec
    private let lock: FileDescriptor?
    private var container: FileDescriptor?
    private var ofMounts: [FileDescriptor] = []

    init(_ spec: Spec, _ lock: FileDescriptor?) {
        self.spec = spec
        self.lock = lock
    }

    /// With the IDs of the container.
    mutating func ofContainer() throws(Failure) -> FileDescriptor {
        if let container { return container }
        let made: FileDescriptor
        if let path = spec.linux?.namespaces?.first(where: { $0.type == .user })?.path {
            made = try step("map IDs", path) { () throws(SystemCallError) in
                try FileDescriptor.workingDirectory.open(path)
            }
        } else {
            made = try IDMappedMount.makeUserNamespace(
                spec.linux?.uidMappings ?? [], spec.linux?.gidMappings ?? [], closing: lock)
        }
        container = made
        return made
    }

    /// With the mount's own IDs, or else those of the container.
    mutating func of(_ mount: Spec.Mount) throws(Failure) -> FileDescriptor {
        if let own = try ownMaps(mount) {
            let made = try IDMappedMount.makeUserNamespace(own.uids, own.gids, closing: lock)
            ofMounts.append(made)
            return made
        }
        guard spec.linux?.namespaces?.contains(where: { $0.type == .user }) ?? false else {
            throw Failure(
                "map IDs", mount.destination, "the container has no IDs of its own to map to (idmap)",
                remedy: "give it some with --userns auto, or leave 'idmap' out")
        }
        return try ofContainer()
    }

    private func ownMaps(
        _ mount: Spec.Mount
    ) throws(Failure) -> (uids: [Spec.IDMapping], gids: [Spec.IDMapping])? {
        switch (mount.uidMappings, mount.gidMappings) {
        case (let uids?, let gids?): return (uids, gids)
        case (nil, nil): return try mount.idMapOption?.ownMaps(in: spec.linux)
        default: throw Failure("map IDs", mount.destination, "uidMappings and gidMappings want each other")
        }
    }

    func close() {
        container?.closeQuietly()
        for item in ofMounts { item.closeQuietly() }
    }
}
