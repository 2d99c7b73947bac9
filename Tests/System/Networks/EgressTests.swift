import Linux
import Testing

/// What a container may send to, and how fast.
@Suite(Requirement.root) struct EgressTests {
    @Test(arguments: [Caller.root, .ordinary])
    func `only what was allowed is reached, by name, address and port`(caller: Caller) throws {
        try withNetworks(caller) { apus, lab in
            let server = try lab.serveOnClient(7000, 7001)
            defer { withExtendedLifetime(server) {} }
            let hosts = try lab.onMachine(
                "echo '\(NetworkLab.clientAddress) client.test' >\(apus.directory)/names; mount --bind \(apus.directory)/names /etc/hosts"
            )
            #expect(hosts.status == 0, "\(hosts)")
            // With its input kept open: Debian 12's pasta repeats what is sent to who has closed one half.
            let script = """
                mkfifo /dev/shm/open
                for port in 7000 7001; do nc -w 2 \(NetworkLab.clientAddress) $port <>/dev/shm/open || echo refused; done
                """
            let cases: [([String], String)] = [
                (["none"], "refused\nrefused"), (["\(NetworkLab.clientAddress):7000"], "7000\nrefused"),
                (["198.51.100.0/24"], "7000\n7001"), (["client.test:7001"], "refused\n7001"),
            ]
            for (rules, expected) in cases {
                let outcome = try apus.shell(rules.flatMap { ["--egress", $0] }, script)
                #expect(outcome.output == expected + "\n", "\(rules): \(outcome)")
            }
            let named = try apus.shell(
                ["--egress", "client.test", "--add-host", "x:192.0.2.1"],
                "mkfifo /dev/shm/open; nc -w 2 client.test 7000 <>/dev/shm/open")
            #expect(named.output == "7000\n", "\(named)")
            // Answers go out, and what was refused is counted.
            try apus.serveAddresses("web", ["--egress", "none", "-p", "8080:80"])
            #expect(try lab.onClient(NetworkLab.ask(NetworkLab.machineAddress, 8080)).text.hasPrefix("from "))
            #expect(try apus("exec", "web", "nc", "-w", "1", NetworkLab.clientAddress, "7000").status != 0)
            try apus.succeed("stop", "--time", "0", "web")
            #expect(try #require(Int(try apus.inspect("web", "{{.Apus.EgressRefused}}"))) > 0)
        }
    }

    @Test func `what could be got round or cannot be is refused`() throws {
        try withNetworks { apus, _ in
            let wrong: [([String], [String])] = [
                (["--egress", "none", "--cap-add", "NET_ADMIN"], ["--egress", "NET_ADMIN"]),
                (["--egress", "none", "--privileged"], ["--egress", "NET_ADMIN"]),
                (["--egress", "none", "--network", "host"], ["--egress"]),
                (["--egress", "x y"], ["--egress", "x y"]), (["--egress", "1.2.3.4:0"], ["1.2.3.4:0"]),
                (["--egress", "no-such-host.invalid"], ["--egress", "no-such-host.invalid"]),
                (["--network-rate", "fast"], ["--network-rate", "fast"]),
                (["--network-rate", "1mbit", "--network", "none"], ["--network-rate"]),
            ]
            for (flags, names) in wrong {
                let outcome = try apus.run(flags, "true")
                #expect(
                    outcome.status == 125 && names.allSatisfy { outcome.isOneLineNaming($0) }, "\(flags): \(outcome)")
            }
        }
    }

    @Test(arguments: [Caller.root, .ordinary])
    func `a command of the machine reaches only what was allowed, and a report counts the rest`(caller: Caller) throws {
        try withNetworks(caller) { apus, lab in
            let server = try lab.serveOnClient(7000, 7001)
            defer { withExtendedLifetime(server) {} }
            let hosts = try lab.onMachine(
                "echo '\(NetworkLab.clientAddress) client.test' >\(apus.directory)/names; mount --bind \(apus.directory)/names /etc/hosts"
            )
            #expect(hosts.status == 0, "\(hosts)")
            let script = """
                cd \(apus.directory); test -p open || mkfifo open; id -u; for port in 7000 7001; do
                    socat -t 1 - TCP:client.test:$port,connect-timeout=3 <>open 2>/dev/null || echo refused
                done
                """
            let outcome = try apus(
                "limit", "--egress", "client.test:7000", "--report", "\(apus.directory)/used.json", "--", "sh", "-c",
                script)
            #expect(outcome.output == "\(apus.account.uid)\n7000\nrefused\n", "\(outcome)")
            let counted = try lab.onMachine("grep -o 'refusedConnections\":[0-9]*' \(apus.directory)/used.json")
            #expect(counted.text == "refusedConnections\":1", "\(counted)")
            // What it started cannot take the rules away.
            let tried = try apus(
                "limit", "--egress", "none", "--", "sh", "-c",
                "nft flush ruleset; unshare -r nft flush ruleset; echo | socat - TCP:client.test:7000,connect-timeout=1"
            )
            #expect(tried.status != 0 && !tried.output.contains("7000"), "\(tried)")
            let left = try lab.onMachine("pgrep -a pasta; ls /tmp | grep apus-hosts")
            #expect(left.output == "", "\(left)")
            for flag in ["--no-network", "--linger"] {
                let refused = try apus("limit", "--egress", "none", flag, "--", "true")
                expectRefusal(refused, naming: "--egress", flag)
            }
            let run = try apus.run(
                ["--report", "\(apus.directory)/run.json", "--egress", "none"], "nc", "-w", "1",
                NetworkLab.clientAddress, "7000")
            #expect(run.status == 1, "\(run)")
            let summary = try apus("report", "show", "\(apus.directory)/run.json")
            #expect(summary.output.contains("refused connections"), "\(summary)")
        }
    }

    @Test func `pasta's device has a rate in both directions, which its container cannot change`() throws {
        try withNetworks(.ordinary) { apus, lab in
            try apus.succeed("network", "create", "web")
            for (name, flags) in [("alone", []), ("shared", ["--network", "web"])] {
                try apus.detached(name, ["--network-rate", "8mbit:4mbit"] + flags)
                let pid = try apus.inspect(name, "{{.State.Pid}}")
                let inside = "nsenter --net=/proc/\(pid)/ns/net tc"
                let sent = try lab.onMachine("\(inside) qdisc show dev pasta0")
                #expect(sent.output.contains("tbf") && sent.output.contains("rate 4Mbit"), "\(sent)")
                let received = try lab.onMachine("\(inside) qdisc show dev rate0")
                #expect(received.output.contains("tbf") && received.output.contains("rate 8Mbit"), "\(received)")
                let way = try lab.onMachine("\(inside) filter show dev pasta0 parent ffff:")
                #expect(way.output.contains("Redirect to device rate0"), "\(way)")
            }
            let server = try lab.serveOnClient(7000)
            defer { withExtendedLifetime(server) {} }
            let asked = try apus.shell(
                ["--network-rate", "8mbit"],
                "mkfifo /dev/shm/open; nc -w 2 \(NetworkLab.clientAddress) 7000 <>/dev/shm/open")
            expectOutput(asked, "7000")
        }
    }

    @Test func `a rate is set in both directions`() throws {
        try withNetworks { apus, lab in
            let id = try apus.detached("slow", ["--network-rate", "8mbit:4mbit"])
            let outside = try lab.onMachine("tc qdisc show dev av\(id.prefix(11))0")
            #expect(outside.output.contains("tbf") && outside.output.contains("rate 8Mbit"), "\(outside)")
            let pid = try apus.inspect("slow", "{{.State.Pid}}")
            let inside = try lab.onMachine("nsenter --net=/proc/\(pid)/ns/net tc qdisc show dev eth0")
            #expect(inside.output.contains("tbf") && inside.output.contains("rate 4Mbit"), "\(inside)")
        }
    }
}
