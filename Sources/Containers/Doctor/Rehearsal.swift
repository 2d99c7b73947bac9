import Cgroups
import Glibc
import Linux
import OCI
import Sandbox
import SystemPackage

/// A container's whole start, up to but not including its command; nothing of it stays.
public struct Rehearsal: Sendable {
    let store: ContainerStore

    public init(store: ContainerStore) {
        self.store = store
    }

    /// What a container would be made of.
    public struct Outcome: Sendable {
        let spec: Spec
        let seccomp: String
        let limits: [LimitRecord]
    }

    /// The default run: `apus run --rm @host true`.
    static var defaultConfig: ContainerConfig {
        var config = ContainerConfig(root: .host)
        config.command = ["true"]
        config.network = .none  // a bridge would stay
        return config
    }

    /// Starts a container of `config` but for its command, and removes it.
    ///
    /// - Throws: What would keep it from running.
    public func run(_ config: ContainerConfig) throws -> Outcome {
        var config = config
        config.name = nil
        let new = try store.make(config)
        let container = new.container
        defer {
            try? container.removeFiles(name: new.config.name ?? "")  // `try?`: the next command removes it
            store.releaseAlive(container.id, new.alive)
            container.close()
        }
        var start = ContainerStart(container, new.config)
        start.rehearses = true
        let started = try start.begin(streams: .pipes(withInput: false))
        defer {
            started.connection?.end()
            started.process.pidfd.closeQuietly()
        }
        _ = try started.process.reap()
        try started.cgroup?.kill()
        try started.cgroup?.remove()
        return Outcome(spec: started.spec, seccomp: Self.filter(config), limits: started.limits)
    }

    private static func filter(_ config: ContainerConfig) -> String {
        switch config.seccomp {
        case .standard: config.privileged ? "none: privileged" : "the default filter"
        case .unconfined: "none: unconfined"
        case .file(let path): "by \(path)"
        }
    }

    /// The IDs that a container of this user has by default; none where it has the machine's.
    func defaultMappings() -> (uids: [Spec.IDMapping], gids: [Spec.IDMapping]) {
        guard geteuid() != 0 else { return ([], []) }
        let users = try? UserNamespace.ofCaller(id: "", store: store)  // `try?`: the default run says what is wrong
        return (users?.uids ?? [], users?.gids ?? [])
    }

    /// Whether the default run works.
    func defaultRun() -> Finding {
        let name = "apus run @host"
        do {
            _ = try run(Self.defaultConfig)
            return Finding(name, works: true, "a container starts")
        } catch let failure as Failure {
            return Finding(name, failure)
        } catch {
            return Finding(name, works: false, "\(error)")
        }
    }
}

extension Rehearsal.Outcome {
    /// What would hold the container, a line each.
    public var findings: [Finding] {
        [
            Finding("namespaces", works: true, namespaces), Finding("users", works: true, users),
            Finding("system calls", works: true, seccomp),
        ]
            + limits.map { limit in
                Finding(
                    "--\(limit.limit)", works: limit.enforced,
                    limit.enforced ? "\(limit.asked), by \(limit.mechanism.meaning)" : "\(limit.asked): not enforced")
            } + [Finding("command", works: true, "starts as \(spec.process?.args?.first ?? "")")]
    }

    private var namespaces: String {
        (spec.linux?.namespaces ?? []).map { namespace in
            namespace.path.map { "\(namespace.type.rawValue) of \($0)" } ?? namespace.type.rawValue
        }.joined(separator: " ")
    }

    private var users: String {
        let maps = spec.linux?.uidMappings ?? []
        guard !maps.isEmpty else { return "the machine's own IDs" }
        return maps.map { "\($0.containerID) is \($0.hostID)\($0.size > 1 ? " and \($0.size - 1) above" : "")" }
            .joined(separator: ", ")
    }
}
