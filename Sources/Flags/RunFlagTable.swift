import Containers
import Linux
import OCI

/// The flags of `run` and `create`. Each closure stores one value; what is checked between values comes later.
extension RunCommandLine {
    static func table(_ verb: Verb) -> FlagTable<RunFlags> {
        FlagTable(
            command: verb.rawValue,
            groups: [
                general(verb), image, process, files, namespaces, security, memoryLimits, cpuLimits, otherLimits,
                network,
                lifecycle, metadata, jobs(verb),
            ],
            unavailable: unavailable)
    }

    /// Flags of Docker and Podman that stand for what is not there: swarm, plugins.
    private static let unavailable = [
        "--link", "--volumes-from", "--volume-driver", "--gpus", "--runtime",
        "--isolation", "--attach", "-a", "--blkio-weight-device", "--cpu-rt-period", "--cpu-rt-runtime",
        "--device-cgroup-rule", "--link-local-ip", "--storage-opt", "--pod", "--uidmap",
        "--gidmap", "--systemd",
    ]

    private static func general(_ verb: Verb) -> FlagGroup<RunFlags> {
        var flags: [Flag<RunFlags>] = [
            .toggle("help", nil, "Show this help") { $0.request.help = $1 },
            .toggle("interactive", "i", "Keep standard input connected") { $0.config.interactive = $1 },
            .toggle("tty", "t", "Give the container a terminal") { $0.config.tty = $1 },
            .toggle("rm", nil, "Remove the container when it ends") { $0.config.removeAtEnd = $1 },
            .value("name", nil, "NAME", "Name the container") { flags, text throws(Failure) in
                guard Names.isValid(text) else {
                    throw Values.failure(text, "not a name", remedy: Names.remedy)
                }
                flags.config.name = text
            },
            .value("cidfile", nil, "FILE", "Write the container's ID to a new file") { $0.request.cidfile = $1 },
        ]
        if verb == .run {
            flags += [
                .toggle("detach", "d", "Run in the background and print the ID") { $0.request.detach = $1 },
                .value("detach-keys", nil, "KEYS", "Keys that detach the terminal (default ctrl-p,ctrl-q)") {
                    flags, text throws(Failure) in flags.request.detachKeys = try DetachKeys.parse(text)
                },
                .toggle("sig-proxy", nil, "Pass signals on to the container (default true)") {
                    $0.request.signalProxy = $1
                },
            ]
            flags += Flag.report
        }
        return FlagGroup("General", flags)
    }

    private static var image: FlagGroup<RunFlags> {
        FlagGroup(
            "Image",
            [
                .value("pull", nil, "WHEN", "Look for it in its registry: always, missing (default), never, newer") {
                    flags, text throws(Failure) in
                    guard let policy = ImageRequest.PullPolicy(rawValue: text) else {
                        throw Values.failure(
                            text, "unknown policy", remedy: "give always, missing, never or newer")
                    }
                    flags.image.pull = policy
                },
                .value("platform", nil, "OS/ARCH", "The image for another platform, such as linux/arm64") {
                    $0.image.platform = $1.isEmpty ? nil : $1
                },
                .toggle("quiet", "q", "Show nothing of a pull") { $0.image.quiet = $1 },
            ])
    }

    private static var process: FlagGroup<RunFlags> {
        FlagGroup(
            "Program",
            [
                .list("env", "e", "NAME[=VALUE]", "Set a variable; without a value take the caller's") {
                    $0.environment.append($1)
                },
                .list("env-file", nil, "FILE", "Read variables from a file") { $0.environmentFiles.append($1) },
                .value("workdir", "w", "DIR", "Working directory in the container") { flags, text throws(Failure) in
                    guard text.isAbsolutePath else { throw Values.failure(text, "not an absolute path") }
                    flags.config.workingDirectory = text
                },
                .value("user", "u", "USER[:GROUP]", "User and group, by name or number") { $0.config.user = $1 },
                .list("group-add", nil, "GROUP", "Add a supplementary group") { $0.config.additionalGroups.append($1) },
                .value("entrypoint", nil, "PROGRAM", "Program that gets the command as arguments") {
                    $0.config.entrypoint = $1.isEmpty ? [] : [$1]
                    $0.image.overrides.entrypoint = true
                },
                .toggle("init", nil, "Run a small init as PID 1 that reaps and forwards signals") {
                    $0.config.initProcess = $1
                },
                .value("umask", nil, "MASK", "File mode creation mask in octal (default 0022)") {
                    flags, text throws(Failure) in flags.config.umask = try Values.umask(text)
                },
                .value("personality", nil, "DOMAIN", "LINUX or LINUX32") { flags, text throws(Failure) in
                    guard ["LINUX", "LINUX32"].contains(text.uppercased()) else {
                        throw Values.failure(text, "unknown personality", remedy: "give LINUX or LINUX32")
                    }
                    flags.config.personality = text.uppercased()
                },
            ])
    }

    private static var files: FlagGroup<RunFlags> {
        FlagGroup(
            "Root, files and devices",
            [
                .value("rootfs", nil, "DIR[:O]", "Use a directory as root, with :O below a throw-away layer") {
                    $0.rootfs = $1
                },
                .value("storage", nil, "KIND", "Throw-away layer: overlay (default) or copy") {
                    flags, text throws(Failure) in
                    guard let storage = Storage(rawValue: text) else {
                        throw Values.failure(text, "unknown storage", remedy: "give overlay or copy")
                    }
                    flags.config.storage = storage
                },
                .toggle("read-only", nil, "Mount the root read-only") { $0.config.readOnlyRoot = $1 },
                .list("volume", "v", "SRC:DST[:OPTIONS]", "Show a path of the host, or a volume, in the container") {
                    flags, text throws(Failure) in
                    flags.config.mounts.append(try MountSyntax.volume(text, flags.surroundings))
                },
                .list("mount", nil, "type=TYPE,...", "The same for bind, volume and tmpfs, in long form") {
                    flags, text throws(Failure) in
                    flags.config.mounts.append(try MountSyntax.mount(text, flags.surroundings))
                },
                .list("tmpfs", nil, "DST[:OPTIONS]", "Mount a file system in memory") { flags, text throws(Failure) in
                    flags.config.mounts.append(try MountSyntax.tmpfs(text))
                },
                .value("shm-size", nil, "SIZE", "Size of /dev/shm (default 64m)") { flags, text throws(Failure) in
                    flags.config.sharedMemorySize = try Values.positiveSize(text)
                },
                .list("device", nil, "HOST[:DST[:rwm]]", "Give a device of the host to the container") {
                    flags, text throws(Failure) in flags.config.devices.append(try MountSyntax.device(text))
                },
            ])
    }

    private static var namespaces: FlagGroup<RunFlags> {
        FlagGroup(
            "Namespaces",
            [
                .value("hostname", "h", "NAME", "Host name (default the ID's first 12 digits)") {
                    flags, text throws(Failure) in
                    try Names.checkHostName(text)
                    flags.config.hostname = text
                },
                .value("domainname", nil, "NAME", "NIS domain name") { flags, text throws(Failure) in
                    try Names.checkHostName(text)
                    flags.config.domainname = text
                },
                .value("pid", nil, "MODE", "private (default), host or container:ID") { flags, text throws(Failure) in
                    flags.config.pid = try ModeSyntax.namespace(text)
                },
                .value("ipc", nil, "MODE", "private (default), shareable, none, host or container:ID") {
                    flags, text throws(Failure) in flags.config.ipc = try ModeSyntax.ipc(text)
                },
                .value("uts", nil, "MODE", "private (default), host or container:ID") { flags, text throws(Failure) in
                    flags.config.uts = try ModeSyntax.namespace(text)
                },
                .value("cgroupns", nil, "MODE", "private (default), host or container:ID") {
                    flags, text throws(Failure) in flags.config.cgroupNamespace = try ModeSyntax.namespace(text)
                },
                .value("userns", nil, "MODE", "host, keep-id, auto, container:ID or CONTAINER-ID:HOST-ID:COUNT") {
                    flags, text throws(Failure) in flags.config.userNamespace = try ModeSyntax.userNamespace(text)
                },
            ])
    }

    private static var security: FlagGroup<RunFlags> {
        FlagGroup(
            "Rights",
            [
                .list("cap-add", nil, "NAME", "Add a capability, or ALL") { flags, text throws(Failure) in
                    flags.config.addedCapabilities += try SecuritySyntax.capabilityList(text)
                },
                .list("cap-drop", nil, "NAME", "Drop a capability, or ALL") { flags, text throws(Failure) in
                    flags.config.droppedCapabilities += try SecuritySyntax.capabilityList(text)
                },
                .toggle("privileged", nil, "Give all capabilities and devices, and no filter") {
                    $0.config.privileged = $1
                },
                .list(
                    "security-opt", nil, "OPTION",
                    "no-new-privileges=BOOL, seccomp=FILE|unconfined, apparmor=NAME, mask=PATH, unmask=PATH|ALL"
                ) { flags, text throws(Failure) in
                    try SecuritySyntax.option(text, into: &flags.config, flags.surroundings)
                },
                .list("ulimit", nil, "NAME=SOFT[:HARD]", "Limit of each process, such as nofile=1024") {
                    flags, text throws(Failure) in
                    let limit = try SecuritySyntax.ulimit(text)
                    flags.config.rlimits.removeAll { $0.type == limit.type }
                    flags.config.rlimits.append(limit)
                },
                .list("sysctl", nil, "NAME=VALUE", "Kernel parameter of the container's namespaces") {
                    flags, text throws(Failure) in
                    let (name, value) = try ModeSyntax.sysctl(text)
                    flags.config.sysctls[name] = value
                },
            ])
    }
}
