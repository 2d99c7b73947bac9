import CLinux
import Glibc
public import Linux
import OCI
import Sandbox
public import SystemPackage

/// All files of a container, for `export` and `commit`.
extension Container {
    /// Calls `body` in a child with what the container sees as its root: without mounts, and with the owners that files
    /// have in the container.
    ///
    /// - Returns: Once `body` has ended.
    /// - Throws: What `body` throws; for a container on the machine's own root, which is put together of mounts.
    public func visitFiles(_ body: (FileDescriptor) throws(Failure) -> Void) throws {
        let config = try loadConfig()
        let state = try loadState()
        guard config.root != .host else {
            throw Failure("export", state.name, "its root is this machine's own")
        }
        let inside = { () throws(Failure) in
            // The root's own mount alone, without those below it.
            let root = try Self.attempt("export", state.name) { () throws(SystemCallError) in
                let mount = try Mount.clone("/")
                defer { mount.closeQuietly() }
                return try mount.open(".", O_RDONLY | O_DIRECTORY)
            }
            defer { root.closeQuietly() }
            try body(root)
        }
        if case .running = state.status {
            let process = try runningProcess(state, to: "export")
            defer { process.pidfd.closeQuietly() }
            return try RootVisit.running(initProcess: process, spec: try loadSpec()).start(inside).finishOutput()
        }
        guard let alive = try store.lockAlive(id, wait: false) else {
            throw Failure("export", state.name, "the container is being started or removed just now")
        }
        defer { store.releaseAlive(id, alive) }
        var spec = try makeSpec(config)
        spec.mounts = nil
        let root = try prepareRoot(config, spec)
        try RootVisit.stopped(root: root, mountPoint: mountPoint, spec: spec).start(inside).finishOutput()
    }

    /// Calls `body` with the layer of a container that is made of an image: what it has changed.
    ///
    /// - Parameter body: Its first argument is `nil` for a container that has never been started; its second one says of
    ///   a path in the root whether it is there to be mounted upon only.
    /// - Throws: For a container that has no layer, or one whose files belong to IDs that only it has.
    public func withLayer<Result>(
        _ body: (FileDescriptor?, @escaping (String) -> Bool) throws -> Result
    ) throws -> Result {
        let config = try loadConfig()
        guard config.root.image != nil, config.storage == .overlay else {
            throw Failure(
                "commit", shortID, "it has no layer over an image",
                remedy: "use 'apus export' and 'apus import' for all of its files")
        }
        let spec = try loadSpec()
        let places = Set((spec.mounts ?? []).map(\.destination))
        guard directory.has("layers/upper") else { return try body(nil) { _ in false } }
        let upper = try Self.attempt("commit", shortID) { () throws(SystemCallError) in
            try directory.open("layers/upper", O_RDONLY | O_DIRECTORY)
        }
        defer { upper.closeQuietly() }
        return try body(upper) { places.contains($0) }
    }

    /// From the owners that files of its layer have on disk to those that they have in the container.
    public func ownersInside() throws(Failure) -> @Sendable (UInt32, UInt32) -> (uid: UInt32, gid: UInt32) {
        let spec = try loadSpec()
        // An ordinary user's commands look from a user namespace, where they are the same.
        guard geteuid() == 0, try loadConfig().mapsIDs else { return { ($0, $1) } }
        let (uids, gids) = (spec.linux?.uidMappings ?? [], spec.linux?.gidMappings ?? [])
        return { (Self.inside($0, uids), Self.inside($1, gids)) }
    }

    private static func inside(_ id: UInt32, _ maps: [Spec.IDMapping]) -> UInt32 {
        for map in maps where id >= map.hostID && id - map.hostID < map.size {
            return map.containerID + (id - map.hostID)
        }
        return id
    }

    private static func attempt<Result>(
        _ step: String, _ name: String, _ body: () throws(SystemCallError) -> Result
    ) throws(Failure) -> Result {
        do throws(SystemCallError) {
            return try body()
        } catch {
            throw Failure(step, name, error)
        }
    }
}
