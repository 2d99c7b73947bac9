import CLinux
import Glibc
public import SystemPackage

extension Mount {
    /// Shows the files of a detached mount with the owners that a user namespace gives to those on disk, and writes what
    /// is made through it to disk with the owners that it has inside that namespace.
    ///
    /// - Parameters:
    ///   - mount: Of the caller's own mounting, or cloned; not attached yet, nor mapped before.
    ///   - userNamespace: A file of /proc/PID/ns/user whose maps are written.
    ///   - recursive: Whether the mounts below it are mapped too; then either all are or none is.
    /// - Throws: `EINVAL` for a file system that cannot do so; `EPERM` for one that the caller does not own.
    /// - Note: mount_setattr(2), "ID-mapped mounts"; Linux 5.12.
    public static func mapIDs(
        of mount: FileDescriptor, named name: String, by userNamespace: FileDescriptor, recursive: Bool
    ) throws(SystemCallError) {
        var attributes = mount_attr()
        attributes.attr_set = UInt64(MOUNT_ATTR_IDMAP)
        attributes.userns_fd = UInt64(userNamespace.rawValue)
        try check("mount_setattr", "'\(name)'") {
            apus_mount_setattr(
                mount.rawValue, "", UInt32(AT_EMPTY_PATH) | (recursive ? UInt32(AT_RECURSIVE) : 0), &attributes)
        }
    }
}
