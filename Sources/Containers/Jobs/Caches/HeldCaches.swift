import CLinux
import Glibc
import Linux
import SystemPackage

/// The caches of one container, held from before it is made until it has ended.
///
/// The locks are those of open files: they end with the supervisor however that ends, and pass to it from the command that
/// waited for them.
struct HeldCaches {
    struct Cache {
        let request: CacheRequest
        /// Its lock: the file of one in place, the version of another.
        let lock: FileDescriptor
        /// What the container begins with, on the host.
        let path: String
    }

    let caches: [Cache]
    static let none = HeldCaches(caches: [])

    private init(caches: [Cache]) { self.caches = caches }

    /// Waits for all caches of a config, in the order of their names so that no two jobs wait for each other.
    ///
    /// - Throws: When the time for that is over.
    init(_ config: ContainerConfig, in store: ContainerStore) throws(Failure) {
        guard let job = config.job, !job.caches.isEmpty else {
            self = .none
            return
        }
        let caches = CacheStore(store)
        var held: [Cache] = []
        for request in job.caches.sorted(by: { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }) {
            switch request.mode {
            case .copyOnWrite: held.append(try Self.takeVersion(request, caches))
            case .locked, .shared: held.append(try Self.takeInPlace(request, caches, job.cacheWait))
            }
        }
        self.caches = held
    }

    /// Their descriptors, for whoever closes all others.
    var descriptors: [FileDescriptor] { caches.map(\.lock) }

    /// Lets go of them; a process that was given the same descriptors keeps them.
    func close() { for cache in caches { cache.lock.closeQuietly() } }

    /// Writes down who is alone in a cache.
    func sign(_ container: Container, name: String?) {
        for cache in caches where cache.request.mode == .locked {
            let text = "container \(container.shortID)" + (name.map { " (\($0))" } ?? "")
            Self.write(text, to: cache.lock)
        }
    }

    /// Only a message lacks something if that fails.
    private static func write(_ text: String, to lock: FileDescriptor) {
        ftruncate(lock.rawValue, 0)
        _ = text.utf8.withContiguousStorageIfAvailable { pwrite(lock.rawValue, $0.baseAddress, $0.count, 0) }
    }

    // MARK: In place

    private static func takeInPlace(
        _ request: CacheRequest, _ store: CacheStore, _ wait: Int64?
    ) throws(Failure) -> Cache {
        let isExclusive = request.mode == .locked
        let deadline = wait.map { Clock.monotonic() + UInt64($0) }
        var hasSaid = false
        while true {
            let lock = try open(request, store)
            do throws(SystemCallError) {
                if try lock.lock(exclusive: isExclusive, wait: false) {
                    let path = "\(store.path)/\(request.name)"
                    // Whoever had it may have removed the cache.
                    if try CacheStore.isLinked(lock, as: "\(path)/lock") {
                        if isExclusive { write("process \(getpid())", to: lock) }
                        futimens(lock.rawValue, nil)  // the time of its last use is only told
                        return Cache(request: request, lock: lock, path: "\(path)/data")
                    }
                    lock.closeQuietly()
                    continue
                }
            } catch {
                lock.closeQuietly()
                throw Failure("lock cache", request.name, error)
            }
            let holder = holder(of: lock)
            lock.closeQuietly()
            if let deadline, Clock.monotonic() >= deadline {
                throw Failure(
                    "lock cache", request.name, "is in use by \(holder)", remedy: "wait longer with --cache-wait")
            }
            if !hasSaid { Report.line("waiting for cache '\(request.name)', in use by \(holder)") }
            hasSaid = true
            poll(nil, 0, 50)
        }
    }

    /// Opens the lock of a cache in place, and makes the cache if it is missing.
    private static func open(_ request: CacheRequest, _ store: CacheStore) throws(Failure) -> FileDescriptor {
        let opened = try store.withDirectory(of: request.name) { (directory) throws(SystemCallError) in
            if directory.has("current") { return FileDescriptor?.none }
            if try directory.makeDirectory("data", mode: 0o777) {
                // Whichever user a job has: others never get here.
                try check("chmod", "'data'") { fchmodat(directory.rawValue, "data", 0o777, 0) }
            }
            return try directory.open("lock", O_RDWR | O_CREAT | O_NOFOLLOW)
        }
        guard let opened else { throw wrongMode(request, "in versions, for copy-on-write") }
        return opened
    }

    private static func holder(of lock: FileDescriptor) -> String {
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = pread(lock.rawValue, &bytes, bytes.count, 0)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : "other jobs"
    }

    private static func wrongMode(_ request: CacheRequest, _ kept: String) -> Failure {
        Failure(
            "open cache", request.name, "it is kept \(kept)",
            remedy: "use it so, take another name, or 'apus cache rm \(request.name)'")
    }

    // MARK: In versions

    private static func takeVersion(_ request: CacheRequest, _ store: CacheStore) throws(Failure) -> Cache {
        let taken = try store.withDirectory(of: request.name) { (directory) throws(SystemCallError) in
            if directory.has("data") { return Cache?.none }
            if directory.linkTarget(of: "current") == nil {
                try directory.makeDirectory("v-0", mode: 0o777)
                try check("chmod", "'v-0'") { fchmodat(directory.rawValue, "v-0", 0o777, 0) }
                try check("symlink", "'current'") { symlinkat("v-0", directory.rawValue, "current") }
            }
            let use = try directory.open("lock", O_RDWR | O_CREAT | O_NOFOLLOW)
            futimens(use.rawValue, nil)  // the time of its last use is only told
            use.closeQuietly()
            let name = directory.linkTarget(of: "current") ?? "v-0"
            let version = try directory.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            // Nobody waits for long: who removes versions has the cache's directory locked, as this has.
            _ = try version.lock(exclusive: false, wait: true)
            return Cache(request: request, lock: version, path: "\(store.path)/\(request.name)/\(name)")
        }
        guard let taken else { throw wrongMode(request, "in place, locked or shared") }
        return taken
    }
}
