import CLinux
import Glibc
import Linux
import SystemPackage

/// The machine's own root as a container's throw-away root.
///
/// Root overlays `/` and each file system mounted below it. In a user namespace `/` carries mounts that may not be
/// parted from it, so the root is put together there: a tmpfs with an overlay for each top-level directory without
/// mounts, descent into those with some, and read-only binds for what no overlay takes. With mounts of mapped IDs, which
/// come from outside without any below them, all is as for root.
struct HostRoot {
    /// Holds an `upper` and a `work` for each piece.
    let layers: String
    let inUserNamespace: Bool
    /// Mounts with mapped IDs, attached: that of `/` and those of the file systems below it that can be mapped.
    var mapped: [MappedLayer] = []

    /// Fresh in every container, so nothing of the machine's is shown there.
    static let fresh: Set<String> = ["/proc", "/sys", "/dev", "/run", "/tmp"]

    /// Mounts the root and everything below it.
    func mount(at point: String) throws(Failure) -> FileDescriptor {
        let target = try step("mount root", point) { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.open(point, O_PATH | O_DIRECTORY)
        }
        defer { target.closeQuietly() }
        let mountPoints = try mountPoints()
        let isAssembled = inUserNamespace && mapped.isEmpty
        let root =
            isAssembled
            ? try step("mount root", "tmpfs") { () throws(SystemCallError) in
                try Mount.make("tmpfs", options: ["mode=755"], attributes: .noDevices)
            } : try overlay("/")
        try step("mount root", "/") { () throws(SystemCallError) in try Mount.attach(root, to: target, named: point) }
        if isAssembled {
            try assemble("/", root, mountPoints)
        } else {
            for path in mountPoints { try showMount(path, root) }
        }
        return root
    }

    /// Every mount point outside the fresh directories, parents first.
    func mountPoints() throws(Failure) -> [String] {
        let bytes = try step("read", "/proc/self/mountinfo") { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.contents(of: "/proc/self/mountinfo", limit: 16 << 20)
        }
        return bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: " "))
            guard fields.count > 4 else { return nil }
            let path = Self.unescaped(fields[4])
            let top = "/" + (path.parts(between: "/").first { !$0.isEmpty } ?? "")
            return path == "/" || Self.fresh.contains(top) || path.hasBytes(ofPrefix: layers) ? nil : path
        }
    }

    /// - Note: proc_pid_mountinfo(5): space, tab, newline and backslash are written as octal.
    static func unescaped(_ field: ArraySlice<UInt8>) -> String {
        var result: [UInt8] = []
        var rest = field
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), rest.count >= 3,
                let value = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
            {
                result.append(value)
                rest = rest.dropFirst(3)
            } else {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// An overlay on `path` with a layer of its own, named after the path.
    private func overlay(_ path: String) throws(Failure) -> FileDescriptor {
        try Overlay(
            lower: [path], layers: layers + Self.layerName(path), userAttributes: inUserNamespace, mapped: mapped
        ).make(at: path)
    }

    /// Escaped with its leading slash, so that no path can be taken for the root's own `upper` or `work`.
    private static func layerName(_ path: String) -> String {
        path == "/" ? "" : "/" + path.replacing(bytes: "%", with: "%25").replacing(bytes: "/", with: "%2F")
    }

    /// Shows one of the machine's mounts in the root: under an overlay, or read-only where none can be made.
    private func showMount(_ path: String, _ root: FileDescriptor) throws(Failure) {
        let target: FileDescriptor
        do throws(SystemCallError) {
            target = try root.open(inRoot: path, O_PATH)
        } catch {
            return  // mounted below something that another mount hides
        }
        defer { target.closeQuietly() }
        try show(path, at: target)
    }

    private func show(_ path: String, at target: FileDescriptor) throws(Failure) {
        let mount: FileDescriptor
        do throws(Failure) {
            mount = try overlay(path)
        } catch {
            mount = try readOnlyTree(path)
        }
        defer { mount.closeQuietly() }
        try step("mount root", path) { () throws(SystemCallError) in try Mount.attach(mount, to: target, named: path) }
    }

    private func readOnlyTree(_ path: String) throws(Failure) -> FileDescriptor {
        try step("mount root", path) { () throws(SystemCallError) in
            let tree = try Mount.clone(path, recursive: true)
            try Mount.setAttributes(of: tree, named: path, set: [.readOnly, .noDevices], recursive: true)
            return tree
        }
    }

    /// Rebuilds the machine's directory `path` in `target`, an open directory of the new root.
    private func assemble(_ path: String, _ target: FileDescriptor, _ mountPoints: [String]) throws(Failure) {
        let names = try step("read", path) { () throws(SystemCallError) in
            let directory = try FileDescriptor.workingDirectory.open(path, O_RDONLY | O_DIRECTORY)
            defer { directory.closeQuietly() }
            return try directory.entries()
        }
        for name in names {
            let child = path == "/" ? "/\(name)" : "\(path)/\(name)"
            try rebuild(child, name, in: target, mountPoints)
        }
    }

    private func rebuild(
        _ path: String, _ name: String, in target: FileDescriptor, _ mountPoints: [String]
    ) throws(Failure) {
        let here = FileDescriptor.workingDirectory
        let status = try step("mount root", path) { () throws(SystemCallError) in
            try here.status(of: path, flags: AT_SYMLINK_NOFOLLOW)
        }
        switch status.st_mode & S_IFMT {
        case S_IFLNK:
            try step("mount root", path) { () throws(SystemCallError) in
                let link = here.linkTarget(of: path) ?? ""
                try check("symlink", "'\(path)'") { symlinkat(link, target.rawValue, name) }
            }
        case S_IFDIR:
            try step("mount root", path) { () throws(SystemCallError) in
                try target.makeDirectory(name, mode: status.st_mode & 0o7777)
            }
            if Self.fresh.contains(path) { return }
            let place = try step("mount root", path) { () throws(SystemCallError) in
                try target.open(name, O_PATH | O_DIRECTORY | O_NOFOLLOW)
            }
            defer { place.closeQuietly() }
            let hasMounts = mountPoints.contains { $0.hasBytes(ofPrefix: path + "/") }
            if hasMounts && access(path, R_OK | X_OK) == 0 {
                try assemble(path, place, mountPoints)
            } else {
                try show(path, at: place)
            }
        default:
            try step("mount root", path) { () throws(SystemCallError) in
                let file = try target.open(name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, mode: 0o644)
                defer { file.closeQuietly() }
                let tree = try Mount.clone(path)
                defer { tree.closeQuietly() }
                try Mount.setAttributes(of: tree, named: path, set: [.readOnly, .noDevices])
                try Mount.attach(tree, to: file, named: path)
            }
        }
    }
}
