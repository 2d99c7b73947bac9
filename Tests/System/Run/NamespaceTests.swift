import Glibc
import Testing

/// Which namespaces a container has of its own, and which it shares.
@Suite struct NamespaceTests {
    private static let kinds = ["cgroup", "ipc", "mnt", "net", "pid", "uts"]

    /// The namespaces of this process.
    private func own(_ kind: String) -> String {
        var target = [CChar](repeating: 0, count: 64)
        readlink("/proc/self/ns/\(kind)", &target, 63)
        return target.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    @Test(arguments: Caller.all)
    func `a container has namespaces of its own`(caller: Caller) throws {
        try withApus(caller) { apus in
            let kinds = Self.kinds + (caller == .root ? [] : ["user"])
            let outcome = try apus.shell(
                "for kind in \(kinds.joined(separator: " ")); do readlink /proc/self/ns/$kind; done")
            #expect(outcome.status == 0 && outcome.lines.count == kinds.count, "\(outcome)")
            for (kind, inside) in zip(kinds, outcome.lines) { #expect(inside != own(kind)) }
        }
    }

    @Test(arguments: Caller.all, ["pid", "ipc", "uts", "network", "cgroupns"])
    func `a namespace of the host is shared on request`(caller: Caller, flag: String) throws {
        try withApus(caller) { apus in
            let kind = ["network": "net", "cgroupns": "cgroup"][flag] ?? flag
            expectOutput(try apus.run(["--\(flag)", "host"], "readlink", "/proc/self/ns/\(kind)"), own(kind))
        }
    }

    @Test(arguments: Caller.available, ["pid", "ipc", "uts", "network"])
    func `a namespace of another container is shared on request`(caller: Caller, flag: String) throws {
        try withApus(caller) { apus in
            let kind = flag == "network" ? "net" : flag
            let id = try apus.detached(["--ipc", "shareable"], ["sleep", "1000"])
            let link = "readlink /proc/self/ns/\(kind)"
            let other = try apus("exec", id, "sh", "-c", link)
            #expect(other.status == 0, "\(other)")
            expectOutput(try apus.shell(["--\(flag)", "container:\(id)"], link), other.text)
        }
    }

    @Test(arguments: Caller.available)
    func `who joins an IPC namespace shares its memory and its message queues`(caller: Caller) throws {
        try withApus(caller) { apus in
            let owner = try apus.detached(["--ipc", "shareable"], ["sleep", "1000"])
            let made = try apus("exec", owner, "sh", "-c", "echo content >/dev/shm/file; touch /dev/mqueue/queue")
            expectOutput(made, "")
            let flags = ["--ipc", "container:\(owner)"]
            let script = "cat /dev/shm/file; ls /dev/mqueue; echo more >>/dev/shm/file; df /dev/shm | grep -c /dev/shm"
            expectOutput(try apus.shell(flags, script), "content\nqueue\n1")
            expectOutput(try apus("exec", owner, "cat", "/dev/shm/file"), "content\nmore")
            // Who joined may be joined.
            let member = try apus.detached(flags, ["sleep", "1000"])
            let shared = try apus.run(["--ipc", "container:\(member)"], "cat", "/dev/shm/file")
            expectOutput(shared, "content\nmore")
        }
    }

    @Test(arguments: Caller.available, ["private", "none"])
    func `an IPC namespace that is not shareable is not joined`(caller: Caller, mode: String) throws {
        try withApus(caller) { apus in
            let owner = try apus.detached(["--ipc", mode], ["sleep", "1000"])
            let outcome = try apus.run(["--ipc", "container:\(owner)"], "true")
            expectRefusal(outcome, naming: "--ipc", String(owner.prefix(12)), "shareable")
        }
    }

    @Test(Requirement.root) func `root joins the IPC namespace of a container with IDs of its own`() throws {
        try withApus(.root) { apus in
            let owner = try apus.detached(["--ipc", "shareable", "--userns", "auto"], ["sleep", "1000"])
            expectOutput(try apus("exec", owner, "touch", "/dev/shm/file"), "")
            for flags in [[], ["--userns", "container:\(owner)"]] {
                expectOutput(try apus.run(flags + ["--ipc", "container:\(owner)"], "ls", "/dev/shm"), "file")
            }
        }
    }

    // MARK: Names

    @Test(arguments: Caller.all)
    func `the host name is the ID's beginning, or the one given`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outcome = try apus.run("hostname")
            _ = try apus.leftovers()
            #expect(apus.ids.count == 1 && outcome.text == apus.ids.first?.prefix(12) ?? "", "\(outcome)")
            let flags = ["--hostname", "box", "--domainname", "example.org"]
            expectOutput(try apus.shell(flags, "hostname; cat /proc/sys/kernel/domainname"), "box\nexample.org")
        }
    }

    @Test(arguments: Caller.available)
    func `hosts and resolv.conf say what was asked for`(caller: Caller) throws {
        try withApus(caller) { apus in
            let flags = [
                "--hostname", "box", "--add-host", "other:192.0.2.7", "--dns", "192.0.2.53", "--dns-search",
                "example.org",
                "--dns-option", "ndots:2",
            ]
            let root = "\(try apus.makeRoot()):O"
            let outcome = try apus.shell(flags, root: root, "cat /etc/hosts; echo; cat /etc/resolv.conf /etc/hostname")
            for line in [
                "127.0.0.1\tlocalhost", "192.0.2.7\tother", "nameserver 192.0.2.53", "search example.org",
                "options ndots:2",
                "box",
            ] {
                #expect(outcome.lines.contains { $0 == line || $0.hasPrefix("\(line) ") }, "\(line) in \(outcome)")
            }
            #expect(outcome.lines.contains { $0.hasPrefix("127.0.") && $0.hasSuffix("box") }, "\(outcome)")
        }
    }

    // MARK: Network

    @Test(arguments: Caller.all)
    func `without a network there is loopback, which is up, and nothing else`(caller: Caller) throws {
        try withApus(caller) { apus in
            for flags in [[], ["--network", "none"]] {
                let outcome = try apus.shell(flags, "ls /sys/class/net; ip -o addr show lo up | grep -c 127.0.0.1/8")
                expectOutput(outcome, "lo\n1")
            }
        }
    }

    @Test(arguments: Caller.all)
    func `the network of the host is there on request`(caller: Caller) throws {
        try withApus(caller) { apus in
            let inside = try apus.shell(
                ["--network", "host"], "cut -d: -f1 /proc/net/dev | tail -n +3 | sort | tr -d ' '")
            let outside = try apus.startShell("cut -d: -f1 /proc/net/dev | tail -n +3 | sort | tr -d ' '").wait()
            expectOutput(inside, outside.text)
        }
    }

    // MARK: Users

    @Test(Requirement.ordinaryCaller, arguments: Caller.unprivileged)
    func `an ordinary user is root inside and themselves outside`(caller: Caller) throws {
        try withApus(caller) { apus in
            let shared = try apus.makeDirectory("shared")
            expectOutput(try apus.shell(["-v", "\(shared):/tmp"], "id -u; touch /tmp/file"), "0")
            var status = stat()
            stat("\(shared)/file", &status)
            #expect(status.st_uid == caller.account.uid)
        }
    }

    @Test(Requirement.ordinaryCaller, arguments: Caller.unprivileged)
    func `keep-id gives the user inside the IDs from outside`(caller: Caller) throws {
        try withApus(caller) { apus in
            let ids = "\(caller.account.uid) \(caller.account.gid)"
            expectOutput(try apus.shell(["--userns", "keep-id"], "echo $(id -u) $(id -g)"), ids)
        }
    }

    @Test(Requirement.root) func `keep-id is refused to root, who has none to keep`() throws {
        try withApus(.root) { apus in expectRefusal(try apus.run(["--userns", "keep-id"], "true"), naming: "keep-id") }
    }

    @Test(arguments: Caller.available)
    func `auto gives IDs that are nobody else's`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outcome = try apus.run(["--userns", "auto"], "cat", "/proc/self/uid_map")
            let fields = outcome.text.split(separator: " ").compactMap { UInt32($0) }
            #expect(fields.count == 3 && fields.first == 0, "\(outcome)")
            #expect(fields.count == 3 && fields[1] != 0 && fields[1] != caller.account.uid, "\(outcome)")
        }
    }

    @Test(Requirement.root) func `maps of one's own are taken as given`() throws {
        try withApus(.root) { apus in
            let flags = ["--userns", "0:300000:1000"]
            let outcome = try apus.shell(flags, "echo $(cat /proc/self/uid_map) $(cat /proc/self/gid_map)")
            expectOutput(outcome, "0 300000 1000 0 300000 1000")
        }
    }

    // MARK: Parameters

    @Test(arguments: Caller.available)
    func `--sysctl sets a parameter of the container's own namespaces`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outcome = try apus.run(["--sysctl", "net.ipv4.ip_forward=1"], "cat", "/proc/sys/net/ipv4/ip_forward")
            expectOutput(outcome, "1")
        }
    }

    @Test(arguments: Caller.available)
    func `--sysctl of a namespace that is shared with the host is refused`(caller: Caller) throws {
        try withApus(caller) { apus in
            let flags = ["--network", "host", "--sysctl", "net.ipv4.ip_forward=1"]
            expectRefusal(try apus.run(flags, "true"), naming: "net.ipv4.ip_forward")
        }
    }
}
