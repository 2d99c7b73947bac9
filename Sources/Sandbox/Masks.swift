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
        var covers = Covers()
        defer { covers.close() }
        for path in paths {
            try step("mask", path) { () throws(SystemCallError) in
                guard let target = try existing(path, O_PATH) else { return }
                defer { target.closeQuietly() }
                if try target.status().st_mode & S_IFMT == S_IFDIR {
                    try covers.cover(directory: target, named: path)
                } else {
                    try covers.cover(file: target, named: path, in: root)
                }
            }
        }
    }

    /// What lies over masked paths: one of each kind is made, the others are clones of it.
    private struct Covers {
        private var directory: FileDescriptor?
        private var file: FileDescriptor?

        mutating func cover(directory target: FileDescriptor, named path: String) throws(SystemCallError) {
            if let directory { return try attachClone(of: directory, to: target, named: path) }
            let tmpfs = try Mount.make("tmpfs", options: ["size=0"], attributes: .readOnly)
            directory = tmpfs
            // Attached before it is cloned, as kernels before 6.15 want it.
            try Mount.attach(tmpfs, to: target, named: path)
        }

        mutating func cover(
            file target: FileDescriptor, named path: String, in root: FileDescriptor
        ) throws(SystemCallError) {
            if let file { return try attachClone(of: file, to: target, named: path) }
            let null = try root.open(inRoot: "/dev/null", O_PATH)
            file = null
            try attachClone(of: null, to: target, named: path)
        }

        private func attachClone(
            of source: FileDescriptor, to target: FileDescriptor, named path: String
        ) throws(SystemCallError) {
            let clone = try Mount.clone(at: source, "")
            defer { clone.closeQuietly() }
            try Mount.attach(clone, to: target, named: path)
        }

        func close() {
            directory?.closeQuietly()
            file?.closeQuietly()
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
