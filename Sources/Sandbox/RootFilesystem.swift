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

    /// Where the overlay with this layer lies in a `.host` root, whose pieces have layers named after them.
    public static func path(ofLayer name: String) -> String {
        name.replacing("%2F", with: "/").replacing("%25", with: "%")
    }

    /// Mounts it in this mount namespace.
    ///
    /// - Parameters:
    ///   - point: An empty directory to attach it to; a root that is a directory covers itself.
    ///   - inUserNamespace: Whether overlays keep their marks in `user.` attributes.
    /// - Returns: The root directory, open.
    func mount(at point: String, inUserNamespace: Bool) throws(Failure) -> FileDescriptor {
        switch self {
        case .directory(let path):
            return try step("mount root", path) { () throws(SystemCallError) in
                let target = try FileDescriptor.workingDirectory.open(path, O_PATH | O_DIRECTORY)
                defer { target.closeQuietly() }
                let tree = try Mount.clone(path, recursive: true)
                try Mount.setAttributes(of: tree, named: path, set: .noDevices)
                try Mount.attach(tree, to: target, named: path)
                return tree
            }
        case .overlay(let lower, let layers):
            let mount = try Overlay(lower: lower, layers: layers, userAttributes: inUserNamespace).make()
            try attach(mount, to: point)
            return mount
        case .host(let layers):
            return try HostRoot(layers: layers, inUserNamespace: inUserNamespace).mount(at: point)
        }
    }

    private func attach(_ mount: FileDescriptor, to point: String) throws(Failure) {
        try step("mount root", point) { () throws(SystemCallError) in
            let target = try FileDescriptor.workingDirectory.open(point, O_PATH | O_DIRECTORY)
            defer { target.closeQuietly() }
            try Mount.attach(mount, to: target, named: point)
        }
    }
}

/// One overlay: a lower directory that is only read, and an upper one that takes the changes.
///
/// - Note: the kernel's filesystems/overlayfs.rst; in a user namespace since Linux 5.11.
struct Overlay {
    let lower: String
    /// Holds `upper` and `work`, which are made when they are missing.
    let layers: String
    let userAttributes: Bool

    /// Makes the mount, without attaching it.
    func make() throws(Failure) -> FileDescriptor {
        try makeLayers()
        var options: [(key: String, value: String?)] = [
            ("lowerdir", Self.escaped(lower)), ("upperdir", "\(layers)/upper"), ("workdir", "\(layers)/work"),
        ]
        if userAttributes { options.append(("userxattr", nil)) }
        do throws(SystemCallError) {
            return try Mount.make("overlay", options: options, attributes: .noDevices)
        } catch {
            throw Failure(
                "mount overlay", lower, "\(error.subject): \(error.errno.reason)",
                remedy: "use --storage copy, or put the data directory on another file system with --root")
        }
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
            if !userAttributes {
                try check("chown", "'\(layers)/upper'") { chown("\(layers)/upper", status.st_uid, status.st_gid) }
            }
        }
    }

    /// A path as overlay's `lowerdir` takes it, where a colon parts directories.
    private static func escaped(_ path: String) -> String {
        path.contains { $0 == ":" || $0 == "\\" || $0 == "," }
            ? String(path.flatMap { ":\\,".contains($0) ? ["\\", $0] : [$0] }) : path
    }
}
