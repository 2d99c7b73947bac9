import CLinux
import Cgroups
import Glibc
public import Linux
public import OCI
import Sandbox
import SystemPackage

/// One container: its directory, and the records in it.
public struct Container: Sendable {
    /// 64 hexadecimal digits.
    public let id: String
    let store: ContainerStore
    /// Negative for a container that lives too shortly to need one.
    let directory: FileDescriptor

    /// The most bytes that a record may have; a larger one is damaged, or somebody's trap.
    private static let recordLimit = 4 << 20

    /// The container's directory.
    public var path: String { "\(store.path)/containers/\(id)" }

    /// Whether it has a directory.
    var hasDirectory: Bool { directory.rawValue >= 0 }

    /// The directory of what ends with the boot: the files that it finds in /etc.
    public var livePath: String { "\(store.livePath)/containers/\(id)" }

    /// Opens that directory, and makes it when it is missing.
    func openLiveDirectory() throws(SystemCallError) -> FileDescriptor {
        try store.live.makeDirectory("containers/\(id)", mode: 0o711)
        return try store.live.open("containers/\(id)", O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    }

    /// Where its log is.
    public var logPath: String { "\(path)/log" }

    /// The first 12 digits of the ID, as tables show it.
    public var shortID: String { String(id.prefix(12)) }

    // MARK: Records

    /// What its user asked for.
    public func loadConfig() throws(Failure) -> ContainerConfig {
        let bytes = try read("config.json")
        do throws(SpecError) {
            return try ContainerConfig(json: bytes)
        } catch {
            throw damaged("config.json", "\(error)")
        }
    }

    /// What the engine was given.
    public func loadSpec() throws(Failure) -> Spec {
        let bytes = try read("spec.json")
        do throws(SpecError) {
            return try Spec(json: bytes)
        } catch {
            throw damaged("spec.json", "\(error)")
        }
    }

    /// Where it is in its life.
    ///
    /// - Throws: For a record that is missing, damaged or of another schema.
    public func loadState() throws(Failure) -> ContainerState {
        guard let state = try loadStateIfPresent() else {
            throw Failure("read state", shortID, "it is being made by another process just now")
        }
        return state
    }

    func loadStateIfPresent() throws(Failure) -> ContainerState? {
        guard let bytes = try readIfPresent("state.json") else { return nil }
        let state: ContainerState
        do throws(SpecError) {
            state = try ContainerState(json: bytes)
        } catch {
            throw damaged("state.json", "\(error)")
        }
        guard state.id == id else {
            throw damaged("state.json", "that of container '\(state.id.prefix(12))'")
        }
        return state
    }

    private func read(_ name: String) throws(Failure) -> [UInt8] {
        guard let bytes = try readIfPresent(name) else {
            throw Failure("read state", "\(path)/\(name)", SystemCallError("openat", "", .noSuchFileOrDirectory))
        }
        return bytes
    }

    private func readIfPresent(_ name: String) throws(Failure) -> [UInt8]? {
        do throws(SystemCallError) {
            return try directory.contents(of: name, limit: Self.recordLimit)
        } catch  where error.errno == .noSuchFileOrDirectory {
            return nil
        } catch {
            throw Failure("read state", "\(path)/\(name)", error)
        }
    }

    private func damaged(_ name: String, _ why: String) -> Failure {
        Failure(
            "read state", "\(path)/\(name)", "the record is damaged (\(why))",
            remedy: "remove it with 'apus rm -f \(shortID)'")
    }

    func save(_ config: ContainerConfig) throws(Failure) { try write(config.json(), as: "config.json") }

    func save(_ state: ContainerState) throws(Failure) { try write(state.json(), as: "state.json") }

    func save(_ spec: Spec) throws(Failure) { try write(spec.json(), as: "spec.json") }

    func write(_ bytes: [UInt8], as name: String) throws(Failure) {
        do throws(SystemCallError) {
            try directory.replaceFile(name, with: bytes)
        } catch {
            throw Failure("write state", "\(path)/\(name)", error)
        }
    }

    /// Changes the state record while no other process can.
    @discardableResult
    public func updateState(_ change: (inout ContainerState) throws -> Void) throws -> ContainerState {
        let lock = try lockRecords()
        defer { lock.closeQuietly() }
        var state = try loadState()
        try change(&state)
        try save(state)
        return state
    }

    /// Holds other processes' changes of the records off until the descriptor is closed.
    func lockRecords() throws(Failure) -> FileDescriptor {
        do throws(SystemCallError) {
            let lock = try directory.open(".", O_RDONLY | O_DIRECTORY)
            _ = try lock.lock(wait: true)
            return lock
        } catch {
            throw Failure("lock container", shortID, error)
        }
    }

    // MARK: Asking

    /// Whether a supervisor has it now.
    public func isSupervised() throws(Failure) -> Bool {
        do throws(SystemCallError) {
            let file = try store.live.open("alive/\(id)", O_RDONLY | O_NOFOLLOW)
            defer { file.closeQuietly() }
            return try !file.lock(exclusive: false, wait: false)
        } catch  where error.errno == .noSuchFileOrDirectory {
            return false
        } catch {
            throw Failure("look at container", shortID, error)
        }
    }

    /// Waits until no supervisor has it.
    public func waitUntilUnsupervised() throws(Failure) {
        do throws(SystemCallError) {
            let file = try store.live.open("alive/\(id)", O_RDONLY | O_NOFOLLOW)
            defer { file.closeQuietly() }
            _ = try file.lock(exclusive: false, wait: true)
        } catch  where error.errno == .noSuchFileOrDirectory {
            return
        } catch {
            throw Failure("wait for container", shortID, error)
        }
    }

    /// The running init of `state`.
    ///
    /// - Throws: When the container is not running.
    public func runningProcess(_ state: ContainerState, to verb: String) throws(Failure) -> ProcessHandle {
        guard case .running(let running) = state.status else {
            throw Failure(
                verb, state.name, "the container is not running", remedy: "start it with 'apus start \(state.name)'")
        }
        do throws(SystemCallError) {
            if let process = try running.open() { return process }
        } catch {
            throw Failure(verb, state.name, error)
        }
        throw Failure(verb, state.name, "the container has just ended")
    }

    // MARK: Removing

    /// A file that is there while it is renamed: a rename that is cut short leaves it with two names.
    static let renamingMark = "renaming"

    /// Removes the directory, its layers and its name. Nothing of it may be running.
    func removeFiles(name: String?) throws(Failure) {
        guard hasDirectory else { return try removeWithoutRecords() }
        // Nobody changes a record meanwhile: a file that appears in a directory while it is emptied keeps it from going.
        let lock = try lockRecords()
        defer { lock.closeQuietly() }
        do throws(SystemCallError) {
            if directory.has(Self.renamingMark) { try store.releaseNames(of: id) }
            if let name { try store.release(name, of: id) }
            // First out of sight, so that a removal that is cut short is not taken for a container.
            if store.livePath != store.path { try removeLiveFiles() }
            try store.directory.removeTree("containers/\(id)")
        } catch  where error.isDenied && geteuid() != 0 {
            try removeAsOwner()
        } catch {
            throw Failure("remove container", shortID, error)
        }
    }

    private func removeLiveFiles() throws(SystemCallError) {
        try store.live.removeTree("containers/\(id)")
    }

    private func removeWithoutRecords() throws(Failure) {
        do throws(SystemCallError) {
            try removeLiveFiles()
        } catch {
            throw Failure("remove container", shortID, error)
        }
    }

    /// Removes what belongs to the container's other users, as root of all IDs that this user has.
    private func removeAsOwner() throws(Failure) {
        let users = try UserNamespace.ofCaller(id: id, store: store)
        try Errand.start(in: .user, uids: users.uids, gids: users.gids) { () throws(Failure) in
            do throws(SystemCallError) {
                try store.directory.removeTree("containers/\(id)")
            } catch {
                throw Failure("remove container", shortID, error)
            }
        }.finish()
    }

    /// Closes the descriptor of its directory.
    public func close() {
        directory.closeQuietly()
    }
}

extension SystemCallError {
    fileprivate var isDenied: Bool { errno == .notPermitted || errno == .permissionDenied }
}
