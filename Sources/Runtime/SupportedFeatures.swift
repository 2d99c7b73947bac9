import Linux
import OCI

/// What this runtime can do, whatever the machine can: `features`.
public enum SupportedFeatures {
    /// The version of the runtime specification that `--version` names.
    public static let specVersion = "1.2.0"

    /// As `features` prints it.
    public static func json() -> [UInt8] {
        Features(
            ociVersionMin: "1.0.0", ociVersionMax: "1.3.0",
            hooks: ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
            mountOptions: mountOptions, linux: linux,
            annotations: [
                "org.opencontainers.runtime.apus.seccomp": "libseccomp \(SeccompFilter.libraryVersion)",
                // The name by which engines ask whether there are `checkpoint` and `restore`.
                "org.opencontainers.runc.checkpoint.enabled": "true",
            ],
            potentiallyUnsafeConfigAnnotations: ["org.criu.config", "org.systemd.property."]
        ).json()
    }

    private static let linux = Features.Linux(
        namespaces: Spec.NamespaceType.allCases.map(\.rawValue).sorted(),
        capabilities: CapabilitySet.all.names,
        cgroup: Features.Cgroup(v1: true, v2: true, systemd: true, systemdUser: true, rdma: true),
        seccomp: Features.Seccomp(
            enabled: true,
            actions: [
                "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
                "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP",
            ],
            operators: [
                "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ",
                "SCMP_CMP_NE",
            ],
            archs: [
                "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32",
                "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",
                "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_RISCV64", "SCMP_ARCH_S390", "SCMP_ARCH_S390X",
                "SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64",
            ],
            knownFlags: seccompFlags, supportedFlags: seccompFlags),
        apparmor: Features.Support(enabled: true), selinux: Features.Support(enabled: true),
        intelRdt: Features.IntelRdt(enabled: true),
        memoryPolicy: Features.MemoryPolicy(
            modes: [
                "MPOL_DEFAULT", "MPOL_BIND", "MPOL_INTERLEAVE", "MPOL_WEIGHTED_INTERLEAVE", "MPOL_PREFERRED",
                "MPOL_PREFERRED_MANY", "MPOL_LOCAL",
            ], flags: ["MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"]),
        mountExtensions: Features.MountExtensions(idmap: Features.Support(enabled: true)),
        netDevices: Features.Support(enabled: true))

    private static let seccompFlags = [
        "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_LOG",
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    ]

    private static let mountOptions = [
        "async", "atime", "bind", "defaults", "dev", "diratime", "dirsync", "exec", "idmap", "iversion", "lazytime",
        "loud",
        "mand", "noatime", "nodev", "nodiratime", "noexec", "noiversion", "nolazytime", "nomand", "norelatime",
        "nostrictatime",
        "nosuid", "nosymfollow", "private", "ratime", "rbind", "rdev", "rdiratime", "relatime", "remount", "rexec",
        "ridmap",
        "rnoatime", "rnodev", "rnodiratime", "rnoexec", "rnorelatime", "rnostrictatime", "rnosuid", "rnosymfollow",
        "ro", "rprivate", "rrelatime", "rro", "rrw", "rshared", "rslave", "rstrictatime", "rsuid", "rsymfollow",
        "runbindable", "rw", "shared", "silent", "slave", "strictatime", "suid", "symfollow", "sync", "tmpcopyup",
        "unbindable",
    ]
}
