import CLinux
import Glibc
import Linux
import SystemPackage

/// Adds up what files hold, each once however many names it has.
struct FileSizes {
    /// Bytes; holes in files count, directories don't.
    private(set) var bytes: UInt64 = 0
    /// Whether there was a directory that this process may not read.
    private(set) var wasDenied = false
    private var seen: Set<Identity> = []

    private struct Identity: Hashable {
        let device: dev_t
        let inode: ino_t
    }

    /// Adds all that is below a directory, on its own file system.
    mutating func add(_ directory: FileDescriptor) throws(SystemCallError) {
        try add(directory, device: directory.status().st_dev)
    }

    private mutating func add(_ directory: FileDescriptor, device: dev_t) throws(SystemCallError) {
        for name in try directory.fileNames() {
            guard let status = try Self.ifThere({ () throws(SystemCallError) in try directory.status(of: name) }) else {
                continue
            }
            if status.st_mode & S_IFMT == S_IFDIR {
                if status.st_dev == device { try addDirectory(name, in: directory, device: device) }
            } else if status.st_nlink < 2 || seen.insert(Identity(device: status.st_dev, inode: status.st_ino)).inserted
            {
                bytes += UInt64(max(0, status.st_size))
            }
        }
    }

    private mutating func addDirectory(
        _ name: FileName, in directory: FileDescriptor, device: dev_t
    ) throws(SystemCallError) {
        do throws(SystemCallError) {
            guard
                let below = try Self.ifThere({ () throws(SystemCallError) in
                    try directory.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
                })
            else { return }
            defer { below.closeQuietly() }
            try add(below, device: device)
        } catch  where error.errno == .permissionDenied {
            wasDenied = true
        }
    }

    /// - Returns: `nil` for what a running container has removed meanwhile.
    private static func ifThere<Result>(
        _ body: () throws(SystemCallError) -> Result
    ) throws(SystemCallError) -> Result? {
        do {
            return try body()
        } catch  where error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory {
            return nil
        }
    }
}
