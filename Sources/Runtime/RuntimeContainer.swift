public import Cgroups
import Glibc
public import Linux
public import OCI
import Sandbox
import SystemPackage

/// One container of an engine, by its directory: `state.json`, `config.json`, and `exec.fifo` until it is started.
public struct RuntimeContainer: Sendable {
    public let id: String
    let store: RuntimeStore
    /// Open as long as this process lives.
    let directory: FileDescriptor

    static let recordName = "state.json"
    static let specName = "config.json"
    /// The most bytes of a record: annotations may be many.
    private static let recordLimit = 8 << 20

    // MARK: Records

    /// What was recorded; `nil` while it is being made, or when its maker was killed at that.
    ///
    /// - Throws: For a record that is damaged or of another version.
    public func recordIfPresent() throws(Failure) -> RuntimeRecord? {
        let bytes: [UInt8]
        do throws(SystemCallError) {
            bytes = try directory.contents(of: Self.recordName, limit: Self.recordLimit)
        } catch  where error.errno == .noSuchFileOrDirectory {
            return nil
        } catch {
            throw Failure("read state", id, error)
        }
        return try parse(bytes)
    }

    private func parse(_ bytes: [UInt8]) throws(Failure) -> RuntimeRecord {
        do throws(SpecError) {
            let record = try RuntimeRecord(json: bytes)
            guard record.id == id, record.schemaVersion == RuntimeRecord.currentVersion else {
                throw SpecError(path: "", reason: "not the state of this container, or of another version")
            }
            return record
        } catch {
            throw Failure("read state", id, "\(error)", remedy: "delete --force removes the container")
        }
    }

    /// What was recorded.
    ///
    /// - Throws: Also while it is being made.
    public func record() throws(Failure) -> RuntimeRecord {
        guard let record = try recordIfPresent() else { throw Failure("", id, "container does not exist") }
        return record
    }

    func save(_ record: RuntimeRecord) throws(Failure) {
        do throws(SystemCallError) {
            try directory.replaceFile(Self.recordName, with: record.json(), transient: true)
        } catch {
            throw Failure("write state", id, error)
        }
    }

    /// Keeps the Spec as it was read: the bundle may change, or vanish.
    func keepSpec(_ bytes: [UInt8]) throws(Failure) {
        do throws(SystemCallError) {
            let file = try directory.open(Self.specName, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
            defer { file.closeQuietly() }
            try file.writeFully(bytes)
        } catch {
            throw Failure("write config.json", id, error)
        }
    }

    /// The Spec that it was made from.
    public func spec() throws(Failure) -> Spec {
        try Bundle.spec(at: Self.specName, in: directory)
    }

    /// Has the container to itself until this process ends: each change of a container's state is made under the lock.
    ///
    /// - Throws: Also when it was deleted meanwhile.
    public func lock() throws(Failure) {
        guard try lockIfPresent() else { throw Failure("", id, "container does not exist") }
    }

    /// - Returns: False when it was deleted meanwhile; its ID may be another's now.
    func lockIfPresent() throws(Failure) -> Bool {
        do throws(SystemCallError) {
            _ = try directory.lock(wait: true)
            return try directory.status().st_nlink > 0
        } catch {
            throw Failure("lock container", id, error)
        }
    }

    /// Lets others change it.
    func unlock() {
        flock(directory.rawValue, LOCK_UN)
    }

    // MARK: What is true now

    /// Its init, if that is still the process that was recorded.
    public func initProcess(_ record: RuntimeRecord) throws(Failure) -> ProcessHandle? {
        guard record.pid > 0 else { return nil }
        do throws(SystemCallError) {
            guard let process = try ProcessHandle.open(record.pid, startTime: record.startTime) else { return nil }
            if !process.hasEnded() { return process }
            process.pidfd.closeQuietly()
            return nil
        } catch {
            throw Failure("find init", id, error)
        }
    }

    /// How far it is, by what the kernel says.
    public func status(_ record: RuntimeRecord) throws(Failure) -> State.Status {
        if record.pid == 0 { return .creating }
        guard let process = try initProcess(record) else { return .stopped }
        process.pidfd.closeQuietly()
        if try isWaiting() { return .created }
        return record.cgroup?.isFrozen ?? false ? .paused : .running
    }

    func isWaiting() throws(Failure) -> Bool {
        do throws(SystemCallError) {
            return try StartGate.isClosed(in: directory)
        } catch {
            throw Failure("find init", id, error)
        }
    }

    /// Its cgroup; `nil` when it has none, or none any more.
    public func cgroup(_ record: RuntimeRecord) throws -> (any Cgroup)? {
        try record.cgroup.map { try Cgroups.open($0) }
    }
}

extension RuntimeContainer {
    /// The user that it belongs to, by name.
    func owner() -> String {
        var status = FileStatus()
        guard fstat(directory.rawValue, &status) == 0 else { return "" }
        if status.st_uid == 0 { return "root" }  // the usual case, without reading /etc/passwd
        guard let entry = getpwuid(status.st_uid) else { return "" }
        return String(cString: entry.pointee.pw_name)
    }
}
