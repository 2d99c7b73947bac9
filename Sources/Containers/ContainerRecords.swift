import CLinux
import Cgroups
import Glibc
import Linux
import Networks
import OCI
import Sandbox
import SystemPackage

/// Writing a container's records when it is made and each time it starts.
extension Container {
    /// The Spec of the container's next start.
    func makeSpec(_ config: ContainerConfig) throws(Failure) -> Spec {
        let store = store
        var facts = HostFacts.current(id: id, containerDirectory: livePath, dataDirectory: store.path) {
            (other, type) throws(Failure) in try store.namespacePath(of: other, type)
        }
        facts.sharedMemory = { (other) throws(Failure) in try store.sharedMemoryPath(of: other) }
        facts.idMaps = { (other) throws(Failure) in try store.idMaps(of: other) }
        facts.leaseIDs = { (slots) throws(Failure) in try lease(slots) }
        var spec = try Containers.makeSpec(config, facts: facts)
        if config.root == .host {
            // The machine's own containers are not part of what a container sees of the machine.
            let masked = spec.linux?.maskedPaths ?? []
            spec.linux?.maskedPaths = masked + [store.path]
        }
        return spec
    }

    /// Writes the files that the container finds as /etc/hosts, /etc/hostname and /etc/resolv.conf.
    ///
    /// - Parameter connection: To its networks; `nil` for none, or those of somebody else.
    func writeHostFiles(
        _ config: ContainerConfig, _ spec: Spec, _ connection: NetworkConnection?
    ) throws(Failure) {
        let livePath = livePath
        guard spec.mounts?.contains(where: { $0.source?.hasPrefix(livePath) ?? false }) ?? false else { return }
        let hostname = spec.hostname ?? HostFacts.machineName()
        let sharesNetwork = config.network == .host
        var hosts = try HostFiles.hosts(
            config, hostname: hostname, host: sharesNetwork ? try machineFile("/etc/hosts") : nil,
            gateway: sharesNetwork ? "127.0.0.1" : connection?.gateway?.text,
            addresses: connection?.addresses.map(\.text) ?? [])
        for (name, address) in connection?.pinnedNames ?? [] { hosts += "\(address.text)\t\(name)\n" }
        let resolver = HostFiles.resolverConfiguration(config, host: try machineResolvers(sharesNetwork, connection))
        do throws(SystemCallError) {
            // Written anew at each start, in place: a running container sees them through a bind mount.
            let directory = try openLiveDirectory()
            defer { directory.closeQuietly() }
            let owner = geteuid() == 0 ? spec.hostIDsOfRoot : nil
            try Self.write(hosts, to: "hosts", in: directory, owner)
            try Self.write(resolver, to: "resolv.conf", in: directory, owner)
            try Self.write("\(hostname)\n", to: "hostname", in: directory, owner)
        } catch  where error.call == "fchown" && error.errno == .invalidArgument {
            throw Failure(
                "--userns", "host ID \(spec.hostIDsOfRoot?.uid ?? 0)",
                "does not exist in the user namespace around this",
                remedy: "give IDs that are in /proc/self/uid_map and gid_map")
        } catch {
            throw Failure("write", path, error)
        }
    }

    private func machineResolvers(
        _ sharesNetwork: Bool, _ connection: NetworkConnection?
    ) throws(Failure) -> String {
        if sharesNetwork { return try machineFile("/etc/resolv.conf") }
        guard let connection else { return "" }
        return Resolver.configuration(
            try machineFile("/etc/resolv.conf"), substitute: connection.usesPasta ? Pasta.resolver : nil)
    }

    /// - Parameter owner: The container's root user, who may change them; the caller if `nil`.
    private static func write(
        _ text: String, to name: String, in directory: FileDescriptor, _ owner: (uid: UInt32, gid: UInt32)?
    ) throws(SystemCallError) {
        let file = try directory.open(name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o644)
        defer { file.closeQuietly() }
        try check("fchmod", "'\(name)'") { fchmod(file.rawValue, 0o644) }
        if let owner { try check("fchown", "'\(name)'") { fchown(file.rawValue, owner.uid, owner.gid) } }
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

    /// The compiled filter.
    ///
    /// - Parameter choice: That of a process of the container, from `effectiveSeccomp`.
    func seccompProgram(_ choice: SeccompChoice, _ spec: Spec) throws(Failure) -> BPFProgram? {
        let capabilities = CapabilitySet.reading(spec.process?.capabilities?.bounding ?? []).set
        let cache = SeccompCache(directory: "\(store.path)/seccomp")
        switch choice {
        case .unconfined: return nil
        case .standard: return try cache.defaultProgram(capabilities: capabilities)
        case .file(let path):
            return try cache.program(for: SeccompFile(reading: path), on: .current(capabilities: capabilities))
        }
    }

    /// Who answers for the calls that the container's own profile holds back.
    ///
    /// - Parameter pid: Of init, as far as there is one.
    func seccompListener(
        _ config: ContainerConfig, _ spec: Spec, _ status: State.Status, _ pid: pid_t? = nil
    ) throws(Failure) -> SeccompListener? {
        guard case .file(let path) = config.seccomp else { return nil }
        let capabilities = CapabilitySet.reading(spec.process?.capabilities?.bounding ?? []).set
        let profile = try SeccompFile(reading: path).profile(for: .current(capabilities: capabilities))
        return SeccompListener(
            profile,
            state: State(
                ociVersion: spec.ociVersion, id: id, status: status, pid: pid, bundle: self.path,
                annotations: spec.annotations))
    }

    /// Keeps what the user asked for and what the engine was given.
    func saveDescription(_ config: ContainerConfig, _ spec: Spec) throws(Failure) {
        try save(config)
        try save(spec)
    }

    /// Keeps what the engine was given at a start, and what the user asked for if nothing has kept it yet: `update` and
    /// `rename` may have changed it since the supervisor read it.
    ///
    /// - Returns: Whether something had kept it already.
    func saveStart(_ config: ContainerConfig, _ spec: Spec) throws(Failure) -> Bool {
        let existed = directory.has("config.json")
        if !existed { try save(config) }
        try save(spec)
        return existed
    }

    /// Changes the state record, which is made from `config` when there is none yet.
    func writeState(initial config: ContainerConfig, _ change: (inout ContainerState) throws -> Void) throws {
        guard !directory.has("state.json") else {
            try updateState(change)
            return
        }
        var state = initialState(config)
        try change(&state)
        try save(state)
    }

    func initialState(_ config: ContainerConfig) -> ContainerState {
        ContainerState(
            id: id, name: config.name ?? "", created: .now, image: config.root.description, command: config.arguments,
            labels: config.labels, autoRemove: config.removeAtEnd)
    }
}

extension Spec {
    /// What became of each `--ulimit`: it holds from before the first instruction on, or nothing would run.
    var rlimitRecords: [LimitRecord] {
        (process?.rlimits ?? []).map { limit in
            let name = limit.type.dropFirst("RLIMIT_".count).lowercased()
            return LimitRecord(
                limit: "ulimit \(name)", asked: "\(Self.text(limit.soft)):\(Self.text(limit.hard))", mechanism: .rlimit,
                enforced: true)
        }
    }

    private static func text(_ value: UInt64) -> String { value == .max ? "unlimited" : "\(value)" }
}

extension RootSource: CustomStringConvertible {
    /// As the user wrote it.
    public var description: String {
        switch self {
        case .directory(let path): path
        case .overlay(let path): "\(path):O"
        case .host: "@host"
        case .image(let image): image.reference
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

extension ContainerStore {
    /// The IDs of a running container on this machine; `nil` where it has this process' own user namespace.
    ///
    /// - Note: user_namespaces(7), "User and group ID mappings": read from outside, they are this process' IDs.
    func idMaps(of reference: String) throws(Failure) -> HostFacts.IDMaps? {
        let path = try namespacePath(of: reference, .user)
        let here = FileDescriptor.workingDirectory
        if here.linkTarget(of: path) == here.linkTarget(of: "/proc/self/ns/user") { return nil }
        let process = path.replacing(bytes: "/ns/user", with: "")
        do throws(SystemCallError) {
            return HostFacts.IDMaps(
                uids: try Self.idMap(in: "\(process)/uid_map"), gids: try Self.idMap(in: "\(process)/gid_map"))
        } catch {
            throw Failure("join user namespace", reference, error)
        }
    }

    /// What a file such as `/proc/self/gid_map` says.
    static func idMap(in path: String) throws(SystemCallError) -> [Spec.IDMapping] {
        try FileDescriptor.workingDirectory.contents(of: path, limit: 1 << 16).split(separator: UInt8(ascii: "\n"))
            .compactMap { line in
                let numbers = line.split(separator: UInt8(ascii: " ")).compactMap {
                    UInt32(String(decoding: $0, as: UTF8.self))
                }
                guard numbers.count == 3 else { return nil }
                return Spec.IDMapping(containerID: numbers[0], hostID: numbers[1], size: numbers[2])
            }
    }
}

extension ContainerStore {
    /// The /dev/shm of a running container, as it is in that one's mount namespace.
    ///
    /// - Throws: When its IPC namespace is its own alone.
    func sharedMemoryPath(of reference: String) throws(Failure) -> String {
        let container = try find(reference)
        defer { container.close() }
        switch try container.loadConfig().ipc {
        case .private, .none:
            throw Failure(
                "--ipc", "container \(container.shortID)", "its IPC namespace is not shareable",
                remedy: "run that container with --ipc shareable")
        case .shareable, .host, .container: break
        }
        let process = try container.runningProcess(container.loadState(), to: "join")
        process.pidfd.closeQuietly()
        return "/proc/\(process.pid)/root/dev/shm"
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
