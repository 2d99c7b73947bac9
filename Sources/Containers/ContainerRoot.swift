import CLinux
import Glibc
import Linux
import OCI
import Sandbox
import SystemPackage

/// What a container's root is made from, and where its own layers lie.
extension Container {
    /// Holds the container's writable layers.
    var layersPath: String { "\(path)/layers" }

    /// Holds the container's own copy of its root, with `--storage copy`.
    var copyPath: String { "\(path)/copy" }

    /// An empty directory that a root without a place of its own is attached to: one for all containers, as each has a
    /// mount namespace of its own.
    var mountPoint: String { "\(store.path)/root" }

    /// Makes ready what the container's root needs before it is mounted.
    ///
    /// - Parameters:
    ///   - spec: Whose user namespace is to own the layers.
    ///   - isLast: Whether nobody mounts it again.
    func prepareRoot(
        _ config: ContainerConfig, _ spec: Spec, isLast: Bool = false
    ) throws(Failure) -> RootFilesystem {
        let root = try prepareUnmappedRoot(config, spec, isLast)
        return try mapsRoot(config, spec) ? .mapped(root) : root
    }

    /// Whether the files of the container's root show with mapped IDs: not when they belong to the container's own root
    /// user already, as its IDs are on this machine.
    func mapsRoot(_ config: ContainerConfig, _ spec: Spec) throws(Failure) -> Bool {
        guard config.mapsIDs, spec.has(.user) else { return false }
        let path: String
        switch config.root {
        case .directory(let source), .overlay(let source): path = source
        case .host: path = "/"
        case .image(let image): path = layerPaths(of: image)[0]
        }
        do throws(SystemCallError) {
            return try FileDescriptor.workingDirectory.status(of: path).st_uid != spec.hostIDsOfRoot?.uid
        } catch {
            throw Failure("mount root", path, error)
        }
    }

    private func prepareUnmappedRoot(
        _ config: ContainerConfig, _ spec: Spec, _ isLast: Bool
    ) throws(Failure) -> RootFilesystem {
        try requireOwnFiles(config, spec)
        switch (config.root, config.storage) {
        case (.directory(path: let source), _):
            try requireDirectory(source)
            return .directory(source)
        case (.overlay(path: let source), .overlay):
            try requireDirectory(source)
            try makeMountPoint()
            try makeLayers(ownedBy: spec)
            return .overlay(lower: [source], layers: layersPath, isVolatile: isLast)
        case (.overlay(path: let source), .copy):
            try requireDirectory(source)
            try copyRoot(source)
            return .directory(copyPath)
        case (.image(let image), .overlay):
            try makeMountPoint()
            try makeLayers(ownedBy: spec)
            return .overlay(lower: try lowerPaths(of: image), layers: layersPath, isVolatile: isLast)
        case (.image(let image), .copy):
            try makeMountPoint()
            try copyLayers(of: image)
            return .directory(copyPath)
        case (.host, .overlay):
            try makeMountPoint()
            try makeLayers(ownedBy: spec)
            return .host(layers: layersPath)
        case (.host, .copy):
            throw Failure(
                "copy root", "@host", "the whole machine is not copied",
                remedy: "use --storage overlay, or --rootfs DIR:O")
        }
    }

    /// Refuses a user namespace in which an ordinary user's files, and so the container's layers, are nobody's. Root maps
    /// mounts to such IDs; others may not.
    private func requireOwnFiles(_ config: ContainerConfig, _ spec: Spec) throws(Failure) {
        guard geteuid() != 0, let uids = spec.linux?.uidMappings, let gids = spec.linux?.gidMappings else { return }
        switch config.root {
        case .image, .overlay: break
        case .directory, .host: return
        }
        func has(_ maps: [Spec.IDMapping], _ id: UInt32) -> Bool {
            maps.contains { id >= $0.hostID && id - $0.hostID < $0.size }
        }
        guard !uids.isEmpty, !has(uids, geteuid()) || !has(gids, getegid()) else { return }
        throw Failure(
            "--userns", "", "the container's layers belong to this user, who has no ID in it",
            remedy: "use --userns keep-id or leave it out; root can give containers IDs of their own")
    }

    /// Makes the directories behind the container's volumes, where they are missing.
    func makeVolumes(_ config: ContainerConfig) throws(Failure) {
        for volume in config.volumeDirectories(dataDirectory: store.path, id: id) {
            do throws(SystemCallError) {
                let here = FileDescriptor.workingDirectory
                // What set-user-ID programs a container keeps there are not for the machine's other users.
                if volume.hasPrefix("\(store.path)/volumes/") {
                    try here.makeDirectory("\(store.path)/volumes", mode: 0o700)
                }
                try here.makeDirectories(volume)
            } catch {
                throw Failure("make volume", volume, error)
            }
        }
    }

    private func requireDirectory(_ path: String) throws(Failure) {
        let status: FileStatus
        do throws(SystemCallError) {
            status = try FileDescriptor.workingDirectory.status(of: path)
        } catch {
            throw Failure("open --rootfs", path, error.errno.reason, remedy: "name a directory with a root file system")
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw Failure(
                "open --rootfs", path, "is not a directory", remedy: "name a directory with a root file system")
        }
    }

    /// Root that maps its container's root to another ID gives that one the directory for the layers, which are made from
    /// inside. An ordinary user's own directory is the container's root's already.
    private func makeLayers(ownedBy spec: Spec) throws(Failure) {
        guard geteuid() == 0, let root = spec.hostIDsOfRoot else { return }
        do throws(SystemCallError) {
            try directory.makeDirectory("layers", mode: 0o700)
            try check("chown", "'layers'") {
                fchownat(directory.rawValue, "layers", root.uid, root.gid, AT_SYMLINK_NOFOLLOW)
            }
        } catch {
            throw Failure("make layer", layersPath, error)
        }
    }

    func makeMountPoint() throws(Failure) {
        do throws(SystemCallError) {
            if !store.directory.has("root") { try store.directory.makeDirectory("root", mode: 0o700) }
        } catch {
            throw Failure("make mount point", mountPoint, error)
        }
    }

    /// Removes the mark by which the kernel keeps a volatile overlay from being mounted a second time, which nobody will
    /// do: now, while the container runs and nobody waits, rather than at its end.
    ///
    /// - Note: the kernel's filesystems/overlayfs.rst, "Volatile mount".
    func removeVolatileMark() {
        guard geteuid() == 0, directory.has("layers/work/work/incompat") else { return }
        try? directory.removeTree("layers/work/work/incompat")  // `try?`: else it goes with the container
    }

    /// Copies the root once, the first time the container starts.
    private func copyRoot(_ source: String) throws(Failure) {
        guard !directory.has("copy") else { return }
        do throws(SystemCallError) {
            // Under another name until it is whole: a copy that is cut short is made again.
            try directory.removeTree(".copy")
            try directory.makeDirectory(".copy", mode: 0o700)
            let from = try FileDescriptor.workingDirectory.open(source, O_RDONLY | O_DIRECTORY)
            defer { from.closeQuietly() }
            let to = try directory.open(".copy", O_RDONLY | O_DIRECTORY)
            defer { to.closeQuietly() }
            try TreeCopy.copy(contentsOf: from, to: to)
            try check("rename", "copy") { renameat(directory.rawValue, ".copy", directory.rawValue, "copy") }
        } catch {
            throw Failure(
                "copy root", source, "\(error)",
                remedy: error.errno == .permissionDenied ? "a copy reads all of it; use --storage overlay" : nil)
        }
    }
}

extension ContainerConfig {
    /// Whether its root and its volumes have the same IDs inside as on disk, if it has IDs of its own: those are nobody's on
    /// this machine.
    var mapsIDs: Bool {
        guard geteuid() == 0 else { return false }
        switch userNamespace {
        case .auto, .maps, .container: return true
        case .standard, .host, .keepID: return false
        }
    }
}

extension Spec {
    /// Who the container's root user is on this machine, where that is known to be somebody else.
    var hostIDsOfRoot: (uid: UInt32, gid: UInt32)? {
        guard let uid = linux?.uidMappings?.first(where: { $0.containerID == 0 })?.hostID,
            let gid = linux?.gidMappings?.first(where: { $0.containerID == 0 })?.hostID
        else { return nil }
        return (uid, gid)
    }
}
