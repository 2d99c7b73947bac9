import CLinux
import Glibc
import Linux
import SystemPackage

/// Supervisors in processes of their own.
extension ContainerStore {
    /// Makes a container and starts it under a supervisor of its own.
    ///
    /// - Parameters:
    ///   - outlivesClient: Whether the container goes on when the client is gone.
    ///   - client: This process' end of a connection that the container is to end with, given its other end here.
    /// - Returns: The container's ID, once its command runs.
    public static func runDetached(
        _ config: ContainerConfig, client: FileDescriptor? = nil, outlivesClient: Bool = false, cidfile: String? = nil
    ) throws -> String {
        // Here, where there is somebody to be told what is waited for.
        let caches = try HeldCaches(config, in: ContainerStore())
        return try inSupervisor(
            keepsStreams: (config.log.driver == .passthrough), client: client, caches: caches
        ) { started in
            let store = try ContainerStore()
            let new = try store.make(config)
            try new.writeCidfile(cidfile)
            let supervisor = try store.supervise(new, attachment: attachment(config, client, outlivesClient))
            supervisor.caches = caches
            supervisor.onStarted = { started(new.container.id) }
            _ = try supervisor.run(removeIfNotStarted: true)
        }
    }

    /// Starts a container that exists under a supervisor of its own; returns once its command runs.
    ///
    /// - Throws: When it is running already, or cannot be started.
    public func startDetached(_ container: Container, client: FileDescriptor? = nil) throws {
        let (id, path) = (container.id, path)
        let config = try container.loadConfig()
        let caches = try HeldCaches(config, in: self)
        _ = try Self.inSupervisor(keepsStreams: false, client: client, caches: caches) { started in
            let store = try ContainerStore(path: path)
            let container = try store.open(id: id)
            let supervisor = try store.supervise(container, attachment: Self.attachment(config, client, true))
            supervisor.caches = caches
            supervisor.onStarted = { started(id) }
            _ = try supervisor.run(removeIfNotStarted: false)
        }
    }

    private static func attachment(
        _ config: ContainerConfig, _ client: FileDescriptor?, _ outlivesClient: Bool
    ) -> Supervisor.Attachment {
        if let client { return .client(client, outlived: outlivesClient) }
        return (config.log.driver == .passthrough) ? .inherited : .none
    }

    /// Runs `body` in a new process that outlives this one.
    ///
    /// - Parameter body: Calls its argument with the container's ID once it runs.
    /// - Returns: That ID.
    /// - Throws: What `body` threw before that.
    private static func inSupervisor(
        keepsStreams: Bool, client: FileDescriptor?, caches: HeldCaches,
        _ body: (_ started: @escaping (String) -> Void) throws -> Void
    ) throws -> String {
        let (read, write) = try FileDescriptor.makePipe()
        defer { read.closeQuietly() }
        let pid = try check("fork") { apus_fork() }
        if pid == 0 {
            read.closeQuietly()
            let report = StartReport(pipe: write)
            do {
                try becomeSupervisor(keepsStreams: keepsStreams, keeping: [write, client] + caches.descriptors)
                try body { id in report.send(.started(id)) }
            } catch {
                report.send(.failed(error as? Failure ?? Failure("run container", "", "\(error)")))
            }
            CurrentProcess.exitNow(0)
        }
        write.closeQuietly()
        client?.closeQuietly()
        caches.close()
        return try StartReport.receive(from: read)
    }

    /// Leaves the caller's session, terminal, working directory and descriptors behind.
    private static func becomeSupervisor(keepsStreams: Bool, keeping: [FileDescriptor?]) throws {
        try check("setsid") { setsid() }
        try check("chdir", "'/'") { chdir("/") }
        if !keepsStreams {
            let null = try FileDescriptor.workingDirectory.open("/dev/null", O_RDWR)
            for stream in 0...2 { try check("dup2") { dup2(null.rawValue, CInt(stream)) } }
            null.closeQuietly()
        }
        var first: UInt32 = 3
        for kept in keeping.compactMap({ $0 }).map({ UInt32($0.rawValue) }).sorted() {
            if kept > first { try check("close_range") { apus_close_range(first, kept - 1, 0) } }
            first = kept + 1
        }
        try check("close_range") { apus_close_range(first, UInt32.max, 0) }
    }
}

/// What a supervisor tells the command that started it, once: the container's ID, or what went wrong.
private struct StartReport {
    let pipe: FileDescriptor

    enum Content {
        case started(String)
        case failed(Failure)
    }

    func send(_ content: Content) {
        let text =
            switch content {
            case .started(let id): "s\(id)"
            case .failed(let failure): "f\(failure.exitCode) \(failure)"
            }
        try? pipe.writeFully(text.utf8)  // `try?`: a command that is gone needs no answer
        pipe.closeQuietly()
    }

    static func receive(from pipe: FileDescriptor) throws -> String {
        let text = String(decoding: try pipe.readAll(limit: 1 << 16), as: UTF8.self)
        if text.hasPrefix("s") { return String(text.dropFirst()) }
        let parts = text.dropFirst().split(separator: " ", maxSplits: 1)
        guard text.hasPrefix("f"), parts.count == 2, let code = Int32(parts[0]) else {
            throw Failure("start container", "", "its supervisor was killed")
        }
        throw Failure("", "", String(parts[1]), exitCode: code)
    }
}

extension ContainerStore.New {
    /// Writes the container's ID to a file that must not exist yet.
    func writeCidfile(_ path: String?) throws {
        guard let path else { return }
        do throws(SystemCallError) {
            let file = try FileDescriptor.workingDirectory.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
            defer { file.closeQuietly() }
            try file.writeFully(container.id.utf8)
        } catch {
            try? container.removeFiles(name: config.name ?? "")  // `try?`: the first error is the one to report
            throw Failure(
                "write --cidfile", path, error,
                remedy: error.errno == .fileExists ? "remove it if its container is gone, or name another" : nil)
        }
    }
}
