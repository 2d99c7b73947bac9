import Builder
import Dockerfiles
import Glibc
import Images
import Linux
import SystemPackage

/// Where a build's Dockerfile and its context are.
struct BuildPlace {
    /// The context, open.
    let directory: FileDescriptor
    /// Of the context: absolute, without symlinks.
    let path: String
    /// The Dockerfile's, absolute or in the context; `-` for standard input.
    private let file: String
    private let isInContext: Bool
    /// Where it was fetched or unpacked to.
    private var source: ContextSource?

    /// - Parameters:
    ///   - context: As it was given.
    ///   - file: As it was given; `nil` for the usual name in the context.
    init(context: String, file: String?, in store: ImageStore) throws(Failure) {
        var context = context
        if context == "-" || ContextSource.isRemote(context) {
            guard context != "-" || file != "-" else {
                throw Failure(
                    "build", "-", "is both the context and the Dockerfile", remedy: "give one of them by its path")
            }
            let source =
                try context == "-"
                ? ContextSource(reading: FileDescriptor(rawValue: STDIN_FILENO), in: store)
                : ContextSource(fetching: context, in: store)
            self.source = source
            context = source.path
        }
        guard let resolved = realpath(context, nil) else {
            throw Failure("open context", context, Errno(rawValue: errno).reason)
        }
        defer { free(resolved) }
        path = String(cString: resolved)
        do throws(SystemCallError) {
            directory = try FileDescriptor.workingDirectory.open(path, O_RDONLY | O_DIRECTORY)
        } catch {
            throw Failure("open context", context, error.errno.reason)
        }
        // Of a context that is fetched, the Dockerfile is a part.
        isInContext = file == nil || (source != nil && file != "-")
        if let file {
            self.file = file
        } else {
            self.file = directory.has("Dockerfile") || !directory.has("Containerfile") ? "Dockerfile" : "Containerfile"
        }
    }

    /// Removes what was fetched.
    func close() { source?.remove() }

    /// Reads and parses it.
    func dockerfile() throws -> Dockerfile {
        if let bytes = source?.dockerfile { return try Dockerfile.parse(bytes, name: "-") }
        let bytes: [UInt8]
        do throws(SystemCallError) {
            switch file {
            case "-": bytes = try FileDescriptor(rawValue: STDIN_FILENO).readAll(limit: Self.limit)
            case _ where isInContext: bytes = try directory.contents(inRoot: file, limit: Self.limit)
            default: bytes = try FileDescriptor.workingDirectory.contents(of: file, limit: Self.limit)
            }
        } catch {
            throw Failure(
                "read Dockerfile", isInContext ? "\(path)/\(file)" : file, error.errno.reason,
                remedy: error.errno == .noSuchFileOrDirectory ? "name it with --file" : nil)
        }
        return try Dockerfile.parse(bytes, name: file)
    }

    /// In bytes.
    private static let limit = 16 << 20

    /// What `.dockerignore` leaves out: that beside the Dockerfile, called as it is, comes first.
    func rules() throws -> IgnoreRules {
        let own = file == "-" ? nil : try text(of: "\(file).dockerignore", inContext: isInContext)
        guard let text = try own ?? text(of: ".dockerignore", inContext: true) else { return IgnoreRules() }
        return try IgnoreRules(text)
    }

    /// - Returns: `nil` if there is no such file: one that cannot be read may hold secrets back.
    private func text(of name: String, inContext: Bool) throws(Failure) -> [UInt8]? {
        do throws(SystemCallError) {
            return try inContext
                ? directory.contents(inRoot: name, limit: Self.limit)
                : FileDescriptor.workingDirectory.contents(of: name, limit: Self.limit)
        } catch {
            if error.errno == .noSuchFileOrDirectory { return nil }
            throw Failure("read", name, error.errno.reason)
        }
    }
}
