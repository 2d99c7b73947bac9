import CLinux
import Glibc
import Linux
public import SystemPackage

/// Who the files of a directory belong to.
public enum Ownership {
    /// Gives a directory and all that is in it on its own file system to one user and group.
    ///
    /// Nothing outside of it is touched, whatever links lie in it. What belongs to somebody who has no ID in this user
    /// namespace stays theirs, and so does what vanishes meanwhile.
    ///
    /// - Throws: As the system call that failed for another reason; what was given until then stays so.
    public static func give(_ directory: FileDescriptor, to owner: (uid: uid_t, gid: gid_t)) throws(SystemCallError) {
        let status = try directory.status()
        try give(directory, device: status.st_dev, owner, depth: 0)
        if status.st_uid == owner.uid, status.st_gid == owner.gid { return }
        try unlessForeign { () throws(SystemCallError) in
            try check("fchown") { fchown(directory.rawValue, owner.uid, owner.gid) }
        }
    }

    private static func give(
        _ directory: FileDescriptor, device: dev_t, _ owner: (uid: uid_t, gid: gid_t), depth: Int
    ) throws(SystemCallError) {
        if depth == deepest {
            throw SystemCallError("open", "a directory \(deepest) levels deep", .tooManySymbolicLinkLevels)
        }
        for name in try directory.fileNames() {
            try unlessForeign { () throws(SystemCallError) in
                let status = try directory.status(of: name)
                guard status.st_dev == device else { return }
                if status.st_mode & S_IFMT == S_IFDIR {
                    let below = try directory.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
                    defer { below.closeQuietly() }
                    try give(below, device: device, owner, depth: depth + 1)
                }
                if status.st_uid == owner.uid, status.st_gid == owner.gid { return }
                try check("fchownat", "'\(name)'") {
                    fchownat(directory.rawValue, name.cString, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW)
                }
            }
        }
    }

    /// So deep that a hostile tree uses up neither descriptors nor stack.
    private static let deepest = 200

    private static func unlessForeign(_ body: () throws(SystemCallError) -> Void) throws(SystemCallError) {
        do {
            try body()
        } catch
            where [.notPermitted, .invalidArgument, .permissionDenied, .noSuchFileOrDirectory].contains(error.errno)
        {
            return
        }
    }
}
