import Glibc
import Linux
import Testing

/// Root's default network: a bridge, with a way out and published ports.
@Suite(Requirement.root) struct BridgeTests {
    @Test func `a container has an address, a gateway and a way out`() throws {
        try withNetworks { apus, lab in
            let outcome = try apus.shell(["--network", "bridge"], "ip -o -4 addr show eth0; ip route; cat /etc/hosts")
            #expect(outcome.status == 0, "\(outcome)")
            #expect(outcome.output.contains("inet 10.213.0."), "\(outcome)")
            #expect(outcome.lines.contains { $0.hasPrefix("default via 10.213.0.1 dev eth0") }, "\(outcome)")
            #expect(outcome.lines.contains { $0.hasPrefix("10.213.0.") }, "its own name: \(outcome)")
            let server = try lab.serveOnClient(7000)
            defer { withExtendedLifetime(server) {} }
            // The client knows no way to 10.213.0.0/16: without masquerading no answer would come.
            let asked = try apus.shell("until nc -w 2 \(NetworkLab.clientAddress) 7000; do :; done")
            expectOutput(asked, "7000")
            try lab.waitForNoDevices()
        }
    }

    @Test(arguments: ["tcp", "udp"])
    func `a published port leads to the container from everywhere, and shows it who asks`(kind: String) throws {
        try withNetworks { apus, lab in
            try apus.serveAddresses("web", ["-p", "8080:80/\(kind)"])
            func ask(_ address: String) -> String { NetworkLab.ask(address, 8080, kind) }
            let machine = NetworkLab.machineAddress
            expectOutput(try lab.onClient(ask(machine)), "from \(NetworkLab.clientAddress)")
            expectOutput(try lab.onMachine(ask(machine)), "from 10.213.0.1")
            expectOutput(try lab.onMachine(ask("127.0.0.1")), "from 10.213.0.1")
            // Another container, by an address of the machine.
            expectOutput(try apus("run", "--rm", "@host", "sh", "-c", ask(machine)), "from 10.213.0.1")
        }
    }

    @Test func `a container reaches its own published port by an address of the machine`() throws {
        try withNetworks { apus, _ in
            try apus.succeed("network", "create", "--ipv6", "web")
            try apus.serveAddresses("plain", ["-p", "8080:80", "-p", "8080:80/udp"])
            try apus.serveAddresses("six", ["--network", "web", "-p", "8081:80"])
            for kind in ["tcp", "udp"] {
                let asked = NetworkLab.ask(NetworkLab.machineAddress, 8080, kind)
                expectOutput(try apus("exec", "plain", "sh", "-c", asked), "from 10.213.0.1")
            }
            let outcome = try apus("exec", "six", "sh", "-c", NetworkLab.ask("[fd33::1]", 8081))
            #expect(outcome.status == 0 && outcome.text.hasPrefix("from ["), "\(outcome)")
        }
    }

    @Test func `a port published at one address is at no other`() throws {
        try withNetworks { apus, lab in
            try apus.serveAddresses("web", ["-p", "127.0.0.1:8080:80", "-p", "\(NetworkLab.machineAddress):8081:80"])
            expectOutput(try lab.onMachine(NetworkLab.ask("127.0.0.1", 8080)), "from 10.213.0.1")
            expectOutput(
                try lab.onClient(NetworkLab.ask(NetworkLab.machineAddress, 8081)), "from \(NetworkLab.clientAddress)")
            #expect(try lab.onClient(NetworkLab.ask(NetworkLab.machineAddress, 8080)).status != 0)
            #expect(try lab.onMachine(NetworkLab.ask("127.0.0.1", 8081)).status != 0)
        }
    }

    @Test func `nothing from outside reaches a port that is not published`() throws {
        try withNetworks { apus, lab in
            try apus.serveAddresses("web", [])
            let address = try apus.address(of: "web")
            expectOutput(try lab.onMachine(NetworkLab.ask(address, 80)), "from 10.213.0.1")
            let asked = try lab.onClient(
                "ip route add 10.213.0.0/16 via \(NetworkLab.machineAddress); " + NetworkLab.ask(address, 80))
            #expect(asked.status != 0, "\(asked)")
        }
    }

    @Test func `ports, ps and inspect show what is published, and port 0 is any that is free`() throws {
        try withNetworks { apus, lab in
            try apus.serveAddresses("web", ["-p", "8080:80", "-p", "127.0.0.1::80/udp"])
            let ports = try apus.succeed("port", "web").split(separator: "\n")
            #expect(ports.first == "80/tcp -> 0.0.0.0:8080", "\(ports)")
            let chosen = try #require(ports.last?.split(separator: ":").last)
            #expect(ports.last == "80/udp -> 127.0.0.1:\(chosen)")
            #expect(try apus.succeed("port", "web", "80") == "0.0.0.0:8080")
            #expect(
                try apus.succeed("ps", "--format", "{{.Ports}}")
                    == "0.0.0.0:8080->80/tcp, 127.0.0.1:\(chosen)->80/udp")
            let bindings = try apus.inspect("web", "{{json .NetworkSettings.Ports}}")
            #expect(
                bindings == """
                    {"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}],"80/udp":[{"HostIp":"127.0.0.1","HostPort":"\(chosen)"}]}
                    """)
            expectOutput(
                try lab.onMachine(NetworkLab.ask("127.0.0.1", try #require(Int(chosen)), "udp")), "from 10.213.0.1")
        }
    }

    @Test func `a port in use is refused by who has it, and nothing is left`() throws {
        try withNetworks { apus, lab in
            try apus.serveAddresses("web", ["-p", "8080:80"])
            let second = try apus.run(["-p", "8080:80"], "true")
            expectRefusal(second, naming: "8080/tcp", "container 'web'")
            let server = try apus.startProgram(["/usr/bin/socat", "TCP4-LISTEN:9090,fork", "SYSTEM:true"])
            defer { withExtendedLifetime(server) {} }
            _ = try lab.onMachine("until grep -q ':2382 .* 0A ' /proc/net/tcp; do :; done")
            expectRefusal(try apus.run(["-p", "8081:80", "-p", "9090:80"], "true"), naming: "9090/tcp", "process")
            expectRefusal(try apus.run(["-p", "192.0.2.77:80:80"], "true"), naming: "192.0.2.77")
            #expect(try lab.publishedElements().count == 1)
            #expect(try lab.onMachine("ip -o link | grep -c ': av'").text == "1")
        }
    }

    @Test func `what a container had is free again, however it ended`() throws {
        try withNetworks { apus, lab in
            for round in 0..<3 {
                try apus.serveAddresses("web", ["-p", "8080:80"])
                switch round {
                case 0: try apus.succeed("rm", "-f", "web")
                case 1:
                    try apus.succeed("stop", "--time", "0", "web")
                    try apus.succeed("rm", "web")
                default:
                    let supervisor = try #require(pid_t(try apus.inspect("web", "{{.Apus.SupervisorPid}}")))
                    kill(supervisor, SIGKILL)
                    // Any command puts things right.
                    let listed = try apus("ps", "-a", "--format", "{{.Status}}")
                    #expect(listed.text.hasPrefix("Exited (137)"), "\(listed)")
                    try apus.succeed("rm", "web")
                }
                #expect(try lab.publishedElements() == [])
                try lab.waitForNoDevices()
            }
        }
    }

    @Test func `what others drop of what is forwarded stays theirs, and a line says so once`() throws {
        try withNetworks { apus, lab in
            let chain = "nft list chain ip filter FORWARD"
            // As Docker leaves it.
            let made = try lab.onMachine(
                """
                nft add table ip filter
                nft add chain ip filter FORWARD '{ type filter hook forward priority filter; policy drop; }'; \(chain)
                """)
            #expect(made.status == 0, "\(made)")
            let first = try apus.run([], "true")
            #expect(first.status == 0 && first.isOneLineNaming("iptables -I DOCKER-USER -i ap-+ -j ACCEPT"), "\(first)")
            expectOutput(try apus.run([], "true"), "")
            expectOutput(try lab.onMachine(chain), made.text)
        }
    }

    @Test func `containers that start at once all have addresses of their own`() throws {
        try withNetworks { apus, _ in
            let script =
                "for i in $(seq 20); do $APUS run --rm --rootfs \(Machine.busybox) ip -o -4 addr show eth0 & done; wait"
            let outcome = try apus.startShell(script).wait()
            let addresses = outcome.lines.compactMap { $0.split(separator: " ").first { $0.hasSuffix("/16") } }
            #expect(outcome.status == 0 && addresses.count == 20 && Set(addresses).count == 20, "\(outcome)")
        }
    }

    @Test func `where packets are not forwarded and may not be, one line says what to do, and nothing is left`() throws
    {
        try withNetworks { apus, lab in
            let changed = try lab.onMachine(
                "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && cat /proc/sys/net/ipv4/ip_forward"
            )
            expectOutput(changed, "0")
            expectRefusal(
                try apus.run(["--network", "bridge"], "true"), naming: "net.ipv4.ip_forward",
                "sysctl -w net.ipv4.ip_forward=1")
            let left = try lab.onMachine("ip -o link; nft list tables")
            #expect(!left.output.contains("ap-") && !left.output.contains("av"), "\(left)")
        }
    }

    @Test func `without IPv6 a network that wants it is refused, and nothing is left`() throws {
        try withNetworks { apus, lab in
            let hidden = try lab.onMachine(
                """
                set -e; mkdir -p \(apus.directory)/net/ipv4
                mount --bind /proc/sys/net/ipv4 \(apus.directory)/net/ipv4
                mount --rbind \(apus.directory)/net /proc/sys/net
                """)
            #expect(hidden.status == 0, "\(hidden)")
            try apus.succeed("network", "create", "--ipv6", "six")
            expectRefusal(try apus.run(["--network", "six"], "true"), naming: "'six'", "no IPv6", "--ipv6")
            let left = try lab.onMachine("ip -o link; nft list tables")
            #expect(!left.output.contains("ap-") && !left.output.contains("av"), "\(left)")
            #expect(try apus.succeed("network", "inspect", "--format", "{{len .Containers}}", "six") == "0")
            let shown = try lab.onMachine("umount -R /proc/sys/net")
            #expect(shown.status == 0, "\(shown)")
        }
    }

    @Test func `without nft there is no network, one line says so, and what needs it is refused`() throws {
        try withNetworks { apus, lab in
            let hidden = try lab.onMachine(
                "mount --bind /dev/null /usr/sbin/nft; mount --bind /dev/null /sbin/nft || true")
            #expect(hidden.status == 0, "\(hidden)")
            let outcome = try apus.run([], "ls", "/sys/class/net")
            #expect(outcome.output == "lo\n" && outcome.status == 0, "\(outcome)")
            #expect(outcome.isOneLineNaming("install nftables"), "\(outcome)")
            for flags in [["--network", "bridge"], ["-p", "8080:80"]] {
                expectRefusal(try apus.run(flags, "true"), naming: "nft", "install nftables")
            }
        }
    }
}
