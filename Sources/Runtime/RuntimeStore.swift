import Glibc
public import Linux
import OCI
import SystemPackage

/// The directory with the containers that engines have made: one directory each, named by its ID.
public struct RuntimeStore: Sendable {
    /// Absolute.
    public let path: String

    /// The name cannot be a container's.
    var seccompCachePath: String { "\(path)/@seccomp" }

    /// - Parameter root: What `--root` says; `nil` for the usual place.
    /// - Throws: When the usual place of a user without XDG_RUNTIME_DIR belongs to somebody else.
    public init(root: String?) throws(Failure) {
        if let root {
            path = try Paths.absolute(root)
        } else if geteuid() == 0 {
            path = "/run/apus-runtime"
        } else if let runtimeDirectory = getenv("XDG_RUNTIME_DIR"), runtimeDirectory.pointee != 0 {
            path = "\(String(cString: runtimeDirectory))/apus-runtime"
        } else {
            path = "/tmp/apus-runtime-\(geteuid())"
            try Self.requireOwn(path)
        }
    }

    /// In a directory where everybody may make one of that name.
    private static func requireOwn(_ path: String) throws(Failure) {
        do throws(SystemCallError) {
            try FileDescriptor.workingDirectory.makeDirectory(path, mode: 0o700)
            let status = try FileDescriptor.workingDirectory.status(of: path, flags: AT_SYMLINK_NOFOLLOW)
            guard status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(), status.st_mode & 0o077 == 0 else {
                throw SystemCallError("open", "'\(path)'", .permissionDenied)
            }
        } catch {
            throw Failure("open", path, error, remedy: "set XDG_RUNTIME_DIR, or use --root")
        }
    }

    /// The container of that ID.
    ///
    /// - Throws: When there is none, in the words that engines look for.
    public func container(_ id: String) throws(Failure) -> RuntimeContainer {
        guard let container = try find(id) else { throw Failure("", id, "container does not exist") }
        return container
    }

    /// The container of that ID, or `nil` when there is none.
    public func find(_ id: String) throws(Failure) -> RuntimeContainer? {
        try Self.require(id)
        do throws(SystemCallError) {
            let directory = try FileDescriptor.workingDirectory.open(
                "\(path)/\(id)", O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            return RuntimeContainer(id: id, store: self, directory: directory)
        } catch  where error.errno == .noSuchFileOrDirectory {
            return nil
        } catch {
            throw Failure("open container", id, error)
        }
    }

    /// Makes the directory of a new container, which is its maker's alone (`RuntimeContainer.lock`).
    ///
    /// - Throws: When the ID is taken.
    func claim(_ id: String) throws(Failure) -> RuntimeContainer {
        try Self.require(id)
        do throws(SystemCallError) {
            let here = FileDescriptor.workingDirectory
            if try !makeDirectory(id) { throw SystemCallError("mkdir", "", .fileExists) }
            let directory = try here.open("\(path)/\(id)", O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            return RuntimeContainer(id: id, store: self, directory: directory)
        } catch  where error.errno == .fileExists {
            throw Failure("", id, "container with given ID already exists")
        } catch {
            throw Failure("make container", id, error)
        }
    }

    private func makeDirectory(_ id: String) throws(SystemCallError) -> Bool {
        let here = FileDescriptor.workingDirectory
        do throws(SystemCallError) {
            return try here.makeDirectory("\(path)/\(id)", mode: 0o711)
        } catch {
            guard error.errno == .noSuchFileOrDirectory else { throw error }
            try here.makeDirectories(path, mode: 0o711)
            return try here.makeDirectory("\(path)/\(id)", mode: 0o711)
        }
    }

    /// The IDs of all containers, sorted.
    public func ids() throws(Failure) -> [String] {
        do throws(SystemCallError) {
            let directory = try FileDescriptor.workingDirectory.open(path, O_RDONLY | O_DIRECTORY)
            defer { directory.closeQuietly() }
            return try directory.entries().filter { Self.isValid($0) }.sorted()
        } catch  where error.errno == .noSuchFileOrDirectory {
            return []
        } catch {
            throw Failure("list containers", path, error)
        }
    }

    /// - Throws: For what cannot be an ID.
    private static func require(_ id: String) throws(Failure) {
        guard isValid(id) else {
            throw Failure("", "'\(id)'", "invalid container ID: letters, digits and '_+-.' are allowed, at most 1024")
        }
    }

    /// As runc has it: `[\w+-.]+`.
    static func isValid(_ id: String) -> Bool {
        guard !id.isEmpty, id.utf8.count <= 1024, id != ".", id != ".." else { return false }
        return id.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "_"), UInt8(ascii: "+"), UInt8(ascii: "-"),
                UInt8(ascii: "."):
                true
            default: false
            }
        }
    }
}

/// Paths as the caller gives them.
public enum Paths {
    /// `path` seen from the working directory.
    public static func absolute(_ path: String) throws(Failure) -> String {
        if path.utf8.first == UInt8(ascii: "/") { return path }
        guard let here = getcwd(nil, 0) else {
            throw Failure("open", path, SystemCallError("getcwd", "", Errno(rawValue: errno)))
        }
        defer { free(here) }
        return path.isEmpty || path == "." ? String(cString: here) : "\(String(cString: here))/\(path)"
    }
}
