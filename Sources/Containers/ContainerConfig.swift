public import Cgroups
import Glibc
import Linux
import OCI

public struct ContainerConfig: Codable, Sendable {
    public var name = ""
    public var root = RootSource.host
    public var storage = Storage.overlay
    public var command: [String] = []
    public var terminal = false
    public var interactive = false
    public var autoRemove = false
    public var usesInit = false
    public var timeout: Int64?
    public var stopTimeoutSeconds = 10
    public var limitsPolicy = LimitsPolicy.strict
    public var cgroupParent: String?
    public var logDriver = LogDriver.jsonFile(maximumSize: nil, maximumFiles: 1)
    public var restartPolicy = RestartPolicy.no
    public var labels: [String: String] = [:]
    public var healthCheck: Int?
    public var stopSignalNumber: Int32 { SIGTERM }
    public var timeoutText: String { "\(timeout ?? 0)" }
    public var memoryLimitText: String { "" }
    public init() {}
    public enum RootSource: Codable, Sendable {
        case directory(String)
        case overlay(String)
        case host
    }
    public enum Storage: String, Codable, Sendable { case overlay, copy }
    public enum LogDriver: Codable, Sendable {
        case jsonFile(maximumSize: Int?, maximumFiles: Int)
        case none, passthrough
    }
    public enum RestartPolicy: Codable, Sendable {
        case no
        func wantsRestart(after: Int32, restarts: Int) -> Bool { false }
    }
    var usesOwnStreams: Bool {
        if case .passthrough = logDriver { return true }
        return false
    }
    var imageText: String {
        switch root {
        case .host: "@host"
        case .directory(let d): d
        case .overlay(let d): d + ":O"
        }
    }
}
struct HostFacts {
    var id: String
    var path: String
    var dataPath: String
}
func makeSpec(_ config: ContainerConfig, facts: HostFacts) throws(Failure) -> Spec {
    let rootless = geteuid() != 0
    let caps = [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETFCAP",
        "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
    ]
    var s = Spec(ociVersion: "1.2.0")
    s.process = Spec.Process(
        terminal: config.terminal, args: config.command,
        env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=x"], cwd: "/",
        capabilities: .init(bounding: caps, effective: caps, permitted: caps), noNewPrivileges: true)
    s.hostname = String(facts.id.prefix(12))
    s.mounts = [
        .init(destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"]),
        .init(
            destination: "/dev", type: "tmpfs", source: "tmpfs",
            options: ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        .init(
            destination: "/dev/pts", type: "devpts", source: "devpts",
            options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"] + (rootless ? [] : ["gid=5"])),
        .init(destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"]),
        .init(
            destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup",
            options: ["nosuid", "noexec", "nodev", "ro"]),
        .init(destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"]),
        .init(
            destination: "/dev/shm", type: "tmpfs", source: "shm",
            options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
    ]
    if case .host = config.root {
        s.mounts! += [
            .init(destination: "/run", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=755"]),
            .init(destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=1777"]),
        ]
    }
    var l = Spec.Linux()
    l.namespaces = [
        .init(type: .pid), .init(type: .mount), .init(type: .uts), .init(type: .ipc), .init(type: .network),
        .init(type: .cgroup),
    ]
    if rootless {
        l.namespaces!.append(.init(type: .user))
        l.uidMappings = [.init(containerID: 0, hostID: geteuid(), size: 1)]
        l.gidMappings = [.init(containerID: 0, hostID: getegid(), size: 1)]
    }
    l.maskedPaths = [
        "/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
        "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
    ]
    l.readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
    s.linux = l
    return s
}
