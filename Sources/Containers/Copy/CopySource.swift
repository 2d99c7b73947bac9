import Archives
import CLinux
import Glibc
import Linux
import SystemPackage

/// What `cp` reads, in the process whose root it lies in.
struct CopySource {
    let path: String
    let inContainer: Bool
    /// Whether a symlink stands for what it points to (`-L`).
    let followsLink: Bool

    /// Writes it as a tar stream.
    func write(to stream: FileDescriptor) throws(Failure) {
        let parsed = CopyPath(path, inContainer: inContainer)
        let file = try find(parsed)
        try TreeArchive(of: file, as: parsed.name).write(to: stream)
    }

    /// Goes to the directory that it lies in.
    ///
    /// - Returns: Its name there.
    private func find(_ parsed: CopyPath) throws(Failure) -> String {
        do throws(SystemCallError) {
            var file = parsed.name
            try WorkingDirectory.enter(parsed.parent)
            if followsLink || parsed.mustBeDirectory { file = try WorkingDirectory.follow(file) }
            let status = try FileDescriptor.workingDirectory.status(of: file, flags: AT_SYMLINK_NOFOLLOW)
            if parsed.mustBeDirectory, status.st_mode & S_IFMT != S_IFDIR {
                throw SystemCallError("open", "'\(path)'", .notDirectory)
            }
            return file
        } catch {
            throw Failure("copy", path, error.errno.reason)
        }
    }
}

/// Moving about in a process' own root.
enum WorkingDirectory {
    static func enter(_ path: String) throws(SystemCallError) {
        try check("chdir", "'\(path)'") { chdir(path) }
    }

    /// Follows a chain of symlinks from `name`, and goes to the directory that its end lies in, which need not exist.
    ///
    /// - Returns: The name of its end there.
    /// - Throws: `ELOOP` after 40 links, as path_resolution(7) has it.
    static func follow(_ name: String) throws(SystemCallError) -> String {
        var name = name
        for _ in 0...40 {
            guard let target = FileDescriptor.workingDirectory.linkTarget(of: name) else { return name }
            let parsed = CopyPath(target, inContainer: false)
            try enter(parsed.parent)
            name = parsed.name
        }
        throw SystemCallError("open", "'\(name)'", .tooManySymbolicLinkLevels)
    }
}
