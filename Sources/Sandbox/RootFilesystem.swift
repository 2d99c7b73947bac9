import CLinux
import Glibc
import Linux
import SystemPackage

/// What a container's root is made of.
public enum RootFilesystem: Sendable, Equatable {
    /// A directory as it is: what the container writes is written there.
    case directory(String)
    /// A directory that stays as it is under an overlay that takes the writes.
    ///
    /// - Parameter layers: A directory of the container's own that holds `upper` and `work`.
    case overlay(lower: String, layers: String)
    /// The machine's own root under overlays that take the writes.
    ///
    /// - Parameter layers: A directory of the container's own that holds an `upper` and a `work` a piece.
    case host(layers: String)
    /// One of these, whose files have the same IDs in the container as they have on disk on the host.
    ///
    /// For a container with IDs of its own, made by the machine's root; what is mapped is read-only but for a directory.
    indirect case mapped(RootFilesystem)

    /// Where the overlay with this layer lies in a `.host` root, whose pieces have layers named after them.
    public static func path(ofLayer name: String) -> String {
        name.replacing(bytes: "%2F", with: "/").replacing(bytes: "%25", with: "%")
    }

    /// Mounts it in this mount namespace.
    ///
    /// - Parameters:
    ///   - point: An empty directory to attach it to; a root that is a directory covers itself.
    ///   - inUserNamespace: Whether overlays keep their marks in `user.` attributes.
    ///   - layers: The mounts that a mapped root is made of.
    ///   - allowsDevices: Whether device nodes in a root that is a directory can be opened.
    /// - Returns: The root directory, open.
    func mount(
        at point: String, inUserNamespace: Bool, layers mapped: [MappedLayer] = [], allowsDevices: Bool = false
    ) throws(Failure) -> FileDescriptor {
        switch self {
        case .mapped(let root): return try root.mountMapped(mapped, at: point)
        case .directory(let path):
            return try step("mount root", path) { () throws(SystemCallError) in
                let target = try FileDescriptor.workingDirectory.open(path, O_PATH | O_DIRECTORY)
                defer { target.closeQuietly() }
                let tree = try Mount.clone(path, recursive: true)
                if !allowsDevices { try Mount.setAttributes(of: tree, named: path, set: .noDevices) }
                try Mount.attach(tree, to: target, named: path)
                return tree
            }
        case .overlay(let lower, let layers):
            let mount = try Overlay(lower: lower, layers: layers, userAttributes: inUserNamespace).make()
            try Self.attach(mount, to: point)
            return mount
        case .host(let layers):
            return try HostRoot(layers: layers, inUserNamespace: inUserNamespace).mount(at: point)
        }
    }

    private func mountMapped(_ mapped: [MappedLayer], at point: String) throws(Failure) -> FileDescriptor {
        switch self {
        case .directory(let path):
            guard let layer = mapped.first else { throw Failure("mount root", path, "its mount was not handed over") }
            try Self.attach(layer.tree, to: path)
            return layer.tree
        case .overlay(let lower, let layers):
            // An overlay takes only mounts that have a place: this one ends up below the overlay and goes with the old root.
            for layer in mapped { try Self.attach(layer.tree, to: point) }
            let mount = try Overlay(lower: lower, layers: layers, userAttributes: true, mapped: mapped).make()
            try Self.attach(mount, to: point)
            return mount
        case .host(let layers):
            for layer in mapped { try Self.attach(layer.tree, to: point) }
            return try HostRoot(layers: layers, inUserNamespace: true, mapped: mapped).mount(at: point)
        case .mapped(let root): return try root.mountMapped(mapped, at: point)
        }
    }

    private static func attach(_ mount: FileDescriptor, to point: String) throws(Failure) {
        try step("mount root", point) { () throws(SystemCallError) in
            let target = try FileDescriptor.workingDirectory.open(point, O_PATH | O_DIRECTORY)
            defer { target.closeQuietly() }
            try Mount.attach(mount, to: target, named: point)
        }
    }
}

/// A mount with mapped IDs that a root is made of.
///
/// - Parameter path: What it shows of the host.
typealias MappedLayer = (path: String, tree: FileDescriptor)

/// One overlay: a lower directory that is only read, and an upper one that takes the changes.
///
/// - Note: the kernel's filesystems/overlayfs.rst; in a user namespace since Linux 5.11.
struct Overlay {
    let lower: String
    /// Holds `upper` and `work`, which are made when they are missing.
    let layers: String
    let userAttributes: Bool
    /// Attached mounts with mapped IDs, of which the lower directory's is used instead of it.
    var mapped: [MappedLayer] = []

    /// Makes the mount, without attaching it.
    func make() throws(Failure) -> FileDescriptor {
        try makeLayers()
        var options = ["lowerdir=\(Self.escaped(lowerPath))", "upperdir=\(layers)/upper", "workdir=\(layers)/work"]
        if userAttributes { options.append("userxattr") }
        do throws(SystemCallError) {
            return try Mount.make("overlay", options: options, attributes: .noDevices)
        } catch {
            throw Failure(
                "mount overlay", lower, "\(error.subject): \(error.errno.reason)",
                remedy: "use --storage copy, or put the data directory on another file system with --root")
        }
    }

    private var lowerPath: String {
        mapped.first { $0.path == lower }.map { "/proc/self/fd/\($0.tree.rawValue)" } ?? lower
    }

    /// The upper directory becomes the root that the container sees: it takes the lower one's mode and owner.
    private func makeLayers() throws(Failure) {
        try step("make layer", layers) { () throws(SystemCallError) in
            let here = FileDescriptor.workingDirectory
            try here.makeDirectories(layers, mode: 0o700)
            guard try here.makeDirectory("\(layers)/upper", mode: 0o755) else { return }
            try here.makeDirectory("\(layers)/work", mode: 0o700)
            let status = try here.status(of: lower)
            try check("chmod", "'\(layers)/upper'") { chmod("\(layers)/upper", status.st_mode & 0o7777) }
            if userAttributes {
                if mapped.isEmpty { try makeTemporaryDirectories() }
            } else {
                try giveUpper(to: status)
            }
        }
    }

    private func giveUpper(to owner: FileStatus) throws(SystemCallError) {
        do throws(SystemCallError) {
            try check("chown", "'\(layers)/upper'") { chown("\(layers)/upper", owner.st_uid, owner.st_gid) }
        } catch  where error.errno == .invalidArgument {
            return  // root of a container around this: an owner who has no ID here stays behind
        }
    }

    /// Makes /tmp and /var/tmp in the layer where everybody may write to those below: overlayfs would copy them up at the
    /// first write, and cannot (`EOVERFLOW`) when their owner has no ID in this user namespace.
    private func makeTemporaryDirectories() throws(SystemCallError) {
        let here = FileDescriptor.workingDirectory
        for path in [["tmp"], ["var", "tmp"]] {
            var walked = ""
            var found: [(path: String, status: FileStatus)] = []
            for name in path {
                walked += "/\(name)"
                guard let status = try statusOfDirectory(lower + walked) else { break }
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

    /// A path as overlay's `lowerdir` takes it, where a colon parts directories.
    private static func escaped(_ path: String) -> String {
        guard path.utf8.contains(where: { ":\\,".utf8.contains($0) }) else { return path }
        return path.replacing(bytes: "\\", with: "\\\\").replacing(bytes: ":", with: "\\:")
            .replacing(bytes: ",", with: "\\,")
    }
}
