import Glibc
import Linux
import Testing

/// Servers and clients as people use them, from one machine to another.
@Suite(Requirement.root) struct ServerTests {
    /// Serves a page that says who asked, on port 80 by IPv4 and IPv6.
    private static let nginx = """
        printf 'worker_processes 1; error_log /dev/null; pid /tmp/nginx.pid; events { }
        http { access_log off; client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c;
        uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;
        server { listen 80; listen [::]:80; location / { return 200 "asked by $remote_addr\\\\n"; } } }' >/tmp/nginx.conf
        exec nginx -g 'daemon off; user root;' -c /tmp/nginx.conf
        """

    @Test(Requirement.programs("nginx", "curl"), arguments: [Caller.root, .ordinary])
    func `nginx is reached by curl from another machine, and sees its address`(caller: Caller) throws {
        try withNetworks(caller) { apus, lab in
            try apus.succeed("network", "create", "--ipv6", "web")
            for (index, network) in ["web", caller == .root ? "bridge" : "pasta"].enumerated() {
                let port = 8383 + index
                let flags = ["--name", network, "--network", network, "-p", "\(port):80"]
                try apus.succeed(["run", "-d"] + flags + ["@host", "sh", "-c", Self.nginx])
                let curl = "curl --silent --show-error --retry 20 --retry-connrefused --retry-delay 1 --max-time 30"
                expectOutput(
                    try lab.onClient("\(curl) http://\(NetworkLab.machineAddress):\(port)/"),
                    "asked by \(NetworkLab.clientAddress)")
                if caller == .root, network == "bridge" { continue }  // it has no IPv6
                expectOutput(try lab.onClient("\(curl) 'http://[fd33::1]:\(port)/'"), "asked by fd33::2")
            }
            let name = "curl --silent --max-time 10 http://web/"
            let inside = try apus("run", "--rm", "--network", "web", "@host", "sh", "-c", name)
            #expect(inside.output.hasPrefix("asked by "), "\(inside)")
        }
    }

    /// Answers every question for an IPv4 address with 192.0.2.80.
    private static let nameServer = """
        import socket, sys
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind((sys.argv[1], 53))
        print("ready", flush=True)
        while True:
            question, asker = server.recvfrom(512)
            end = question.index(0, 12) + 5
            answer = question[:2] + bytes.fromhex("818000010001") + bytes(4) + question[12:end]
            server.sendto(answer + bytes.fromhex("c00c000100010000003c0004c0000250"), asker)
        """

    @Test(Requirement.programs("dig", "python3"), arguments: [Caller.root, .ordinary])
    func `names are resolved where the machine asks a resolver of its own`(caller: Caller) throws {
        try withNetworks(caller) { apus, lab in
            // As systemd-resolved leaves it: a stub on loopback, and a file that names the servers behind it.
            let changed = try lab.onMachine(
                """
                set -e; cd \(apus.directory); echo nameserver 127.0.0.53 >stub
                mount --bind stub /etc/resolv.conf; mkdir resolve
                echo nameserver \(NetworkLab.clientAddress) >resolve/resolv.conf
                mount -t tmpfs tmpfs /run; mkdir -p /run/systemd; mkdir /run/systemd/resolve
                mount --bind resolve /run/systemd/resolve
                """)
            #expect(changed.status == 0, "\(changed)")
            let program = ["/usr/bin/python3", "-c", Self.nameServer]
            let stub = try lab.startOnMachine(program + ["127.0.0.53"])
            let upstream = try lab.startOnClient(program + [NetworkLab.clientAddress])
            defer { withExtendedLifetime((stub, upstream)) {} }
            for server in [stub, upstream] { try server.waitForOutput("ready") }
            try apus.succeed("network", "create", "web")
            for network in ["web", caller == .root ? "bridge" : "pasta"] {
                let asked = try apus(
                    "run", "--rm", "--network", network, "@host", "dig", "+short", "+time=5", "+tries=3", "some.test")
                expectOutput(asked, "192.0.2.80")
            }
        }
    }

    @Test(Requirement.programs("dockerd", "docker", "iptables", "curl"))
    func `beside a running dockerd both publish ports and reach out, and neither touches the other's rules`() throws {
        try withNetworks { apus, lab in
            let start = """
                set -e; cd \(apus.directory); mount -t tmpfs tmpfs /run; mkdir -p /run/lock config; echo {} >config/config.json
                exec dockerd --host unix://$PWD/docker.sock --data-root $PWD/docker --exec-root /run/docker \\
                    --pidfile /run/docker.pid --storage-driver vfs --default-ulimit nofile=1024:1024 >docker.log 2>&1
                """
            let unshared = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
            let daemon = try lab.startOnMachine(unshared + ["sh", "-c", start])
            defer { withExtendedLifetime(daemon) {} }
            func docker(_ script: String) throws -> Outcome {
                try lab.onMachine(
                    """
                    cd \(apus.directory); export DOCKER_CONFIG=$PWD/config DOCKER_HOST=unix://$PWD/docker.sock
                    for i in $(seq 300); do docker info >/dev/null 2>&1 && break; sleep 0.1; done
                    \(script)
                    """)
            }
            let curl = "curl --silent --show-error --retry 20 --retry-connrefused --retry-delay 1 --max-time 30"
            let made = try docker(
                """
                tar -C \(Machine.busybox) -c . | docker import - box >/dev/null && docker run -d --name theirs -p 9090:80 \\
                    box sh -c 'echo docker >/index.html; httpd -f -p 80 -h /' >/dev/null && \(curl) http://127.0.0.1:9090/
                """)
            expectOutput(made, "docker")
            let server = try lab.serveOnClient(7000)
            defer { withExtendedLifetime(server) {} }
            // As the line says that Apus prints, for Docker has what is forwarded dropped.
            let first = try apus.run([], "true")
            #expect(first.status == 0 && first.isOneLineNaming("iptables -I DOCKER-USER -i ap-+ -j ACCEPT"), "\(first)")
            let allowed = try lab.onMachine(
                "iptables -I DOCKER-USER -i ap-+ -j ACCEPT && iptables -I DOCKER-USER -o ap-+ -j ACCEPT")
            #expect(allowed.status == 0, "\(allowed)")
            // Without the counters.
            let rules = "iptables-save | grep -v '^[#:]'"
            let theirs = try lab.onMachine(rules).text
            try apus.serveAddresses("ours", ["-p", "8080:80"])
            let ours = try lab.onMachine("nft list tables | grep ' ap-'; nft list ruleset | grep elements").text
            #expect(ours.contains("inet ap-") && ours.contains("8080"))
            expectOutput(
                try lab.onClient(NetworkLab.ask(NetworkLab.machineAddress, 8080)), "from \(NetworkLab.clientAddress)")
            expectOutput(try lab.onClient("\(curl) http://\(NetworkLab.machineAddress):9090/"), "docker")
            let out = "until nc -w 2 \(NetworkLab.clientAddress) 7000; do :; done"
            expectOutput(try apus.shell(out), "7000")
            expectOutput(try docker("docker run --rm box sh -c '\(out)'"), "7000")
            #expect(try lab.onMachine(rules).text == theirs)
            expectRefusal(try apus.run(["-p", "9090:80"], "true"), naming: "9090/tcp")
            #expect(try docker("docker rm -f theirs").status == 0)
            #expect(try lab.onMachine("nft list tables | grep ' ap-'; nft list ruleset | grep elements").text == ours)
        }
    }

    @Test func `a hundred containers that start at once have addresses of their own and know each other`() throws {
        try withNetworks { apus, _ in
            try apus.succeed("network", "create", "crowd")
            let script = """
                for i in $(seq 100); do
                    $APUS run -d --name box$i --network crowd --rootfs \(Machine.busybox) sleep 100000 >/dev/null &
                done; wait
                """
            let started = try apus.startShell(script).wait()
            #expect(started.status == 0 && started.output == "", "\(started)")
            let format = "{{range .Containers}}{{.IPv4Address}} {{end}}"
            let addresses = try apus.succeed("network", "inspect", "--format", format, "crowd").split(separator: " ")
            #expect(addresses.count == 100 && Set(addresses).count == 100)
            for box in ["box1", "box57", "box100"] {
                let hosts = try apus.succeed("exec", box, "cat", "/etc/hosts")
                let known = (1...100).filter { number in
                    hosts.split(separator: "\n").contains {
                        $0.split(separator: "\t").last?.hasPrefix("box\(number) ") ?? false
                    }
                }
                #expect(known.count == 100, "\(box) knows \(known.count)")
            }
        }
    }
}
