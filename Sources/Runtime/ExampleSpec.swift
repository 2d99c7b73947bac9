import Glibc
import OCI

/// The `config.json` that `spec` writes: a shell with a terminal, as runc has it.
public enum ExampleSpec {
    /// - Parameter rootless: Whether for the calling user, in a user namespace.
    public static func json(rootless: Bool) -> [UInt8] {
        spec(rootless: rootless).json()
    }

    static func spec(rootless: Bool) -> Spec {
        let capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
        return Spec(
            ociVersion: SupportedFeatures.specVersion,
            process: Spec.Process(
                terminal: true, user: Spec.User(uid: 0, gid: 0), args: ["sh"],
                env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"], cwd: "/",
                capabilities: Spec.Capabilities(
                    bounding: capabilities, effective: capabilities, permitted: capabilities),
                rlimits: [Spec.Rlimit(type: "RLIMIT_NOFILE", hard: 1024, soft: 1024)], noNewPrivileges: true),
            root: Spec.Root(path: "rootfs", readonly: true), hostname: "apus", mounts: mounts(rootless: rootless),
            linux: linux(rootless: rootless))
    }

    private static func mounts(rootless: Bool) -> [Spec.Mount] {
        let terminals = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]
        let sys: Spec.Mount =
            rootless
            ? Spec.Mount(
                destination: "/sys", type: "none", source: "/sys",
                options: ["rbind", "nosuid", "noexec", "nodev", "ro"])
            : Spec.Mount(
                destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"])
        var mounts = [
            Spec.Mount(destination: "/proc", type: "proc", source: "proc"),
            Spec.Mount(
                destination: "/dev", type: "tmpfs", source: "tmpfs",
                options: ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            Spec.Mount(
                destination: "/dev/pts", type: "devpts", source: "devpts",
                options: rootless ? terminals : terminals + ["gid=5"]),
            Spec.Mount(
                destination: "/dev/shm", type: "tmpfs", source: "shm",
                options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
            Spec.Mount(
                destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"]),
            sys,
        ]
        if !rootless {
            mounts.append(
                Spec.Mount(
                    destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup",
                    options: ["nosuid", "noexec", "nodev", "relatime", "ro"]))
        }
        return mounts
    }

    private static func linux(rootless: Bool) -> Spec.Linux {
        var kinds: [Spec.NamespaceType] = [.pid]
        if !rootless { kinds.append(.network) }
        kinds += [.ipc, .uts, .mount, .cgroup]
        if rootless { kinds.append(.user) }
        var linux = Spec.Linux(
            namespaces: kinds.map { Spec.Namespace(type: $0) },
            maskedPaths: [
                "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
                "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
            ],
            readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"])
        if rootless {
            linux.uidMappings = [Spec.IDMapping(containerID: 0, hostID: geteuid(), size: 1)]
            linux.gidMappings = [Spec.IDMapping(containerID: 0, hostID: getegid(), size: 1)]
        } else {
            linux.resources = Spec.Resources(devices: [Spec.DeviceRule(allow: false, access: "rwm")])
        }
        return linux
    }
}
