import CLinux
import Glibc
import Linux
import SystemPackage

/// One overlay: lower directories that are only read, and an upper one that takes the changes.
///
/// - Note: the kernel's filesystems/overlayfs.rst; in a user namespace since Linux 5.11.
struct Overlay {
    /// The topmost first.
    let lower: [String]
    /// Holds `upper` and `work`, which are made when they are missing; `nil` for an overlay that is only read, which wants
    /// two lower directories.
    let layers: String?
    let userAttributes: Bool
    /// Attached mounts with mapped IDs, which are used instead of the lower directories that they show.
    var mapped: [MappedLayer] = []
    /// Whether nothing of it is synchronised with the disk; such layers can be mounted once.
    var isVolatile = false

    /// Makes the mount, without attaching it.
    ///
    /// - Parameter point: A directory that older kernels attach it to for a moment.
    func make(at point: String) throws(Failure) -> FileDescriptor {
        if let layers { try makeLayers(layers) }
        do throws(SystemCallError) {
            return try mount(at: point)
        } catch {
            throw Failure(
                "mount overlay", lower[0], "\(error.subject): \(error.errno.reason)",
                remedy: "use --storage copy, or put the data directory on another file system with --root")
        }
    }

    private func mount(at point: String) throws(SystemCallError) -> FileDescriptor {
        var paths = OverlayPaths()
        defer { paths.close() }
        let options = try ownOptions { (path) throws(SystemCallError) in try paths.option(path) }
        guard lower.count > 1 else {
            let option = "lowerdir=\(try paths.option(shownPath(lower[0])))"
            return try Mount.make("overlay", options: [option] + options, attributes: .noDevices)
        }
        var added: [String] = []
        for path in lower { added.append("lowerdir+=\(try paths.option(shownPath(path)))") }
        do throws(SystemCallError) {
            return try Mount.make("overlay", options: added + options, attributes: .noDevices)
        } catch  where error.call == "fsconfig" && error.errno == .invalidArgument {
            // An older kernel says so of the first one, or of all together in the end.
            return try mountAtOnce(at: point)
        }
    }

    /// Does it as Linux before 6.7 wants it: all lower directories in one option, which fsconfig(2) limits to 256 bytes
    /// and mount(2) to what a page holds. Hence each is the number of a descriptor, as seen from /proc/self/fd.
    private func mountAtOnce(at point: String) throws(SystemCallError) -> FileDescriptor {
        let here = FileDescriptor.workingDirectory
        var paths = OverlayPaths()
        defer { paths.close() }
        var numbers: [String] = []
        for path in lower { numbers.append("\(try paths.hold(shownPath(path)).rawValue)") }
        let options = try ownOptions { (path) throws(SystemCallError) in "\(try paths.hold(path).rawValue)" }
        let target = try here.open(point, O_PATH | O_DIRECTORY)
        defer { target.closeQuietly() }
        let before = try here.open(".", O_PATH | O_DIRECTORY)
        defer {
            fchdir(before.rawValue)  // where that is forbidden, nothing later depends on it
            before.closeQuietly()
        }
        try check("chdir", "'/proc/self/fd'") { chdir("/proc/self/fd") }
        try Mount.attachNew(
            "overlay", source: "overlay", options: ["lowerdir=\(numbers.joined(separator: ":"))"] + options,
            to: target, named: point)
        defer { apus_umount2(point, CInt(MNT_DETACH)) }  // a detached copy is what is wanted
        let mount = try Mount.clone(point)
        do throws(SystemCallError) {
            try Mount.setAttributes(of: mount, named: point, set: .noDevices)
            return mount
        } catch {
            mount.closeQuietly()
            throw error
        }
    }

    /// The options beside the lower directories.
    private func ownOptions(
        _ name: (String) throws(SystemCallError) -> String
    ) throws(SystemCallError) -> [String] {
        var options: [String] = []
        if let layers {
            options.append("upperdir=\(try name("\(layers)/upper"))")
            options.append("workdir=\(try name("\(layers)/work"))")
        }
        if isVolatile { options.append("volatile") }
        return userAttributes ? options + ["userxattr"] : options
    }

    /// The path of the mount that shows a lower directory.
    private func shownPath(_ path: String) -> String {
        mapped.first { $0.path == path }.map { "/proc/self/fd/\($0.tree.rawValue)" } ?? path
    }

    /// The upper directory becomes the root that the container sees: it takes the topmost lower one's mode and owner.
    private func makeLayers(_ layers: String) throws(Failure) {
        try step("make layer", layers) { () throws(SystemCallError) in
            let here = FileDescriptor.workingDirectory
            try here.makeDirectories(layers, mode: 0o700)
            guard try here.makeDirectory("\(layers)/upper", mode: 0o755) else { return }
            try here.makeDirectory("\(layers)/work", mode: 0o700)
            let status = try here.status(of: lower[0])
            let made = try here.status(of: "\(layers)/upper")
            if made.st_mode != status.st_mode {
                try check("chmod", "'\(layers)/upper'") { chmod("\(layers)/upper", status.st_mode & 0o7777) }
            }
            if userAttributes {
                if mapped.isEmpty, lower.count == 1 { try makeTemporaryDirectories(layers) }
            } else {
                if made.st_uid != status.st_uid || made.st_gid != status.st_gid {
                    try giveUpper(of: layers, to: status)
                }
            }
        }
    }

    private func giveUpper(of layers: String, to owner: FileStatus) throws(SystemCallError) {
        do throws(SystemCallError) {
            try check("chown", "'\(layers)/upper'") { chown("\(layers)/upper", owner.st_uid, owner.st_gid) }
        } catch  where error.errno == .invalidArgument {
            return  // root of a container around this: an owner who has no ID here stays behind
        }
    }

    /// Makes /tmp and /var/tmp in the layer where everybody may write to those below: overlayfs would copy them up at the
    /// first write, and cannot (`EOVERFLOW`) when their owner has no ID in this user namespace.
    private func makeTemporaryDirectories(_ layers: String) throws(SystemCallError) {
        let here = FileDescriptor.workingDirectory
        for path in [["tmp"], ["var", "tmp"]] {
            var walked = ""
            var found: [(path: String, status: FileStatus)] = []
            for name in path {
                walked += "/\(name)"
                guard let status = try statusOfDirectory(lower[0] + walked) else { break }
                found.append((walked, status))
            }
            guard found.count == path.count, let last = found.last?.status, last.st_mode & 0o002 != 0,
                last.st_uid == Self.unmappedID
            else { continue }
            for (path, status) in found {
                try here.makeDirectory("\(layers)/upper\(path)", mode: status.st_mode & 0o7777)
            }
        }
    }

    /// What the kernel shows for an owner who has no ID.
    ///
    /// - Note: proc_sys_kernel(5), overflowuid.
    private static let unmappedID: uid_t = 65534

    /// - Returns: `nil` where there is none, or something else.
    private func statusOfDirectory(_ path: String) throws(SystemCallError) -> FileStatus? {
        do throws(SystemCallError) {
            let status = try FileDescriptor.workingDirectory.status(of: path, flags: AT_SYMLINK_NOFOLLOW)
            return status.st_mode & S_IFMT == S_IFDIR ? status : nil
        } catch  where error.errno == .noSuchFileOrDirectory || error.errno == .permissionDenied {
            return nil
        }
    }
}

/// Paths as options of an overlay take them.
private struct OverlayPaths {
    private var held: [FileDescriptor] = []

    /// A path that an option can hold: itself, or that of a descriptor where it is too long for fsconfig(2), or has what
    /// overlayfs reads as its own: a colon parts directories, and a backslash escapes.
    mutating func option(_ path: String) throws(SystemCallError) -> String {
        let isPlain = !path.utf8.contains { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "\\") }
        if isPlain, path.utf8.count <= Mount.optionLimit { return path }
        return "/proc/self/fd/\(try hold(path).rawValue)"
    }

    /// A descriptor of the directory, open until `close`.
    mutating func hold(_ path: String) throws(SystemCallError) -> FileDescriptor {
        let descriptor = try FileDescriptor.workingDirectory.open(path, O_PATH | O_DIRECTORY)
        held.append(descriptor)
        return descriptor
    }

    func close() {
        for descriptor in held { descriptor.closeQuietly() }
    }
}
