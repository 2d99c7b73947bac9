import CLinux
import Glibc
import Linux
import OCI
import SystemPackage
import Testing

/// Namespaces of a config.json and what is set in them.
@Suite struct NamespaceFieldTests {
    /// Starts a process with namespaces of its own and gives `body` its number.
    private func withNamespaces(_ flags: String, _ runtime: OCIRuntime, _ body: (pid_t) throws -> Void) throws {
        let script = "exec unshare \(flags) sh -c 'cut -d \" \" -f 4 /proc/self/stat >&2; echo ready; exec sleep 1000'"
        let process = try runtime.apus.startProgram(["/bin/sh", "-c", "\(script) 2>/dev/null"])
        defer { process.closeInput() }
        try process.waitForOutput("ready")
        let children = try FileDescriptor.workingDirectory.contents(
            of: "/proc/\(process.pid)/task/\(process.pid)/children", limit: 64)
        let child = try #require(pid_t(String(decoding: children, as: UTF8.self).split(separator: " ").first ?? ""))
        defer { kill(child, SIGKILL) }
        try body(child)
    }

    @Test(
        Requirement.root,
        arguments: [
            (Spec.NamespaceType.pid, "pid"), (.network, "net"), (.mount, "mnt"), (.ipc, "ipc"), (.uts, "uts"),
            (.cgroup, "cgroup"), (.time, "time"), (.user, "user"),
        ])
    func `a namespace of each kind is joined by its path`(type: Spec.NamespaceType, name: String) throws {
        try withRuntime(.root) { runtime in
            let flags = type == .user ? "-U -r --fork" : type == .time ? "-T --fork" : "-muinpC --fork"
            try withNamespaces(flags, runtime) { pid in
                let path = "/proc/\(pid)/ns/\(name)"
                let wanted = try #require(FileDescriptor.workingDirectory.linkTarget(of: path))
                let outcome = try runtime.run(script: "readlink /proc/self/ns/\(name)") {
                    $0.linux?.namespaces?.removeAll { $0.type == type }
                    $0.linux?.namespaces?.append(.init(type: type, path: path))
                }
                expectOutput(outcome, wanted)
            }
        }
    }

    @Test(Requirement.root)
    func `those who live in a joined mount namespace keep their root`() throws {
        try withRuntime(.root) { runtime in
            try withNamespaces("-m --fork", runtime) { pid in
                let outcome = try runtime.run(script: "test -e /etc/passwd && ls /usr | head -n 1") {
                    $0.linux?.namespaces?.removeAll { $0.type == .mount }
                    $0.linux?.namespaces?.append(.init(type: .mount, path: "/proc/\(pid)/ns/mnt"))
                }
                #expect(outcome.status == 0, "\(outcome)")
                var (theirs, ours) = (stat(), stat())
                #expect(
                    stat("/proc/\(pid)/root/", &theirs) == 0 && stat("/", &ours) == 0 && theirs.st_ino == ours.st_ino)
            }
        }
    }

    @Test(arguments: Caller.available)
    func `hostname and domainname`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            expectOutput(
                try runtime.run(script: "hostname; cat /proc/sys/kernel/domainname") {
                    $0.hostname = "swift"
                    $0.domainname = "birds"
                }, "swift\nbirds")
        }
    }

    @Test(arguments: Caller.available)
    func `clocks of a time namespace are apart from the host's`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            let outcome = try runtime.run(script: "cat /proc/self/timens_offsets; cut -d . -f 1 /proc/uptime") {
                $0.linux?.namespaces?.append(.init(type: .time))
                $0.linux?.timeOffsets = [
                    "monotonic": .init(secs: 1000, nanosecs: 5), "boottime": .init(secs: 9_000_000),
                ]
            }
            let lines = outcome.lines.map { $0.split(separator: " ").joined(separator: " ") }
            #expect(lines.prefix(2) == ["monotonic 1000 5", "boottime 9000000 0"], "\(outcome)")
            #expect(Int(lines.last ?? "").map { $0 > 9_000_000 } == true, "\(outcome)")
        }
    }

    @Test(Requirement.root)
    func `kernel parameters by both ways of writing them`() throws {
        try withRuntime(.root) { runtime in
            let files = "ipv4/ip_forward ipv4/conf/lo/forwarding"
            expectOutput(
                try runtime.run(script: "cd /proc/sys/net; cat \(files) ../kernel/shmmni") {
                    $0.linux?.sysctl = [
                        "net.ipv4.ip_forward": "1", "net/ipv4/conf/lo/forwarding": "1", "kernel.shmmni": "77",
                    ]
                }, "1\n1\n77")
        }
    }

    @Test(arguments: Caller.available)
    func `a kernel parameter of the machine is refused by name`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            let outcome = try runtime.run(script: "true") { $0.linux?.sysctl = ["vm.swappiness": "1"] }
            runtime.expectFailure(outcome, naming: "linux.sysctl.vm.swappiness")
        }
    }

    @Test(Requirement.root)
    func `a network device of the host comes along with its addresses, and up`() throws {
        try withRuntime(.root) { runtime in
            // In a network namespace that stands for the host's.
            let add = "ip link add apustest0 type veth peer name apustest1"
            let set = "ip addr add 10.99.0.1/24 brd + dev apustest0; ip addr add fd99::1/64 dev apustest0 nodad"
            try runtime.configure(script: "ip -o addr show; ip -o link") {
                $0.linux?.netDevices = ["apustest0": .init(name: "inside%d")]
            }
            let run = runtime.words(["run", "--bundle", runtime.bundle, runtime.id()]).joined(separator: " ")
            let script = "\(add) || exit 1; \(set); ip link set apustest1 up; \(run); ip link show apustest0 >&2"
            let outcome = try runtime.apus.startProgram(["/usr/bin/unshare", "-n", "/bin/sh", "-c", script]).wait()
            for words in ["inet 10.99.0.1/24 brd 10.99.0.255", "inet6 fd99::1/64", "inside0", ",UP"] {
                #expect(outcome.output.contains(words), "\(words) wanted, but \(outcome)")
            }
            #expect(outcome.errors.contains("apustest0"), "\(outcome)")
        }
    }

    @Test(Requirement.root, arguments: [("nothere0", "No such device"), ("lo", "lo as inside: ")])
    func `a network device that cannot be moved is named`(name: String, words: String) throws {
        try withRuntime(.root) { runtime in
            let outcome = try runtime.run(script: "true") { $0.linux?.netDevices = [name: .init(name: "inside")] }
            runtime.expectFailure(outcome, naming: "move network device", name, words)
        }
    }
}
