import CLinux
import Glibc
public import SystemPackage

/// Attributes of one mount, as mount_setattr(2) has them.
public struct MountAttributes: OptionSet, Sendable, Hashable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public static let readOnly = Self(rawValue: UInt64(MOUNT_ATTR_RDONLY))
    /// Set-user-ID and set-group-ID bits count for nothing.
    public static let noSetuid = Self(rawValue: UInt64(MOUNT_ATTR_NOSUID))
    /// Device nodes cannot be opened.
    public static let noDevices = Self(rawValue: UInt64(MOUNT_ATTR_NODEV))
    /// No file can be executed.
    public static let noExecute = Self(rawValue: UInt64(MOUNT_ATTR_NOEXEC))
    public static let noAccessTimes = Self(rawValue: UInt64(MOUNT_ATTR_NOATIME))
    public static let strictAccessTimes = Self(rawValue: UInt64(MOUNT_ATTR_STRICTATIME))
    public static let noDirectoryAccessTimes = Self(rawValue: UInt64(MOUNT_ATTR_NODIRATIME))
    /// Symlinks are not followed.
    public static let noSymlinks = Self(rawValue: UInt64(MOUNT_ATTR_NOSYMFOLLOW))
    /// All bits of the access-time setting, which is a number rather than flags.
    public static let accessTimeMask = Self(rawValue: UInt64(MOUNT_ATTR__ATIME))
}

/// How mounts and unmounts travel between peer mounts.
///
/// - Note: mount_namespaces(7), "Shared subtrees".
public enum Propagation: Sendable, Hashable {
    case `private`, slave, shared, unbindable

    /// The `MS_*` flag of mount(2) and mount_setattr(2).
    public var flag: UInt {
        switch self {
        case .private: UInt(MS_PRIVATE)
        case .slave: UInt(MS_SLAVE)
        case .shared: UInt(MS_SHARED)
        case .unbindable: UInt(MS_UNBINDABLE)
        }
    }
}

/// Mounts by descriptor: made detached, then attached where a descriptor points.
public enum Mount {
    /// Makes a file system that is not attached anywhere yet.
    ///
    /// - Parameters:
    ///   - type: As in /proc/filesystems: `tmpfs`, `proc`, `overlay`.
    ///   - options: Keys with values, or flags where the value is `nil`.
    /// - Returns: A descriptor of the mount, which `attach` puts in place.
    /// - Throws: With the file system's own words where it gives any (fsopen(2), "message retrieval").
    /// - Note: fsopen(2), fsconfig(2), fsmount(2); Linux 5.2.
    public static func make(
        _ type: String, options: [(key: String, value: String?)] = [], attributes: MountAttributes = []
    ) throws(SystemCallError) -> FileDescriptor {
        let context = FileDescriptor(
            rawValue: try check("fsopen", "'\(type)'") { apus_fsopen(type, UInt32(FSOPEN_CLOEXEC)) })
        defer { context.closeQuietly() }
        do throws(SystemCallError) {
            for (key, value) in options {
                let command = value == nil ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING
                try check("fsconfig", "'\(type)' \(key)\(value.map { "=\($0)" } ?? "")") {
                    guard let value else { return apus_fsconfig(context.rawValue, command.rawValue, key, nil, 0) }
                    return value.withCString { apus_fsconfig(context.rawValue, command.rawValue, key, $0, 0) }
                }
            }
            try check("fsconfig", "'\(type)'") {
                apus_fsconfig(context.rawValue, FSCONFIG_CMD_CREATE.rawValue, nil, nil, 0)
            }
            return FileDescriptor(
                rawValue: try check("fsmount", "'\(type)'") {
                    apus_fsmount(context.rawValue, UInt32(FSMOUNT_CLOEXEC), UInt32(attributes.rawValue))
                })
        } catch {
            throw SystemCallError(error.call, error.subject + explanation(of: context), error.errno)
        }
    }

    /// The file system's own words about what it refused, in parentheses, or nothing.
    private static func explanation(of context: FileDescriptor) -> String {
        withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 1) { buffer in
            let length = Glibc.read(context.rawValue, buffer.baseAddress, buffer.count)
            guard length > 2 else { return "" }  // each message is a level, a space and a text
            let text = String(decoding: buffer[2..<length], as: UTF8.self)
            return " (\(text.filter { $0 != "\n" }))"
        }
    }

    /// Clones the mount at `path` so that it can be attached somewhere else: a bind mount that has no place yet.
    ///
    /// - Parameter recursive: Whether the mounts below it come along.
    /// - Note: open_tree(2), `OPEN_TREE_CLONE`.
    public static func clone(
        at directory: FileDescriptor = .workingDirectory, _ path: String, recursive: Bool = false
    ) throws(SystemCallError) -> FileDescriptor {
        let flags = UInt32(OPEN_TREE_CLONE) | UInt32(OPEN_TREE_CLOEXEC) | UInt32(AT_EMPTY_PATH)
        return FileDescriptor(
            rawValue: try check("open_tree", "'\(path)'") {
                apus_open_tree(directory.rawValue, path, flags | (recursive ? UInt32(AT_RECURSIVE) : 0))
            })
    }

    /// Puts a detached mount where `target` points.
    ///
    /// - Note: move_mount(2).
    public static func attach(
        _ mount: FileDescriptor, to target: FileDescriptor, named name: String = ""
    ) throws(SystemCallError) {
        try check("move_mount", "'\(name)'") {
            apus_move_mount(
                mount.rawValue, "", target.rawValue, "",
                UInt32(MOVE_MOUNT_F_EMPTY_PATH) | UInt32(MOVE_MOUNT_T_EMPTY_PATH))
        }
    }

    /// Changes attributes and propagation of the mount that `mount` stands for.
    ///
    /// - Parameter recursive: Whether the mounts below it change too.
    /// - Throws: `EPERM` when a user namespace would clear what the one above it has locked.
    /// - Note: mount_setattr(2); Linux 5.12.
    public static func setAttributes(
        of mount: FileDescriptor, named name: String = "", set: MountAttributes = [], clear: MountAttributes = [],
        propagation: Propagation? = nil, recursive: Bool = false
    ) throws(SystemCallError) {
        var attributes = mount_attr()
        attributes.attr_set = set.rawValue
        attributes.attr_clr = clear.rawValue
        attributes.propagation = UInt64(propagation?.flag ?? 0)
        try check("mount_setattr", "'\(name)'") {
            apus_mount_setattr(
                mount.rawValue, "", UInt32(AT_EMPTY_PATH) | (recursive ? UInt32(AT_RECURSIVE) : 0), &attributes)
        }
    }

    /// Changes the propagation of every mount of this namespace.
    public static func setPropagationOfAll(_ propagation: Propagation) throws(SystemCallError) {
        try check("mount", "'/'") { apus_mount(nil, "/", nil, UInt(MS_REC) | propagation.flag, nil) }
    }

    /// Makes the working directory, which must be a mount, the root of this mount namespace and lets go of the old one.
    ///
    /// Where the root is the initramfs, which pivot_root(2) refuses with `EINVAL`, the new root is moved over it instead.
    ///
    /// - Note: pivot_root(2), "pivot_root(".", ".")"; the kernel's ramfs-rootfs-initramfs.rst.
    public static func pivotToWorkingDirectory() throws(SystemCallError) {
        do throws(SystemCallError) {
            try check("pivot_root") { apus_pivot_root(".", ".") }
            try check("umount2", "old root") { apus_umount2(".", CInt(MNT_DETACH)) }
        } catch  where error.errno == .invalidArgument && error.call == "pivot_root" {
            try check("mount", "root onto '/'") { apus_mount(".", "/", nil, UInt(MS_MOVE), nil) }
            try check("chroot", "new root") { chroot(".") }
        }
        try check("chdir", "'/'") { chdir("/") }
    }
}
