import CLinux
import Glibc
public import Linux
public import OCI
import Sandbox
public import SystemPackage

/// What a step of a build works in: a container of a moment, whose own layer becomes one of the image.
///
/// It has no name and, unless it lasts, no record. Whoever finds it abandoned removes it as any other container.
public struct BuildStep {
    private let store: ContainerStore
    private let new: ContainerStore.New
    private var config: ContainerConfig { new.config }

    /// - Parameter config: What runs, in a root that is an image's.
    public init(_ config: ContainerConfig, in store: ContainerStore) throws(Failure) {
        var config = config
        config.removeAtEnd = true
        self.store = store
        new = try store.make(config, isBrief: true)
    }

    /// The directory of the step, which goes with its end.
    public var path: String { new.container.path }

    /// Where its changes are when it has ended.
    public var upperPath: String { "\(new.container.layersPath)/upper" }

    // MARK: Commands

    /// Runs the command, with this process as its supervisor and with its standard output and error.
    ///
    /// - Parameters:
    ///   - mounts: Further ones, in the order in which they are made.
    ///   - environment: Variables that no record has.
    ///   - output: Gets its standard output and error.
    ///   - whenDone: Called when the command has ended with status 0 and before its files go.
    /// - Returns: The exit status.
    /// - Throws: What kept it from running, and what `whenDone` throws; nothing is left of it then.
    public func run(
        mounts: [Spec.Mount], environment: [String], output: FileDescriptor,
        whenDone: @escaping () throws(Failure) -> Void
    ) throws -> Int32 {
        let caches: HeldCaches
        let supervisor: Supervisor
        do {
            caches = try HeldCaches(config, in: store)
            supervisor = try store.supervise(new, attachment: .inherited)
        } catch {
            abandon()
            throw error
        }
        supervisor.caches = caches
        supervisor.stepEnvironment = environment
        supervisor.stepMounts = mounts
        supervisor.endsOnSignals = true
        supervisor.beforeRemoval = { code in if code == 0 { try whenDone() } }
        let own = try Self.redirect(to: output)
        defer { Self.restore(own) }
        return try supervisor.run(removeIfNotStarted: true)
    }

    /// Makes a descriptor this process' own standard output and error.
    ///
    /// - Returns: What they were.
    private static func redirect(
        to output: FileDescriptor
    ) throws(Failure) -> (output: FileDescriptor, error: FileDescriptor) {
        do throws(SystemCallError) {
            func copy(_ stream: CInt) throws(SystemCallError) -> FileDescriptor {
                FileDescriptor(
                    rawValue: try check("fcntl", "fd \(stream)") { apus_fcntl_int(stream, F_DUPFD_CLOEXEC, 3) })
            }
            let own = (try copy(STDOUT_FILENO), try copy(STDERR_FILENO))
            for stream in [STDOUT_FILENO, STDERR_FILENO] where output.rawValue != stream {
                try check("dup2", "fd \(stream)") { dup2(output.rawValue, stream) }
            }
            return own
        } catch {
            throw Failure("redirect", "standard output", error)
        }
    }

    private static func restore(_ own: (output: FileDescriptor, error: FileDescriptor)) {
        dup2(own.output.rawValue, STDOUT_FILENO)
        dup2(own.error.rawValue, STDERR_FILENO)
        own.output.closeQuietly()
        own.error.closeQuietly()
    }

    /// The paths in the root that are made to mount upon, if they are not there.
    ///
    /// - Parameter mounts: As for `run`.
    public func mountPoints(_ mounts: [Spec.Mount]) throws(Failure) -> [String] {
        let spec = try new.container.makeSpec(config)
        var paths: Set<String> = []
        for mount in (spec.mounts ?? []) + mounts {
            var path = mount.destination[...]
            while path.utf8.count > 1 {
                paths.insert(String(path))
                path = path[..<(path.lastIndex(of: "/") ?? path.startIndex)]
            }
        }
        return paths.sorted()
    }

    // MARK: Files

    /// Calls `body` in a child process whose root is the container's, as its root user; then `whenDone`, and removes what
    /// is left.
    ///
    /// - Parameters:
    ///   - outside: Called in the child before the root is entered, while the machine's paths lead to its files. Mounts
    ///     made then are the child's own.
    ///   - whenDone: Called here when `body` has ended well.
    public func change<Preparation>(
        outside: () throws(Failure) -> Preparation, _ body: (Preparation) throws(Failure) -> Void,
        whenDone: () throws(Failure) -> Void
    ) throws(Failure) {
        defer { store.releaseAlive(new.container.id, new.alive) }
        do throws(Failure) {
            let held = try new.container.holdLayers(config)
            defer { held?.closeQuietly() }
            var spec = try new.container.makeSpec(config)
            spec.mounts = nil
            spec.root?.readonly = nil
            let root = try new.container.prepareRoot(config, spec, isLast: true)
            let mountPoint = new.container.mountPoint
            let visit = RootVisit.stopped(root: root, mountPoint: mountPoint, spec: spec)
            try visit.start(preparing: outside, body).finish()
            try whenDone()
        } catch {
            try? new.container.removeFiles(name: nil)  // `try?`: the first error is the one to report
            throw error
        }
        try new.container.removeFiles(name: nil)
    }

    /// Removes a step that was not run.
    public func abandon() {
        try? new.container.removeFiles(name: nil)  // `try?`: the next command removes it
        store.releaseAlive(new.container.id, new.alive)
    }
}

extension ContainerStore {
    /// Does something where the owners of the files in this user's images exist: here for root, in a child for others.
    ///
    /// - Returns: What `body` returns.
    public func asOwnerOfImages(_ body: () throws(Failure) -> [UInt8]) throws(Failure) -> [UInt8] {
        if geteuid() == 0 { return try body() }
        return try inChildOfOwner(body)
    }

    /// As `asOwnerOfImages`, in a child with mounts of its own for everybody.
    public func inChildOfOwner(_ body: () throws(Failure) -> [UInt8]) throws(Failure) -> [UInt8] {
        var spec = Spec()
        if geteuid() != 0 {
            let users = try UserNamespace.ofCaller(id: "", store: self)
            spec.linux = Spec.Linux(
                uidMappings: users.uids, gidMappings: users.gids, namespaces: [Spec.Namespace(type: .user)])
        }
        return try RootVisit.answer(asOwnerOf: spec, body)
    }

    /// Opens what layers show together, to be read, in a process with mounts of its own.
    ///
    /// - Parameter chains: Hexadecimal digits of the chain IDs, the topmost first.
    public func openLayers(_ chains: [String]) throws(Failure) -> FileDescriptor {
        let point = "\(path)/root"
        do throws(SystemCallError) {
            if !directory.has("root") { try directory.makeDirectory("root", mode: 0o700) }
        } catch {
            throw Failure("make mount point", point, error)
        }
        let paths = chains.isEmpty ? [point] : chains.map { layerPath($0) }
        return try LayerView.open(paths, at: point, inUserNamespace: !CurrentProcess.isHostRoot)
    }
}

extension CurrentProcess {
    /// Whether this is the machine's root, whose overlays keep their marks in `trusted.` attributes.
    fileprivate static var isHostRoot: Bool {
        guard geteuid() == 0 else { return false }
        let map = FileDescriptor.contentsIfReadable(of: "/proc/self/uid_map", limit: 4096) ?? []
        let numbers = map.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
            .map { String(decoding: $0, as: UTF8.self) }
        // Without /proc it cannot be told; then it is what root mostly is.
        return numbers.isEmpty || numbers == ["0", "0", "4294967295"]
    }
}
