import CLinux
import Glibc
import Linux
import OCI
import SystemPackage

/// Mounts of the host that show and write their files with other owners than on disk.
///
/// They are made by the supervisor before the clone, with this machine's rights: the kernel asks for CAP_SYS_ADMIN over
/// the file system itself, which no process in a container has.
struct IDMappedMount {
    /// A user namespace with the maps from the IDs on disk to those of the machine.
    let userNamespace: FileDescriptor

    /// Takes a mount of the host.
    ///
    /// - Parameters:
    ///   - recursive: Whether the mounts below come along.
    ///   - mapsBelow: Whether those are mapped too.
    /// - Returns: The detached mount.
    func clone(_ path: String, recursive: Bool, mapsBelow: Bool) throws(Failure) -> FileDescriptor {
        do throws(SystemCallError) {
            let tree = try Mount.clone(path, recursive: recursive)
            do throws(SystemCallError) {
                // Taken before init makes its mounts private: what is mounted on this one must not reach the host.
                try Mount.setAttributes(of: tree, named: path, propagation: .private, recursive: true)
                try Mount.mapIDs(of: tree, named: path, by: userNamespace, recursive: mapsBelow)
                return tree
            } catch {
                tree.closeQuietly()
                throw error
            }
        } catch  where error.call == "mount_setattr" {
            throw Self.refusal(path, error)
        } catch {
            throw Failure("mount", path, error)
        }
    }

    private static let remedy =
        "ext4, xfs, btrfs and tmpfs can be mapped, by the machine's own root; --userns host needs no mapping"

    private static func refusal(_ path: String, _ error: SystemCallError) -> Failure {
        switch error.errno {
        case .invalidArgument:
            Failure("map IDs", path, "its file system, or this kernel's, has no idmapped mounts", remedy: remedy)
        case .notPermitted:
            Failure("map IDs", path, "this user does not own its file system (idmap)", remedy: remedy)
        default: Failure("map IDs", path, error)
        }
    }

    // MARK: The user namespace

    /// Makes a user namespace that nobody is in.
    ///
    /// - Parameter lock: A lock of this process' that a child must not hold on to.
    static func makeUserNamespace(
        _ uids: [Spec.IDMapping], _ gids: [Spec.IDMapping], closing lock: FileDescriptor?
    ) throws(Failure) -> FileDescriptor {
        let (read, write) = try step("map IDs", "pipe") { () throws(SystemCallError) in
            try FileDescriptor.makePipe()
        }
        let holder: ProcessHandle?
        do throws(SystemCallError) {
            holder = try Clone.clone(into: .user)
        } catch {
            read.closeQuietly()
            write.closeQuietly()
            throw Failure("clone", "into a user namespace", error)
        }
        guard let holder else { waitForEnd(read, write, lock) }
        read.closeQuietly()
        defer {
            write.closeQuietly()
            holder.endQuietly()
        }
        try IDMaps.write(uids, gids, of: holder.pid)
        let path = "/proc/\(holder.pid)/ns/user"
        return try step("map IDs", path) { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.open(path)
        }
    }

    /// The process that has the namespace: ends with the pipe, and so with its maker however that ends.
    private static func waitForEnd(_ read: FileDescriptor, _ write: FileDescriptor, _ lock: FileDescriptor?) -> Never {
        lock?.closeQuietly()
        write.closeQuietly()
        _ = try? read.readAll(limit: 1)  // `try?`: an end that cannot be waited for is the end
        CurrentProcess.exitNow(0)
    }
}
