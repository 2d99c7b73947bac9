import CLinux
import Glibc
import Linux
import SystemPackage

/// What the kernel offers to every process.
extension Probe {
    /// The system calls that every start makes and that came with Linux 5.3 to 5.12.
    static let systemCalls: [Probe] = [
        Probe("clone3 and pidfd", "children are held by descriptor", remedy: newerKernel) { () throws(Failure) in
            try inChild { () throws(Failure) in }
        },
        Probe("openat2", "paths resolve beneath a root", remedy: newerKernel) { () throws(Failure) in
            try step("open", "/") { () throws(SystemCallError) in
                let root = try FileDescriptor.workingDirectory.open("/", O_PATH | O_DIRECTORY)
                defer { root.closeQuietly() }
                try root.open(inRoot: "/", O_PATH).closeQuietly()
            }
        },
        Probe("mount_setattr", "mounts are made by descriptor", remedy: newerKernel) { () throws(Failure) in
            try inChild(Probe.mounting) { () throws(Failure) in
                try step("mount", "tmpfs") { () throws(SystemCallError) in
                    let mount = try Mount.make("tmpfs", options: ["mode=755"], attributes: .noDevices)
                    try Mount.setAttributes(of: mount, set: .readOnly)
                }
            }
        },
        Probe("seccomp filters", "system calls are filtered", remedy: seccompRemedy) { () throws(Failure) in
            // One instruction that lets every call pass.
            let allowAll = try BPFProgram(bytes: [0x06, 0, 0, 0, 0, 0, 0xff, 0x7f])
            try inChild { () throws(Failure) in
                try step("load", "seccomp filter") { () throws(SystemCallError) in
                    try CurrentProcess.setNoNewPrivileges()
                    _ = try allowAll.install()
                }
            }
        },
        Probe("session keyrings", "the caller's keys stay out of containers", remedy: keyringRemedy) {
            () throws(Failure) in
            try inChild { () throws(Failure) in
                try step("join", "session keyring") { () throws(SystemCallError) in
                    _ = try check("keyctl") { CInt(truncatingIfNeeded: apus_keyctl_join_session("_apus")) }
                }
            }
        },
        Probe("Landlock", "offered by the kernel; containers do without", remedy: landlockRemedy) {
            () throws(Failure) in
            try step("ask for", "Landlock") { () throws(SystemCallError) in
                _ = try check("landlock_create_ruleset") { apus_landlock_version() }
            }
        },
    ]

    /// A mount namespace, for an ordinary user in a user namespace of its own.
    static var mounting: Namespaces { CurrentProcess.mayMount ? .mount : [.user, .mount] }

    private static let newerKernel: @Sendable (Failure) -> String? = { failure in
        failure.reason.contains(Errno.noFunction.reason)
            ? "run Linux 5.12 or newer; inside a container, allow the call in its seccomp profile" : failure.remedy
    }

    private static let seccompRemedy: @Sendable (Failure) -> String? = { _ in
        "use --security-opt seccomp=unconfined, or a kernel with CONFIG_SECCOMP_FILTER"
    }

    private static let keyringRemedy: @Sendable (Failure) -> String? = { _ in
        "nothing to do: where keyctl is refused there are no keys to keep out"
    }

    private static let landlockRemedy: @Sendable (Failure) -> String? = { _ in
        "nothing to do; with CONFIG_SECURITY_LANDLOCK and 'lsm=landlock,…' on the kernel's command line it is there"
    }

    private static let hardLimitRemedy: @Sendable (Failure) -> String? = { _ in
        "ask --ulimit for no more than 'ulimit -H' shows, or give the caller CAP_SYS_RESOURCE"
    }

    /// Whether hard resource limits can be raised.
    static let hardLimits = Probe(
        "CAP_SYS_RESOURCE", "--ulimit may raise hard limits",
        remedy: hardLimitRemedy
    ) { () throws(Failure) in
        try inChild { () throws(Failure) in
            try step("raise", "hard limit of core files") { () throws(SystemCallError) in
                // Lowered first, so that there is something to raise wherever it stands.
                var limit = rlimit(rlim_cur: 0, rlim_max: 0)
                try check("prlimit") { apus_prlimit(0, CInt(RLIMIT_CORE.rawValue), &limit, nil) }
                limit.rlim_max = 1
                try check("prlimit") { apus_prlimit(0, CInt(RLIMIT_CORE.rawValue), &limit, nil) }
            }
        }
    }
}
