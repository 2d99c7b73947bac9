import CLinux
import Glibc
import Linux
import OCI
import SystemPackage

/// What a container finds in /dev.
struct DeviceTable {
    let mounts: MountTable
    /// Whether mknod(2) is refused here, so that the host's nodes are bound instead.
    let bindsHostNodes: Bool

    /// The devices that every container has.
    ///
    /// - Note: OCI runtime-spec, config-linux.md, "Default Devices".
    static let standard: [(name: String, major: UInt32, minor: UInt32)] = [
        ("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0),
    ]

    /// A device node that was taken from the host's /dev while it could still be reached.
    struct Node {
        let path: String
        let tree: FileDescriptor
    }

    /// Takes hold of the host's nodes for a container that may not make its own.
    static func openHostNodes(_ devices: [Spec.Device]) throws(Failure) -> [Node] {
        let paths = standard.map { "/dev/\($0.name)" } + devices.map(\.path)
        var nodes: [Node] = []
        for path in paths {
            let tree = try step("bind device", path) { () throws(SystemCallError) in try Mount.clone(path) }
            nodes.append(Node(path: path, tree: tree))
        }
        return nodes
    }

    /// Fills the container's /dev: the standard nodes, those of the Spec, and the usual symlinks.
    func populate(_ devices: [Spec.Device], hostNodes: [Node]) throws(Failure) {
        let directory = try step("open", "/dev") { () throws(SystemCallError) in
            try mounts.root.open(inRoot: "/dev", O_PATH | O_DIRECTORY)
        }
        defer { directory.closeQuietly() }
        for node in hostNodes {
            defer { node.tree.closeQuietly() }
            let target = try mounts.openTarget(node.path, directory: false)
            defer { target.closeQuietly() }
            try step("bind device", node.path) { () throws(SystemCallError) in
                try Mount.attach(node.tree, to: target, named: node.path)
            }
        }
        if !bindsHostNodes {
            for (name, major, minor) in Self.standard {
                try step("make device", "/dev/\(name)") { () throws(SystemCallError) in
                    do throws(SystemCallError) {
                        try Self.make(name, S_IFCHR | 0o666, apus_makedev(major, minor), in: directory)
                    } catch  where error.errno == .notPermitted {
                        // Root of a user namespace that this container shares may mount, but not make devices.
                        try Self.bind(name, in: directory)
                    }
                }
            }
            for device in devices { try make(device) }
        }
        try link(in: directory)
    }

    private static func bind(_ name: String, in directory: FileDescriptor) throws(SystemCallError) {
        let tree = try Mount.clone("/dev/\(name)")
        defer { tree.closeQuietly() }
        let target = try directory.open(name, O_CREAT | O_WRONLY | O_NOFOLLOW, mode: 0o666)
        defer { target.closeQuietly() }
        try Mount.attach(tree, to: target, named: "/dev/\(name)")
    }

    private func make(_ device: Spec.Device) throws(Failure) {
        let kind: mode_t =
            switch device.type {
            case "b": S_IFBLK
            case "p": S_IFIFO
            default: S_IFCHR
            }
        let (parent, name) = split(device.path)
        let number = apus_makedev(UInt32(clamping: device.major), UInt32(clamping: device.minor))
        let parentPath = parent.isEmpty ? "/" : parent
        let opened =
            parentPath == "/"
            ? mounts.root : try mounts.openTarget(parentPath, directory: true)
        defer { if parentPath != "/" { opened.closeQuietly() } }
        try step("make device", device.path) { () throws(SystemCallError) in
            try opened.remove(name)
            try Self.make(name, kind | mode_t(device.fileMode ?? 0o666), number, in: opened)
            try check("chown", "'\(name)'") {
                fchownat(opened.rawValue, name, device.uid ?? 0, device.gid ?? 0, AT_SYMLINK_NOFOLLOW)
            }
        }
    }

    private func split(_ path: String) -> (parent: String, name: String) {
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        return (String(path[..<slash]), String(path[path.index(after: slash)...]))
    }

    /// The umask is 0 here, so the mode is what is asked.
    private static func make(
        _ name: String, _ mode: mode_t, _ number: dev_t, in directory: FileDescriptor
    ) throws(SystemCallError) {
        do throws(SystemCallError) {
            try check("mknod", "'\(name)'") { mknodat(directory.rawValue, name, mode, number) }
        } catch  where error.errno == .fileExists {
            return
        }
    }

    /// - Note: OCI runtime-spec, config-linux.md, "Default Devices" and "/dev symbolic links".
    private func link(in directory: FileDescriptor) throws(Failure) {
        let links = [
            ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"),
            ("stderr", "/proc/self/fd/2"), ("ptmx", "pts/ptmx"), ("core", "/proc/kcore"),
        ]
        for (name, target) in links {
            try step("link", "/dev/\(name)") { () throws(SystemCallError) in
                do throws(SystemCallError) {
                    try check("symlink", "'\(name)'") { symlinkat(target, directory.rawValue, name) }
                } catch  where error.errno == .fileExists {
                    return  // a root that brings its own /dev
                }
            }
        }
    }
}
