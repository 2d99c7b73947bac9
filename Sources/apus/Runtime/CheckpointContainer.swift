import Linux
import Runtime

/// `apus-runtime checkpoint`: save a container's processes to files, by CRIU.
enum CheckpointContainer {
    /// Those that `restore` has as well.
    static let commonOptions: [RuntimeOption] = [
        .value("image-path"), .value("work-path"), .flag("tcp-established"), .flag("ext-unix-sk"), .flag("shell-job"),
        .flag("file-locks"), .value("manage-cgroups-mode"), .value("empty-ns"), .flag("auto-dedup"),
        .flag("lazy-pages"),
    ]
    static let options: [RuntimeOption] =
        commonOptions + [
            .value("parent-path"), .flag("leave-running"), .flag("tcp-skip-in-flight"), .flag("link-remap"),
            .value("status-fd"), .value("page-server"), .flag("pre-dump"),
        ]

    static func run(_ words: ArraySlice<String>, _ globals: RuntimeGlobals) throws -> Int32 {
        let words = try RuntimeWords(words, options)
        var wish = try wish(words, globals)
        wish.parentPath = words.value("parent-path")
        wish.leavesRunning = try words.has("leave-running")
        wish.tcpSkipInFlight = try words.has("tcp-skip-in-flight")
        wish.linkRemap = try words.has("link-remap")
        wish.preDumps = try words.has("pre-dump")
        if let text = words.value("status-fd"), text != "-1" { wish.statusDescriptor = try number(text, "status-fd") }
        if let text = words.value("page-server") { wish.pageServer = try server(text) }
        try globals.store().container(words.id(of: "checkpoint")).checkpoint(wish)
        return 0
    }

    /// What both commands can be asked for.
    static func wish(_ words: RuntimeWords, _ globals: RuntimeGlobals) throws(Failure) -> CheckpointOptions {
        var wish = CheckpointOptions(imagePath: words.value("image-path") ?? "checkpoint")
        wish.workPath = words.value("work-path")
        wish.tcpEstablished = try words.has("tcp-established")
        wish.externalSockets = try words.has("ext-unix-sk")
        wish.shellJob = try words.has("shell-job")
        wish.fileLocks = try words.has("file-locks")
        wish.autoDedup = try words.has("auto-dedup")
        wish.lazyPages = try words.has("lazy-pages")
        wish.criu = globals.criu
        if let mode = words.value("manage-cgroups-mode") { wish.cgroupsMode = try cgroupsMode(mode) }
        // The network namespace is empty anyhow; CRIU knows no others that could be.
        for name in words.values("empty-ns") where name != "network" {
            throw Failure("", "", "invalid value \"\(name)\" for flag -empty-ns: only 'network' is possible")
        }
        return wish
    }

    private static func cgroupsMode(_ text: String) throws(Failure) -> CheckpointOptions.CgroupsMode {
        switch text {
        case "": return .standard
        case "soft": return .soft
        case "full": return .full
        case "strict": return .strict
        case "ignore": return .ignore
        default:
            throw Failure(
                "", "", "invalid value \"\(text)\" for flag -manage-cgroups-mode: soft, full, strict or ignore")
        }
    }

    private static func number<Number: FixedWidthInteger>(
        _ text: some StringProtocol, _ name: StaticString
    ) throws(Failure) -> Number {
        guard let number = Number(text), number >= 0 else {
            throw Failure("", "", "invalid value \"\(text)\" for flag -\(name)")
        }
        return number
    }

    /// `ADDRESS:PORT`, where an address of IPv6 is in brackets.
    private static func server(_ text: String) throws(Failure) -> (address: String, port: UInt16) {
        guard let colon = text.lastIndex(of: ":") else {
            throw Failure("", "", "invalid value \"\(text)\" for flag -page-server: ADDRESS:PORT is wanted")
        }
        var address = text[..<colon]
        if address.first == "[", address.last == "]" { address = address.dropFirst().dropLast() }
        let port: UInt16 = try number(text[text.index(after: colon)...], "page-server")
        guard !address.isEmpty, port > 0 else {
            throw Failure("", "", "invalid value \"\(text)\" for flag -page-server: ADDRESS:PORT is wanted")
        }
        return (String(address), port)
    }
}
