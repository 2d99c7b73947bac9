import Cgroups
public import Containers
public import Linux
import Networks

/// What a command line of `limit` asks for.
public struct LimitRequest: Sendable, Equatable, Reporting {
    public var config = LimitConfig()
    /// Where it is said what the command used.
    public var report = ReportRequest()
    /// Whether only the help was asked for; nothing else is then to be relied on.
    public var help = false
}

/// The command line of `limit`.
public enum LimitCommandLine {
    /// Reads the words after `limit`.
    ///
    /// - Throws: A usage error, in one line.
    public static func parse(_ words: [String], surroundings: Surroundings = .process) throws(Failure) -> LimitRequest {
        var request = LimitRequest()
        let command = try table.parse(words, into: &request)
        if request.help { return request }
        guard let program = command.first else {
            throw Failure("limit", "", "no command given", remedy: "see 'apus limit --help'")
        }
        if program.isEmpty { throw Failure("limit", "''", "an empty command") }
        request.config.command = Array(command)
        request.config.isolation.writable = request.config.isolation.writable.map(surroundings.absolute)
        request.config.isolation.hidden = request.config.isolation.hidden.map(surroundings.absolute)
        try check(request.config)
        try request.report.check("limit")
        return request
    }

    /// The text of `--help`.
    public static func help() -> String {
        table.help(
            abstract: "Run a command of this machine under limits, and tell why it ended",
            usage: ["[FLAGS] [--] COMMAND [ARGUMENT...]"])
    }

    /// All flags, by group, for completions and manual pages.
    public static func flags() -> [(group: String, flags: [FlagDescription])] { table.descriptions }

    private static func check(_ config: LimitConfig) throws(Failure) {
        if config.swap != nil, config.resources.memory == nil {
            throw Failure("limit", "--swap", "needs --memory: without it everything may stay in memory")
        }
        if !config.isolation.writable.isEmpty, !config.isolation.readOnly {
            throw Failure("limit", "--writable", "goes only with --read-only: everything else may be written to, too")
        }
        if config.isolation.egress != nil {
            for (isWanted, flag) in [
                (config.isolation.noNetwork, "--no-network"), (config.isolation.usesLandlock, "--sandbox landlock"),
                (config.lingers, "--linger"),
            ] where isWanted {
                throw Failure(
                    "limit", "--egress", "does not go with \(flag)",
                    remedy: "it needs a network namespace, and pasta, which ends with the command")
            }
        }
        try checkLandlock(config.isolation)
        if config.lingers, config.isolation.newPIDs {
            throw Failure("limit", "--linger", "does not go with --new-pids, where all processes end with the command")
        }
    }

    private static func checkLandlock(_ isolation: LimitConfig.Isolation) throws(Failure) {
        guard isolation.usesLandlock else { return }
        for (isWanted, flag) in [(isolation.privateTemporary, "--private-tmp"), (isolation.newPIDs, "--new-pids")]
        where isWanted {
            throw Failure("limit", flag, "needs namespaces, and does not go with --sandbox landlock")
        }
        if !isolation.readOnly, !isolation.noNetwork, isolation.hidden.isEmpty {
            throw Failure("limit", "--sandbox landlock", "confines nothing without --read-only, --hide or --no-network")
        }
    }

    private static var isolation: FlagGroup<LimitRequest> {
        FlagGroup(
            "Isolation",
            [
                .toggle("no-network", nil, "No network but its own loopback") { $0.config.isolation.noNetwork = $1 },
                .list(
                    "egress", nil, "HOST|SUBNET[:PORT]", "Lets it send to this alone, and what else is given; or none"
                ) {
                    request, text throws(Failure) in
                    request.config.isolation.egress = try ModeSyntax.egress(
                        text, after: request.config.isolation.egress)
                },
                .toggle("read-only", nil, "No file can be written to but below --writable, /dev, /proc and /sys") {
                    $0.config.isolation.readOnly = $1
                },
                .list("writable", nil, "DIR", "Can be written to all the same, with --read-only") {
                    request, text throws(Failure) in
                    request.config.isolation.writable.append(try path(text))
                },
                .toggle("private-tmp", nil, "An empty /tmp and /var/tmp in memory") {
                    $0.config.isolation.privateTemporary = $1
                },
                .list("hide", nil, "PATH", "Shows an empty directory, or an empty file, in its place") {
                    request, text throws(Failure) in
                    request.config.isolation.hidden.append(try path(text))
                },
                .value("sandbox", nil, "HOW", "namespaces (default), or landlock where user namespaces are forbidden") {
                    request, text throws(Failure) in
                    guard ["namespaces", "landlock"].contains(text) else {
                        throw Values.failure(text, "unknown way", remedy: "give namespaces or landlock")
                    }
                    request.config.isolation.usesLandlock = text == "landlock"
                },
                .toggle("new-pids", nil, "Sees no processes but its own") { $0.config.isolation.newPIDs = $1 },
            ])
    }

    private static func path(_ text: String) throws(Failure) -> String {
        if text.isEmpty { throw Values.failure(text, "no path") }
        return text
    }

    private static var table: FlagTable<LimitRequest> {
        FlagTable(command: "limit", groups: [general, memory, cpu, time, files, isolation])
    }

    private static var general: FlagGroup<LimitRequest> {
        FlagGroup(
            "General",
            [
                .toggle("help", nil, "Show this help") { $0.help = $1 },
                .value(
                    "limits", nil, "MODE", "strict (default) refuses what cannot be held; best-effort holds what it can"
                ) {
                    request, text throws(Failure) in
                    guard let mode = LimitsPolicy(rawValue: text) else {
                        throw Values.failure(text, "unknown mode", remedy: "give strict or best-effort")
                    }
                    request.config.policy = mode
                },
                .toggle("linger", nil, "Let go on, under its limits, what the command leaves running") {
                    $0.config.lingers = $1
                },
            ] + Flag.report)
    }

    private static var memory: FlagGroup<LimitRequest> {
        FlagGroup(
            "Memory and processes",
            [
                .value("memory", "m", "SIZE", "Memory of all its processes together") { request, text throws(Failure) in
                    request.config.resources.memory = try Values.memoryLimit(text)
                },
                .value("swap", nil, "SIZE", "Swap beside the memory (default: as much as --memory)") {
                    request, text throws(Failure) in
                    request.config.swap = try Values.size(text)
                },
                .value("pids", nil, "NUMBER", "Processes and threads at one time") { request, text throws(Failure) in
                    request.config.resources.pids = try Values.integer(text, in: 1...4_194_304)
                },
                .value("open-files", nil, "NUMBER", "Open files of each process") { request, text throws(Failure) in
                    request.config.openFiles = try Values.integer(text, in: 4...1_048_576)
                },
            ])
    }

    private static var cpu: FlagGroup<LimitRequest> {
        FlagGroup(
            "Processors",
            [
                .value("cpus", nil, "NUMBER", "CPU time in so many CPUs, such as 1.5") {
                    request, text throws(Failure) in
                    request.config.resources.nanoCPUs = try Values.nanoCPUs(text)
                },
                .value("cpuset", nil, "LIST", "CPUs to run on, such as 0-3,7") { request, text throws(Failure) in
                    request.config.resources.cpusetCPUs = try Values.cpuList(text)
                },
                .value("nice", nil, "NUMBER", "-20 (most of the CPU) to 19") { request, text throws(Failure) in
                    request.config.nice = try Values.integer(text, in: -20...19)
                },
            ])
    }

    private static var time: FlagGroup<LimitRequest> {
        FlagGroup(
            "Time",
            [
                .value("timeout", nil, "DURATION", "End it after this time, with exit status 124") {
                    request, text throws(Failure) in
                    request.config.timeout = try positive(text)
                },
                .value("kill-after", nil, "DURATION", "Time between SIGTERM at the timeout and SIGKILL (default 10s)") {
                    request, text throws(Failure) in
                    request.config.killAfter = try Values.duration(text)
                },
                .value("cpu-time", nil, "DURATION", "CPU time of all its processes together; exit status 152") {
                    request, text throws(Failure) in
                    request.config.cpuTime = try positive(text)
                },
            ])
    }

    private static var files: FlagGroup<LimitRequest> {
        FlagGroup(
            "Files and output",
            [
                .value("file-size", nil, "SIZE", "Size of each file that it writes") { request, text throws(Failure) in
                    request.config.fileSize = try Values.positiveSize(text)
                },
                .value("output-size", nil, "SIZE", "What it prints on both streams; more ends it, with exit status 153")
                {
                    request, text throws(Failure) in
                    request.config.outputSize = try Values.positiveSize(text)
                },
                .list("io-read-bps", nil, "[DEVICE:]RATE", "Bytes read a second, of one disk or of each") {
                    request, text throws(Failure) in
                    request.config.resources.readBytesPerSecond.append(try rate(text, bytes: true))
                },
                .list("io-write-bps", nil, "[DEVICE:]RATE", "Bytes written a second") { request, text throws(Failure) in
                    request.config.resources.writeBytesPerSecond.append(try rate(text, bytes: true))
                },
                .list("io-read-iops", nil, "[DEVICE:]RATE", "Reads a second") { request, text throws(Failure) in
                    request.config.resources.readOperationsPerSecond.append(try rate(text, bytes: false))
                },
                .list("io-write-iops", nil, "[DEVICE:]RATE", "Writes a second") { request, text throws(Failure) in
                    request.config.resources.writeOperationsPerSecond.append(try rate(text, bytes: false))
                },
                .value("ionice", nil, "CLASS[:LEVEL]", "realtime, best-effort or idle, and 0 (first) to 7") {
                    request, text throws(Failure) in
                    request.config.ioPriority = try ioPriority(text)
                },
            ])
    }

    private static func positive(_ text: String) throws(Failure) -> Int64 {
        let time = try Values.duration(text)
        guard time > 0 else { throw Values.failure(text, "must be more than 0") }
        return time
    }

    private static func rate(_ text: String, bytes: Bool) throws(Failure) -> DeviceRate {
        if text.isAbsolutePath { return try MountSyntax.deviceRate(text, bytes: bytes) }
        return DeviceRate(
            path: "", rate: bytes ? UInt64(try Values.positiveSize(text)) : try Values.integer(text, in: 1...UInt64.max)
        )
    }

    /// As ionice(1) has them, by name or number.
    private static func ioPriority(_ text: String) throws(Failure) -> LimitConfig.IOPriority {
        let (name, level) = text.sides(ofLast: ":") ?? (text, "")
        let kind: String? =
            switch name {
            case "realtime", "1": "IOPRIO_CLASS_RT"
            case "best-effort", "2": "IOPRIO_CLASS_BE"
            case "idle", "3": "IOPRIO_CLASS_IDLE"
            default: nil
            }
        guard let kind else {
            throw Values.failure(text, "unknown class", remedy: "give realtime, best-effort or idle")
        }
        if level.isEmpty { return .init(kind: kind, level: kind == "IOPRIO_CLASS_IDLE" ? 0 : 4) }
        return .init(kind: kind, level: try Values.integer(level, in: 0...7))
    }
}
