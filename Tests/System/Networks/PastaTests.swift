import Glibc
import Linux
import Testing

/// An ordinary user's default network: pasta.
@Suite(Requirement.root) struct PastaTests {
    @Test func `a container has the machine's addresses and its way out`() throws {
        try withNetworks(.ordinary) { apus, lab in
            let server = try lab.serveOnClient(7000)
            defer { withExtendedLifetime(server) {} }
            let asked = try apus.shell(
                """
                ip -o addr show | grep -c ' \(NetworkLab.machineAddress)/24\\| fd33::1/64'
                mkfifo /dev/shm/open; until nc -w 2 \(NetworkLab.clientAddress) 7000 <>/dev/shm/open; do :; done
                """)
            expectOutput(asked, "2\n7000")
        }
    }

    @Test(arguments: ["tcp", "udp"])
    func `a published port leads to the container, by IPv4 and IPv6`(kind: String) throws {
        try withNetworks(.ordinary) { apus, lab in
            try apus.serveAddresses("web", ["-p", "8080:80/\(kind)"])
            expectOutput(
                try lab.onClient(NetworkLab.ask(NetworkLab.machineAddress, 8080, kind)),
                "from \(NetworkLab.clientAddress)")
            // Debian 12's pasta gives no answer to what comes by UDP from the machine itself.
            guard kind == "tcp" else { return }
            #expect(try lab.onMachine(NetworkLab.ask("127.0.0.1", 8080, kind)).text.hasPrefix("from "))
            expectOutput(
                try lab.onClient(NetworkLab.ask("[fd33::1]", 8080, kind)),
                "from [fd33:0000:0000:0000:0000:0000:0000:0002]")
            #expect(try apus.succeed("port", "web") == "80/\(kind) -> 0.0.0.0:8080")
        }
    }

    @Test func `what cannot be had is refused, and nothing is left`() throws {
        try withNetworks(.ordinary) { apus, _ in
            expectRefusal(try apus.run(["-p", "80:80"], "true"), naming: "80/tcp", "ip_unprivileged_port_start")
            try apus.serveAddresses("web", ["-p", "8080:80"])
            expectRefusal(try apus.run(["-p", "8080:80"], "true"), naming: "8080/tcp", "container 'web'")
        }
    }

    @Test func `pasta ends with its container, however that ends`() throws {
        try withNetworks(.ordinary) { apus, lab in
            try apus.serveAddresses("web", ["-p", "8080:80"])
            let supervisor = try #require(pid_t(try apus.inspect("web", "{{.Apus.SupervisorPid}}")))
            kill(supervisor, SIGKILL)
            // Once more on the same port: what has it must have ended. The harness looks for what is left of the other.
            let again = try lab.onMachine("while grep -q ':1F90 .* 0A ' /proc/net/tcp6; do :; done")
            #expect(again.status == 0, "\(again)")
            try apus.succeed("rm", "-f", "web")
            try apus.serveAddresses("web", ["-p", "8080:80"])
        }
    }

    @Test func `a name server that only the machine reaches is reached by pasta`() throws {
        try withNetworks(.ordinary) { apus, lab in
            let changed = try lab.onMachine(
                "echo nameserver 127.0.0.53 >\(apus.directory)/stub; mount --bind \(apus.directory)/stub /etc/resolv.conf"
            )
            #expect(changed.status == 0, "\(changed)")
            let outcome = try apus.runContainer(["--rm", "--dns-search", "lan"], ["cat", "/etc/resolv.conf"])
            expectOutput(outcome, "nameserver 169.254.0.1\nsearch lan")
        }
    }

    @Test func `without pasta there is no network, one line says so, and what needs it is refused`() throws {
        try withNetworks(.ordinary) { apus, lab in
            let hidden = try lab.onMachine("mount --bind /dev/null /usr/bin/pasta")
            #expect(hidden.status == 0, "\(hidden)")
            let outcome = try apus.run([], "ls", "/sys/class/net")
            #expect(outcome.output == "lo\n" && outcome.status == 0, "\(outcome)")
            #expect(outcome.isOneLineNaming("install passt"), "\(outcome)")
            try apus.succeed("network", "create", "web")
            for flags in [["--network", "pasta"], ["--network", "web"], ["-p", "8080:80"]] {
                expectRefusal(try apus.run(flags, "true"), naming: "pasta", "install passt")
            }
        }
    }
}
