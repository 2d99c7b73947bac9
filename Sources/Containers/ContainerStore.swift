import CLinux
import Cgroups
import Glibc
public import Linux
import SystemPackage

/// All containers of one user: a directory with one directory a container, and no index that could go stale.
///
///     <data>/containers/<id>/     config.json spec.json state.json log attach.sock|control.sock layers/ …
///     <data>/names/<name>         a symlink to the ID that the name stands for
///     <live>/alive/<id>           locked by whoever starts or supervises the container, and only then there
///     <live>/containers/<id>/     hosts hostname resolv.conf
///
/// What ends with the boot is in memory for root, below /run/apus; an ordinary user has no such place that is the same
/// from a login, su, cron and a batch job, so there both are the data directory.
public struct ContainerStore: Sendable {
    /// The data directory.
    public let path: String
    let directory: FileDescriptor
    /// Where what ends with the boot is kept.
    let livePath: String
    let live: FileDescriptor

    private static let rootsPath = "/var/lib/apus"
    private static let rootsLivePath = "/run/apus"

    /// Opens the data directory, and makes it when it is missing.
    ///
    /// - Parameter path: Absolute; `nil` for `APUS_ROOT`, or else the user's own place.
    public init(path: String? = nil) throws(Failure) {
        let path = if let path { path } else { try Self.defaultPath() }
        guard path.isAbsolutePath else { throw Failure("open data directory", path, "is not an absolute path") }
        self.path = path
        livePath = path == Self.rootsPath ? Self.rootsLivePath : path
        do throws(SystemCallError) {
            directory = try Self.openOrMake(path)
            guard livePath != path else {
                live = directory
                try Self.make(["containers", "names", "alive"], in: directory)
                return
            }
            try Self.make(["containers", "names"], in: directory)
            live = try Self.openOrMake(livePath)
            if !live.has("alive") { try beginBoot() }
        } catch {
            throw Failure("open data directory", path, error, remedy: "choose another with --root or APUS_ROOT")
        }
    }

    private static func openOrMake(_ path: String) throws(SystemCallError) -> FileDescriptor {
        let here = FileDescriptor.workingDirectory
        if let directory = try? here.open(path, O_RDONLY | O_DIRECTORY) { return directory }  // `try?`: made below
        try here.makeDirectories(path, mode: 0o711)
        return try here.open(path, O_RDONLY | O_DIRECTORY)
    }

    /// Makes directories, unless the last of them is there already.
    private static func make(_ names: [String], in directory: FileDescriptor) throws(SystemCallError) {
        if directory.has(names[names.count - 1]) { return }
        for name in names { try directory.makeDirectory(name, mode: 0o711) }
    }

    /// `/var/lib/apus` for root, `~/.local/share/apus` for others.
    ///
    /// All of it is in the data directory on purpose: the runtime directory differs between a login, su, cron and a
    /// batch job, and one user's containers must be the same from everywhere.
    public static func defaultPath() throws(Failure) -> String {
        if let root = environment("APUS_ROOT") { return root }
        if geteuid() == 0 && !isMappedRoot { return rootsPath }
        if let data = environment("XDG_DATA_HOME"), data.isAbsolutePath { return "\(data)/apus" }
        guard let home = environment("HOME") ?? homeOfUser() else {
            throw Failure("open data directory", "", "this user has no home directory", remedy: "set HOME or APUS_ROOT")
        }
        return "\(home)/.local/share/apus"
    }

    /// Whether this is "root" only in a user namespace whose /var/lib is not its own.
    private static var isMappedRoot: Bool { access("/var/lib", W_OK) != 0 }

    private static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func homeOfUser() -> String? {
        // Without a readable passwd file there is no home to find in it.
        let bytes = FileDescriptor.contentsIfReadable(of: "/etc/passwd", limit: 4 << 20)
        let user = try? UserDatabase(passwd: bytes ?? [], group: []).resolve("\(geteuid())")  // `try?`: then no home
        return user.flatMap { $0.home == "/" ? nil : $0.home }
    }

    // MARK: Finding

    /// Every container's ID, in no order.
    public func ids() throws(Failure) -> [String] {
        do throws(SystemCallError) {
            let containers = try directory.open("containers", O_RDONLY | O_DIRECTORY)
            defer { containers.closeQuietly() }
            return try containers.entries().filter(Self.isID)
        } catch {
            throw Failure("list containers", path, error)
        }
    }

    /// The state of every container whose record can be read, the newest first, and what is wrong with the others.
    public func states() throws(Failure) -> (found: [ContainerState], damaged: [Failure]) {
        states(of: try ids())
    }

    /// The states of those that somebody supervises: costs nothing for all the others that exist.
    public func supervisedStates() throws(Failure) -> (found: [ContainerState], damaged: [Failure]) {
        do throws(SystemCallError) {
            let alive = try live.open("alive", O_RDONLY | O_DIRECTORY)
            defer { alive.closeQuietly() }
            return states(of: try alive.entries().filter(Self.isID))
        } catch {
            throw Failure("list containers", path, error)
        }
    }

    private func states(of ids: [String]) -> (found: [ContainerState], damaged: [Failure]) {
        var found: [ContainerState] = []
        var damaged: [Failure] = []
        for id in ids {
            do throws(Failure) {
                guard let container = try openIfThere(id) else { continue }
                defer { container.close() }
                // Without a record it is being made just now.
                if let state = try container.loadSettledState() { found.append(state) }
            } catch  where !directory.has("containers/\(id)") {
                continue  // removed meanwhile
            } catch {
                damaged.append(error)
            }
        }
        return (found.sorted { $0.created > $1.created }, damaged)
    }

    /// The container with this name, ID, or unique beginning of an ID.
    ///
    /// - Throws: `No such container`, or that several have that beginning.
    public func find(_ reference: String) throws(Failure) -> Container {
        if Names.isValid(reference), let id = idNamed(reference), directory.has("containers/\(id)") {
            return try open(id: id)
        }
        if Self.isID(reference), directory.has("containers/\(reference)") { return try open(id: reference) }
        let isPrefix = !reference.isEmpty && reference.utf8.allSatisfy(Self.isHexDigit)
        let matches = isPrefix ? try ids().filter { $0.hasPrefix(reference) } : []
        guard matches.count < 2 else {
            throw Failure("find container", reference, "several IDs begin with it", remedy: "give more of the ID")
        }
        guard let id = matches.first else {
            throw Failure("", Self.noSuchContainer, reference, remedy: "see 'apus ps -a'")
        }
        return try open(id: id)
    }

    /// The container with exactly this ID.
    public func open(id: String) throws(Failure) -> Container {
        do throws(SystemCallError) {
            return try openDirectory(id)
        } catch {
            throw Failure("open container", id, error)
        }
    }

    /// The container with exactly this ID; `nil` if it was removed meanwhile, or is about to be made: its lock in
    /// `alive/` comes first.
    private func openIfThere(_ id: String) throws(Failure) -> Container? {
        do throws(SystemCallError) {
            return try openDirectory(id)
        } catch  where error.errno == .noSuchFileOrDirectory {
            return nil
        } catch {
            throw Failure("open container", id, error)
        }
    }

    private func openDirectory(_ id: String) throws(SystemCallError) -> Container {
        let opened = try directory.open("containers/\(id)", O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        return Container(id: id, store: self, directory: opened)
    }

    fileprivate static let noSuchContainer = "no such container"

    // MARK: Names

    /// Whether `text` is a whole ID: 64 lower-case hexadecimal digits.
    public static func isID(_ text: String) -> Bool { text.utf8.count == 64 && text.utf8.allSatisfy(isHexDigit) }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
    }

    /// The ID that `name` stands for, whether or not that container exists.
    func idNamed(_ name: String) -> String? {
        guard let id = directory.linkTarget(of: "names/\(name)"), Self.isID(id) else { return nil }
        return id
    }

    /// Gives `name` to a container whose directory exists.
    ///
    /// - Throws: When another container has it.
    func reserve(_ name: String, for id: String) throws(Failure) {
        guard Names.isValid(name) else {
            throw Failure("name container", "'\(name)'", "not a name", remedy: Names.remedy)
        }
        do throws(SystemCallError) {
            if try claim(name, for: id) { return }
            // Taken, or left by a container that is gone: only the one who holds the lock may find out and replace it.
            let names = try directory.open("names", O_RDONLY | O_DIRECTORY)
            defer { names.closeQuietly() }
            _ = try names.lock(wait: true)
            if let owner = idNamed(name), directory.has("containers/\(owner)") {
                throw SystemCallError("name", owner, .fileExists)
            }
            try directory.remove("names/\(name)")
            guard try claim(name, for: id) else { throw SystemCallError("name", "", .fileExists) }
        } catch  where error.errno == .fileExists {
            throw Failure(
                "name container", name, "is in use by container \(error.subject.prefix(12))",
                remedy: "remove that container (apus rm \(name)) or choose another name")
        } catch {
            throw Failure("name container", name, error)
        }
    }

    /// A symlink appears with its content and in one call: nobody ever reads half a name.
    private func claim(_ name: String, for id: String) throws(SystemCallError) -> Bool {
        do {
            try check("symlink", "'names/\(name)'") { symlinkat(id, directory.rawValue, "names/\(name)") }
            return true
        } catch  where error.errno == .fileExists {
            return false
        }
    }

    /// Takes `name` from container `id`, if it has it.
    func release(_ name: String, of id: String) throws(SystemCallError) {
        if idNamed(name) == id { try directory.remove("names/\(name)") }
    }

    /// Takes every name from container `id`. The cost grows with the containers that exist.
    func releaseNames(of id: String) throws(SystemCallError) {
        let names = try directory.open("names", O_RDONLY | O_DIRECTORY)
        defer { names.closeQuietly() }
        for name in try names.entries() { try release(name, of: id) }
    }

    // MARK: Making

    /// 64 hexadecimal digits that no other container has.
    static func newID() throws(Failure) -> String {
        let id = String(unsafeUninitializedCapacity: 64) { digits in
            // Each random byte in the first half becomes two digits, from the last one on.
            guard getrandom(digits.baseAddress, 32, 0) == 32 else { return 0 }
            for index in (0..<32).reversed() {
                let byte = digits[index]
                digits[2 * index + 1] = hexDigit(byte & 15)
                digits[2 * index] = hexDigit(byte >> 4)
            }
            return 64
        }
        guard !id.isEmpty else {
            throw Failure("make container ID", "", "getrandom: \(Errno(rawValue: errno).reason)")
        }
        return id
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    /// Locks `<data>/alive/<id>`, which says that this process starts or supervises that container.
    ///
    /// - Returns: The locked file, or `nil` if another process has it and `wait` is false.
    func lockAlive(_ id: String, wait: Bool) throws(SystemCallError) -> FileDescriptor? {
        if !wait, let file = try makeLockedAlive(id) { return file }
        while true {
            let file = try live.open("alive/\(id)", O_RDWR | O_CREAT | O_NOFOLLOW)
            guard try file.lock(wait: wait) else {
                file.closeQuietly()
                return nil
            }
            // Whoever held it may have removed it meanwhile: then this is a lock on nothing.
            if try file.status().st_nlink > 0 { return file }
            file.closeQuietly()
        }
    }

    /// Makes the file with the lock on it: another command's sweep, or its look at the container, that found it before it
    /// is locked would pass for whoever has the container already.
    ///
    /// - Returns: `nil` if it is there, or if the file system cannot do it (O_TMPFILE of open(2)).
    private func makeLockedAlive(_ id: String) throws(SystemCallError) -> FileDescriptor? {
        let file: FileDescriptor
        do {
            file = try live.open("alive", O_RDWR | O_TMPFILE)
        } catch  where error.errno == .notSupported {
            return nil
        }
        guard try file.lock(wait: false) else { return nil }
        let linked = linkat(
            AT_FDCWD, "/proc/self/fd/\(file.rawValue)", live.rawValue, "alive/\(id)", AT_SYMLINK_FOLLOW)
        if linked == 0 { return file }
        file.closeQuietly()
        return nil
    }

    /// Removes the mark of `lockAlive` and lets go of its lock.
    func releaseAlive(_ id: String, _ file: FileDescriptor) {
        unlinkat(live.rawValue, "alive/\(id)", 0)
        file.closeQuietly()
    }

    /// Finishes what killed processes left unfinished: the next command of any kind does, before anything else.
    ///
    /// The cost grows with the containers that are running, not with those that exist.
    ///
    /// - Returns: What could not be cleaned up, for the user to know.
    public func sweep() -> [Failure] {
        var problems: [Failure] = []
        do throws(SystemCallError) {
            let alive = try live.open("alive", O_RDONLY | O_DIRECTORY)
            defer { alive.closeQuietly() }
            for id in try alive.entries() where Self.isID(id) {
                guard let lock = try lockIfAbandoned(id) else { continue }
                do throws(Failure) {
                    try Reconciliation(store: self, id: id).run()
                    releaseAlive(id, lock)
                } catch {
                    problems.append(error)
                    lock.closeQuietly()
                }
            }
        } catch {
            problems.append(Failure("clean up", path, error))
        }
        return problems
    }

    private func lockIfAbandoned(_ id: String) throws(SystemCallError) -> FileDescriptor? {
        let file: FileDescriptor
        do {
            file = try live.open("alive/\(id)", O_RDWR | O_NOFOLLOW)
        } catch  where error.errno == .noSuchFileOrDirectory {
            return nil
        }
        if try file.lock(wait: false), try file.status().st_nlink > 0 { return file }
        file.closeQuietly()
        return nil
    }
}

extension Failure {
    /// Whether it says that no container has the name or ID that was given.
    public var isNoSuchContainer: Bool { subject == ContainerStore.noSuchContainer }
}
