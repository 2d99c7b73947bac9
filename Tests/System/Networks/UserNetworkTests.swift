import Glibc
import Linux
import Testing

/// Networks that an ordinary user makes: all of them in one namespace, which goes with its last container.
@Suite(Requirement.root) struct UserNetworkTests {
    @Test func `containers of a network find each other by name, reach out, and answer from outside`() throws {
        try withNetworks(.ordinary) { apus, lab in
            try apus.succeed("network", "create", "web")
            try apus.serveAddresses("one", ["--network", "web:alias=first", "-p", "8080:80", "-p", "8081:80/udp"])
            try apus.serveAddresses("two", ["--network", "web"])
            for (asker, name) in [("one", "two"), ("two", "one"), ("two", "first")] {
                let own = try apus.inspect(asker, "{{.NetworkSettings.Networks.web.IPAddress}}")
                expectOutput(try apus("exec", asker, "sh", "-c", NetworkLab.ask(name, 80, "tcp4")), "from \(own)")
            }
            // Who asks from outside is seen as who it is.
            expectOutput(
                try lab.onClient(NetworkLab.ask(NetworkLab.machineAddress, 8080)), "from \(NetworkLab.clientAddress)")
            expectOutput(
                try lab.onClient(NetworkLab.ask(NetworkLab.machineAddress, 8081, "udp")),
                "from \(NetworkLab.clientAddress)")
            expectOutput(
                try lab.onClient(NetworkLab.ask("[fd33::1]", 8080)), "from [fd33:0000:0000:0000:0000:0000:0000:0002]")
            let server = try lab.serveOnClient(7000)
            defer { withExtendedLifetime(server) {} }
            // With its input kept open: Debian 12's pasta repeats what is sent to who has closed one half.
            let asked = "mkfifo /dev/shm/open; nc -w 2 \(NetworkLab.clientAddress) 7000 <>/dev/shm/open"
            expectOutput(try apus.shell(onHostWith: ["--network", "web"], asked), "7000")
            #expect(try apus.succeed("port", "one") == "80/tcp -> 0.0.0.0:8080\n80/udp -> 0.0.0.0:8081")
            try apus.succeed("rm", "-f", "two")
            #expect(try !apus.succeed("exec", "one", "cat", "/etc/hosts").contains("\ttwo"))
        }
    }

    @Test func `two networks do not reach each other, and an internal one leads nowhere else`() throws {
        try withNetworks(.ordinary) { apus, lab in
            for words in [["web"], ["data"], ["--internal", "back"]] {
                try apus.succeed(["network", "create"] + words)
            }
            try apus.serveAddresses("web", ["--network", "web"])
            let address = try apus.inspect("web", "{{.NetworkSettings.Networks.web.IPAddress}}")
            expectOutput(
                try apus.shell(onHostWith: ["--network", "data"], "nc -w 1 \(address) 80 2>/dev/null || echo none"),
                "none"
            )
            #expect(try apus.shell(onHostWith: ["--network", "web"], "echo | nc -w 2 \(address) 80").status == 0)
            #expect(
                try apus.shell(onHostWith: ["--network", "web", "--network", "data"], "echo | nc -w 2 \(address) 80")
                    .status == 0)
            try apus.serveAddresses("base", ["--network", "back"])
            let inside = try apus.shell(onHostWith: ["--network", "back"], "ip route; echo | nc -w 2 base 80")
            #expect(inside.status == 0 && !inside.output.contains("default"), "\(inside)")
            let server = try lab.serveOnClient(7000)
            defer { withExtendedLifetime(server) {} }
            let outward = "nc -w 1 \(NetworkLab.clientAddress) 7000 2>/dev/null || echo none"
            expectOutput(try apus.shell(onHostWith: ["--network", "back"], outward), "none")
            expectRefusal(try apus.run(["--network", "back", "-p", "8080:80"], "true"), naming: "'back'", "internal")
        }
    }

    @Test func `a running container is put into a network and taken out again`() throws {
        try withNetworks(.ordinary) { apus, lab in
            for name in ["web", "data"] { try apus.succeed("network", "create", name) }
            try apus.succeed("network", "create", "--internal", "back")
            try apus.serveAddresses("one", ["--network", "data", "-p", "8080:80"])
            try apus.detached("two", ["--network", "web"])
            try apus.succeed("network", "connect", "--alias", "first", "web", "one")
            #expect(try apus("exec", "two", "sh", "-c", "echo | nc -w 2 first 80").status == 0)
            try apus.succeed("network", "connect", "back", "one")
            for name in ["data", "web"] { try apus.succeed("network", "disconnect", name, "one") }
            // Only an internal one is left: there is no way out any more, nor in.
            let routes = try apus.succeed("exec", "one", "ip", "route")
            #expect(routes.contains("dev eth2") && !routes.contains("default"), "\(routes)")
            let closed = try lab.onMachine("while grep -q ':1F90 .* 0A ' /proc/net/tcp /proc/net/tcp6; do :; done")
            #expect(closed.status == 0, "\(closed)")
            #expect(try lab.onClient(NetworkLab.ask(NetworkLab.machineAddress, 8080)).status != 0)
            expectRefusal(try apus("network", "connect", "web", "one"), 1, naming: "one", "way out", "stop it first")
            try apus.detached("three", [])
            expectRefusal(try apus("network", "connect", "web", "three"), 1, naming: "three")
        }
    }

    @Test func `all of it is gone with the last container, even when everything is killed at once`() throws {
        try withNetworks(.ordinary) { apus, lab in
            try apus.succeed("network", "create", "web")
            for round in 0..<2 {
                try apus.serveAddresses("one", ["--network", "web", "-p", "8080:80"])
                try apus.detached("two", ["--network", "web"])
                let pid = try apus.inspect("one", "{{.State.Pid}}")
                let users = try lab.onMachine("readlink /proc/\(pid)/ns/user").text
                let other = try apus.inspect("two", "{{.State.Pid}}")
                #expect(try lab.onMachine("readlink /proc/\(other)/ns/user").text == users)
                if round == 0 {
                    try apus.succeed("rm", "-f", "one", "two")
                } else {
                    let supervisors = try ["one", "two"].map { try apus.inspect($0, "{{.Apus.SupervisorPid}}") }
                    for supervisor in supervisors { kill(try #require(pid_t(supervisor)), SIGKILL) }
                    #expect(try apus.succeed("ps", "-q") == "")
                    try apus.succeed("rm", "one", "two")
                }
                #expect(try apus.succeed("network", "inspect", "--format", "{{len .Containers}}", "web") == "0")
                let left = try lab.onMachine(
                    "until ! readlink /proc/[0-9]*/ns/user | grep -qxF '\(users)'; do :; done; pgrep -a pasta")
                #expect(left.output == "", "\(left)")
            }
            try apus.succeed("network", "rm", "web")
        }
    }

    @Test func `who holds the namespace goes, and it stays for the others`() throws {
        try withNetworks(.ordinary) { apus, _ in
            try apus.succeed("network", "create", "web")
            try apus.detached("one", ["--network", "web"])
            try apus.serveAddresses("two", ["--network", "web"])
            try apus.succeed("rm", "-f", "one")
            expectOutput(
                try apus.shell(onHostWith: ["--network", "web"], "echo | nc -w 2 two 80 | cut -d. -f1,2"), "from 10.214"
            )
            expectRefusal(try apus("network", "rm", "web"), 1, naming: "'web'", "two")
        }
    }

    @Test func `what cannot be had is refused, and nothing is left`() throws {
        try withNetworks(.ordinary) { apus, _ in
            try apus.succeed("network", "create", "--subnet", "10.99.0.0/29", "web")
            expectRefusal(
                try apus("network", "create", "--subnet", "10.98.0.0/24", "--gateway", "10.98.0.1", "other"), 1,
                naming: "--gateway", "pasta")
            expectRefusal(
                try apus.run(["--network", "web", "--userns", "keep-id"], "true"), naming: "--userns", "'web'")
            expectRefusal(try apus.run(["--network", "web", "-p", "80:80"], "true"), naming: "80/tcp")
            expectRefusal(try apus.run(["--network", "web", "--ip", "10.99.0.1"], "true"), naming: "10.99.0.1")
            expectRefusal(try apus.run(["--network", "nowhere"], "true"), naming: "'nowhere'", "network create")
            #expect(try apus.succeed("network", "inspect", "--format", "{{len .Containers}}", "web") == "0")
        }
    }
}
