import CLinux
import Glibc
public import Linux
public import OCI
import SystemPackage

/// A container's root, entered from outside to read or write files in it: for `cp` and `diff`.
///
/// The visitor is a child process whose root is the container's, so that no path and no symlink leads out of it, and
/// which sees no /proc in it, so that no magic link does either.
public enum RootVisit: Sendable {
    /// That of a running container, with its mounts.
    ///
    /// - Parameter initProcess: The container's init, which stays open for as long as the visit is being started.
    case running(initProcess: ProcessHandle, spec: Spec)
    /// That of a container which does not run: mounted for the visitor alone, with the container's bind mounts.
    ///
    /// - Parameter mountPoint: An empty directory that a root without a place of its own is attached to.
    case stopped(root: RootFilesystem, mountPoint: String, spec: Spec)

    /// That of a container that has ended, as it last was, with its mounts.
    ///
    /// - Parameter mounts: Its mount namespace, which lives for as long as this is open.
    case ended(mounts: FileDescriptor, spec: Spec)

    /// Starts `body` in a child process in the root, with `/` as its working directory.
    ///
    /// The child is root in the container's user namespace.
    public func start(_ body: () throws(Failure) -> Void) throws(Failure) -> Errand {
        switch self {
        case .running(let initProcess, let spec):
            return try Errand.start { () throws(Failure) in
                try Self.join(initProcess, spec)
                try body()
            }
        case .ended(let mounts, let spec):
            return try Errand.start { () throws(Failure) in
                try Self.join(mounts, spec)
                try body()
            }
        case .stopped(let root, let mountPoint, let spec):
            let handed = try HandedMounts(spec, root: root)
            defer { handed.close() }
            return try Self.startStopped(spec) { () throws(Failure) in
                try Self.enter(root, mountPoint, spec, handed)
                try body()
            }
        }
    }

    /// As `start`, for a container that does not run, with something to be done in the child before it enters the root.
    public func start<Preparation>(
        preparing outside: () throws(Failure) -> Preparation, _ body: (Preparation) throws(Failure) -> Void
    ) throws(Failure) -> Errand {
        guard case .stopped(let root, let mountPoint, let spec) = self else {
            throw Failure("enter root", "", "the container runs")
        }
        let handed = try HandedMounts(spec, root: root)
        defer { handed.close() }
        return try Self.startStopped(spec) { () throws(Failure) in
            let prepared = try outside()
            try Self.enter(root, mountPoint, spec, handed)
            try body(prepared)
        }
    }

    /// Starts `body` in a child process that has the rights of the container's root user, but this machine's root.
    ///
    /// For files that belong to the container's users and lie in its layers.
    public static func startAsOwner(of spec: Spec, _ body: () throws(Failure) -> Void) throws(Failure) -> Errand {
        try startStopped(spec, body)
    }

    /// Has `body` look at something as `startAsOwner` does, and waits for what it finds.
    ///
    /// - Throws: What `body` throws; `EFBIG` beyond 1 GiB.
    public static func answer(
        asOwnerOf spec: Spec, _ body: () throws(Failure) -> [UInt8]
    ) throws(Failure) -> [UInt8] {
        let (read, write) = try step("make", "pipe") { () throws(SystemCallError) in try FileDescriptor.makePipe() }
        defer { read.closeQuietly() }
        let errand: Errand
        do throws(Failure) {
            errand = try startAsOwner(of: spec) { () throws(Failure) in
                let bytes = try body()
                try? write.writeFully(bytes)  // `try?`: a parent that is gone wants no answer
            }
        } catch {
            write.closeQuietly()
            throw error
        }
        write.closeQuietly()
        let answer = Result { () throws(SystemCallError) in try read.readAll(limit: 1 << 30) }
        try errand.finish()
        return try step("read", "answer of child process") { () throws(SystemCallError) in try answer.get() }
    }

    // MARK: A container that does not run

    private static func startStopped(_ spec: Spec, _ body: () throws(Failure) -> Void) throws(Failure) -> Errand {
        let userNamespace = spec.linux?.namespaces?.first { $0.type == .user }
        if let path = userNamespace?.path {
            throw Failure(
                "enter root", path, "the container shares the users of another one", remedy: "start it first")
        }
        return try Errand.start(
            in: userNamespace == nil ? .mount : [.user, .mount], uids: spec.linux?.uidMappings ?? [],
            gids: spec.linux?.gidMappings ?? [], body)
    }

    private static func enter(
        _ root: RootFilesystem, _ mountPoint: String, _ spec: Spec, _ handed: HandedMounts
    ) throws(Failure) {
        let proc = try openMachineProc()
        let inUserNamespace = spec.has(.user)
        var binds: [(mount: Spec.Mount, source: MountTable.Source)] = []
        for (index, mount) in (spec.mounts ?? []).enumerated() where !Self.isMadeForItself(mount) {
            let source = try handed.source(of: mount, at: index)
            if source.isBind { binds.append((mount, source)) }
        }
        let mounted = try root.mount(at: mountPoint, inUserNamespace: inUserNamespace, layers: handed.layers)
        let table = MountTable(root: mounted, inUserNamespace: inUserNamespace)
        for (mount, source) in binds { try table.perform(mount, source: source) }
        if spec.root?.readonly ?? false {
            try step("make read-only", "/") { () throws(SystemCallError) in
                try Mount.setAttributes(of: mounted, named: "/", set: .readOnly)
            }
        }
        try confine(to: mounted, proc)
    }

    /// Devices and kernel file systems have no place in a root that nothing runs in.
    private static func isMadeForItself(_ mount: Spec.Mount) -> Bool {
        ["/dev", "/proc", "/sys"].contains { mount.destination == $0 || mount.destination.hasPrefix("\($0)/") }
    }

    // MARK: A running container

    private static func join(_ initProcess: ProcessHandle, _ spec: Spec) throws(Failure) {
        try join(spec) { () throws(SystemCallError) in
            try CurrentProcess.join(spec.has(.user) ? [.user, .mount] : .mount, of: initProcess.pidfd)
        }
    }

    private static func join(_ mounts: FileDescriptor, _ spec: Spec) throws(Failure) {
        try join(spec) { () throws(SystemCallError) in
            if spec.has(.user) {
                let owner = try check("ioctl", "NS_GET_USERNS") {
                    apus_ioctl_int(mounts.rawValue, ownerOfNamespace, 0)
                }
                let users = FileDescriptor(rawValue: owner)
                defer { users.closeQuietly() }
                try CurrentProcess.join(.user, file: users, named: "user")
            }
            try CurrentProcess.join(.mount, file: mounts, named: "mnt")
        }
    }

    /// `NS_GET_USERNS` of ioctl_ns(2), whose macro Swift cannot import.
    private static let ownerOfNamespace: UInt = 0xb701

    private static func join(_ spec: Spec, _ enter: () throws(SystemCallError) -> Void) throws(Failure) {
        let proc = try openMachineProc()
        try step("join", "the container's mounts") { () throws(SystemCallError) in
            // The container's processes must not look into this one, which holds descriptors of the host.
            try CurrentProcess.setDumpable(false)
            try enter()
            if spec.has(.user) {
                try check("setresgid", "0") { apus_setresgid(0) }
                try check("setresuid", "0") { apus_setresuid(0) }
            }
            // A copy of its mounts, so that what is hidden from here on stays visible in the container.
            try CurrentProcess.unshare(.mount)
            try Mount.setPropagationOfAll(.private)
        }
        let root = try step("open", "the container's root") { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.open("/", O_PATH | O_DIRECTORY)
        }
        try confine(to: root, proc)
    }

    // MARK: Confinement

    private static func openMachineProc() throws(Failure) -> FileDescriptor {
        try step("open", "/proc") { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.open("/proc", O_PATH | O_DIRECTORY)
        }
    }

    /// Makes `root` the root directory, and covers every procfs in it.
    private static func confine(to root: FileDescriptor, _ proc: FileDescriptor) throws(Failure) {
        try step("enter", "the container's root") { () throws(SystemCallError) in
            try check("fchdir") { fchdir(root.rawValue) }
            try check("chroot") { chroot(".") }
            try check("chdir", "'/'") { chdir("/") }
        }
        root.closeQuietly()
        let filesystems = try processFilesystems(proc)
        proc.closeQuietly()
        try cover(filesystems)
    }

    /// Links such as /proc/1/root lead out of any root. There may be several procfs, and one mounted over another.
    private static func cover(_ paths: [String]) throws(Failure) {
        for path in paths {
            try step("cover", path) { () throws(SystemCallError) in
                let here = FileDescriptor.workingDirectory
                guard let target = try openIfThere(path, here) else { return }
                defer { target.closeQuietly() }
                guard try target.status().st_mode & S_IFMT == S_IFDIR else { return }
                let cover = try Mount.make("tmpfs", options: ["size=0"], attributes: .readOnly)
                defer { cover.closeQuietly() }
                try Mount.attach(cover, to: target, named: path)
            }
        }
    }

    /// - Returns: `nil` for a mount that another one hides: nobody can reach it.
    private static func openIfThere(
        _ path: String, _ directory: FileDescriptor
    ) throws(SystemCallError) -> FileDescriptor? {
        do {
            return try directory.open(path, O_PATH | O_NOFOLLOW)
        } catch  where error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory {
            return nil
        }
    }

    /// Where a procfs is mounted, by this process' own mount table.
    ///
    /// - Parameter proc: The machine's /proc, which the container cannot have tampered with.
    private static func processFilesystems(_ proc: FileDescriptor) throws(Failure) -> [String] {
        let table = try step("read", "mount table") { () throws(SystemCallError) in
            try proc.contents(of: "self/mountinfo", limit: 16 << 20)
        }
        return table.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: " "))
            guard let dash = fields.firstIndex(of: [UInt8(ascii: "-")]), dash + 1 < fields.count, dash > 5,
                fields[dash + 1].elementsEqual("proc".utf8)
            else { return nil }
            return HostRoot.unescaped(fields[4])
        }
    }
}
