import Cgroups
import Linux
import OCI

/// Which limits would hold on this machine, and by what: each is set on a cgroup that is made for it and removed.
struct LimitExamination {
    /// Small limits that every kernel takes, one a controller, by the name of their flag.
    private static let samples: [(flag: String, resources: Spec.Resources)] = [
        ("--memory", Spec.Resources(memory: Spec.Memory(limit: 64 << 20))),
        ("--cpus", Spec.Resources(cpu: Spec.CPU(quota: 50_000, period: 100_000))),
        ("--cpu-shares", Spec.Resources(cpu: Spec.CPU(shares: 512))),
        ("--cpuset-cpus", Spec.Resources(cpu: Spec.CPU(cpus: "0"))),
        ("--pids-limit", Spec.Resources(pids: Spec.Pids(limit: 64))),
        ("--blkio-weight", Spec.Resources(blockIO: Spec.BlockIO(weight: 500))),
    ]

    func findings() -> [Finding] {
        Self.samples.map { examine($0.flag, $0.resources) }
    }

    private func examine(_ flag: String, _ resources: Spec.Resources) -> Finding {
        do {
            let (cgroup, limits) = try Cgroups.create(
                id: try ContainerStore.newID(), resources: resources, policy: .strict, parent: nil)
            try cgroup?.remove()
            let mechanism = limits.first { $0.enforced }?.mechanism
            guard let mechanism else {
                return Finding(flag, works: false, "nothing enforces it here", remedy: "use --limits best-effort")
            }
            return Finding(flag, works: true, "by \(mechanism.meaning)")
        } catch let failure as Failure {
            return Finding(flag, failure)
        } catch {
            return Finding(flag, works: false, "\(error)")
        }
    }
}

extension LimitMechanism {
    /// What it is, for people.
    public var meaning: String {
        switch self {
        case .v2: "cgroup v2"
        case .v1: "cgroup v1"
        case .systemd: "cgroup v2, delegated by systemd"
        case .rlimit: "a resource limit of each process (setrlimit)"
        case .none: "nothing"
        }
    }
}
