import Cgroups
import Glibc
import Linux
import OCI
import Sandbox
import SystemPackage

extension RuntimeContainer {
    /// Saves its processes to files, from which `restore` makes them again.
    ///
    /// Unless it is left running it is removed then, as after its end.
    ///
    /// - Throws: For one that does not run; for what CRIU cannot save, and then it goes on.
    public func checkpoint(_ options: CheckpointOptions) throws {
        try lock()
        let record = try record()
        let status = try status(record)
        guard status == .running || status == .paused, let process = try initProcess(record) else {
            throw Failure("checkpoint", id, "cannot be saved while it is \(status.rawValue)")
        }
        defer { process.pidfd.closeQuietly() }
        let spec = try spec()
        let dump = try Dump(container: self, record: record, spec: spec, options: options.withAbsolutePaths())
        defer { dump.job.close() }
        try dump.perform()
        guard !options.leavesRunning, !options.preDumps else { return }
        try end(record, spec: spec)
        try removeFiles()
    }
}

/// One dump of a container by CRIU.
private struct Dump {
    let container: RuntimeContainer
    let record: RuntimeRecord
    let spec: Spec
    let job: CriuJob

    private var options: CheckpointOptions { job.options }

    init(
        container: RuntimeContainer, record: RuntimeRecord, spec: Spec, options: CheckpointOptions
    ) throws(Failure) {
        self.container = container
        self.record = record
        self.spec = spec
        job = try CriuJob(options, log: "dump.log", makesImages: true)
        try requireParent()
        try requireStatusDescriptor()
    }

    func perform() throws {
        try requireFeatures()
        var request = try request()
        if !options.preDumps {
            let streams = try OuterStreams.names(of: record.pid)
            for name in streams where OuterStreams.isFile(name) { request.set(.external, name) }
            try job.saveStreams(streams)
        }
        let message = CriuMessages.request(options.preDumps ? .preDump : .dump, request)
        var surroundings = CriuService.Surroundings(directories: job.directories)
        surroundings.isQuiet = options.preDumps
        let answer = try job.service.call(surroundings) { _ throws(Failure) in
            message
        } notify: { name, _, _ in
            if name == "status-ready" { reportReady() }
        }
        try job.requireSuccess(answer, "checkpoint", container.id)
    }

    private func request() throws -> CriuRequestOptions {
        var request = job.request(spec)
        request.set(.pid, Int(record.pid))
        request.set(.root, record.rootfs)
        request.set(.leaveRunning, options.leavesRunning)
        if let directory = freezer { request.set(.frozenCgroup, directory) }
        if let server = options.pageServer {
            request.add(.pageServer, server.address, Int(server.port))
        }
        if let parent = options.parentPath {
            request.set(.parentImages, parent)
            request.set(.tracksMemory, true)
        } else if options.preDumps {
            request.set(.tracksMemory, true)
        }
        for (type, name) in ExternalNamespaces.keys {
            guard let path = spec.path(of: type) else { continue }
            let status = try step("find namespace", path) { () throws(SystemCallError) in
                try FileDescriptor.workingDirectory.status(of: path)
            }
            request.set(.external, "\(name)[\(status.st_ino)]:\(ExternalNamespaces.key(of: name))")
        }
        guard !options.preDumps else { return request }
        let external = try ExternalMounts(spec, rootfs: record.rootfs, cgroup: container.cgroup(record))
        for mount in external.mounts { request.add(.externalMount, mount.destination, mount.destination) }
        return request
    }

    /// The cgroup by which its processes can be stopped all at once.
    private var freezer: String? {
        let directories = record.cgroup?.directories
        return directories?["freezer"] ?? (record.cgroup?.kind == .v2 ? directories?.values.first : nil)
    }

    private func requireFeatures() throws {
        if options.preDumps || options.parentPath != nil, try !job.service.has(.memoryTracking) {
            throw Failure(
                "checkpoint", container.id, "the kernel does not track which memory was written to",
                remedy: "leave out --pre-dump and --parent-path")
        }
        if options.lazyPages, try !job.service.has(.lazyPages) {
            throw Failure(
                "checkpoint", container.id, "the kernel has no userfaultfd for --lazy-pages", remedy: "leave it out")
        }
    }

    private func requireParent() throws(Failure) {
        guard let parent = options.parentPath else { return }
        guard parent.utf8.first != UInt8(ascii: "/") else {
            throw Failure("", "--parent-path", "must be relative to --image-path")
        }
        let status = try step("open --parent-path", parent) { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.status(of: "\(options.imagePath)/\(parent)")
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw Failure("open --parent-path", parent, "not a directory") }
    }

    private func requireStatusDescriptor() throws(Failure) {
        guard let number = options.statusDescriptor else { return }
        let flags = fcntl(number, F_GETFL)
        guard flags >= 0, flags & O_ACCMODE != O_RDONLY else {
            throw Failure("", "--status-fd", "descriptor \(number) cannot be written to")
        }
    }

    /// Whoever waits for the pages can begin to fetch them.
    private func reportReady() {
        guard let number = options.statusDescriptor else { return }
        let descriptor = FileDescriptor(rawValue: number)
        try? descriptor.writeFully([0])  // `try?`: nobody waits any more
        descriptor.closeQuietly()
    }
}

/// Namespaces that a container shares with others: CRIU leaves them as they are, and joins them again.
///
/// The others, but for network and PIDs, are saved as its own, as runc has it, and joined at a restore.
enum ExternalNamespaces {
    static let keys: [(type: Spec.NamespaceType, name: String)] = [(.network, "net"), (.pid, "pid")]

    /// The word by which dump and restore mean the same one, as runc has it: `extRootNetNS`.
    static func key(of name: String) -> String { "extRoot\(name == "net" ? "Net" : "Pid")NS" }
}

extension Spec {
    /// Of a namespace to join.
    func path(of type: NamespaceType) -> String? {
        linux?.namespaces?.first { $0.type == type }?.path
    }
}
