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
    /// The SELinux label of what is mounted newly; empty for none.
    var label = ""
    /// Takes what the user should know of how something was mounted.
    var note: (String) -> Void = { _ in }

    /// A mount that was taken from the host's tree while its paths could still be reached.
    struct Source {
        /// Detached; -1 for a mount that is a file system of its own, which is made later.
        let mount: FileDescriptor
        let isDirectory: Bool
        let options: MountOptions

        var isBind: Bool { mount.rawValue >= 0 }
    }

    /// Takes hold of what a bind mount shows, before the identity changes.
    ///
    static func openSource(_ mount: Spec.Mount) throws(Failure) -> Source {
        let options = MountOptions(mount.options ?? [])
        guard options.isBind || mount.type == "bind", !options.isRemount else {
            return Source(mount: FileDescriptor(rawValue: -1), isDirectory: true, options: options)
        }
        let path = mount.source ?? ""
        return try step("mount", path) { () throws(SystemCallError) in
            let isDirectory = try FileDescriptor.workingDirectory.status(of: path).st_mode & S_IFMT == S_IFDIR
            return Source(
                mount: try cloneTree(path, recursive: options.isRecursiveBind), isDirectory: isDirectory,
                options: options)
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
        let options = source.options
        if source.isBind {
            defer { source.mount.closeQuietly() }
            try attach(source.mount, to: mount.destination, directory: source.isDirectory)
            try apply(options, to: source.mount, named: mount.destination)
            return
        }
        if options.isRemount { return try remount(mount, options) }
        if options.data.contains(where: { $0.utf8.count > Mount.optionLimit }) {
            return try attachFilesystem(mount, options)
        }
        let made = try makeFilesystem(mount, options)
        defer { made.closeQuietly() }
        if options.copiesUp { try copyUp(from: mount.destination, to: made, options.set) }
        try attach(made, to: mount.destination, directory: true)
        try applyPropagation(options, to: made, named: mount.destination)
    }

    private func makeFilesystem(_ mount: Spec.Mount, _ options: MountOptions) throws(Failure) -> FileDescriptor {
        let type = mount.type ?? "none"
        do throws(SystemCallError) {
            // What is copied up must be written first.
            let attributes = options.copiesUp ? options.set.subtracting(.readOnly) : options.set
            return try Mount.make(type, options: filesystemOptions(mount, options), attributes: attributes)
        } catch  where type == "devpts" && error.errno == .invalidArgument && Self.namesGroup(mount) {
            // A group that has no ID in this user namespace: the terminals then belong to that of whoever opens one.
            var mount = mount
            mount.options?.removeAll { $0.hasPrefix("gid=") }
            return try makeFilesystem(mount, MountOptions(mount.options ?? []))
        } catch  where inUserNamespace && error.errno == .notPermitted || error.errno == .resourceBusy {
            if let substitute = try hostSubstitute(for: type, options) { return substitute }
            throw Failure(
                type == "proc" ? Self.procfsRefusal : "mount", mount.destination, error, remedy: Self.remedy(for: type))
        } catch {
            // With the option, and the file system's own words.
            throw Failure("mount", mount.destination, "\(error)")
        }
    }

    /// What the file system itself is told: its own options, its device, its label.
    private func filesystemOptions(_ mount: Spec.Mount, _ options: MountOptions) -> [String] {
        var data = options.data
        // Those without a device have a name for it, which programs look for in the list of mounts.
        if let source = mount.source, !source.isEmpty { data.append("source=\(source)") }
        switch mount.type {
        case "proc", "sysfs", "cgroup", "cgroup2": return data
        case "tmpfs", "devpts", "mqueue": return label.isEmpty ? data : data + ["context=\(label)"]
        default:
            // A device that cannot be written to is only taken by a file system that will not.
            if options.set.contains(.readOnly) { data.append("ro") }
            if !label.isEmpty { data.append("context=\(label)") }
            return data
        }
    }

    /// Mounts a file system with options that fsconfig(2) does not take: an overlay of many directories.
    private func attachFilesystem(_ mount: Spec.Mount, _ options: MountOptions) throws(Failure) {
        let target = try openTarget(mount.destination, directory: true)
        defer { target.closeQuietly() }
        try step("mount", mount.destination) { () throws(SystemCallError) in
            try Mount.attachNew(
                mount.type ?? "none", source: mount.source ?? "none", options: options.data, to: target,
                named: mount.destination)
        }
        let made = try openTarget(mount.destination, directory: true)
        defer { made.closeQuietly() }
        try apply(options, to: made, named: mount.destination)
    }

    /// Changes a mount that an earlier one of the Spec, or the root, has made.
    private func remount(_ mount: Spec.Mount, _ options: MountOptions) throws(Failure) {
        let path = mount.destination
        let there = try step("remount", path) { () throws(SystemCallError) in try root.open(inRoot: path, O_PATH) }
        defer { there.closeQuietly() }
        if !options.data.isEmpty {
            try step("remount", path) { () throws(SystemCallError) in
                try Mount.reconfigure(there, named: path, options: options.data)
            }
        }
        try apply(options, to: there, named: path)
    }

    private static func namesGroup(_ mount: Spec.Mount) -> Bool {
        mount.options?.contains { $0.hasPrefix("gid=") } ?? false
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
            // `try?`: the caller reports why the full procfs was refused.
            let processes = try? Mount.make("proc", options: ["subset=pid"], attributes: options.set)
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
    func performCgroupView(
        _ mount: Spec.Mount, _ options: MountOptions, views: [CgroupView]
    ) throws(Failure) {
        if let unified = views.first, unified.name.isEmpty {
            return try attachView(unified, at: mount.destination, options)
        }
        let tmpfs = try step("mount", mount.destination) { () throws(SystemCallError) in
            try Mount.make("tmpfs", options: ["mode=755"], attributes: options.set.subtracting(.readOnly))
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

    /// Puts a mount in place.
    func attach(_ mount: FileDescriptor, to path: String, directory: Bool) throws(Failure) {
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

    /// Copies the directory that is at `path` in the root into a new tmpfs, and gives that its attributes.
    private func copyUp(
        from path: String, to tmpfs: FileDescriptor, _ attributes: MountAttributes
    ) throws(Failure) {
        try step("copy up", path) { () throws(SystemCallError) in
            if let directory = try existing(path, O_RDONLY | O_DIRECTORY) {
                defer { directory.closeQuietly() }
                // A mount's own descriptor is one for paths only.
                let target = try tmpfs.open(".", O_RDONLY | O_DIRECTORY)
                defer { target.closeQuietly() }
                try TreeCopy.copy(contentsOf: directory, to: target)
            }
            if attributes.contains(.readOnly) { try Mount.setAttributes(of: tmpfs, named: path, set: .readOnly) }
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

    /// Makes `path` beneath the root, with what is missing above it.
    private func make(_ path: String, directory: Bool) throws(SystemCallError) -> FileDescriptor {
        let (parentPath, name) = Self.split(path)
        // The usual case: only the last one is missing.
        if !name.isEmpty, let parent = try existing(parentPath, O_PATH | O_DIRECTORY) {
            defer { parent.closeQuietly() }
            if try Self.make(name, in: parent, directory: directory) {
                return try parent.open(name, O_PATH | O_NOFOLLOW)
            }
        }
        return try makeEach(path, directory: directory)
    }

    /// Makes `path` component by component, each beneath the descriptor of the one before.
    ///
    /// A symlink to nowhere is followed: what it leads to is made, beneath the root as well.
    private func makeEach(_ path: String, directory: Bool) throws(SystemCallError) -> FileDescriptor {
        var rest = Self.names(in: path)
        var walked = ""
        var links = 0
        while let name = rest.popFirst() {
            let next = "\(walked)/\(name)"
            if let found = try existing(next, O_PATH) {
                found.closeQuietly()
                walked = next
                continue
            }
            let parent = try root.open(inRoot: walked.isEmpty ? "/" : walked, O_PATH | O_DIRECTORY)
            defer { parent.closeQuietly() }
            if let target = parent.linkTarget(of: name) {
                links += 1
                guard links <= Self.mostLinks else {
                    throw SystemCallError("open", "'\(path)'", .tooManySymbolicLinkLevels)
                }
                if target.utf8.first == UInt8(ascii: "/") { walked = "" }
                rest = Self.names(in: target) + rest
                continue
            }
            try Self.make(name, in: parent, directory: directory || !rest.isEmpty)
            walked = next
        }
        return try root.open(inRoot: walked, O_PATH)
    }

    /// As many symlinks as the kernel follows in one path.
    ///
    /// - Note: path_resolution(7).
    private static let mostLinks = 40

    /// Parted by bytes, as the kernel does: "/" and a combining accent behind it are one character of Swift's.
    private static func names(in path: String) -> ArraySlice<String> {
        path.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }[...]
    }

    /// The last name of `path`, empty behind a slash, and what it is in.
    private static func split(_ path: String) -> (parent: String, name: String) {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return ("/", path) }
        let name = String(Substring(path.utf8[path.utf8.index(after: slash)...]))
        return (slash == path.startIndex ? "/" : String(Substring(path.utf8[..<slash])), name)
    }

    /// - Returns: Whether it was made now.
    @discardableResult
    private static func make(
        _ name: String, in parent: FileDescriptor, directory: Bool
    ) throws(SystemCallError) -> Bool {
        if directory { return try parent.makeDirectory(name) }
        do {
            try parent.open(name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, mode: 0o644).closeQuietly()
            return true
        } catch  where error.errno == .fileExists {
            return false
        }
    }
}
