import Archives
import CLinux
import Glibc
import Linux
import SystemPackage

/// Where `cp` writes, in the process whose root it lies in.
struct CopyTarget {
    let path: String
    let inContainer: Bool
    /// Whether files keep their users and groups (`-a`).
    let keepsOwners: Bool
    /// Whether the tar stream is a user's own, whose names stay as they are.
    let takesUserStream: Bool

    /// Takes a tar stream apart in the right place. An empty stream, of a source that failed, is left to that one.
    ///
    /// - Returns: The stream's size in bytes.
    func read(from stream: FileDescriptor) throws(Failure) -> Int64 {
        umask(0)
        return try Extraction(keepsOwners: keepsOwners).read(from: stream) { (head) throws(Failure) in
            let names: NameChange
            do throws(SystemCallError) {
                names = try takesUserStream ? enterForStream() : enter(for: head)
                // Confined to where the files go: whatever links lie there, none leads out.
                try check("chroot", "'\(path)'") { chroot(".") }
            } catch {
                throw Failure("copy to", path, Self.reason(error))
            }
            return names
        }
    }

    private static func reason(_ error: SystemCallError) -> String {
        error.call == "cp" ? error.subject : error.errno.reason
    }

    private static func refusal(_ reason: String, _ errno: Errno) -> SystemCallError {
        SystemCallError("cp", reason, errno)
    }

    /// A stream goes into a directory that exists.
    private func enterForStream() throws(SystemCallError) -> NameChange {
        try WorkingDirectory.enter(inContainer && !path.isAbsolutePath ? "/\(path)" : path)
        return .none
    }

    /// Decides by what is there, as Docker does, and goes to the directory that the files are made in.
    private func enter(for head: Extraction.Head) throws(SystemCallError) -> NameChange {
        let target = CopyPath(path, inContainer: inContainer)
        try WorkingDirectory.enter(target.parent)
        let name = try WorkingDirectory.follow(target.name)
        switch try kind(of: name) {
        case .directory:
            try WorkingDirectory.enter(name)
            return .none
        case .file:
            if target.mustBeDirectory { throw Self.refusal("is not a directory", .notDirectory) }
            if head.isDirectory { throw Self.refusal("a directory cannot replace a file", .notDirectory) }
            return NameChange(from: head.name, to: name)
        case .nothing:
            if target.mustBeDirectory, !head.isDirectory {
                throw Self.refusal("the directory does not exist", .noSuchFileOrDirectory)
            }
            return NameChange(from: head.name, to: name)
        }
    }

    private enum Kind { case directory, file, nothing }

    private func kind(of name: String) throws(SystemCallError) -> Kind {
        do {
            let status = try FileDescriptor.workingDirectory.status(of: name)
            return status.st_mode & S_IFMT == S_IFDIR ? .directory : .file
        } catch  where error.errno == .noSuchFileOrDirectory {
            return .nothing
        }
    }
}
