import CLinux
import Glibc
import Linux
import OCI
import SystemPackage

/// Where a container's mounts go: beneath its root, which is mounted but not yet pivoted into.
struct MountTable {
    /// The container's root directory.
    let root: FileDescriptor
    /// Whether this is a user namespace below the initial one, where less may be mounted.
    let inUserNamespace: Bool
    /// Takes what the user should know of how something was mounted.
    var note: (String) -> Void = { _ in }

    /// A mount that was taken from the host's tree while its paths could still be reached.
    struct Source {
        /// Detached; -1 for a mount that is a file system of its own, which is made later.
        let mount: FileDescriptor
        let isDirectory: Bool

        static let none = Source(mount: FileDescriptor(rawValue: -1), isDirectory: true)

        var isBind: Bool { mount.rawValue >= 0 }
    }

    /// Takes hold of what a bind mount shows, before the identity changes.
    ///
    /// - Returns: `.none` for a file system of its own.
    static func openSource(_ mount: Spec.Mount) throws(Failure) -> Source {
        let options = MountOptions(mount.options ?? [])
        guard options.isBind || mount.type == "bind" else { return .none }
        let path = mount.source ?? ""
        return try step("mount", path) { () throws(SystemCallError) in
            let isDirectory = try FileDescriptor.workingDirectory.status(of: path).st_mode & S_IFMT == S_IFDIR
            return Source(mount: try cloneTree(path, recursive: options.isRecursiveBind), isDirectory: isDirectory)
        }
    }

    /// Clones a mount, with those below it where a user namespace may not part them.
    private static func cloneTree(_ path: String, recursive: Bool) throws(SystemCallError) -> FileDescriptor {
        do {
            return try Mount.clone(path, recursive: recursive)
        } catch  where error.errno == .invalidArgument && !recursive {
            return try Mount.clone(path, recursive: true)
        }
    }

    /// Puts one mount of the Spec in place.
    func perform(_ mount: Spec.Mount, source: Source) throws(Failure) {
        let options = MountOptions(mount.options ?? [])
        if source.isBind {
            defer { source.mount.closeQuietly() }
            try attach(source.mount, to: mount.destination, directory: source.isDirectory)
            try apply(options, to: source.mount, named: mount.destination)
            return
        }
        let made = try makeFilesystem(mount, options)
        defer { made.closeQuietly() }
        if options.copiesUp { try copyUp(from: mount.destination, to: made) }
        try attach(made, to: mount.destination, directory: true)
        try applyPropagation(options, to: made, named: mount.destination)
    }

    private func makeFilesystem(_ mount: Spec.Mount, _ options: MountOptions) throws(Failure) -> FileDescriptor {
        let type = mount.type ?? "none"
        do throws(SystemCallError) {
            return try Mount.make(type, options: options.data, attributes: options.set)
        } catch  where inUserNamespace && error.errno == .notPermitted || error.errno == .resourceBusy {
            if let substitute = try hostSubstitute(for: type, options) { return substitute }
            throw Failure(
                type == "proc" ? Self.procfsRefusal : "mount", mount.destination, error, remedy: Self.remedy(for: type))
        } catch {
            throw Failure("mount", mount.destination, error)
        }
    }

    /// What stands in for a file system that this user namespace may not mount.
    ///
    /// - Note: mount_namespaces(7): sysfs needs the network namespace's owner, mqueue that of the IPC namespace.
    private func hostSubstitute(for type: String, _ options: MountOptions) throws(Failure) -> FileDescriptor? {
        let path: String
        switch type {
        case "sysfs": path = "/sys"
        case "mqueue": path = "/dev/mqueue"
        case "proc":
            // `try?`: the caller reports why the full procfs was refused
            let processes = try? Mount.make("proc", options: [("subset", "pid")], attributes: options.set)
            if processes != nil { note("a full /proc is refused here: the container sees only its processes in it") }
            return processes
        default: return nil
        }
        return try step("mount", path) { () throws(SystemCallError) in
            let tree = try Mount.clone(path, recursive: true)
            try Mount.setAttributes(of: tree, named: path, set: options.set, recursive: true)
            return tree
        }
    }

    /// The step of the failure that a refused procfs is, which the supervisor steps down from.
    static let procfsRefusal = "mount a new procfs"

    private static func remedy(for type: String) -> String? {
        type == "proc"
            ? "part of /proc is hidden here, so a new one may not be shown; use --pid host" : nil
    }

    /// Shows the container its own part of the cgroup tree at `mount.destination`.
    ///
    /// - Parameter views: On v2 one directory without a name; on v1 one for each hierarchy, by its name.
    func performCgroupView(_ mount: Spec.Mount, views: [CgroupView]) throws(Failure) {
        let options = MountOptions(mount.options ?? [])
        if let unified = views.first, unified.name.isEmpty {
            return try attachView(unified, at: mount.destination, options)
        }
        let tmpfs = try step("mount", mount.destination) { () throws(SystemCallError) in
            try Mount.make("tmpfs", options: [("mode", "755")], attributes: options.set.subtracting(.readOnly))
        }
        defer { tmpfs.closeQuietly() }
        try attach(tmpfs, to: mount.destination, directory: true)
        for view in views { try attachView(view, at: "\(mount.destination)/\(view.name)", options) }
        guard options.set.contains(.readOnly) else { return }
        try step("mount", mount.destination) { () throws(SystemCallError) in
            try Mount.setAttributes(of: tmpfs, named: mount.destination, set: .readOnly)
        }
    }

    private func attachView(_ view: CgroupView, at path: String, _ options: MountOptions) throws(Failure) {
        defer { view.tree.closeQuietly() }
        try step("mount", path) { () throws(SystemCallError) in
            try Mount.setAttributes(of: view.tree, named: path, set: options.set)
        }
        try attach(view.tree, to: path, directory: true)
    }

    private func attach(_ mount: FileDescriptor, to path: String, directory: Bool) throws(Failure) {
        let target = try openTarget(path, directory: directory)
        defer { target.closeQuietly() }
        try step("mount", path) { () throws(SystemCallError) in
            try Mount.attach(mount, to: target, named: path)
        }
    }

    private func apply(_ options: MountOptions, to mount: FileDescriptor, named path: String) throws(Failure) {
        if !options.set.isEmpty || !options.clear.isEmpty {
            // In a user namespace the flags that the mount came with are locked: only what was asked changes.
            let clear = options.clear.subtracting(inUserNamespace ? .accessTimeMask : [])
            try step("mount", path) { () throws(SystemCallError) in
                try Mount.setAttributes(of: mount, named: path, set: options.set, clear: clear)
            }
        }
        if !options.recursiveSet.isEmpty || !options.recursiveClear.isEmpty {
            try step("mount", path) { () throws(SystemCallError) in
                try Mount.setAttributes(
                    of: mount, named: path, set: options.recursiveSet, clear: options.recursiveClear, recursive: true)
            }
        }
        try applyPropagation(options, to: mount, named: path)
    }

    private func applyPropagation(
        _ options: MountOptions, to mount: FileDescriptor, named path: String
    ) throws(Failure) {
        guard let propagation = options.propagation else { return }
        try step("mount", path) { () throws(SystemCallError) in
            try Mount.setAttributes(
                of: mount, named: path, propagation: propagation, recursive: options.propagationIsRecursive)
        }
    }

    /// Copies the directory that is at `path` in the root into a new tmpfs.
    private func copyUp(from path: String, to tmpfs: FileDescriptor) throws(Failure) {
        try step("copy up", path) { () throws(SystemCallError) in
            guard let directory = try existing(path, O_RDONLY | O_DIRECTORY) else { return }
            defer { directory.closeQuietly() }
            try TreeCopy.copy(contentsOf: directory, to: tmpfs)
        }
    }

    /// Opens `path` beneath the root, or gives `nil` where nothing is there.
    func existing(_ path: String, _ flags: CInt) throws(SystemCallError) -> FileDescriptor? {
        do {
            return try root.open(inRoot: path, flags)
        } catch  where error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory {
            return nil
        }
    }

    /// Opens the place where a mount goes, making it first if it is not there.
    ///
    /// Symlinks resolve beneath the root, whoever made them.
    func openTarget(_ path: String, directory: Bool) throws(Failure) -> FileDescriptor {
        do throws(SystemCallError) {
            let target: FileDescriptor
            if let found = try existing(path, O_PATH) {
                target = found
            } else {
                target = try make(path, directory: directory)
            }
            let status = try target.status()
            let rootStatus = try root.status()
            guard status.st_ino != rootStatus.st_ino || status.st_dev != rootStatus.st_dev else {
                throw SystemCallError("mount", "'\(path)'", .invalidArgument)
            }
            return target
        } catch  where error.errno == .invalidArgument {
            throw Failure(
                "mount", path, "a mount onto the root itself is not possible", remedy: "use --rootfs for the root")
        } catch {
            throw Failure("make mount point", path, error)
        }
    }

    /// Makes `path` beneath the root, component by component, each beneath the descriptor of the one before.
    private func make(_ path: String, directory: Bool) throws(SystemCallError) -> FileDescriptor {
        let names = path.split(separator: "/").map(String.init)
        var walked = ""
        for (index, name) in names.enumerated() {
            let parentPath = walked.isEmpty ? "/" : walked
            walked += "/" + name
            if let next = try existing(walked, O_PATH) {
                next.closeQuietly()
                continue
            }
            let parent = try root.open(inRoot: parentPath, O_PATH | O_DIRECTORY)
            defer { parent.closeQuietly() }
            if index < names.count - 1 || directory {
                try parent.makeDirectory(name)
            } else {
                let file = try parent.open(name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, mode: 0o644)
                file.closeQuietly()
            }
        }
        return try root.open(inRoot: path, O_PATH)
    }
}
