import CLinux
import Cgroups
import Glibc
import Linux
import OCI
import Sandbox
import SystemPackage

/// Everything between a container's records and its running command: cgroup, filter, streams, root, launch.
struct ContainerStart {
    let container: Container
    let config: ContainerConfig
    /// Whether everything is done but to run the command.
    var rehearses = false
    /// Whether all that a report tells is counted from the start.
    var counts = false
    /// The caches that it gets.
    var caches = HeldCaches.none
    /// Further mounts, which no config can ask for.
    var stepMounts: [Spec.Mount] = []
    /// Further variables, which no record may hold.
    var stepEnvironment: [String] = []

    /// The container's `alive` lock.
    private let alive: FileDescriptor?

    init(_ container: Container, _ config: ContainerConfig, alive: FileDescriptor? = nil) {
        self.container = container
        self.config = config
        self.alive = alive
    }

    /// What the container's standard streams are to be.
    enum Streams {
        case terminal
        case inherited(withInput: Bool)
        case pipes(withInput: Bool)
    }

    /// The supervisor's ends of them.
    struct SupervisorEnds {
        var terminal: FileDescriptor?
        var input: FileDescriptor?
        var output: FileDescriptor?
        var error: FileDescriptor?
        var areInherited = false
    }

    /// A container whose command runs.
    struct Started {
        let process: ProcessHandle
        let cgroup: (any Cgroup)?
        let limits: [LimitRecord]
        let streams: SupervisorEnds
        /// What it was started from.
        let spec: Spec
        /// With their values, for whoever hides them in its output.
        let secrets: [SecretFile]
        /// Its mount namespace, where its end needs that.
        let view: FileDescriptor?
        let connection: NetworkConnection?
    }

    /// Starts the container's command.
    ///
    /// - Throws: What kept it from running; nothing is left then.
    func begin(streams plan: Streams, network: consuming NetworkPreparation? = nil) throws -> Started {
        var spec = try container.makeSpec(config)
        let secrets = try config.loadSecrets()
        // A network namespace inside a new user namespace must be made from there.
        if network == nil, spec.makes(.network), !spec.has(.user) { network = NetworkPreparation.start() }
        let connection = try NetworkConnection.open(container, config)
        do {
            try connection?.prepare(&spec)
            return try begin(plan, spec, secrets, connection, Preparation(of: network))
        } catch {
            connection?.end()
            throw error
        }
    }

    /// Both ends of the socket by which a network namespace comes that is made meanwhile; its owner keeps them open.
    private struct Preparation {
        let receiver: FileDescriptor
        let sender: FileDescriptor

        init?(of network: borrowing NetworkPreparation?) {
            switch network {
            case .some(let preparation): (receiver, sender) = (preparation.receiver, preparation.sender)
            case .none: return nil
            }
        }
    }

    private func begin(
        _ plan: Streams, _ made: Spec, _ secrets: [SecretFile], _ connection: NetworkConnection?,
        _ preparation: Preparation?
    ) throws -> Started {
        var spec = made
        try container.writeHostFiles(config, spec, connection)
        try connection?.announce()
        try container.makeVolumes(config)
        try container.fillVolumes(config)
        if !caches.caches.isEmpty {
            spec.mounts = (spec.mounts ?? []) + (try container.cacheMounts(caches, config, spec))
        }
        if !stepMounts.isEmpty { spec.mounts = (spec.mounts ?? []) + stepMounts }
        let (cgroup, limits) = try Cgroups.create(
            id: container.id, resources: spec.linux?.resources,
            policy: config.limits, parent: config.cgroupParent, counts: counts)
        do {
            return try begin(plan, spec, secrets, cgroup, limits, connection, preparation)
        } catch {
            try? cgroup?.kill()  // `try?`: the first error is the one to report
            try? cgroup?.remove()  // `try?`: as above; the next command would find it by its name
            throw error
        }
    }

    private func begin(
        _ plan: Streams, _ spec: Spec, _ secrets: [SecretFile], _ cgroup: (any Cgroup)?, _ limits: [LimitRecord],
        _ connection: NetworkConnection?, _ preparation: Preparation?
    ) throws -> Started {
        var streams = try StreamSetup(plan)
        defer { streams.closeContainerEnds() }
        let placement = try place(in: cgroup)
        defer { placement.close() }
        var sandbox = Sandbox(
            spec: spec, root: try container.prepareRoot(config, spec, isLast: config.removeAtEnd),
            mountPoint: container.mountPoint,
            seccomp: try container.seccompProgram(config.effectiveSeccomp, spec), streams: streams.forContainer,
            cgroup: placement,
            usesInit: config.initProcess)
        sandbox.spec.process?.env?.append(contentsOf: stepEnvironment)
        sandbox.rehearses = rehearses
        if let filter = sandbox.seccomp, filter.flags.contains(.newListener) {
            sandbox.seccompListener = try container.seccompListener(config, spec, .creating)
        }
        sandbox.hostnameIsUsual = config.hostname == nil && !config.isReproducible
        sandbox.secrets = secrets
        sandbox.keepsView = config.job?.artifacts.isEmpty == false
        sandbox.workspace = config.job?.workspace?.destination
        sandbox.supervisorLock = alive
        sandbox.network = preparation?.receiver
        // As late as it can be: the namespace is in the making meanwhile.
        let connected = try connection.flatMap { connection in
            try preparation.map { try Self.connect($0, connection) }
        }
        defer { connected?.closeQuietly() }
        if let connection, preparation == nil {
            sandbox.connect = { (pid) throws(Failure) in try connection.connect(pid) }
        }
        let (launch, console, view) = try launch(&sandbox, connection)
        streams.ends.terminal = console
        sandbox.spec.process?.env?.removeLast(stepEnvironment.count)
        return Started(
            process: launch.process, cgroup: cgroup, limits: limits, streams: streams.ends,
            spec: connection?.recorded(sandbox.spec) ?? sandbox.spec, secrets: secrets, view: view,
            connection: connection)
    }

    /// Connects the network namespace that was prepared, and hands it on to init.
    ///
    /// - Returns: The namespace.
    private static func connect(
        _ preparation: Preparation, _ connection: NetworkConnection
    ) throws -> FileDescriptor {
        let namespace = try NetworkPreparation.take(from: preparation.receiver)
        do {
            try connection.connectPrepared(namespace)
            try NetworkPreparation.hand(namespace, over: preparation.sender)
            return namespace
        } catch {
            namespace.closeQuietly()
            throw error
        }
    }

    /// Launches, and steps down where this machine hides parts of /proc, so that no new one may be mounted.
    ///
    /// - Note: mount_namespaces(7): a user namespace may mount procfs only where the one above it shows all of one.
    private func launch(
        _ sandbox: inout Sandbox, _ connection: NetworkConnection?
    ) throws(Failure) -> Launched {
        do throws(Failure) {
            return try launchOnce(sandbox)
        } catch  where error.isRefusedProcfs && sandbox.spec.hasOwnPIDNamespace {
            Report.line("a new /proc is refused here: the container shares this machine's processes and their /proc")
            sandbox.spec.shareProcesses()
            sandbox.network = nil  // the first init has received it
            if let connection { sandbox.connect = { (pid) throws(Failure) in try connection.connect(pid) } }
            return try launchOnce(sandbox)
        }
    }

    private typealias Launched = (Launch, console: FileDescriptor?, view: FileDescriptor?)

    private func launchOnce(_ sandbox: Sandbox) throws(Failure) -> Launched {
        let launch = try sandbox.launch()
        var view: FileDescriptor?
        let console = try launch.waitUntilRunning(onNote: { Report.line($0) }, onView: { view = $0 })
        return (launch, console, view)
    }

    private func place(in cgroup: (any Cgroup)?) throws -> CgroupPlacement {
        guard let cgroup else { return CgroupPlacement() }
        return CgroupPlacement(
            target: try cgroup.cloneTarget(), joinFiles: try cgroup.joinFiles(), views: cgroup.views)
    }
}

extension CgroupPlacement {
    /// Closes the descriptors that the container's init has taken over.
    func close() {
        target?.closeQuietly()
        for item in joinFiles { item.closeQuietly() }
    }
}

extension Spec {
    var hasOwnPIDNamespace: Bool { makes(.pid) }

    /// Gives up the PID namespace, and shows the outer /proc.
    mutating func shareProcesses() {
        linux?.namespaces?.removeAll { $0.type == .pid }
        for index in (mounts ?? []).indices where mounts?[index].destination == "/proc" {
            mounts?[index] = Mount(destination: "/proc", type: "bind", source: "/proc", options: ["rbind"])
        }
    }
}

/// The pipes between a container and its supervisor.
private struct StreamSetup {
    var ends = ContainerStart.SupervisorEnds()
    let forContainer: StandardStreams
    private var toClose: [FileDescriptor] = []

    init(_ plan: ContainerStart.Streams) throws(Failure) {
        do throws(SystemCallError) {
            switch plan {
            case .terminal:
                forContainer = .terminal
            case .inherited(let withInput):
                ends.areInherited = true
                var input = FileDescriptor(rawValue: STDIN_FILENO)
                if !withInput {
                    input = try FileDescriptor.workingDirectory.open("/dev/null")
                    toClose = [input]
                }
                forContainer = .descriptors(
                    input: input, output: FileDescriptor(rawValue: STDOUT_FILENO),
                    error: FileDescriptor(rawValue: STDERR_FILENO), owned: false)
            case .pipes(let withInput):
                let output = try FileDescriptor.makePipe()
                let error = try FileDescriptor.makePipe()
                var input = try FileDescriptor.workingDirectory.open("/dev/null")
                if withInput {
                    input.closeQuietly()
                    let pipe = try FileDescriptor.makePipe()
                    input = pipe.read
                    ends.input = pipe.write
                }
                (ends.output, ends.error) = (output.read, error.read)
                toClose = [input, output.write, error.write]
                forContainer = .descriptors(input: input, output: output.write, error: error.write, owned: true)
            }
        } catch {
            throw Failure("make", "the container's streams", error)
        }
    }

    mutating func closeContainerEnds() {
        for item in toClose { item.closeQuietly() }
        toClose = []
    }
}
