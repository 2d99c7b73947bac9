import CLinux
import Glibc
public import Linux
import SystemPackage

/// The caches of one user: `caches/NAME/` in the data directory.
///
///     lock                locked by jobs that use the cache in place; says who is alone in it; its time is the last use
///     data/               what those see
///     current -> v-…      what jobs with a copy of their own begin with
///     v-…/                one version, locked (shared) by the jobs that are on it
///     new-…/              one that a job is about to publish, locked by it
///
/// A cache is one or the other: in place or in versions. Whoever changes what lies here holds a lock on the cache's
/// directory meanwhile.
public struct CacheStore: Sendable {
    /// The directory of all caches.
    let path: String

    public init(_ store: ContainerStore) { path = "\(store.path)/caches" }

    /// Every cache's name, in order.
    public func names() throws(Failure) -> [String] {
        do throws(SystemCallError) {
            let all = try FileDescriptor.workingDirectory.open(path, O_RDONLY | O_DIRECTORY)
            defer { all.closeQuietly() }
            return try all.entries().filter { Names.isValid($0) }.sorted()
        } catch  where error.errno == .noSuchFileOrDirectory {
            return []
        } catch {
            throw Failure("list caches", path, error)
        }
    }

    /// Calls `body` with a cache's directory, locked; it is made when it is missing.
    func withDirectory<Result>(
        of name: String, makes: Bool = true, _ body: (FileDescriptor) throws(SystemCallError) -> Result
    ) throws(Failure) -> Result {
        do throws(SystemCallError) {
            let here = FileDescriptor.workingDirectory
            // What set-user-ID programs jobs keep there are not for the machine's other users.
            if makes { try here.makeDirectory(path, mode: 0o700) }
            while true {
                if makes { try here.makeDirectory("\(path)/\(name)", mode: 0o700) }
                let directory = try here.open("\(path)/\(name)", O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
                defer { directory.closeQuietly() }
                _ = try directory.lock(wait: true)
                // It may have been removed, and even made anew, before the lock was had.
                if try Self.isLinked(directory, as: "\(path)/\(name)") { return try body(directory) }
            }
        } catch  where error.errno == .noSuchFileOrDirectory && !makes {
            throw Failure("", "no such cache", name, remedy: "see 'apus cache ls'")
        } catch {
            throw Failure("open cache", name, error)
        }
    }

    static func isLinked(_ directory: FileDescriptor, as path: String) throws(SystemCallError) -> Bool {
        let here = FileDescriptor.workingDirectory
        guard here.has(path) else { return false }
        let (held, linked) = (try directory.status(), try here.status(of: path, flags: AT_SYMLINK_NOFOLLOW))
        return held.st_ino == linked.st_ino && held.st_dev == linked.st_dev
    }

    private static func isVersion(_ name: String) -> Bool { name.hasPrefix("v-") || name.hasPrefix("new-") }

    /// Removes versions that nobody is on any more, and what killed jobs were about to publish.
    ///
    /// - Parameter directory: The cache's, locked.
    static func removeUnused(in directory: FileDescriptor) throws(SystemCallError) {
        let current = directory.linkTarget(of: "current")
        for name in try directory.entries() where name != current && isVersion(name) {
            let version = try directory.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            defer { version.closeQuietly() }
            if try version.lock(wait: false) { try directory.removeTree(name) }
        }
    }
}

// MARK: - For people

extension CacheStore {
    /// A cache as `apus cache ls` shows it.
    public struct Description: Sendable {
        public let name: String
        /// Whether jobs have copies of their own.
        public let isVersioned: Bool
        /// Bytes of all its files.
        public let size: UInt64
        public let isInUse: Bool
        public let lastUsed: Timestamp
    }

    /// What there is to say of a cache; `nil` if it has been removed meanwhile.
    ///
    /// - Parameter measures: Whether its size is wanted, which takes a look at each file.
    public func describe(_ name: String, measures: Bool = true) throws(Failure) -> Description? {
        guard FileDescriptor.workingDirectory.has("\(path)/\(name)") else { return nil }
        return try withDirectory(of: name, makes: false) { (directory) throws(SystemCallError) in
            var sizes = FileSizes()
            for name in measures ? try directory.entries() : [] where name == "data" || Self.isVersion(name) {
                let files = try directory.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
                defer { files.closeQuietly() }
                try sizes.add(files)
            }
            let time = try directory.status(of: directory.has("lock") ? "lock" : ".").st_mtim
            return Description(
                name: name, isVersioned: directory.has("current"), size: sizes.bytes,
                isInUse: try Self.isInUse(directory),
                lastUsed: Timestamp(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)))
        }
    }

    private static func isInUse(_ directory: FileDescriptor) throws(SystemCallError) -> Bool {
        for name in try directory.entries() where name == "lock" || isVersion(name) {
            let file = try directory.open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            defer { file.closeQuietly() }
            if try !file.lock(wait: false) { return true }
        }
        return false
    }

    /// Removes a cache.
    ///
    /// - Throws: When a job uses it.
    public func remove(_ name: String) throws(Failure) {
        guard Names.isValid(name) else {
            throw Failure("", "no such cache", name, remedy: "see 'apus cache ls'")
        }
        let gone = "\(path)/.gone-\(getpid())-\(name)"
        let isFree = try withDirectory(of: name, makes: false) { (directory) throws(SystemCallError) in
            if try Self.isInUse(directory) { return false }
            // Out of sight at once: a removal that is cut short leaves no half of a cache.
            try check("rename", name) { rename("\(path)/\(name)", gone) }
            return true
        }
        guard isFree else {
            throw Failure("remove cache", name, "a job is using it", remedy: "wait for its end, or stop it")
        }
        try removeGone()
    }

    /// Finishes removals, also those that were cut short.
    func removeGone() throws(Failure) {
        do throws(SystemCallError) {
            let all = try FileDescriptor.workingDirectory.open(path, O_RDONLY | O_DIRECTORY)
            defer { all.closeQuietly() }
            for name in try all.entries() where name.hasPrefix(".gone-") { try all.removeTree(name) }
        } catch {
            throw Failure("remove cache", path, error)
        }
    }
}
