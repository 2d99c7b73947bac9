import Glibc
import Linux
import OCI
import SystemPackage

/// The places in a root file system that mounts go to, which CRIU wants to find there.
enum MountPoints {
    /// Makes those that are missing, but for what lies on another mount: that has them, or CRIU makes them.
    static func make(for spec: Spec, in rootfs: String) throws(Failure) {
        let root = try step("open rootfs", rootfs) { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.open(rootfs, O_PATH | O_DIRECTORY)
        }
        defer { root.closeQuietly() }
        let mounts = spec.mounts ?? []
        for mount in mounts where !mounts.contains(where: { mount.destination.hasPrefix("\($0.destination)/") }) {
            try step("make mount point", mount.destination) { () throws(SystemCallError) in
                try make(mount, root)
            }
        }
    }

    private static func make(_ mount: Spec.Mount, _ root: FileDescriptor) throws(SystemCallError) {
        let names = mount.destination.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
        guard let last = names.last else { return }
        var isDirectory = true
        if mount.isBind, let source = mount.source {
            isDirectory = try FileDescriptor.workingDirectory.status(of: source).st_mode & S_IFMT == S_IFDIR
        }
        var parent = try root.open(inRoot: "/", O_PATH | O_DIRECTORY)
        defer { parent.closeQuietly() }
        var walked = ""
        for name in names.dropLast() {
            try parent.makeDirectory(name)
            walked += "/\(name)"
            let next = try root.open(inRoot: walked, O_PATH | O_DIRECTORY)
            parent.closeQuietly()
            parent = next
        }
        if isDirectory {
            try parent.makeDirectory(last)
        } else if try !isThere(last, in: parent) {
            try parent.open(last, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, mode: 0o644).closeQuietly()
        }
    }

    private static func isThere(_ name: String, in directory: FileDescriptor) throws(SystemCallError) -> Bool {
        do throws(SystemCallError) {
            _ = try directory.status(of: name, flags: AT_SYMLINK_NOFOLLOW)
            return true
        } catch  where error.errno == .noSuchFileOrDirectory {
            return false
        }
    }
}
