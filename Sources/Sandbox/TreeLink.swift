import CLinux
import Glibc
public import Linux
public import SystemPackage

extension TreeCopy {
    /// Makes `target` another directory with the same files: directories are made anew, all else gets a further name.
    ///
    /// Both are open directories on one file system. Who changes a file of the one in place changes it in the other.
    public static func link(contentsOf source: FileDescriptor, to target: FileDescriptor) throws(SystemCallError) {
        for name in try source.fileNames() {
            guard try source.status(of: name).st_mode & S_IFMT == S_IFDIR else {
                try check("link", "'\(name)'") {
                    linkat(source.rawValue, name.cString, target.rawValue, name.cString, 0)
                }
                continue
            }
            let from = try source.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            defer { from.closeQuietly() }
            try target.makeDirectory(name, mode: 0o700)
            let to = try target.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            defer { to.closeQuietly() }
            try link(contentsOf: from, to: to)
        }
        try copyMetadata(try source.status(), from: source, to: target)
    }
}
