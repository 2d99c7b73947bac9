import CLinux
import Glibc
import Linux
import OCI
import Sandbox
import SystemPackage

/// A container's caches in its mounts, and what becomes of them at its end.
extension Container {
    /// What the container's own layers over versions of caches lie in.
    private var cacheLayers: String { "\(path)/caches" }

    /// The mounts of the caches that the container has.
    func cacheMounts(_ held: HeldCaches, _ config: ContainerConfig, _ spec: Spec) throws(Failure) -> [Spec.Mount] {
        if held.caches.isEmpty { return [] }
        // Whatever IDs a container is given, the files belong to the same users in it.
        let mapped = config.mapsIDs && spec.has(.user) ? ["idmap"] : []
        var mounts: [Spec.Mount] = []
        for cache in held.caches {
            let destination = cache.request.destination
            switch cache.request.mode {
            case .locked, .shared: mounts.append(Self.bind(cache.path, destination, mapped))
            case .copyOnWrite where config.storage == .copy || !mapped.isEmpty:
                mounts.append(Self.bind(try copy(cache), destination, mapped))
            case .copyOnWrite: mounts.append(try overlay(cache, destination, inUserNamespace: spec.has(.user)))
            }
        }
        return mounts
    }

    private static func bind(_ source: String, _ destination: String, _ options: [String]) -> Spec.Mount {
        Spec.Mount(
            destination: destination, type: "bind", source: source,
            options: ["rbind", "rprivate", "nosuid", "nodev"] + options)
    }

    private func layer(of cache: HeldCaches.Cache) -> String { "\(cacheLayers)/\(cache.request.name)" }

    private func overlay(
        _ cache: HeldCaches.Cache, _ destination: String, inUserNamespace: Bool
    ) throws(Failure) -> Spec.Mount {
        let layer = layer(of: cache)
        // They have no escape that both ways of mounting read alike.
        if layer.utf8.contains(where: { ":,\\".utf8.contains($0) }) {
            throw Failure(
                "mount cache", cache.request.name, "overlays take no ':', ',' or '\\' in '\(layer)'",
                remedy: "use --storage copy, or another data directory with --root")
        }
        try makeLayer(cache) { () throws(SystemCallError) in
            let here = FileDescriptor.workingDirectory
            try here.makeDirectory("\(layer)/upper", mode: 0o777)
            try check("chmod", "'upper'") { chmod("\(layer)/upper", 0o777) }
            try here.makeDirectory("\(layer)/work", mode: 0o700)
        }
        return Spec.Mount(
            destination: destination, type: "overlay", source: "overlay",
            options: ["nosuid", "nodev", "lowerdir=\(cache.path)", "upperdir=\(layer)/upper", "workdir=\(layer)/work"]
                + (inUserNamespace ? ["userxattr"] : []))
    }

    /// A copy of the version, for file systems that take no overlay and for containers with IDs of their own.
    private func copy(_ cache: HeldCaches.Cache) throws(Failure) -> String {
        let layer = layer(of: cache)
        try makeLayer(cache) { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.makeDirectory("\(layer)/copy", mode: 0o777)
        }
        try asOwner("copy cache", cache) { () throws(SystemCallError) in
            let here = FileDescriptor.workingDirectory
            let to = try here.open("\(layer)/copy", O_RDONLY | O_DIRECTORY)
            defer { to.closeQuietly() }
            let from = try here.open(cache.path, O_RDONLY | O_DIRECTORY)
            defer { from.closeQuietly() }
            try TreeCopy.copy(contentsOf: from, to: to)
        }
        return "\(layer)/copy"
    }

    /// Makes the place for a layer, without what an earlier life of the container has left there.
    private func makeLayer(
        _ cache: HeldCaches.Cache, _ fill: () throws(SystemCallError) -> Void
    ) throws(Failure) {
        if FileDescriptor.workingDirectory.has(layer(of: cache)) {
            try asOwner("remove layer of cache", cache) { () throws(SystemCallError) in
                try directory.removeTree("caches/\(cache.request.name)")
            }
        }
        do throws(SystemCallError) {
            try directory.makeDirectory("caches", mode: 0o711)
            try directory.makeDirectory("caches/\(cache.request.name)", mode: 0o711)
            try fill()
        } catch {
            throw Failure("make layer of cache", cache.request.name, error)
        }
    }

    private func asOwner(
        _ step: String, _ cache: HeldCaches.Cache, _ body: () throws(SystemCallError) -> Void
    ) throws(Failure) {
        let name = cache.request.name
        func named() throws(Failure) {
            do throws(SystemCallError) {
                try body()
            } catch {
                throw Failure(step, name, error)
            }
        }
        if geteuid() == 0 { try named() } else { try startAsOwnerOfImages(named).finish() }
    }

    // MARK: Publishing

    /// Makes what a job that succeeded has in its caches the versions that the next ones begin with: whole, at once, and
    /// instead of what others may have published meanwhile.
    func publishCaches(_ held: HeldCaches) throws(Failure) {
        let store = CacheStore(self.store)
        for cache in held.caches where cache.request.mode == .copyOnWrite { try publish(cache, store) }
    }

    private func publish(_ cache: HeldCaches.Cache, _ store: CacheStore) throws(Failure) {
        let layer = layer(of: cache)
        let isCopy = FileDescriptor.workingDirectory.has("\(layer)/copy")
        if !isCopy, try isUnchanged(layer, cache) { return }
        let name = cache.request.name
        let mark = "\(shortID)-\(Clock.wall())"
        let making = "\(store.path)/\(name)/new-\(mark)"
        let lock = try store.withDirectory(of: name) { (directory) throws(SystemCallError) in
            if isCopy {
                try check("rename", "'\(layer)/copy'") { rename("\(layer)/copy", making) }
            } else {
                try directory.makeDirectory("new-\(mark)", mode: 0o777)
            }
            let made = try directory.open("new-\(mark)", O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            _ = try made.lock(wait: false)
            return made
        }
        defer { lock.closeQuietly() }
        if !isCopy { try merge(layer, cache, into: making) }
        // Whole: from here on others may begin with it.
        try store.withDirectory(of: name) { (directory) throws(SystemCallError) in
            let here = directory.rawValue
            try check("rename", "'new-\(mark)'") { renameat(here, "new-\(mark)", here, "v-\(mark)") }
            try directory.remove("next")
            try check("symlink", "'next'") { symlinkat("v-\(mark)", here, "next") }
            try check("rename", "'current'") { renameat(here, "next", here, "current") }
        }
    }

    private func isUnchanged(_ layer: String, _ cache: HeldCaches.Cache) throws(Failure) -> Bool {
        do throws(SystemCallError) {
            let upper = try FileDescriptor.workingDirectory.open("\(layer)/upper", O_RDONLY | O_DIRECTORY)
            defer { upper.closeQuietly() }
            return try upper.entries().isEmpty
        } catch {
            throw Failure("publish cache", cache.request.name, error)
        }
    }

    /// Lays the job's own layer over the version below it; unchanged files are the same ones.
    private func merge(_ layer: String, _ cache: HeldCaches.Cache, into path: String) throws(Failure) {
        try asOwner("publish cache", cache) { () throws(SystemCallError) in
            let here = FileDescriptor.workingDirectory
            let to = try here.open(path, O_RDONLY | O_DIRECTORY)
            defer { to.closeQuietly() }
            let lower = try here.open(cache.path, O_RDONLY | O_DIRECTORY)
            defer { lower.closeQuietly() }
            let upper = try here.open("\(layer)/upper", O_RDONLY | O_DIRECTORY)
            defer { upper.closeQuietly() }
            try TreeCopy.link(contentsOf: lower, to: to)
            try TreeCopy.merge(layer: upper, into: to)
        }
    }

    /// Removes versions that nobody needs any more, once this container has let go of its own.
    func tidyCaches(_ held: HeldCaches) throws(Failure) {
        let store = CacheStore(self.store)
        for cache in held.caches where cache.request.mode == .copyOnWrite {
            let name = cache.request.name
            let body = { () throws(Failure) in
                try store.withDirectory(of: name) { (directory) throws(SystemCallError) in
                    try CacheStore.removeUnused(in: directory)
                }
            }
            if geteuid() == 0 { try body() } else { try startAsOwnerOfImages(body).finish() }
        }
    }
}
