import Glibc
import Testing

/// `apus exec`: a further command in a running container.
@Suite struct ExecTests {
    @Test(arguments: Caller.available, [0, 1, 7, 125, 255])
    func `exec exits as its command does`(caller: Caller, code: Int32) throws {
        try withApus(caller) { apus in
            try apus.detached("host")
            #expect(try apus("exec", "host", "sh", "-c", "exit \(code)").status == code)
        }
    }

    @Test(arguments: Caller.available)
    func `a command killed by a signal exits 128 and the signal`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("host")
            #expect(try apus("exec", "host", "sh", "-c", "kill -TERM $$").status == 143)
        }
    }

    @Test(arguments: Caller.available)
    func `a command that is not there exits 127 and one that cannot be executed 126`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("host")
            let absent = try apus("exec", "host", "no-such-program")
            #expect(absent.status == 127)
            #expect(absent.isOneLineNaming("no-such-program"))
            let folder = try apus("exec", "host", "/etc")
            #expect(folder.status == 126)
            #expect(folder.isOneLineNaming("/etc"))
        }
    }

    @Test(arguments: Caller.available)
    func `output, errors and input are the command's own`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("host")
            let result = try apus(["exec", "-i", "host", "sh", "-c", "cat; echo complaint >&2"], input: "spoken\n")
            #expect(result.output == "spoken\n")
            #expect(result.errors == "complaint\n")
            let deaf = try apus(["exec", "host", "cat"], input: "unheard\n")
            #expect(deaf == .printed(""))
        }
    }

    @Test(arguments: Caller.available)
    func `the command is in the namespaces of the container`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("host", ["--hostname", "inner"])
            #expect(try apus("exec", "host", "hostname").output == "inner\n")
            #expect(try apus("exec", "host", "cat", "/proc/1/comm").output == "sleep\n")
            let links =
                "for n in pid net uts ipc mnt user cgroup; do readlink /proc/1/ns/$n; readlink /proc/self/ns/$n; done"
            let names = try apus("exec", "host", "sh", "-c", links).output.split(separator: "\n")
            #expect(names.count == 14)
            for pair in stride(from: 0, to: names.count - 1, by: 2) { #expect(names[pair] == names[pair + 1]) }
        }
    }

    @Test(arguments: Caller.available)
    func `the environment is the container's with what -e adds`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("host", ["-e", "KEPT=1", "-e", "CHANGED=old"])
            let result = try apus(
                ["exec", "-e", "CHANGED=new", "-e", "ADDED=a=b c", "host", "sh", "-c", "echo $KEPT $CHANGED $ADDED"])
            #expect(result.output == "1 new a=b c\n")
        }
    }

    @Test(arguments: Caller.available)
    func `-w sets the working directory`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("host", ["-w", "/etc"])
            #expect(try apus("exec", "host", "pwd").output == "/etc\n")
            #expect(try apus("exec", "-w", "/usr", "host", "pwd").output == "/usr\n")
            #expect(try apus("exec", "-w", "relative", "host", "pwd").status == 125)
            #expect(try apus("exec", "-w", "/nowhere", "host", "pwd").status != 0)
        }
    }

    @Test(arguments: Caller.available)
    func `-u names another user with their groups`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("host")
            #expect(try apus("exec", "-u", "user", "host", "id").output.hasPrefix("uid=1000(user) gid=1000(user)"))
            #expect(try apus("exec", "-u", "user", "host", "id", "-G").output == "1000 29\n")
            #expect(try apus("exec", "-u", "5:7", "host", "id", "-u").output == "5\n")
            #expect(try apus("exec", "-u", "5:7", "host", "id", "-g").output == "7\n")
            let unknown = try apus("exec", "-u", "stranger", "host", "true")
            #expect(unknown.status == 125)
            #expect(unknown.isOneLineNaming("stranger"))
        }
    }

    @Test(arguments: Caller.available)
    func `a container's own user is the one of exec too`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("host", ["-u", "1000"])
            #expect(try apus("exec", "host", "id", "-u").output == "1000\n")
        }
    }

    @Test(arguments: Caller.available)
    func `-d returns while the command goes on`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("host")
            #expect(try apus("exec", "host", "mkfifo", "/tmp/done") == .printed(""))
            let result = try apus("exec", "-d", "host", "sh", "-c", "echo here > /tmp/done")
            #expect(result.status == 0)
            #expect(try apus("exec", "host", "cat", "/tmp/done").output == "here\n")
        }
    }

    @Test(arguments: Caller.available)
    func `a terminal is the command's standard input, output and errors`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("host")
            let terminal = try apus.terminal(
                "exec", "-it", "host", "sh", "-c", "test -t 0 && test -t 1 && test -t 2 && tty")
            let result = try terminal.wait()
            #expect(result.status == 0 && result.output.contains("/dev/pts/"), "\(result)")
        }
    }

    @Test(arguments: Caller.available)
    func `a container that is not running or paused is said to be so`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.create("still", command: ["true"])
            let result = try apus("exec", "still", "true")
            #expect(result.status == 125 || result.status == 1)
            #expect(result.errors.contains("not running"))
            #expect(try apus("exec", "nobody", "true").isOneLineNaming("nobody"))
        }
    }

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `exec into a paused container is refused`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("frozen")
            try apus.succeed("pause", "frozen")
            let result = try apus("exec", "frozen", "true")
            #expect(result.status != 0)
            #expect(result.errors.contains("paused"))
        }
    }

    @Test(arguments: Caller.available)
    func `the command has the container's rights, and all of them with --privileged`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("host", ["--cap-drop", "all"])
            let status = ["sh", "-c", "grep -E '^(CapEff|CapBnd|Seccomp|NoNewPrivs):' /proc/self/status"]
            let plain = try apus(["exec", "host"] + status).output
            #expect(plain.contains("CapEff:\t0000000000000000"))
            #expect(plain.contains("CapBnd:\t0000000000000000"))
            #expect(plain.contains("Seccomp:\t2"))
            let privileged = try apus(["exec", "--privileged", "host"] + status).output
            #expect(!privileged.contains("CapEff:\t0000000000000000"))
            #expect(privileged.contains("Seccomp:\t0"))
        }
    }

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `the command is inside the container's limits`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("host", ["--memory", "64m", "--pids-limit", "20"])
            let own = try apus("exec", "host", "cat", "/proc/self/cgroup").output
            let first = try apus("exec", "host", "cat", "/proc/1/cgroup").output
            #expect(own == first)
            let greedy = try apus("exec", "host", "sh", "-c", Script.eatMemory)
            #expect(greedy.status == 137)
            #expect(try apus.state("host") == "running")
        }
    }

    @Test(arguments: Caller.available)
    func `the command has no descriptors but its three`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("host")
            // The shell's own directory listing holds one more while it looks.
            let listing = try apus("exec", "host", "ls", "/proc/self/fd").output
            #expect(listing == "0\n1\n2\n3\n")
        }
    }

    @Test(arguments: Caller.available)
    func `signals to exec reach its command`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("host")
            let running = try apus.begin("exec", "host", "sh", "-c", Script.onSignal("TERM", exit: 21))
            try running.waitForOutput("ready")
            try running.send(SIGTERM)
            #expect(try running.wait().status == 21)
        }
    }

    @Test(arguments: Caller.available)
    func `a command of exec ends with the container`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("host")
            let running = try apus.begin("exec", "host", "sh", "-c", "echo ready; exec sleep 1000")
            try running.waitForOutput("ready")
            try apus.succeed("kill", "host")
            #expect(try running.wait().status == 137)
        }
    }

    @Test(arguments: Caller.available)
    func `fifty commands at once all get their own answers`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("host")
            let running = try (0..<50).map { try apus.begin("exec", "host", "sh", "-c", "echo \($0); exit \($0)") }
            for (number, command) in running.enumerated() {
                let result = try command.wait()
                #expect(result.output == "\(number)\n")
                #expect(result.status == Int32(number))
            }
        }
    }
}
