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
    ///   - options: `key=value`, or a flag alone.
    /// - Returns: A descriptor of the mount, which `attach` puts in place.
    /// - Throws: With the file system's own words where it gives any (fsopen(2), "message retrieval").
    /// - Note: fsopen(2), fsconfig(2), fsmount(2); Linux 5.2.
    public static func make(
        _ type: String, options: [String] = [], attributes: MountAttributes = []
    ) throws(SystemCallError) -> FileDescriptor {
        let context = FileDescriptor(
            rawValue: try check("fsopen", "'\(type)'") { apus_fsopen(type, UInt32(FSOPEN_CLOEXEC)) })
        defer { context.closeQuietly() }
        do throws(SystemCallError) {
            try configure(context, options, named: type)
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

    /// Gives options of its own to a file system that is being made or changed.
    private static func configure(
        _ context: FileDescriptor, _ options: [String], named name: String
    ) throws(SystemCallError) {
        for option in options {
            try check("fsconfig", "'\(name)' \(option)") {
                guard let sign = option.utf8.firstIndex(of: UInt8(ascii: "=")) else {
                    return apus_fsconfig(context.rawValue, FSCONFIG_SET_FLAG.rawValue, option, nil, 0)
                }
                let (key, value) = (String(option[..<sign]), String(option[sign...].dropFirst()))
                return value.withCString {
                    apus_fsconfig(context.rawValue, FSCONFIG_SET_STRING.rawValue, key, $0, 0)
                }
            }
        }
    }

    /// The most bytes that the value of one option of `make` may have; the kernel's 256 with a NUL.
    public static let optionLimit = 255

    /// Mounts a file system as mount(2) does, for options that are too long for `make`.
    ///
    /// - Parameters:
    ///   - source: A device or a name.
    ///   - target: Where it goes; /proc must be that of this process.
    ///   - options: All together at most a page.
    public static func attachNew(
        _ type: String, source: String, options: [String], to target: FileDescriptor, named name: String
    ) throws(SystemCallError) {
        try check("mount", "'\(name)'") {
            apus_mount(source, target.path, type, 0, options.joined(separator: ","))
        }
    }

    /// Changes options of a file system that is mounted.
    ///
    /// - Note: fspick(2), `FSCONFIG_CMD_RECONFIGURE`.
    public static func reconfigure(
        _ mount: FileDescriptor, named name: String, options: [String]
    ) throws(SystemCallError) {
        let flags = UInt32(FSPICK_CLOEXEC) | UInt32(FSPICK_EMPTY_PATH)
        let context = FileDescriptor(
            rawValue: try check("fspick", "'\(name)'") { apus_fspick(mount.rawValue, "", flags) })
        defer { context.closeQuietly() }
        try configure(context, options, named: name)
        try check("fsconfig", "'\(name)'") {
            apus_fsconfig(context.rawValue, FSCONFIG_CMD_RECONFIGURE.rawValue, nil, nil, 0)
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

    /// Makes the working directory the root of this process alone.
    ///
    /// - Note: chroot(2): the mounts around it stay in this mount namespace.
    public static func changeRootToWorkingDirectory() throws(SystemCallError) {
        try check("chroot", "new root") { chroot(".") }
        try check("chdir", "'/'") { chdir("/") }
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
            return try moveWorkingDirectoryToRoot()
        }
        try check("chdir", "'/'") { chdir("/") }
    }

    /// Does the same without pivot_root(2): moves the working directory over the root, which stays below it, unreachable
    /// but for processes with the right to chroot(2).
    ///
    /// - Note: the kernel's ramfs-rootfs-initramfs.rst.
    public static func moveWorkingDirectoryToRoot() throws(SystemCallError) {
        try check("mount", "root onto '/'") { apus_mount(".", "/", nil, UInt(MS_MOVE), nil) }
        try check("chroot", "new root") { chroot(".") }
        try check("chdir", "'/'") { chdir("/") }
    }
}
