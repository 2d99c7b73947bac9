import CLinux
import Glibc
import Linux
import Sandbox
import SystemPackage

extension Container {
    /// Gives each volume that is still empty what the image has in its place: content, owner and mode, as Docker does.
    func fillVolumes(_ config: ContainerConfig) throws(Failure) {
        guard let image = config.root.image else { return }
        let volumes = try emptyVolumes(config)
        guard !volumes.isEmpty else { return }
        defer { for volume in volumes { volume.directory.closeQuietly() } }
        try makeMountPoint()
        let isRoot = geteuid() == 0  // in the child everybody is
        try startAsOwnerOfImages { () throws(Failure) in
            let root = try LayerView.open(layerPaths(of: image), at: mountPoint, inUserNamespace: !isRoot)
            defer { root.closeQuietly() }
            for volume in volumes {
                do throws(SystemCallError) {
                    guard let source = try Self.openDirectory(volume.destination, in: root) else { continue }
                    defer { source.closeQuietly() }
                    try TreeCopy.copy(contentsOf: source, to: volume.directory)
                } catch {
                    throw Failure("fill volume", volume.destination, error)
                }
            }
        }.finish()
    }

    /// Where an empty volume is mounted, and its directory on this machine.
    private struct EmptyVolume {
        let destination: String
        let directory: FileDescriptor
    }

    private func emptyVolumes(_ config: ContainerConfig) throws(Failure) -> [EmptyVolume] {
        let requests = config.orderedMounts.filter { $0.kind == .volume }
        if requests.isEmpty { return [] }
        let paths = config.volumeDirectories(dataDirectory: store.path, id: id)
        var volumes: [EmptyVolume] = []
        for (request, path) in zip(requests, paths) {
            do throws(SystemCallError) {
                let directory = try FileDescriptor.workingDirectory.open(path, O_RDONLY | O_DIRECTORY)
                if try directory.entries().isEmpty {
                    volumes.append(EmptyVolume(destination: request.destination, directory: directory))
                } else {
                    directory.closeQuietly()
                }
            } catch  where error.errno == .permissionDenied {
                continue  // that of another user of the container's: it has been used
            } catch {
                throw Failure("open volume", path, error)
            }
        }
        return volumes
    }

    /// - Returns: `nil` where the image has nothing, or no directory.
    private static func openDirectory(
        _ path: String, in root: FileDescriptor
    ) throws(SystemCallError) -> FileDescriptor? {
        do {
            return try root.open(inRoot: path, O_RDONLY | O_DIRECTORY)
        } catch  where error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory {
            return nil
        }
    }

    /// Starts `body` in a child with mounts of its own, where the owners of files in images exist: those of an ordinary
    /// user's images are their subordinate IDs.
    func startAsOwnerOfImages(_ body: () throws(Failure) -> Void) throws(Failure) -> Errand {
        if geteuid() == 0 { return try Errand.start(in: .mount, body) }
        let users = try UserNamespace.ofCaller(id: id, store: store)
        return try Errand.start(in: [.user, .mount], uids: users.uids, gids: users.gids, body)
    }
}
