import Glibc
public import Linux

/// The text of /etc/hosts, /etc/hostname and /etc/resolv.conf in a container.
public enum HostFiles {
    /// Whether `text` is an IPv4 or IPv6 address.
    public static func isAddress(_ text: String) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: 16, alignment: 4) { buffer in
            inet_pton(AF_INET, text, buffer.baseAddress) == 1 || inet_pton(AF_INET6, text, buffer.baseAddress) == 1
        }
    }

    /// /etc/hosts.
    ///
    /// - Parameters:
    ///   - hostname: The container's name.
    ///   - host: The host's own /etc/hosts, which a container on the host's network gets; `nil` otherwise.
    ///   - gateway: The host's address as the container sees it, for `host-gateway`.
    ///   - addresses: The container's own; without any, its name still has to resolve.
    /// - Throws: For `host-gateway` where there is no such address.
    public static func hosts(
        _ config: ContainerConfig, hostname: String, host: String?, gateway: String?, addresses: [String] = []
    ) throws(Failure) -> String {
        var text =
            host ?? """
                127.0.0.1\tlocalhost
                ::1\tlocalhost ip6-localhost ip6-loopback
                fe00::\tip6-localnet
                ff00::\tip6-mcastprefix
                ff02::1\tip6-allnodes
                ff02::2\tip6-allrouters

                """
        if !text.isEmpty, !text.hasSuffix("\n") { text += "\n" }
        for extra in config.extraHosts {
            guard let address = extra.address == "host-gateway" ? gateway : extra.address else {
                throw Failure(
                    "--add-host", "'\(extra.name):host-gateway'", "this network has no gateway to the host",
                    remedy: "use --network host or give an address")
            }
            text += "\(address)\t\(extra.name)\n"
        }
        if host == nil {
            for address in addresses.isEmpty ? ["127.0.1.1"] : addresses {
                text += "\(address)\t\(names(hostname, config.domainname))\n"
            }
        }
        return text
    }

    private static func names(_ hostname: String, _ domain: String?) -> String {
        domain.map { "\(hostname).\($0) \(hostname)" } ?? hostname
    }

    /// /etc/resolv.conf: the host's, except for what `--dns`, `--dns-search` and `--dns-option` replace.
    ///
    /// - Parameter host: The host's own, empty where it has none.
    public static func resolverConfiguration(_ config: ContainerConfig, host: String) -> String {
        let dns = config.dns
        if dns.servers.isEmpty, dns.searchDomains.isEmpty, dns.options.isEmpty { return host }
        var lines: [String] = []
        for line in host.split(separator: "\n") {
            let keyword = line.prefix { $0 != " " && $0 != "\t" }
            let replaced =
                switch keyword {
                case "nameserver": !dns.servers.isEmpty
                case "search", "domain": !dns.searchDomains.isEmpty
                case "options": !dns.options.isEmpty
                default: false
                }
            if !replaced { lines.append(String(line)) }
        }
        lines += dns.servers.map { "nameserver \($0)" }
        // A single dot asks for no search domain at all.
        if !dns.searchDomains.isEmpty, dns.searchDomains != ["."] {
            lines.append("search " + dns.searchDomains.joined(separator: " "))
        }
        if !dns.options.isEmpty { lines.append("options " + dns.options.joined(separator: " ")) }
        return lines.joined(separator: "\n") + "\n"
    }
}
