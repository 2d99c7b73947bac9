import Cgroups
import Glibc
import Linux
import OCI
import Sandbox
import SystemPackage

/// The making of one container, as `create` and `run` do it.
struct Creation {
    let store: RuntimeStore
    let options: CreateOptions
    /// Where the container's command waits for a `start`, rather than being run at once.
    let waits: Bool
    /// Whether init lives on without this process.
    let detaches: Bool
    /// Where the container comes from a checkpoint.
    var restoration: Restoration?

    /// A container whose init waits, or has become the command.
    struct Made {
        let container: RuntimeContainer
        var record: RuntimeRecord
        let spec: Spec
        let process: ProcessHandle
        let cgroup: (any Cgroup)?
        /// The master side of its terminal, unless a console socket has got that.
        let console: FileDescriptor?
    }

    init(_ store: RuntimeStore, _ options: CreateOptions, waits: Bool, detaches: Bool) throws(Failure) {
        self.store = store
        self.options = try options.withAbsolutePaths()
        self.waits = waits
        self.detaches = detaches
    }

    /// Makes the container.
    ///
    /// - Throws: What kept it from being made; nothing is left then.
    func perform() throws -> Made {
        var bundle = try Bundle(entering: options.bundle)
        for warning in try bundle.examine() { Report.warning(warning) }
        try requireConsole(bundle.spec)
        try CreateOptions.requireOpen(descriptors: options.preservedDescriptors + CreateOptions.listenDescriptors)
        // The longest part of a start begins first. Inside a new user namespace it must be made from there.
        let makesNetwork = restoration == nil && bundle.spec.makes(.network) && !bundle.spec.has(.user)
        let network = makesNetwork ? NetworkPreparation.start() : nil
        let receiver: FileDescriptor? =
            switch network {
            case .some(let preparation): preparation.receiver
            case .none: nil
            }
        let container = try store.claim(options.id)
        do {
            try container.lock()
            try container.keepSpec(bundle.bytes)
            return try make(container, bundle, receiver)
        } catch {
            try? container.removeFiles()  // `try?`: the first error is the one to report
            throw error
        }
    }

    /// - Parameter network: Where init receives its network namespace.
    private func make(_ container: RuntimeContainer, _ bundle: Bundle, _ network: FileDescriptor?) throws -> Made {
        let cgroup = try makeCgroup(bundle.spec)
        do {
            var record = RuntimeRecord()
            record.ociVersion = bundle.spec.ociVersion
            record.id = options.id
            record.bundle = bundle.path
            record.rootfs = bundle.rootfs
            record.created = Clock.rfc3339()
            record.annotations = bundle.spec.annotations
            record.cgroup = cgroup?.record
            record.noNewKeyring = options.makesKeyring ? nil : true
            // Before the clone: whoever is killed from here on leaves nothing that `delete` does not find.
            try container.save(record)
            if let restoration { return try restoration.launch(self, container, bundle, record, cgroup) }
            return try launch(container, bundle, record, cgroup, network)
        } catch {
            try? cgroup?.kill()  // `try?`: the first error is the one to report
            try? cgroup?.remove()  // `try?`: as above
            try? container.removeClass(bundle.spec)  // `try?`: as above
            throw error
        }
    }

    private func launch(
        _ container: RuntimeContainer, _ bundle: Bundle, _ record: RuntimeRecord, _ cgroup: (any Cgroup)?,
        _ network: FileDescriptor?
    ) throws -> Made {
        // Init is born into the class that its maker is in.
        if let wish = bundle.spec.linux?.intelRdt { try IntelRdtGroup(wish, id: options.id).enter() }
        var sandbox = try sandbox(container, bundle, record, cgroup)
        sandbox.network = network
        defer { sandbox.cgroup.close() }
        let gated = waits || isGated(cgroup)
        if gated {
            sandbox.engine.gate = try step("make", StartGate.name) { () throws(SystemCallError) in
                try StartGate.make(in: container.directory)
            }
        }
        defer { sandbox.engine.gate?.closeQuietly() }
        // Containers that share a PID namespace see each other's init: no other may reach this executable through it.
        // An ordinary user has IDs to map, for which /proc must be theirs, and nobody there who could write to it.
        if geteuid() == 0 && !bundle.spec.has(.user) {
            try step("protect", "process") { () throws(SystemCallError) in try CurrentProcess.setDumpable(false) }
        }
        let launch = try sandbox.launch()
        cgroup?.didStart()
        let console = try launch.waitUntilRunning { Report.warning($0) }
        do {
            let rest = try deliver(console, of: bundle.spec)
            var record = record
            record.pid = launch.process.pid
            record.startTime = ProcessStatus(launch.process.pid)?.startTime ?? 0
            try container.save(record)
            try announce(launch.process)
            if gated, !waits {
                // Init's end of it is to be the only one.
                sandbox.engine.gate?.closeQuietly()
                sandbox.engine.gate = nil
                try openGate(of: container, for: launch.process)
            }
            return Made(
                container: container, record: record, spec: bundle.spec, process: launch.process, cgroup: cgroup,
                console: rest)
        } catch {
            launch.abandon()
            throw error
        }
    }

    /// Whether a container that runs at once waits until it is recorded: killed before that, the maker of one without a
    /// cgroup would leave it where nobody finds it, unless it ends with its maker.
    private func isGated(_ cgroup: (any Cgroup)?) -> Bool { detaches && cgroup == nil }

    private func openGate(of container: RuntimeContainer, for process: ProcessHandle) throws(Failure) {
        try StartGate.open(in: container.directory, for: process)
        try step("remove", StartGate.name) { () throws(SystemCallError) in
            try container.directory.remove(StartGate.name)
        }
    }

    private func sandbox(
        _ container: RuntimeContainer, _ bundle: Bundle, _ record: RuntimeRecord, _ cgroup: (any Cgroup)?
    ) throws -> Sandbox {
        var spec = bundle.spec
        let listening = CreateOptions.listenDescriptors
        if listening > 0 {
            let environment = spec.process?.env ?? []
            spec.process?.env = environment + ["LISTEN_FDS=\(listening)", "LISTEN_PID=1"]
        }
        let hasTerminal = spec.process?.terminal ?? false
        if hasTerminal && !detaches && spec.process?.consoleSize == nil,
            let size = FileDescriptor(rawValue: STDIN_FILENO).windowSizeIfTerminal()
        {
            spec.process?.consoleSize = Spec.ConsoleSize(height: UInt64(size.rows), width: UInt64(size.columns))
        }
        var sandbox = Sandbox(
            spec: spec, root: .directory(bundle.rootfs), mountPoint: bundle.rootfs, seccomp: try store.filter(of: spec),
            streams: hasTerminal
                ? .terminal
                : .descriptors(
                    input: FileDescriptor(rawValue: STDIN_FILENO), output: FileDescriptor(rawValue: STDOUT_FILENO),
                    error: FileDescriptor(rawValue: STDERR_FILENO), owned: true),
            cgroup: try place(in: cgroup))
        sandbox.supervisorLock = container.directory
        sandbox.rootHoldsDevices = true
        sandbox.seccompListener = SeccompListener(spec.linux?.seccomp, state: record.state(.creating))
        sandbox.engine.outlivesMaker = detaches
        sandbox.engine.state = record.state(.creating)
        sandbox.engine.preservedDescriptors = options.preservedDescriptors + listening
        sandbox.engine.pivots = options.pivots
        sandbox.engine.keepsKeyring = !options.makesKeyring
        return sandbox
    }

    // MARK: Cgroup

    private func makeCgroup(_ spec: Spec) throws -> (any Cgroup)? {
        // Without a cgroup all that may be missing are device rules, for a user who could make no device anyway.
        try Cgroups.create(
            CgroupRequest(
                id: options.id, path: spec.linux?.cgroupsPath, systemd: options.systemdCgroup,
                resources: spec.linux?.resources, specVersion: spec.ociVersion, annotations: spec.annotations,
                mayLackPath: options.rootless ?? (geteuid() != 0))
        ).cgroup
    }

    private func place(in cgroup: (any Cgroup)?) throws -> CgroupPlacement {
        guard let cgroup else { return CgroupPlacement() }
        return CgroupPlacement(
            target: try cgroup.cloneTarget(), joinFiles: try cgroup.joinFiles(), views: cgroup.views)
    }

    /// Tells the engine of init, as it asked for.
    func announce(_ process: ProcessHandle) throws(Failure) {
        if let pidFile = options.pidFile { try PIDFile(pidFile).write(process.pid) }
        if let socket = options.pidfdSocket { try EngineSocket(connecting: socket).send(process: process) }
    }

    // MARK: Terminal

    private func requireConsole(_ spec: Spec) throws(Failure) {
        let hasTerminal = spec.process?.terminal ?? false
        if detaches && hasTerminal && options.consoleSocket == nil {
            throw Failure("", "", "cannot allocate a terminal for a detached container without --console-socket")
        }
        if options.consoleSocket != nil && !(detaches && hasTerminal) {
            throw Failure("", "", "--console-socket is for detached containers with a terminal")
        }
    }

    /// - Returns: What is left for this process to serve.
    func deliver(_ console: FileDescriptor?, of spec: Spec) throws(Failure) -> FileDescriptor? {
        guard let console, let socket = options.consoleSocket else { return console }
        defer { console.closeQuietly() }
        try EngineSocket(connecting: socket).send(terminal: console)
        return nil
    }
}

extension CgroupPlacement {
    /// Closes the descriptors that the container's init has taken over.
    func close() {
        target?.closeQuietly()
        for item in joinFiles { item.closeQuietly() }
    }
}

extension RuntimeStore {
    /// Makes a container whose init waits for `start`.
    public func create(_ options: CreateOptions) throws {
        let made = try Creation(self, options, waits: true, detaches: true).perform()
        made.process.pidfd.closeQuietly()
    }
}

/// Runs one step; a system call that fails in it becomes the failure that the user reads.
func step<Result>(
    _ name: StaticString, _ subject: @autoclosure () -> String, _ body: () throws(SystemCallError) -> Result
) throws(Failure) -> Result {
    do throws(SystemCallError) {
        return try body()
    } catch {
        throw Failure("\(name)", subject(), error)
    }
}
