import CLinux
import Cgroups
import Glibc
import Linux
import OCI
import Sandbox
import SystemPackage

/// Writing a container's records when it is made and each time it starts.
extension Container {
    /// The Spec of the container's next start.
    func makeSpec(_ config: ContainerConfig) throws(Failure) -> Spec {
        let store = store
        let facts = HostFacts.current(id: id, containerDirectory: livePath, dataDirectory: store.path) {
            (other, type) throws(Failure) in try store.namespacePath(of: other, type)
        }
        var spec = try Containers.makeSpec(config, facts: facts)
        if config.root == .host {
            // The machine's own containers are not part of what a container sees of the machine.
            let masked = spec.linux?.maskedPaths ?? []
            spec.linux?.maskedPaths = masked + [store.path]
        }
        return spec
    }

    /// Writes the files that the container finds as /etc/hosts, /etc/hostname and /etc/resolv.conf.
    func writeHostFiles(_ config: ContainerConfig, _ spec: Spec) throws(Failure) {
        let hostname = spec.hostname ?? HostFacts.machineName()
        let sharesNetwork = config.network == .host
        let hosts = try HostFiles.hosts(
            config, hostname: hostname, host: sharesNetwork ? try machineFile("/etc/hosts") : nil,
            gateway: sharesNetwork ? "127.0.0.1" : nil)
        let resolver = HostFiles.resolverConfiguration(
            config, host: config.network == .none ? "" : try machineFile("/etc/resolv.conf"))
        do throws(SystemCallError) {
            // Written anew at each start, in place: a running container sees them through a bind mount.
            let directory = try openLiveDirectory()
            defer { directory.closeQuietly() }
            try Self.write(hosts, to: "hosts", in: directory)
            try Self.write(resolver, to: "resolv.conf", in: directory)
            try Self.write("\(hostname)\n", to: "hostname", in: directory)
        } catch {
            throw Failure("write", path, error)
        }
    }

    private static func write(_ text: String, to name: String, in directory: FileDescriptor) throws(SystemCallError) {
        let file = try directory.open(name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o644)
        defer { file.closeQuietly() }
        try check("fchmod", "'\(name)'") { fchmod(file.rawValue, 0o644) }
        try file.writeFully(text.utf8)
    }

    private func machineFile(_ path: String) throws(Failure) -> String {
        do throws(SystemCallError) {
            return String(
                decoding: try FileDescriptor.workingDirectory.contents(of: path, limit: 1 << 20), as: UTF8.self)
        } catch  where error.errno == .noSuchFileOrDirectory {
            return ""
        } catch {
            throw Failure("read", path, error)
        }
    }

    /// The compiled filter that the container asks for.
    func seccompProgram(_ config: ContainerConfig, _ spec: Spec) throws(Failure) -> BPFProgram? {
        let capabilities = CapabilitySet.reading(spec.process?.capabilities?.bounding ?? []).set
        let cache = SeccompCache(directory: "\(store.path)/seccomp")
        switch config.seccomp {
        case .unconfined: return nil
        case .standard: return config.privileged ? nil : try cache.defaultProgram(capabilities: capabilities)
        case .file(let path):
            return try cache.program(for: SeccompFile(reading: path), on: .current(capabilities: capabilities))
        }
    }

    /// Keeps what the user asked for and what the engine was given.
    func saveDescription(_ config: ContainerConfig, _ spec: Spec) throws(Failure) {
        try save(config, as: "config.json")
        try save(spec, as: "spec.json")
    }

    /// Changes the state record, which is made from `config` when there is none yet.
    func writeState(initial config: ContainerConfig, _ change: (inout ContainerState) throws -> Void) throws {
        guard !directory.has("state.json") else {
            try updateState(change)
            return
        }
        var state = initialState(config)
        try change(&state)
        try save(state, as: "state.json")
    }

    func initialState(_ config: ContainerConfig) -> ContainerState {
        ContainerState(
            id: id, name: config.name ?? "", created: .now, image: config.root.description, command: config.arguments,
            labels: config.labels, autoRemove: config.removeAtEnd)
    }
}

extension RootSource: CustomStringConvertible {
    /// As the user wrote it.
    public var description: String {
        switch self {
        case .directory(let path): path
        case .overlay(let path): "\(path):O"
        case .host: "@host"
        }
    }
}

extension ContainerStore {
    /// The file of a running container's namespace.
    func namespacePath(of reference: String, _ type: Spec.NamespaceType) throws(Failure) -> String {
        let container = try find(reference)
        defer { container.close() }
        let process = try container.runningProcess(container.loadState(), to: "join")
        process.pidfd.closeQuietly()
        return "/proc/\(process.pid)/ns/\(type.fileName)"
    }
}

extension Spec.NamespaceType {
    /// Its file in /proc/PID/ns.
    ///
    /// - Note: namespaces(7), "The /proc/pid/ns/ directory".
    var fileName: String {
        switch self {
        case .mount: "mnt"
        case .network: "net"
        case .pid, .ipc, .uts, .user, .cgroup, .time: rawValue
        }
    }
}
