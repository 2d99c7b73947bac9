import CLinux
import Glibc
import Linux
import SystemPackage

/// What a container's root is made of.
public enum RootFilesystem: Sendable, Equatable {
    /// A directory as it is: what the container writes is written there.
    case directory(String)
    /// Directories that stay as they are under an overlay that takes the writes.
    ///
    /// - Parameters:
    ///   - lower: At least one, the topmost first: it hides what is at the same place in those below.
    ///   - layers: A directory of the container's own that holds `upper` and `work`.
    ///   - isVolatile: Whether what is written need not survive a power cut, nor be mounted a second time: its end then
    ///     writes nothing back to the disk.
    case overlay(lower: [String], layers: String, isVolatile: Bool = false)
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
        case .overlay(let lower, let layers, let isVolatile):
            let mount = try Overlay(
                lower: lower, layers: layers, userAttributes: inUserNamespace, isVolatile: isVolatile
            ).make(at: point)
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
        case .overlay(let lower, let layers, let isVolatile):
            // An overlay takes only mounts that have a place: these end up below the overlay and go with the old root.
            for layer in mapped { try Self.attach(layer.tree, to: point) }
            let mount = try Overlay(
                lower: lower, layers: layers, userAttributes: true, mapped: mapped, isVolatile: isVolatile
            ).make(at: point)
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
