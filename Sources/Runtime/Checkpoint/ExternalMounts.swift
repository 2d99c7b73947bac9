import Cgroups
import Glibc
import Linux
import OCI
import SystemPackage

/// The mounts of a container that show files of the machine, which CRIU neither saves nor makes: it binds them again.
///
/// Those of masked files are binds of the container's own /dev/null, and so none of these.
struct ExternalMounts {
    /// Where each is in the container, without symlinks, and what it shows.
    let mounts: [(destination: String, source: String)]

    /// - Parameters:
    ///   - spec: With its paths completed.
    ///   - rootfs: The root file system's directory.
    init(_ spec: Spec, rootfs: String, cgroup: (any Cgroup)?) throws(Failure) {
        let root = try step("open rootfs", rootfs) { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.open(rootfs, O_PATH | O_DIRECTORY)
        }
        defer { root.closeQuietly() }
        var mounts: [(destination: String, source: String)] = []
        for mount in spec.mounts ?? [] {
            let destination = Self.resolved(mount.destination, in: root)
            if mount.isBind {
                mounts.append((destination, mount.source ?? ""))
            } else if mount.type == "cgroup", !spec.has(.cgroup), let cgroup, cgroup.record.kind == .v1 {
                mounts += cgroup.views.map { ("\(destination)/\($0.name)", $0.path) }
            }
        }
        if spec.has(.user) {
            // Where no nodes can be made, those of the machine are bound.
            let nodes = ["null", "zero", "full", "random", "urandom", "tty"].map { "/dev/\($0)" }
            let own = (spec.linux?.devices ?? []).filter { $0.type != "p" }.map(\.path)
            mounts += (nodes + own).map { ($0, $0) }
        }
        self.mounts = mounts
    }

    /// A path in the container as the kernel lists it: symlinks lead beneath the root.
    private static func resolved(_ path: String, in root: FileDescriptor) -> String {
        let here = FileDescriptor.workingDirectory
        // `try?`: what is not there, or lies on another mount, is taken as it is written
        guard let file = try? root.open(inRoot: path, O_PATH), let top = here.linkTarget(of: root.path) else {
            return normal(path)
        }
        defer { file.closeQuietly() }
        guard let target = here.linkTarget(of: file.path), target.hasPrefix("\(top)/") else { return normal(path) }
        return String(target.utf8.dropFirst(top.utf8.count)) ?? normal(path)
    }

    private static func normal(_ path: String) -> String {
        "/" + path.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }.joined(separator: "/")
    }
}

extension Spec.Mount {
    var isBind: Bool {
        type == "bind" || options?.contains { $0 == "bind" || $0 == "rbind" } ?? false
    }

    var isRecursiveBind: Bool { options?.contains("rbind") ?? false }
}
