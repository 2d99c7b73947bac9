import Cgroups
import Containers
import Linux
import Networks

/// Limits, network, life and descriptions.
extension RunCommandLine {
    static var memoryLimits: FlagGroup<RunFlags> {
        FlagGroup(
            "Memory",
            [
                .value("memory", "m", "SIZE", "Limit memory") { flags, text throws(Failure) in
                    flags.resources.memory = try limit(text, Values.memoryLimit)
                },
                .value("memory-swap", nil, "SIZE", "Limit memory and swap together, -1 for no limit of swap") {
                    flags, text throws(Failure) in
                    let size = try Values.sizeOrUnlimited(text)
                    flags.resources.memorySwap = size == 0 ? nil : size
                },
                .value("memory-reservation", nil, "SIZE", "Reclaim down to this when the host is short") {
                    flags, text throws(Failure) in
                    flags.resources.memoryReservation = try limit(text, Values.positiveSize)
                },
                .value("memory-swappiness", nil, "0-100", "How readily memory is swapped out (cgroup v1)") {
                    flags, text throws(Failure) in
                    flags.resources.memorySwappiness = try Values.integer(text, in: 0...100)
                },
                .toggle("oom-kill-disable", nil, "Pause instead of killing when memory is short (cgroup v1)") {
                    $0.resources.oomKillDisable = $1
                },
                .value(
                    "oom-score-adj", nil, "NUMBER", "Likelihood of being killed when the host is short, -1000 to 1000"
                ) {
                    flags, text throws(Failure) in
                    flags.config.oomScoreAdjustment = try Values.integer(text, in: -1000...1000)
                },
            ])
    }

    static var cpuLimits: FlagGroup<RunFlags> {
        FlagGroup(
            "CPU",
            [
                .value("cpus", nil, "NUMBER", "Limit CPU time to so many CPUs, such as 1.5") {
                    flags, text throws(Failure) in flags.resources.nanoCPUs = try limit(text, Values.nanoCPUs)
                },
                .value("cpu-shares", "c", "NUMBER", "Weight against other containers (usual 1024)") {
                    flags, text throws(Failure) in
                    flags.resources.cpuShares = try limit(text) { text throws(Failure) in
                        try Values.integer(text, in: 2...262_144)
                    }
                },
                .value("cpu-period", nil, "MICROSECONDS", "Period of --cpu-quota (default 100000)") {
                    flags, text throws(Failure) in
                    flags.resources.cpuPeriod = try limit(text) { text throws(Failure) in
                        try Values.integer(text, in: 1000...1_000_000)
                    }
                },
                .value("cpu-quota", nil, "MICROSECONDS", "CPU time in each period, -1 for no limit") {
                    flags, text throws(Failure) in
                    flags.resources.cpuQuota = try limit(text) { text throws(Failure) in
                        text == "-1" ? -1 : try Values.integer(text, in: 1000...Int64.max)
                    }
                },
                .value("cpuset-cpus", nil, "LIST", "CPUs to run on, such as 0-3,7") { flags, text throws(Failure) in
                    flags.resources.cpusetCPUs = try Values.cpuList(text)
                },
                .value("cpuset-mems", nil, "LIST", "Memory nodes to use, such as 0,1") { flags, text throws(Failure) in
                    flags.resources.cpusetMemoryNodes = try Values.cpuList(text)
                },
            ])
    }

    static var otherLimits: FlagGroup<RunFlags> {
        FlagGroup(
            "Other limits",
            [
                .value("pids-limit", nil, "NUMBER", "Limit processes and threads, -1 for no limit") {
                    flags, text throws(Failure) in
                    let number: Int64 = try Values.integer(text, in: -1...Int64.max)
                    flags.resources.pids = number == 0 ? -1 : number
                },
                .value("blkio-weight", nil, "10-1000", "Weight of block input and output") {
                    flags, text throws(Failure) in
                    flags.resources.blockWeight = try limit(text) { text throws(Failure) in
                        try Values.integer(text, in: 10...1000)
                    }
                },
                .list("device-read-bps", nil, "DEVICE:RATE", "Limit bytes read a second, such as /dev/sda:1mb") {
                    flags, text throws(Failure) in
                    flags.resources.readBytesPerSecond.append(try MountSyntax.deviceRate(text, bytes: true))
                },
                .list("device-write-bps", nil, "DEVICE:RATE", "Limit bytes written a second") {
                    flags, text throws(Failure) in
                    flags.resources.writeBytesPerSecond.append(try MountSyntax.deviceRate(text, bytes: true))
                },
                .list("device-read-iops", nil, "DEVICE:RATE", "Limit reads a second") { flags, text throws(Failure) in
                    flags.resources.readOperationsPerSecond.append(try MountSyntax.deviceRate(text, bytes: false))
                },
                .list("device-write-iops", nil, "DEVICE:RATE", "Limit writes a second") { flags, text throws(Failure) in
                    flags.resources.writeOperationsPerSecond.append(try MountSyntax.deviceRate(text, bytes: false))
                },
                .value("limits", nil, "MODE", "strict (default): refuse limits that cannot be enforced; best-effort") {
                    flags, text throws(Failure) in
                    guard let mode = LimitsPolicy(rawValue: text) else {
                        throw Values.failure(text, "unknown mode", remedy: "give strict or best-effort")
                    }
                    flags.config.limits = mode
                },
                .value("cgroup-parent", nil, "CGROUP", "Cgroup or systemd slice to be below") {
                    $0.config.cgroupParent = $1.isEmpty ? nil : $1
                },
            ])
    }

    static var network: FlagGroup<RunFlags> {
        FlagGroup(
            "Network",
            [
                .list(
                    "network", nil, "MODE",
                    "bridge (default for root), pasta (for others), none, host, container:ID or NETWORK[:alias=…,ip=…]"
                ) { flags, text throws(Failure) in try addNetwork(text, to: &flags.config.network) },
                .list("net", nil, "MODE", "The same") { flags, text throws(Failure) in
                    try addNetwork(text, to: &flags.config.network)
                },
                .list("publish", "p", "[[ADDRESS:]HOST:]PORT", "Lead a port of this machine to one of the container") {
                    flags, text throws(Failure) in flags.config.ports += try PortSyntax.publish(text)
                },
                .toggle("publish-all", "P", "Publish all ports that the image exposes, at free ones") {
                    $0.config.publishAll = $1
                },
                .list("expose", nil, "PORT[/udp]", "Name a port that the container listens on") {
                    flags, text throws(Failure) in
                    flags.config.exposedPorts += try PortSyntax.expose(text).map(\.text)
                },
                .list("egress", nil, "HOST|SUBNET[:PORT]", "Let it send to this alone, and what else is given; or none")
                {
                    flags, text throws(Failure) in
                    flags.config.egress = try ModeSyntax.egress(text, after: flags.config.egress)
                },
                .value("network-rate", nil, "RATE[:SENT]", "Limit what it receives and sends, such as 100mbit:10mbit") {
                    flags, text throws(Failure) in flags.config.networkRate = try NetworkRate(parsing: text)
                },
                .value("ip", nil, "ADDRESS", "IPv4 address in its network") { flags, text throws(Failure) in
                    flags.attachment.ipv4 = try ModeSyntax.address(text, isIPv6: false)
                },
                .value("ip6", nil, "ADDRESS", "IPv6 address in its network") { flags, text throws(Failure) in
                    flags.attachment.ipv6 = try ModeSyntax.address(text, isIPv6: true)
                },
                .value("mac-address", nil, "ADDRESS", "Address of its network card") { flags, text throws(Failure) in
                    flags.attachment.hardwareAddress = try ModeSyntax.hardwareAddress(text)
                },
                .list("link-local-ip", nil, "ADDRESS", "An address more, of 169.254.0.0/16 or fe80::/10") {
                    flags, text throws(Failure) in
                    flags.attachment.linkLocal.append(try ModeSyntax.linkLocalAddress(text))
                },
                .list("network-alias", nil, "NAME", "A further name in its network") { flags, text throws(Failure) in
                    try Names.checkHostName(text)
                    flags.attachment.aliases.append(text)
                },
                .list("add-host", nil, "NAME:ADDRESS", "Add a line to /etc/hosts; the address may be host-gateway") {
                    flags, text throws(Failure) in flags.config.extraHosts.append(try ModeSyntax.extraHost(text))
                },
                .list("dns", nil, "ADDRESS", "Use this name server") { flags, text throws(Failure) in
                    guard HostFiles.isAddress(text) else { throw Values.failure(text, "not an IP address") }
                    flags.config.dns.servers.append(text)
                },
                .list("dns-search", nil, "DOMAIN", "Search in this domain, '.' for none") {
                    flags, text throws(Failure) in
                    flags.config.dns.searchDomains.append(try word(text))
                },
                .list("dns-option", nil, "OPTION", "Set a resolver option, such as ndots:2") {
                    flags, text throws(Failure) in flags.config.dns.options.append(try word(text))
                },
                .list("dns-opt", nil, "OPTION", "The same") { flags, text throws(Failure) in
                    flags.config.dns.options.append(try word(text))
                },
            ])
    }

    /// One network after the other; any other mode replaces what stood before.
    static func addNetwork(_ text: String, to mode: inout NetworkMode) throws(Failure) {
        let new = try ModeSyntax.network(text)
        mode = mode.attachments.isEmpty || new.attachments.isEmpty ? new : .networks(mode.attachments + new.attachments)
    }

    /// A limit, or nil for `0`: as with Docker that means none, which scripts count on that always give the flag.
    private static func limit<T>(_ text: String, _ read: (String) throws(Failure) -> T) throws(Failure) -> T? {
        text == "0" ? nil : try read(text)
    }

    /// A value that must stay one word of one line of resolv.conf.
    private static func word(_ text: String) throws(Failure) -> String {
        guard !text.isEmpty, !text.utf8.contains(where: { $0 <= 0x20 }) else {
            throw Values.failure(text, "blanks or nothing where one word belongs")
        }
        return text
    }

    static var lifecycle: FlagGroup<RunFlags> {
        FlagGroup(
            "Life",
            [
                .value("stop-signal", nil, "SIGNAL", "Signal that asks it to stop (default SIGTERM)") {
                    flags, text throws(Failure) in flags.config.stopSignal = try Values.signal(text).rawValue
                },
                .value("stop-timeout", nil, "SECONDS", "Time between that and SIGKILL (default 10, -1 for ever)") {
                    flags, text throws(Failure) in
                    flags.config.stopTimeout = try Values.integer(text, in: -1...Int(Int32.max))
                },
                .value("timeout", nil, "DURATION", "Kill it after this time, with exit status 124") {
                    flags, text throws(Failure) in
                    let time = try Values.duration(text)
                    flags.config.timeout = time == 0 ? nil : time
                },
                .value("restart", nil, "POLICY", "no (default), always, unless-stopped or on-failure[:RETRIES]") {
                    flags, text throws(Failure) in flags.config.restart = try ModeSyntax.restart(text)
                },
                .value("health-cmd", nil, "COMMAND", "Shell command that tells whether it works") { flags, text in
                    flags.setHealth { $0.command = text }
                },
                .value("health-interval", nil, "DURATION", "Time between checks (default 30s)") {
                    flags, text throws(Failure) in
                    let time = try Values.duration(text)
                    flags.setHealth { $0.interval = time }
                },
                .value("health-timeout", nil, "DURATION", "Time that a check may take (default 30s)") {
                    flags, text throws(Failure) in
                    let time = try Values.duration(text)
                    flags.setHealth { $0.timeout = time }
                },
                .value("health-retries", nil, "NUMBER", "Failures in a row that make it unhealthy (default 3)") {
                    flags, text throws(Failure) in
                    let retries = try Values.integer(text, in: 1...Int(Int32.max))
                    flags.setHealth { $0.retries = retries }
                },
                .value("health-start-period", nil, "DURATION", "Time at the start when failures do not count") {
                    flags, text throws(Failure) in
                    let time = try Values.duration(text)
                    flags.setHealth { $0.startPeriod = time }
                },
                .value("health-start-interval", nil, "DURATION", "Time between checks until then (default 5s)") {
                    flags, text throws(Failure) in
                    let time = try Values.duration(text)
                    flags.setHealth { $0.startInterval = time }
                },
                .toggle("no-healthcheck", nil, "Check nothing") { $0.noHealthCheck = $1 },
            ])
    }

    static var metadata: FlagGroup<RunFlags> {
        FlagGroup(
            "Logs and labels",
            [
                .value("log-driver", nil, "DRIVER", "json-file (default), none or passthrough") {
                    flags, text throws(Failure) in
                    guard let driver = LogConfiguration.Driver(rawValue: text) else {
                        throw Values.failure(
                            text, "unknown log driver", remedy: "give json-file, none or passthrough")
                    }
                    flags.config.log.driver = driver
                    flags.config.log.isExplicit = true
                },
                .list("log-opt", nil, "NAME=VALUE", "max-size=SIZE or max-file=NUMBER") { flags, text throws(Failure) in
                    try ModeSyntax.logOption(text, into: &flags.config.log)
                },
                .list("label", "l", "NAME[=VALUE]", "Set a label") { $0.labels.append($1) },
                .list("label-file", nil, "FILE", "Read labels from a file") { $0.labelFiles.append($1) },
                .list("annotation", nil, "NAME=VALUE", "Set an annotation of the spec") { flags, text throws(Failure) in
                    let (name, value) = try Assignments.split(text)
                    flags.config.annotations[name] = value ?? ""
                },
            ])
    }
}
