import CLinux
import Glibc
import Linux
import SystemPackage

/// Paths that a container may not read, or not change.
///
/// - Note: OCI runtime-spec, config-linux.md, "Masked Paths" and "Readonly Paths".
extension MountTable {
    /// Covers each path that exists: a file by /dev/null, a directory by an empty read-only tmpfs.
    func mask(_ paths: [String]) throws(Failure) {
        for path in paths {
            try step("mask", path) { () throws(SystemCallError) in
                guard let target = try existing(path, O_PATH) else { return }
                defer { target.closeQuietly() }
                let isDirectory = try target.status().st_mode & S_IFMT == S_IFDIR
                let cover =
                    isDirectory
                    ? try Mount.make("tmpfs", options: [("size", "0")], attributes: .readOnly)
                    : try Mount.clone(at: root, "dev/null")
                defer { cover.closeQuietly() }
                try Mount.attach(cover, to: target, named: path)
            }
        }
    }

    /// Makes each path that exists read-only, with all mounts below it.
    func makeReadOnly(_ paths: [String]) throws(Failure) {
        for path in paths {
            try step("make read-only", path) { () throws(SystemCallError) in
                guard let target = try existing(path, O_PATH) else { return }
                defer { target.closeQuietly() }
                let tree = try Mount.clone(at: target, "", recursive: true)
                defer { tree.closeQuietly() }
                try Mount.setAttributes(of: tree, named: path, set: .readOnly, recursive: true)
                try Mount.attach(tree, to: target, named: path)
            }
        }
    }
}
