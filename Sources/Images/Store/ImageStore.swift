import CLinux
import Glibc
public import Linux
import OCI
public import SystemPackage

/// All images of one user: an OCI image layout that other tools can read, and beside it the layers unpacked.
///
///     <path>/oci-layout  index.json  blobs/sha256/<hex>     blobs as they came, mostly compressed
///     <path>/names/<domain>/<path>:<tag>.json               what a name stands for, and all that a run needs of it
///     <path>/names/@/sha256:<hex>.json                      images without a name, by their ID
///     <path>/layers/<chain>/                                an unpacked layer: diff/ and layer.json
///     <path>/places/                                        a layer with places to mount upon, made by the first container
///     <path>/ingest/                                        blobs and layers that are not whole yet, or about to go
///     <path>/index.lock                                     held by whoever changes names
///
/// What `names/` says counts; `index.json` is written anew from it. Whoever relies on a blob or a layer holds a shared
/// lock (flock) on the file or the directory and looks, once the lock is held, whether it is still there; who removes one
/// holds an exclusive lock, and renames it into `ingest/` first. So a killed process needs no repair.
///
/// - Note: OCI Image Specification, image-layout.md.
public final class ImageStore: Sendable {
    /// Absolute.
    public let path: String
    let directory: FileDescriptor

    /// Opens a store, and makes it when it is missing.
    ///
    /// - Parameter path: Absolute: `images` in the data directory.
    public init(path: String) throws(Failure) {
        self.path = path
        do throws(SystemCallError) {
            directory = try Self.openDirectory(path)
        } catch {
            throw Failure("open image store", path, error)
        }
        do throws(SystemCallError) {
            if !directory.has("index.lock") { try lay() }
        } catch {
            directory.closeQuietly()
            throw Failure("open image store", path, error)
        }
    }

    deinit { directory.closeQuietly() }

    private static func openDirectory(_ path: String) throws(SystemCallError) -> FileDescriptor {
        let here = FileDescriptor.workingDirectory
        do throws(SystemCallError) {
            return try here.open(path, O_RDONLY | O_DIRECTORY)
        } catch  where error.errno == .noSuchFileOrDirectory {
            try here.makeDirectories(path, mode: 0o711)
            return try here.open(path, O_RDONLY | O_DIRECTORY)
        }
    }

    /// Everything but the lock, whose presence says that the rest is there.
    private func lay() throws(SystemCallError) {
        for name in ["blobs", "blobs/sha256", "blobs/sha512", "names", "names/@", "layers", "ingest"] {
            try directory.makeDirectory(name, mode: 0o711)
        }
        try directory.replaceFile("oci-layout", with: #"{"imageLayoutVersion":"1.0.0"}"#.utf8, mode: 0o644)
        if !directory.has("index.json") {
            try directory.replaceFile("index.json", with: ImageIndex(manifests: []).json(), mode: 0o644)
        }
        try directory.open("index.lock", O_WRONLY | O_CREAT, mode: 0o600).closeQuietly()
    }

    /// Calls `body` while nobody else changes names.
    func changingNames<Result>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        let lock: FileDescriptor
        do throws(SystemCallError) {
            lock = try directory.open("index.lock", O_WRONLY | O_CREAT)
            _ = try lock.lock(wait: true)
        } catch {
            throw Failure("lock image store", path, error)
        }
        defer { lock.closeQuietly() }
        return try body()
    }

    /// Waits until all that has been written to the store's file system is on the disk.
    func synchronise() throws(Failure) {
        try attempt("write to disk", path) { () throws(SystemCallError) in
            try check("syncfs", "'\(path)'") { syncfs(directory.rawValue) }
        }
    }

    static func path(of digest: Digest) -> String { "blobs/\(digest.algorithm.rawValue)/\(digest.hex)" }

    /// A name in `ingest/` that nothing has yet.
    static func temporaryName(_ kind: String) -> String {
        var value: UInt64 = 0
        withUnsafeMutableBytes(of: &value) { _ = getrandom($0.baseAddress, $0.count, 0) }
        return "ingest/\(kind)-\(getpid())-\(String(value, radix: 16))"
    }

    /// Whether `file` is what `path` names in this store: an open file may have been renamed or removed meanwhile.
    func isSame(_ file: FileDescriptor, _ path: String) throws(SystemCallError) -> Bool {
        let own = try file.status()
        do throws(SystemCallError) {
            let named = try directory.status(of: path, flags: AT_SYMLINK_NOFOLLOW)
            return named.st_ino == own.st_ino && named.st_dev == own.st_dev
        } catch  where error.errno == .noSuchFileOrDirectory {
            return false
        }
    }
}

/// An open file or directory of the store with a lock on it, which ends with the last reference to this.
public final class Held: Sendable {
    public let descriptor: FileDescriptor

    init(_ descriptor: FileDescriptor) { self.descriptor = descriptor }

    deinit { descriptor.closeQuietly() }
}

/// As `step` of Sandbox: a system call that fails becomes the failure that the user reads.
@inline(__always)
@discardableResult
func attempt<Result>(
    _ name: @autoclosure () -> String, _ subject: @autoclosure () -> String,
    _ body: () throws(SystemCallError) -> Result
) throws(Failure) -> Result {
    do throws(SystemCallError) {
        return try body()
    } catch {
        throw Failure(name(), subject(), error)
    }
}

extension Failure {
    /// This failure as one of a larger step, such as `load`, on a larger subject, such as an archive.
    ///
    /// What it was about is told only where that is not said already.
    public func about(_ step: String, _ subject: String) -> Failure {
        guard (self.step, self.subject) != (step, subject) else { return self }
        let isPart = self.subject.isEmpty || subject.contains(self.subject)
        return Failure(
            step, subject, isPart ? reason : "\(self.subject): \(reason)", remedy: remedy, exitCode: exitCode)
    }
}
