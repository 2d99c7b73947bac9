import CLinux
import Glibc
public import Linux
public import SystemPackage

/// Layers that lie one over the other, seen as the one directory that they are together.
public enum LayerView {
    /// Opens what layers show together, to be read.
    ///
    /// With more than one, this mount namespace must be the process' own.
    ///
    /// - Parameters:
    ///   - layers: At least one, the topmost first.
    ///   - point: An empty directory that older kernels need for a moment.
    ///   - inUserNamespace: Whether the layers keep their marks in `user.` attributes.
    public static func open(
        _ layers: [String], at point: String, inUserNamespace: Bool
    ) throws(Failure) -> FileDescriptor {
        guard layers.count > 1 else {
            return try step("open layer", layers[0]) { () throws(SystemCallError) in
                try FileDescriptor.workingDirectory.open(layers[0], O_RDONLY | O_DIRECTORY)
            }
        }
        let mount = try Overlay(lower: layers, layers: nil, userAttributes: inUserNamespace).make(at: point)
        defer { mount.closeQuietly() }
        return try step("open layer", layers[0]) { () throws(SystemCallError) in
            try mount.open(".", O_RDONLY | O_DIRECTORY)
        }
    }
}
