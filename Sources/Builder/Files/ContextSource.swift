import Glibc
public import Images
public import Linux
public import SystemPackage

/// A context that has to be unpacked or fetched first, in a directory that goes with the build.
public struct ContextSource {
    /// Where it is; what lies there unlocked is removed by the next command.
    private let scratch: (path: String, held: Held)
    /// The directory that is the context, absolute.
    public let path: String
    /// The Dockerfile, where it came instead of a context.
    public let dockerfile: [UInt8]?

    /// Whether a context is fetched rather than a directory.
    public static func isRemote(_ context: String) -> Bool { RemoteSource(context) != nil }

    /// Fetches a Git repository, an archive or a Dockerfile.
    public init(fetching context: String, in store: ImageStore) throws(Failure) {
        guard let source = RemoteSource(context) else { throw Failure("build", context, "is no address") }
        scratch = try store.makeScratch("context")
        let folder = try source.fetch(into: scratch.path, keepsGit: false)
        if case .repository = source {
            path = folder == "." ? scratch.path : "\(scratch.path)\(StageBuild.clean(folder))"
            dockerfile = nil
            return
        }
        let file = try Self.open("\(scratch.path)/\(folder)")
        defer { file.closeQuietly() }
        unlink("\(scratch.path)/\(folder)")
        (path, dockerfile) = try Self.take(file, in: scratch.path)
    }

    /// Reads an archive or a Dockerfile from a stream.
    public init(reading stream: FileDescriptor, in store: ImageStore) throws(Failure) {
        scratch = try store.makeScratch("context")
        let name = "\(scratch.path)/stream"
        let file = try Self.open(name, O_RDWR | O_CREAT | O_EXCL)
        defer { file.closeQuietly() }
        unlink(name)
        try Self.copy(stream, to: file)
        (path, dockerfile) = try Self.take(file, in: scratch.path)
    }

    private static func open(_ path: String, _ flags: CInt = O_RDONLY) throws(Failure) -> FileDescriptor {
        do throws(SystemCallError) {
            return try FileDescriptor.workingDirectory.open(path, flags, mode: 0o600)
        } catch {
            throw Failure("read context", path, error)
        }
    }

    private static func copy(_ stream: FileDescriptor, to file: FileDescriptor) throws(Failure) {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(stream.rawValue, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure("read context", "standard input", Errno(rawValue: errno).reason) }
            if count == 0 { return }
            do throws(SystemCallError) {
                try file.writeFully(buffer[..<count])
            } catch {
                throw Failure("read context", "standard input", error)
            }
        }
    }

    /// What a file is: an archive, which is unpacked, or else a Dockerfile.
    private static func take(
        _ file: FileDescriptor, in directory: String
    ) throws(Failure) -> (path: String, dockerfile: [UInt8]?) {
        guard LocalArchive.isArchive(file) else {
            lseek(file.rawValue, 0, SEEK_SET)
            do throws(SystemCallError) {
                return (directory, try file.readAll(limit: 16 << 20))
            } catch {
                throw Failure("read Dockerfile", "", error)
            }
        }
        let here = try open(".", O_RDONLY | O_DIRECTORY)
        defer { here.closeQuietly() }
        defer { fchdir(here.rawValue) }
        try LocalArchive.unpack(file, into: directory, keepsOwners: false)
        return (directory, nil)
    }

    /// Removes it.
    public func remove() {
        // `try?`: what stays is removed by the next command
        try? FileDescriptor.workingDirectory.removeTree(scratch.path)
    }
}
