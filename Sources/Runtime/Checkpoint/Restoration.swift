import Cgroups
import Glibc
import Linux
import OCI
import Sandbox
import SystemPackage

extension RuntimeStore {
    /// Makes a container again from what `checkpoint` has saved, and returns.
    public func restoreDetached(_ options: CreateOptions, from checkpoint: CheckpointOptions) throws {
        let made = try restore(options, from: checkpoint, detaches: true)
        made.process.pidfd.closeQuietly()
    }

    /// As above, and serves it until it has ended.
    ///
    /// - Returns: As `runInForeground`.
    public func restoreInForeground(_ options: CreateOptions, from checkpoint: CheckpointOptions) throws -> Int32 {
        let signals = try ForegroundProcess.holdSignals()
        let made = try restore(options, from: checkpoint, detaches: false)
        return try ForegroundRun(made: made, signals: signals).serve(keep: false)
    }

    private func restore(
        _ options: CreateOptions, from checkpoint: CheckpointOptions, detaches: Bool
    ) throws -> Creation.Made {
        // Before the bundle becomes the working directory.
        let job = try CriuJob(checkpoint.withAbsolutePaths(), log: "restore.log", makesImages: false)
        defer { job.close() }
        var creation = try Creation(self, options, waits: false, detaches: detaches)
        creation.restoration = Restoration(job: job)
        return try creation.perform()
    }
}

/// The way by which a container that was saved comes to its processes: CRIU makes them, rather than `Sandbox`.
struct Restoration {
    let job: CriuJob

    /// A directory of the container's, where its root is mounted for CRIU alone.
    private static let rootName = "criu-root"

    /// Makes its processes. They go on when this returns, and are recorded before.
    ///
    /// Init is a child of this process, though CRIU made it.
    func launch(
        _ creation: Creation, _ container: RuntimeContainer, _ bundle: Bundle, _ record: RuntimeRecord,
        _ cgroup: (any Cgroup)?
    ) throws -> Creation.Made {
        let request = try request(container, bundle, cgroup)
        let surroundings = try surroundings(of: container, bundle, cgroup)
        var restored = Restored(creation: creation, container: container, spec: bundle.spec, record: record)
        defer {
            surroundings.cgroup.close()
            for file in surroundings.descriptors { file.closeQuietly() }
            try? container.directory.remove(Self.rootName, directory: true)  // `try?`: it goes with the container
        }
        var options = request
        for (index, name) in namespaces(of: bundle.spec).enumerated() {
            let number = CriuService.firstDescriptor + job.directories.count + index
            options.add(.inheritedDescriptor, ExternalNamespaces.key(of: name), number)
        }
        let answer = try job.service.call(surroundings) { pid throws(Failure) in
            CriuMessages.request(.restore, try Self.adding(cgroupsOf: pid, to: options))
        } notify: { name, pid, descriptor in
            try restored.notice(name, pid, descriptor)
        }
        try job.requireSuccess(answer, "restore", container.id)
        cgroup?.didStart()
        return try restored.made(cgroup)
    }

    // MARK: What CRIU is asked

    private func request(
        _ container: RuntimeContainer, _ bundle: Bundle, _ cgroup: (any Cgroup)?
    ) throws -> CriuRequestOptions {
        var request = job.request(bundle.spec)
        request.set(.root, "\(container.store.path)/\(container.id)/\(Self.rootName)")
        request.set(.evasiveDevices, true)
        request.set(.restoresSibling, true)
        if let profile = job.options.lsmProfile { request.set(.lsmProfile, profile) }
        if let context = job.options.lsmMountContext { request.set(.lsmMountContext, context) }
        for namespace in bundle.spec.linux?.namespaces ?? [] {
            guard let path = namespace.path else { continue }
            switch namespace.type {
            case .network, .pid: continue
            case .cgroup: throw Failure("restore", container.id, "criu cannot join the cgroup namespace '\(path)'")
            case .mount: throw Failure("restore", container.id, "criu cannot join the mount namespace '\(path)'")
            case .ipc, .uts, .user, .time: request.add(.joinedNamespace, namespace.type.rawValue, path)
            }
        }
        for mount in try ExternalMounts(bundle.spec, rootfs: bundle.rootfs, cgroup: cgroup).mounts {
            request.add(.externalMount, mount.destination, mount.source)
        }
        // What comes from outside. Files of the container are opened again, and a terminal is made.
        for (number, name) in try job.streams().enumerated() where OuterStreams.isHandedOver(name) {
            request.add(.inheritedDescriptor, name, number)
        }
        return request
    }

    /// It is in the container's cgroups itself: there the processes go that were in the old ones.
    private static func adding(
        cgroupsOf pid: pid_t, to options: CriuRequestOptions
    ) throws(Failure) -> CriuRequestOptions {
        let text = try step("read cgroups", "of criu") { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.contents(of: "/proc/\(pid)/cgroup", limit: 1 << 16)
        }
        var options = options
        for line in text.split(separator: UInt8(ascii: "\n")) {
            let parts = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let path = String(decoding: parts[2], as: UTF8.self)
            for name in parts[1].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
                options.add(.cgroupRoot, String(decoding: name, as: UTF8.self), path)
            }
        }
        return options
    }

    private func namespaces(of spec: Spec) -> [String] {
        ExternalNamespaces.keys.filter { spec.path(of: $0.type) != nil }.map(\.name)
    }

    // MARK: Where it works

    private func surroundings(
        of container: RuntimeContainer, _ bundle: Bundle, _ cgroup: (any Cgroup)?
    ) throws -> CriuService.Surroundings {
        try MountPoints.make(for: bundle.spec, in: bundle.rootfs)
        let point = "\(container.store.path)/\(container.id)/\(Self.rootName)"
        var surroundings = CriuService.Surroundings(directories: job.directories)
        surroundings.descriptors = try openNamespaces(bundle.spec)
        do {
            if let cgroup {
                surroundings.cgroup = CgroupPlacement(
                    target: try cgroup.cloneTarget(), joinFiles: try cgroup.joinFiles())
            }
            _ = try step("make", Self.rootName) { () throws(SystemCallError) in
                try container.directory.makeDirectory(Self.rootName, mode: 0o700)
            }
        } catch {
            surroundings.cgroup.close()
            for file in surroundings.descriptors { file.closeQuietly() }
            throw error
        }
        let rootfs = bundle.rootfs
        // CRIU wants the root to be a mount. In a mount namespace of its own that ends with it, whoever is killed.
        surroundings.prepare = { () throws(SystemCallError) in
            try CurrentProcess.unshare(.mount)
            try Mount.setPropagationOfAll(.slave)
            let target = try FileDescriptor.workingDirectory.open(point, O_PATH | O_DIRECTORY)
            try Mount.attach(try Mount.clone(rootfs, recursive: true), to: target, named: point)
        }
        return surroundings
    }

    private func openNamespaces(_ spec: Spec) throws(Failure) -> [FileDescriptor] {
        var opened: [FileDescriptor] = []
        for (type, _) in ExternalNamespaces.keys {
            guard let path = spec.path(of: type) else { continue }
            do throws(SystemCallError) {
                opened.append(try FileDescriptor.workingDirectory.open(path, O_RDONLY))
            } catch {
                for file in opened { file.closeQuietly() }
                throw Failure("open namespace", path, error)
            }
        }
        return opened
    }
}

/// What becomes of a container while CRIU restores it.
private struct Restored {
    let creation: Creation
    let container: RuntimeContainer
    let spec: Spec
    var record: RuntimeRecord
    private var console: FileDescriptor?
    private var process: ProcessHandle?

    init(creation: Creation, container: RuntimeContainer, spec: Spec, record: RuntimeRecord) {
        self.creation = creation
        self.container = container
        self.spec = spec
        self.record = record
    }

    /// - Parameter name: Of the point that CRIU has come to.
    mutating func notice(_ name: String, _ pid: pid_t?, _ descriptor: FileDescriptor?) throws {
        switch name {
        case "setup-namespaces":
            // The engine's network is made by such hooks.
            var record = record
            record.pid = pid ?? 0
            let state = record.state(.creating)
            try HookPoint.prestart.run(spec.hooks?.prestart, state)
            try HookPoint.createRuntime.run(spec.hooks?.createRuntime, state)
        case "orphan-pts-master":
            guard let descriptor else { throw Failure("restore", container.id, "criu gives no terminal") }
            console = try creation.deliver(descriptor, of: spec)
        case "post-restore":
            guard let pid, let handle = try ProcessHandle.open(pid) else {
                throw Failure("restore", container.id, "criu does not say what it has restored")
            }
            process = handle
            record.pid = pid
            record.startTime = ProcessStatus(pid)?.startTime ?? 0
            try container.save(record)
        default: descriptor?.closeQuietly()
        }
    }

    func made(_ cgroup: (any Cgroup)?) throws -> Creation.Made {
        guard let process else { throw Failure("restore", container.id, "criu has restored nothing") }
        do {
            try creation.announce(process)
        } catch {
            _ = try? process.send(SIGKILL)  // `try?`: it has ended, which is what is wanted
            throw error
        }
        var spec = spec
        spec.hooks?.poststart = nil  // it has been started long since, as runc has it
        return Creation.Made(
            container: container, record: record, spec: spec, process: process, cgroup: cgroup, console: console)
    }
}
