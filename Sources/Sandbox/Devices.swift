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
    /// Those nodes of the host.
    var nodes: [Node] = []

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

    /// Takes hold of the host's nodes for a container that may not make its own; a FIFO it may.
    static func openHostNodes(_ devices: [Spec.Device]) throws(Failure) -> [Node] {
        var nodes: [Node] = []
        for (name, _, _) in standard {
            let path = "/dev/\(name)"
            let tree = try step("bind device", path) { () throws(SystemCallError) in try Mount.clone(path) }
            nodes.append(Node(path: path, tree: tree))
        }
        for device in devices where device.type != "p" { nodes.append(try openHostNode(device)) }
        return nodes
    }

    private static func openHostNode(_ device: Spec.Device) throws(Failure) -> Node {
        let (tree, status) = try step("bind device", device.path) { () throws(SystemCallError) in
            let tree = try Mount.clone(device.path)
            return (tree, try tree.status())
        }
        guard isNode(status, device) else {
            tree.closeQuietly()
            throw Failure(
                "bind device", device.path, "the host has another one there, and in a user namespace none can be made")
        }
        return Node(path: device.path, tree: tree)
    }

    /// Whether something that is there is what a Spec asks for.
    private static func isNode(_ status: FileStatus, _ device: Spec.Device) -> Bool {
        status.st_mode & S_IFMT == kind(of: device) && (device.type == "p" || status.st_rdev == number(of: device))
    }

    private static func kind(of device: Spec.Device) -> mode_t {
        switch device.type {
        case "b": S_IFBLK
        case "p": S_IFIFO
        default: S_IFCHR
        }
    }

    private static func number(of device: Spec.Device) -> dev_t {
        device.type == "p" ? 0 : apus_makedev(UInt32(clamping: device.major), UInt32(clamping: device.minor))
    }

    private static func isInDev(_ path: String) -> Bool { path.hasPrefix("/dev/") }

    /// Fills the container's /dev: the standard nodes, those of the Spec, and the usual symlinks.
    func populate(_ devices: [Spec.Device]) throws(Failure) {
        let directory = try mounts.openTarget("/dev", directory: true)
        defer { directory.closeQuietly() }
        for node in nodes where Self.isInDev(node.path) { try bind(node) }
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
        }
        for device in devices where makes(device) && Self.isInDev(device.path) { try make(device) }
        try link(in: directory)
    }

    /// Makes the nodes of the Spec that are elsewhere, when all that is mounted there is.
    func makeElsewhere(_ devices: [Spec.Device]) throws(Failure) {
        for node in nodes where !Self.isInDev(node.path) { try bind(node) }
        for device in devices where makes(device) && !Self.isInDev(device.path) { try make(device) }
    }

    private func makes(_ device: Spec.Device) -> Bool { !bindsHostNodes || device.type == "p" }

    private func bind(_ node: Node) throws(Failure) {
        defer { node.tree.closeQuietly() }
        let target = try mounts.openTarget(node.path, directory: false)
        defer { target.closeQuietly() }
        try step("bind device", node.path) { () throws(SystemCallError) in
            try Mount.attach(node.tree, to: target, named: node.path)
        }
    }

    private static func bind(_ name: String, in directory: FileDescriptor) throws(SystemCallError) {
        let tree = try Mount.clone("/dev/\(name)")
        defer { tree.closeQuietly() }
        let target = try directory.open(name, O_CREAT | O_WRONLY | O_NOFOLLOW, mode: 0o666)
        defer { target.closeQuietly() }
        try Mount.attach(tree, to: target, named: "/dev/\(name)")
    }

    /// - Note: config-linux.md, "Devices": something else that is there already is an error.
    private func make(_ device: Spec.Device) throws(Failure) {
        let (parent, name) = split(device.path)
        let parentPath = parent.isEmpty ? "/" : parent
        let opened =
            parentPath == "/"
            ? mounts.root : try mounts.openTarget(parentPath, directory: true)
        defer { if parentPath != "/" { opened.closeQuietly() } }
        let mode = mode_t((device.fileMode ?? 0o666) & 0o7777)
        let isThere = try step("make device", device.path) { () throws(SystemCallError) in
            try !Self.make(name, Self.kind(of: device) | mode, Self.number(of: device), in: opened)
        }
        if isThere { try checkExisting(device, name, in: opened) }
        try step("make device", device.path) { () throws(SystemCallError) in
            try check("chown", "'\(name)'") {
                fchownat(opened.rawValue, name, device.uid ?? 0, device.gid ?? 0, AT_SYMLINK_NOFOLLOW)
            }
            // What was there has a mode of its own; it is no symlink.
            if isThere { try check("chmod", "'\(name)'") { fchmodat(opened.rawValue, name, mode, 0) } }
        }
    }

    private func checkExisting(_ device: Spec.Device, _ name: String, in directory: FileDescriptor) throws(Failure) {
        let status = try step("make device", device.path) { () throws(SystemCallError) in
            try directory.status(of: name, flags: AT_SYMLINK_NOFOLLOW)
        }
        guard !Self.isNode(status, device) else { return }
        throw Failure("make device", device.path, "the container has something else there")
    }

    private func split(_ path: String) -> (parent: String, name: String) {
        let scalars = path.unicodeScalars  // as in `MountTable.make`
        let slash = scalars.lastIndex(of: "/") ?? scalars.startIndex
        return (String(scalars[..<slash]), String(scalars[scalars.index(after: slash)...]))
    }

    /// The umask is 0 here, so the mode is what is asked.
    ///
    /// - Returns: Whether it was made: false when something is there already.
    @discardableResult
    private static func make(
        _ name: String, _ mode: mode_t, _ number: dev_t, in directory: FileDescriptor
    ) throws(SystemCallError) -> Bool {
        do throws(SystemCallError) {
            try check("mknod", "'\(name)'") { mknodat(directory.rawValue, name, mode, number) }
            return true
        } catch  where error.errno == .fileExists {
            return false
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
