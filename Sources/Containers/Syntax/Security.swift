public import Linux
public import Networks
public import OCI

/// Rights and limits of a process as flags write them.
public enum SecuritySyntax {
    /// The capabilities of Linux 6.
    ///
    /// - Note: capabilities(7).
    public static let capabilities: [String] = [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
        "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
        "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO",
        "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
        "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
        "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
        "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
    ]

    /// Reads a list of capabilities, with or without `CAP_`, in any case; `ALL` stands for every one.
    public static func capabilityList(_ text: String) throws(Failure) -> [String] {
        var result: [String] = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            let upper = word.uppercased()
            let name = upper == "ALL" || upper.hasPrefix("CAP_") ? upper : "CAP_" + upper
            guard name == "ALL" || capabilities.contains(name) else {
                throw Values.failure(String(word), "unknown capability", remedy: "see capabilities(7)")
            }
            result.append(name)
        }
        return result
    }

    private static let rlimits: [String] = [
        "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss",
        "rtprio", "rttime", "sigpending", "stack",
    ]

    /// Reads `nofile=1024:2048`, `core=0` or `memlock=unlimited`; the hard limit is the soft one where it is missing.
    public static func ulimit(_ text: String) throws(Failure) -> Spec.Rlimit {
        let (name, value) = try Assignments.split(text)
        guard rlimits.contains(name) else {
            throw Values.failure(text, "unknown limit '\(name)'", remedy: "see getrlimit(2)")
        }
        let numbers = (value ?? "").split(separator: ":", omittingEmptySubsequences: false).map(rlimit)
        guard (1...2).contains(numbers.count), let soft = numbers[0], let hard = numbers[numbers.count - 1] else {
            throw Values.failure(text, "not a limit", remedy: "give NAME=SOFT[:HARD] such as nofile=1024:2048")
        }
        guard soft <= hard else { throw Values.failure(text, "the soft limit is above the hard limit") }
        return Spec.Rlimit(type: "RLIMIT_\(name.uppercased())", hard: hard, soft: soft)
    }

    private static func rlimit(_ text: Substring) -> UInt64? {
        text == "-1" || text == "unlimited" ? .max : text.utf8.first == UInt8(ascii: "+") ? nil : UInt64(text)
    }

    /// Puts one `--security-opt` into `config`.
    public static func option(
        _ text: String, into config: inout ContainerConfig, _ surroundings: Surroundings
    ) throws(Failure) {
        // Docker once separated with a colon, and still takes it.
        let end = text.utf8.firstIndex { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: ":") } ?? text.endIndex
        let value = end == text.endIndex ? "" : String(text[text.utf8.index(after: end)...])
        switch text[..<end] {
        case "no-new-privileges": config.noNewPrivileges = value.isEmpty ? true : try Values.boolean(value)
        case "seccomp" where value == "unconfined": config.seccomp = .unconfined
        case "seccomp" where value == "builtin": config.seccomp = .standard
        case "seccomp" where !value.isEmpty: config.seccomp = .file(path: surroundings.absolute(value))
        case "apparmor" where !value.isEmpty: config.apparmorProfile = value
        case "mask" where !value.isEmpty: config.maskedPaths += try paths(value, in: text)
        case "unmask" where value.uppercased() == "ALL": config.unmaskedPaths.append("ALL")
        case "unmask" where !value.isEmpty: config.unmaskedPaths += try paths(value, in: text)
        case "systempaths" where value == "unconfined": config.unmaskedPaths.append("ALL")
        case "label" where value == "disable": break
        case "label": throw Values.failure(text, "SELinux labels are not available", remedy: "use label=disable")
        default:
            throw Values.failure(text, "unknown security option", remedy: "see security options in 'apus run --help'")
        }
    }

    private static func paths(_ value: String, in text: String) throws(Failure) -> [String] {
        var result: [String] = []
        for path in value.parts(between: ":") where !path.isEmpty {
            result.append(try MountSyntax.destination(path, in: text))
        }
        return result
    }
}

/// Modes as flags write them.
public enum ModeSyntax {
    /// Reads `host`, `private` or `container:ID`.
    public static func namespace(_ text: String) throws(Failure) -> NamespaceMode {
        if let id = try container(text) { return .container(id: id) }
        switch text {
        case "host": return .host
        case "private", "": return .private
        default: throw Values.failure(text, "unknown mode", remedy: "give host, private or container:ID")
        }
    }

    /// Reads `private`, `shareable`, `none`, `host` or `container:ID`.
    public static func ipc(_ text: String) throws(Failure) -> IPCMode {
        if let id = try container(text) { return .container(id: id) }
        switch text {
        case "private", "": return .private
        case "shareable": return .shareable
        case "none": return .none
        case "host": return .host
        default:
            throw Values.failure(text, "unknown mode", remedy: "give private, shareable, none, host or container:ID")
        }
    }

    /// Reads `none`, `host`, `container:ID`, `pasta`, or the name of a network, with options: `web:alias=db,ip=10.1.0.5`
    /// or `name=web,alias=db`.
    public static func network(_ text: String) throws(Failure) -> NetworkMode {
        if let id = try container(text) { return .container(id: id) }
        switch text {
        case "none": return .none
        case "host": return .host
        case "default": return .standard
        case "pasta": return .pasta
        default: return .networks([try attachment(text)])
        }
    }

    private static func attachment(_ text: String) throws(Failure) -> NetworkAttachment {
        var parts = text.parts(between: ":", maxSplits: 1)
        if !parts[0].utf8.contains(UInt8(ascii: "=")) {
            parts = ["name=\(parts[0])"] + (parts.count > 1 ? parts[1].parts(between: ",") : [])
        } else {
            parts = text.parts(between: ",")
        }
        var attachment = NetworkAttachment(network: "")
        for part in parts {
            let (name, value) = try Assignments.split(part)
            let text = value ?? ""
            switch name {
            case "name": attachment.network = text
            case "alias":
                try Names.checkHostName(text)
                attachment.aliases.append(text)
            case "ip": attachment.ipv4 = try address(text, isIPv6: false)
            case "ip6": attachment.ipv6 = try address(text, isIPv6: true)
            case "mac", "mac-address": attachment.hardwareAddress = try hardwareAddress(text)
            default: throw Values.failure(part, "unknown option of a network", remedy: "give alias, ip, ip6 or mac")
            }
        }
        guard Names.isValid(attachment.network) else {
            throw Values.failure(text, "not a network", remedy: "use none, host, bridge, pasta, container:ID or a name")
        }
        return attachment
    }

    /// Reads an address of one family.
    public static func address(_ text: String, isIPv6: Bool) throws(Failure) -> IPAddress {
        guard let address = IPAddress(text), address.isIPv6 == isIPv6 else {
            throw Values.failure(text, isIPv6 ? "not an IPv6 address" : "not an IPv4 address")
        }
        return address
    }

    /// Reads one that means something on its own link alone.
    ///
    /// - Note: RFC 3927; RFC 4291, 2.5.6.
    public static func linkLocalAddress(_ text: String) throws(Failure) -> IPAddress {
        let ranges = ["169.254.0.0/16", "fe80::/10"]
        guard let address = IPAddress(text), ranges.contains(where: { Subnet($0)?.contains(address) ?? false }) else {
            throw Values.failure(
                text, "not a link-local address", remedy: "give one of \(ranges.joined(separator: " or "))")
        }
        return address
    }

    /// Reads one destination of an allow-list more, or `none`.
    public static func egress(_ text: String, after rules: [EgressRule]?) throws(Failure) -> [EgressRule] {
        let rules = rules ?? []
        if text == "none" { return rules }
        guard let rule = EgressRule(rawValue: text) else {
            throw Values.failure(text, "no destination", remedy: "give none, HOST[:PORT] or SUBNET[:PORT]")
        }
        return rules + [rule]
    }

    /// Reads the address of a network card.
    public static func hardwareAddress(_ text: String) throws(Failure) -> HardwareAddress {
        guard let address = HardwareAddress(rawValue: text) else {
            throw Values.failure(
                text, "not the address of a network card", remedy: "give one such as 02:42:0a:00:00:02")
        }
        return address
    }

    /// Reads `host`, `keep-id`, `auto`, `private`, `container:ID` or maps such as `0:100000:65536,65536:1:1`.
    public static func userNamespace(_ text: String) throws(Failure) -> UserNamespaceMode {
        if let id = try container(text) { return .container(id: id) }
        switch text {
        case "": return .standard
        case "host": return .host
        case "keep-id": return .keepID
        case "auto", "private": return .auto
        default: return .maps(try maps(text))
        }
    }

    private static func maps(_ text: String) throws(Failure) -> [IDMap] {
        var maps: [IDMap] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let numbers = part.split(separator: ":", omittingEmptySubsequences: false).map { UInt32($0) }
            guard numbers.count == 3, let inside = numbers[0], let outside = numbers[1], let count = numbers[2],
                count > 0, !inside.addingReportingOverflow(count).overflow,
                !outside.addingReportingOverflow(count).overflow
            else {
                throw Values.failure(
                    text, "unknown user namespace mode",
                    remedy: "give host, keep-id, auto, container:ID or CONTAINER-ID:HOST-ID:COUNT")
            }
            let map = IDMap(container: inside, host: outside, count: count)
            if maps.contains(where: { overlap($0.container, $0.count, map.container, map.count) }) {
                throw Values.failure(text, "IDs of the container are mapped twice")
            }
            maps.append(map)
        }
        return maps
    }

    private static func overlap(_ a: UInt32, _ aCount: UInt32, _ b: UInt32, _ bCount: UInt32) -> Bool {
        a < b + bCount && b < a + aCount
    }

    private static func container(_ text: String) throws(Failure) -> String? {
        guard text.hasPrefix("container:") else { return nil }
        let id = String(text.dropFirst("container:".count))
        if id.isEmpty { throw Values.failure(text, "no container after 'container:'") }
        return id
    }

    /// Reads `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:RETRIES`.
    public static func restart(_ text: String) throws(Failure) -> RestartPolicy {
        switch text {
        case "no", "": return .no
        case "always": return .always
        case "unless-stopped": return .unlessStopped
        case "on-failure": return .onFailure(retries: 0)
        default:
            guard text.hasPrefix("on-failure:"), let retries = UInt16(text.dropFirst("on-failure:".count)) else {
                throw Values.failure(
                    text, "unknown restart policy", remedy: "give no, always, unless-stopped or on-failure[:RETRIES]")
            }
            return .onFailure(retries: Int(retries))
        }
    }

    /// Puts one `--log-opt` into `log`.
    public static func logOption(_ text: String, into log: inout LogConfiguration) throws(Failure) {
        let (name, value) = try Assignments.split(text)
        switch name {
        case "max-size": log.maximumSize = value == "-1" ? nil : try Values.positiveSize(value ?? "")
        case "max-file": log.maximumFiles = try Values.integer(value ?? "", in: 1...1000)
        default: throw Values.failure(text, "unknown log option", remedy: "give max-size=SIZE or max-file=NUMBER")
        }
    }

    /// Reads `NAME:ADDRESS` or `NAME=ADDRESS`; the address may be `host-gateway`, and in brackets if it is IPv6.
    public static func extraHost(_ text: String) throws(Failure) -> ExtraHost {
        let end = text.utf8.firstIndex { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: ":") } ?? text.endIndex
        let name = String(text[..<end])
        var address = end == text.endIndex ? "" : String(text[text.utf8.index(after: end)...])
        if address.hasPrefix("["), address.hasSuffix("]") { address = String(address.dropFirst().dropLast()) }
        guard !name.isEmpty, !name.utf8.contains(where: { $0 <= 0x20 || $0 == UInt8(ascii: "#") }) else {
            throw Values.failure(text, "not a host", remedy: "give NAME:ADDRESS")
        }
        guard address == "host-gateway" || HostFiles.isAddress(address) else {
            throw Values.failure(text, "'\(address)' is not an IP address")
        }
        return ExtraHost(name: name, address: address)
    }

    /// Reads a sysctl, `NAME=VALUE`, the name with dots or slashes.
    public static func sysctl(_ text: String) throws(Failure) -> (name: String, value: String) {
        let (name, value) = try Assignments.split(text)
        guard let value else { throw Values.failure(text, "no value", remedy: "give NAME=VALUE") }
        if value.utf8.contains(UInt8(ascii: "\n")) { throw Values.failure(text, "more than one line") }
        // As sysctl(8) has it: where a slash comes first, slashes separate and dots belong to names.
        guard let separator = name.utf8.first(where: { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "/") }),
            separator == UInt8(ascii: "/")
        else { return (name, value) }
        let swapped = name.utf8.map {
            $0 == UInt8(ascii: "/") ? UInt8(ascii: ".") : $0 == UInt8(ascii: ".") ? UInt8(ascii: "/") : $0
        }
        return (String(decoding: swapped, as: UTF8.self), value)
    }
}
