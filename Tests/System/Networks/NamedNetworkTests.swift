import Glibc
import Linux
import Testing

/// Networks that their user makes: names, isolation, addresses, changes.
@Suite(Requirement.root) struct NamedNetworkTests {
    @Test func `containers of a network find each other by name and alias, as they come and go`() throws {
        try withNetworks { apus, lab in
            try apus.succeed("network", "create", "web")
            try apus.serveAddresses("one", ["--network", "web", "--network-alias", "first"])
            try apus.serveAddresses("two", ["--network", "web:alias=second"])
            for (asker, name) in [("one", "two"), ("one", "second"), ("two", "one"), ("two", "first")] {
                let own = try apus.inspect(asker, "{{.NetworkSettings.Networks.web.IPAddress}}")
                expectOutput(try apus("exec", asker, "sh", "-c", NetworkLab.ask(name, 80, "tcp4")), "from \(own)")
            }
            try apus.succeed("rm", "-f", "two")
            #expect(try !apus.succeed("exec", "one", "cat", "/etc/hosts").contains("\ttwo"))
            // What the container has written there itself stays.
            try apus.succeed("exec", "one", "sh", "-c", "echo 192.0.2.9 mine >>/etc/hosts")
            try apus.serveAddresses("three", ["--network", "web"])
            let hosts = try apus.succeed("exec", "one", "cat", "/etc/hosts")
            #expect(hosts.contains("three") && hosts.contains("192.0.2.9 mine"), "\(hosts)")
        }
    }

    @Test func `containers of two networks do not reach each other`() throws {
        try withNetworks { apus, _ in
            try apus.succeed("network", "create", "web")
            try apus.succeed("network", "create", "data")
            try apus.serveAddresses("web", ["--network", "web"])
            let address = try apus.inspect("web", "{{.NetworkSettings.Networks.web.IPAddress}}")
            for flags in [["--network", "data"], ["--network", "bridge"]] {
                #expect(try apus.run(flags, "nc", "-w", "1", address, "80").status != 0)
            }
            #expect(try apus.run(["--network", "web"], "nc", "-w", "2", address, "80").status == 0)
        }
    }

    @Test func `an internal network leads nowhere else`() throws {
        try withNetworks { apus, lab in
            try apus.succeed("network", "create", "--internal", "back")
            let server = try lab.serveOnClient(7000)
            defer { withExtendedLifetime(server) {} }
            let asked = try apus.run(["--network", "back"], "nc", "-w", "1", NetworkLab.clientAddress, "7000")
            #expect(asked.status != 0, "\(asked)")
            expectRefusal(try apus.run(["--network", "back", "-p", "80:80"], "true"), naming: "--publish", "internal")
        }
    }

    @Test func `IPv6 has addresses, names, a way out and published ports`() throws {
        try withNetworks { apus, lab in
            try apus.succeed("network", "create", "--ipv6", "--subnet", "fd77::/64", "six")
            try apus.serveAddresses("web", ["--network", "six", "--ip6", "fd77::99", "-p", "8080:80"])
            let outcome = try apus.shell(["--network", "six"], "echo | nc -w 2 fd77::99 80; ip -6 route")
            #expect(outcome.status == 0 && outcome.output.contains("default via fd77::1 dev eth0"), "\(outcome)")
            expectOutput(
                try lab.onClient(NetworkLab.ask("[fd33::1]", 8080)), "from [fd33:0000:0000:0000:0000:0000:0000:0002]")
            let server = try lab.serveOnClient(7000)
            defer { withExtendedLifetime(server) {} }
            expectOutput(try apus.shell(["--network", "six"], "until nc -w 2 fd33::2 7000; do :; done"), "7000")
        }
    }

    @Test func `a running container is put into a network and taken out again`() throws {
        try withNetworks { apus, _ in
            try apus.succeed("network", "create", "web")
            try apus.serveAddresses("one", ["--network", "web"])
            try apus.detached("two", [])
            try apus.succeed("network", "connect", "--alias", "second", "web", "two")
            #expect(try apus("exec", "two", "sh", "-c", "echo | nc -w 2 one 80").status == 0)
            #expect(try apus.succeed("exec", "one", "cat", "/etc/hosts").contains("two second"))
            #expect(try apus.succeed("ps", "--filter", "name=two", "--format", "{{.Networks}}") == "bridge,web")
            try apus.succeed("network", "disconnect", "bridge", "two")
            let routes = try apus.succeed("exec", "two", "ip", "route")
            #expect(routes.contains("dev eth1") && !routes.contains("dev eth0"), "\(routes)")
            try apus.succeed("network", "disconnect", "web", "two")
            #expect(try !apus.succeed("exec", "one", "cat", "/etc/hosts").contains("\ttwo"))
            // It is so after a restart, too.
            try apus.succeed("restart", "--time", "0", "two")
            expectOutput(try apus("exec", "two", "ls", "/sys/class/net"), "lo")
        }
    }

    @Test func `networks are listed, shown and removed, but not while somebody is in them`() throws {
        try withNetworks { apus, lab in
            let id = try apus.succeed("network", "create", "--label", "a=b", "--subnet", "10.99.0.0/24", "web")
            try apus.detached("one", ["--network", "web", "--ip", "10.99.0.7", "--mac-address", "02:00:00:00:00:01"])
            #expect(
                try apus.succeed("network", "ls", "--format", "{{.ID}} {{.Name}} {{.Driver}} {{.Scope}}")
                    == "\(id.prefix(12)) web bridge local")
            #expect(try apus.succeed("network", "ls", "-q", "--filter", "label=a=c") == "")
            let format =
                "{{(index .IPAM.Config 0).Gateway}} {{range .Containers}}{{.Name}} {{.IPv4Address}} {{.MacAddress}}{{end}}"
            expectOutput(
                try apus("network", "inspect", "--format", format, "web"),
                "10.99.0.1 one 10.99.0.7/24 02:00:00:00:00:01")
            expectRefusal(try apus("network", "rm", "web"), 1, naming: "'web'", "one")
            try apus.succeed("rm", "-f", "one")
            try apus.succeed("network", "rm", "web")
            expectRefusal(try apus("network", "inspect", "--format", "{{.Id}}", "web"), 1, naming: "no such network")
            let left = try lab.onMachine("ip -o link; nft list tables")
            #expect(!left.output.contains("ap-"), "\(left)")
        }
    }

    @Test func `bad input is refused with what to do`() throws {
        try withNetworks { apus, _ in
            try apus.succeed("network", "create", "--subnet", "10.99.0.0/29", "web")
            let wrong: [([String], String)] = [
                (["web"], "'web'"), (["--subnet", "10.99.0.0/16", "other"], "overlaps network 'web'"),
                (["--subnet", "198.51.100.128/25", "other"], "198.51.100.0/24"),
                (["--subnet", "10.0.0.0", "other"], "10.0.0.0"),
                (["--subnet", "10.50.0.0/24", "--gateway", "10.51.0.1", "other"], "10.51.0.1"),
                (["--driver", "macvlan", "other"], "macvlan"), (["--opt", "magic=1", "other"], "magic"),
                (["a/b"], "a/b"),
                (["none"], "none"),
            ]
            for (words, name) in wrong {
                expectRefusal(try apus(["network", "create"] + words), 1, naming: name)
            }
            #expect(try apus.succeed("network", "ls", "--format", "{{.Name}}") == "web")
            for address in ["10.99.0.1", "10.99.0.7", "10.98.0.2"] {
                expectRefusal(try apus.run(["--network", "web", "--ip", address], "true"), naming: address)
            }
            for number in 0..<5 { try apus.detached("box\(number)", ["--network", "web"]) }
            expectRefusal(try apus.run(["--network", "web"], "true"), naming: "'web'", "10.99.0.0/29")
            expectRefusal(
                try apus.run(["--network", "no-such-network"], "true"), naming: "no-such-network", "network ls")
        }
    }

    @Test(arguments: [Caller.root, .ordinary, .withoutIDs])
    func `no rights are needed to listen on a low port, or to ping`(caller: Caller) throws {
        try withNetworks(caller) { apus, _ in
            let user = caller == .withoutIDs ? "0" : "1000"
            let words = ["-u", user, "--cap-drop", "all"]
            let script = "httpd -p 80 && cut -f 1 /proc/sys/net/ipv4/ping_group_range"
            expectOutput(try apus.shell(words, script), "0")
            let closed = try apus.shell(words + ["--sysctl", "net.ipv4.ip_unprivileged_port_start=1024"], script)
            #expect(closed.status != 0 && closed.errors.contains("ermission denied"), "\(closed)")
        }
    }
}
