import Containers
import Linux
import OCI
import Testing

@Suite struct `values of flags` {
    @Test(
        arguments: [
            ("0", 0), ("512", 512), ("100b", 100), ("512k", 512 << 10), ("4m", 4 << 20), ("4M", 4 << 20),
            ("4MB", 4 << 20),
            ("1gib", 1 << 30), ("1.5g", 3 << 29), ("1 GB", 1 << 30), ("2t", 2 << 40), ("1p", 1 << 50), (".5k", 512),
        ] as [(String, Int64)])
    func `a size is read in powers of 1024`(text: String, bytes: Int64) throws {
        #expect(try Values.size(text) == bytes)
    }

    @Test(arguments: [
        "", "m", "4x", "4mm", "4ibm", "-1", "+1", "1e3", "0x10", "nan", "inf", "1.2.3", "4 m b", "9999999p", " 1",
    ])
    func `what is no size is refused`(text: String) {
        #expect(throws: Failure.self) { try Values.size(text) }
    }

    @Test(
        arguments: [
            ("10s", 10_000_000_000), ("1m30s", 90_000_000_000), ("1.5h", 5_400_000_000_000), ("500ms", 500_000_000),
            ("7", 7_000_000_000), ("0", 0), ("3us", 3000), ("3µs", 3000), ("9ns", 9),
        ] as [(String, Int64)])
    func `a duration is read as Go reads it, plain numbers as seconds`(text: String, nanoseconds: Int64) throws {
        #expect(try Values.duration(text) == nanoseconds)
    }

    @Test(arguments: ["", "s", "10x", "1m30", "-5s", "5 s", "1e3s", "99999999999h"])
    func `what is no duration is refused`(text: String) {
        #expect(throws: Failure.self) { try Values.duration(text) }
    }

    @Test(
        arguments: [("1", 1_000_000_000), ("0.5", 500_000_000), ("1.5", 1_500_000_000), ("0.01", 10_000_000)]
            as [(String, Int64)])
    func `CPUs are read in billionths`(text: String, nano: Int64) throws {
        #expect(try Values.nanoCPUs(text) == nano)
    }

    @Test(arguments: ["", "-1", "0", "0.001", "inf", "1e1", "two", "99999999"])
    func `what is no number of CPUs is refused`(text: String) {
        #expect(throws: Failure.self) { try Values.nanoCPUs(text) }
    }

    @Test(
        arguments: [
            ("ctrl-p,ctrl-q", [16, 17]), ("ctrl-@", [0]), ("ctrl-[", [27]), ("ctrl-_", [31]), ("a,B", [0x61, 0x42]),
            ("", []),
            ("Ctrl-C", [3]),
        ] as [(String, [UInt8])])
    func `detach keys are bytes of a terminal`(text: String, bytes: [UInt8]) throws {
        #expect(try DetachKeys.parse(text) == bytes)
    }

    @Test(arguments: ["ctrl-", "ctrl-1", "ab", ",", "é"])
    func `what is no key is refused`(text: String) {
        #expect(throws: Failure.self) { try DetachKeys.parse(text) }
    }

    @Test(arguments: [
        ("nofile=1024:2048", Spec.Rlimit(type: "RLIMIT_NOFILE", hard: 2048, soft: 1024)),
        ("core=0", Spec.Rlimit(type: "RLIMIT_CORE", hard: 0, soft: 0)),
        ("memlock=unlimited", Spec.Rlimit(type: "RLIMIT_MEMLOCK", hard: .max, soft: .max)),
        ("stack=8:-1", Spec.Rlimit(type: "RLIMIT_STACK", hard: .max, soft: 8)),
    ])
    func `an ulimit has a soft and a hard part`(text: String, limit: Spec.Rlimit) throws {
        #expect(try SecuritySyntax.ulimit(text) == limit)
    }

    @Test(arguments: ["nofile", "nofile=", "nofile=a", "nofile=1:2:3", "nofile=2:1", "files=1", "nofile=-2", "=1"])
    func `what is no ulimit is refused`(text: String) {
        #expect(throws: Failure.self) { try SecuritySyntax.ulimit(text) }
    }

    @Test func `capabilities go with and without prefix, in any case`() throws {
        #expect(try SecuritySyntax.capabilityList("net_admin,CAP_CHOWN,all") == ["CAP_NET_ADMIN", "CAP_CHOWN", "ALL"])
    }

    @Test(arguments: [
        ("net.ipv4.ip_forward=1", "net.ipv4.ip_forward", "1"),
        ("net/ipv4/conf/eth0.1/forwarding=0", "net.ipv4.conf.eth0/1.forwarding", "0"),
        ("kernel.sem=1 2 3 4", "kernel.sem", "1 2 3 4"),
    ])
    func `a sysctl has dots between its parts`(text: String, name: String, value: String) throws {
        #expect(try ModeSyntax.sysctl(text) == (name, value))
    }

    @Test(arguments: [
        ("a:1.2.3.4", "a", "1.2.3.4"), ("a=::1", "a", "::1"), ("a:[::1]", "a", "::1"), ("a:::1", "a", "::1"),
        ("a:host-gateway", "a", "host-gateway"),
    ])
    func `a host has a name and an address`(text: String, name: String, address: String) throws {
        #expect(try ModeSyntax.extraHost(text) == ExtraHost(name: name, address: address))
    }

    @Test(arguments: ["", "a", "a:", ":1.2.3.4", "a b:1.2.3.4", "a:1.2.3", "a\n:1.2.3.4"])
    func `what is no host is refused`(text: String) {
        #expect(throws: Failure.self) { try ModeSyntax.extraHost(text) }
    }

    @Test(arguments: [
        ("host", UserNamespaceMode.host), ("keep-id", .keepID), ("auto", .auto), ("", .standard),
        ("container:x", .container(id: "x")),
        (
            "0:100000:65536,65536:1:1",
            .maps([IDMap(container: 0, host: 100_000, count: 65536), IDMap(container: 65536, host: 1, count: 1)])
        ),
    ])
    func `a user namespace is a mode or maps`(text: String, mode: UserNamespaceMode) throws {
        #expect(try ModeSyntax.userNamespace(text) == mode)
    }

    @Test(arguments: ["keepid", "0:1", "0:1:0", "0:1:2,1:5:1", "4294967295:0:2", "container:", "0:1:1:1", "a:b:c"])
    func `what is no user namespace is refused`(text: String) {
        #expect(throws: Failure.self) { try ModeSyntax.userNamespace(text) }
    }
}

@Suite struct `mounts as they are written` {
    let caller = Surroundings(
        environment: { _ in nil }, workingDirectory: { "/home/me" },
        contents: { path throws(Failure) in throw Failure("", path, "not here") })

    @Test(arguments: [
        ("/a:/b", MountRequest(kind: .bind, source: "/a", destination: "/b")),
        ("/a:/b:ro", MountRequest(kind: .bind, source: "/a", destination: "/b", readOnly: true)),
        ("./a:/b", MountRequest(kind: .bind, source: "/home/me/a", destination: "/b")),
        (".:/b", MountRequest(kind: .bind, source: "/home/me", destination: "/b")),
        ("../a:/b", MountRequest(kind: .bind, source: "/home/me/../a", destination: "/b")),
        (
            "/a:/b:z,rw,rslave,noexec",
            MountRequest(kind: .bind, source: "/a", destination: "/b", propagation: "rslave", options: ["noexec"])
        ),
        ("data:/b/./c//d/", MountRequest(kind: .volume, source: "data", destination: "/b/c/d")),
        ("/b", MountRequest(kind: .volume, destination: "/b")),
        ("data:/b:nocopy,ro", MountRequest(kind: .volume, source: "data", destination: "/b", readOnly: true)),
    ])
    func `a volume has a source, a place and options`(text: String, mount: MountRequest) throws {
        #expect(try MountSyntax.volume(text, caller) == mount)
    }

    @Test(arguments: [
        ("/a:/", "'/a:/': a mount onto '/' would hide the root file system"),
        ("/a:/x/../..", "'/a:/x/../..': '..' in a path in the container"),
        ("/a:b", "'/a:b': 'b' is not an absolute path in the container"),
        (
            "a/b:/c",
            "'a/b:/c': 'a/b' is neither an absolute path nor the name of a volume; write './a/b' for a path from here"
        ),
        ("-x:/c", "'-x:/c': '-x' is neither an absolute path nor the name of a volume"),
        ("/a:/b:U", "'/a:/b:U': the option 'U' is not available"),
        ("/a:/b:fast", "'/a:/b:fast': unknown option 'fast'"),
        ("/a::ro", "'/a::ro': not a volume; give SOURCE:DESTINATION[:OPTIONS]"),
        ("/a:/b:ro:rw", "'/a:/b:ro:rw': not a volume; give SOURCE:DESTINATION[:OPTIONS]"),
        ("", "'': not a volume; give SOURCE:DESTINATION[:OPTIONS]"),
    ])
    func `what is no volume is refused`(text: String, message: String) {
        let failure = #expect(throws: Failure.self) { try MountSyntax.volume(text, caller) }
        #expect(failure?.description == message)
    }

    @Test(arguments: [
        ("type=bind,source=/a,target=/b", MountRequest(kind: .bind, source: "/a", destination: "/b")),
        (
            "src=/a,dst=/b,readonly,type=bind",
            MountRequest(kind: .bind, source: "/a", destination: "/b", readOnly: true)
        ),
        (
            "type=bind,src=/a,dst=/b,ro=false,bind-propagation=rshared",
            MountRequest(kind: .bind, source: "/a", destination: "/b", propagation: "rshared")
        ),
        (
            "type=bind,src=/a,dst=/b,bind-recursive=writable,ro",
            MountRequest(kind: .bind, source: "/a", destination: "/b", readOnly: true, recursiveReadOnly: false)
        ),
        (
            "type=bind,src=/a,dst=/b,bind-nonrecursive",
            MountRequest(kind: .bind, source: "/a", destination: "/b", recursive: false)
        ),
        (#"type=bind,"src=/a,b",dst=/b"#, MountRequest(kind: .bind, source: "/a,b", destination: "/b")),
        (#"type=bind,"src=/a""b",dst=/b"#, MountRequest(kind: .bind, source: "/a\"b", destination: "/b")),
        (
            "type=tmpfs,dst=/b,tmpfs-size=1m,tmpfs-mode=0700",
            MountRequest(kind: .tmpfs, destination: "/b", options: ["size=1048576", "mode=700"])
        ),
        ("source=data,target=/b", MountRequest(kind: .volume, source: "data", destination: "/b")),
        ("target=/b,relabel=private", MountRequest(kind: .volume, destination: "/b")),
        ("type=bind,src=./a,dst=/b", MountRequest(kind: .bind, source: "/home/me/a", destination: "/b")),
        ("type=bind,src=.,dst=/b", MountRequest(kind: .bind, source: "/home/me", destination: "/b")),
    ])
    func `a long mount has Docker's keys`(text: String, mount: MountRequest) throws {
        #expect(try MountSyntax.mount(text, caller) == mount)
    }

    @Test(arguments: [
        ("type=bind,src=/a", "no target"), ("type=bind,dst=/a", "no source"), ("type=nfs,dst=/a", "unknown type 'nfs'"),
        ("type=bind,src=a,dst=/a", "'a' is not an absolute path"),
        ("type=tmpfs,src=/a,dst=/a", "a tmpfs has no source"),
        ("type=bind,src=/a,dst=/b,tmpfs-size=1", "'tmpfs-size' does not go with type=bind"),
        ("type=tmpfs,dst=/b,tmpfs-size=x", "tmpfs-size: 'x': not a size"),
        ("type=bind,src=/a,dst=/b,shiny=1", "unknown key 'shiny'"), ("type=bind,src,dst=/b", "'src' without a value"),
        ("type=volume,src=/a,dst=/b", "'/a' is not the name of a volume"),
        ("type=bind,src=/a,dst=/b,ro=maybe", "ro: 'maybe': neither true nor false"),
        ("type=bind,src=/a,dst=/", "a mount onto '/' would hide the root file system"),
        (#"type=bind,"src=/a"#, "a quote that does not end"),
    ])
    func `what is no long mount is refused`(text: String, reason: String) {
        let failure = #expect(throws: Failure.self) { try MountSyntax.mount(text, caller) }
        #expect(failure?.reason == reason)
    }

    /// A combining accent makes one character of itself and what is before it, also of a separator.
    @Test func `paths are parted at bytes`() throws {
        let name = "\u{301}b"
        let bind = MountRequest(kind: .bind, source: "/\(name)", destination: "/\(name)/\(name)")
        #expect(try MountSyntax.volume("/\(name):/\(name)//./\(name)", caller) == bind)
        #expect(try MountSyntax.mount("type=bind,src=/\(name),dst=/\(name)/\(name)", caller) == bind)
        #expect(try MountSyntax.mount(#"type=bind,"src=/\#(name)",dst=/\#(name)/\#(name)"#, caller) == bind)
        #expect(throws: Failure.self) { try MountSyntax.volume("/a:/\(name)/../c", caller) }
        #expect(try MountSyntax.device("/dev/\(name):/\(name)").containerPath == "/\(name)")
    }

    @Test(arguments: ["/x:shiny", "/x:size", "x", "/", "/x:size="])
    func `what is no tmpfs is refused`(text: String) {
        #expect(throws: Failure.self) { try MountSyntax.tmpfs(text) }
    }

    @Test(arguments: [
        ("/dev/fuse", DeviceRequest(hostPath: "/dev/fuse", containerPath: "/dev/fuse")),
        ("/dev/fuse:r", DeviceRequest(hostPath: "/dev/fuse", containerPath: "/dev/fuse", access: "r")),
        ("/dev/fuse:/dev/x:rw", DeviceRequest(hostPath: "/dev/fuse", containerPath: "/dev/x", access: "rw")),
    ])
    func `a device has a place and an access`(text: String, device: DeviceRequest) throws {
        #expect(try MountSyntax.device(text) == device)
    }

    @Test(arguments: ["fuse", "/dev/fuse:x", "/dev/fuse:/a:/b:r:w", "/dev/fuse:"])
    func `what is no device is refused`(text: String) {
        #expect(throws: Failure.self) { try MountSyntax.device(text) }
    }
}

@Suite struct `files that say who and where a container is` {
    @Test func `hosts names the container and what was asked for`() throws {
        var config = ContainerConfig(root: .host)
        config.extraHosts = [ExtraHost(name: "db", address: "10.0.0.2")]
        config.domainname = "example.org"
        let lines = try HostFiles.hosts(config, hostname: "web", host: nil, gateway: nil).split(separator: "\n")
        #expect(lines.first == "127.0.0.1\tlocalhost")
        #expect(lines.suffix(2) == ["10.0.0.2\tdb", "127.0.1.1\tweb.example.org web"])
    }

    @Test func `on the host's network the host's own lines stay`() throws {
        var config = ContainerConfig(root: .host)
        config.extraHosts = [ExtraHost(name: "me", address: "host-gateway")]
        let text = try HostFiles.hosts(config, hostname: "web", host: "1.1.1.1 one", gateway: "127.0.0.1")
        #expect(text == "1.1.1.1 one\n127.0.0.1\tme\n")
    }

    @Test func `a gateway that is not there is an error`() {
        var config = ContainerConfig(root: .host)
        config.extraHosts = [ExtraHost(name: "me", address: "host-gateway")]
        #expect(throws: Failure.self) { try HostFiles.hosts(config, hostname: "web", host: nil, gateway: nil) }
    }

    @Test func `only what was asked for replaces the host's resolver settings`() {
        let host = "# by hand\nnameserver 10.0.0.1\nsearch lan\noptions edns0\n"
        var config = ContainerConfig(root: .host)
        #expect(HostFiles.resolverConfiguration(config, host: host) == host)
        config.dns.servers = ["1.1.1.1", "::1"]
        #expect(
            HostFiles.resolverConfiguration(config, host: host)
                == "# by hand\nsearch lan\noptions edns0\nnameserver 1.1.1.1\nnameserver ::1\n")
        config.dns.searchDomains = ["."]
        config.dns.options = ["ndots:2"]
        #expect(
            HostFiles.resolverConfiguration(config, host: host)
                == "# by hand\nnameserver 1.1.1.1\nnameserver ::1\noptions ndots:2\n")
    }
}
