import FoundationEssentials
import Glibc
import Testing

struct WrongFlags: CustomTestStringConvertible {
    let flags: [String]
    /// What the message has to name.
    let name: String
    var testDescription: String { flags.joined(separator: " ") }

    init(_ flags: [String], _ name: String) {
        self.flags = flags
        self.name = name
    }
}

/// What is wrong is refused in one line that names it, and nothing is left.
@Suite struct BadInputTests {
    /// Wrong whatever the machine.
    static let wrongFlags: [WrongFlags] = [
        WrongFlags(["--memory", "12q"], "12q"), WrongFlags(["--memory", "-1g"], "-1g"),
        WrongFlags(["--memory", ""], "--memory"),
        WrongFlags(["--memory", "99999999999999999999g"], "99999999999999999999g"), WrongFlags(["--cpus", "-1"], "-1"),
        WrongFlags(["--cpus", "many"], "many"), WrongFlags(["--pids-limit", "x"], "x"),
        WrongFlags(["--memory-swap", "1g"], "--memory-swap"),
        WrongFlags(["--memory", "2g", "--memory-swap", "1g"], "--memory-swap"),
        WrongFlags(["--cpuset-cpus", "a-b"], "a-b"),
        WrongFlags(["-v", "/tmp:/"], "'/'"), WrongFlags(["--mount", "type=bind,src=/tmp,dst=/"], "'/'"),
        WrongFlags(["--tmpfs", "/"], "'/'"),
        WrongFlags(["-v", "/tmp:/../x"], "'..'"), WrongFlags(["-v", "/tmp:/a/../../x"], "'..'"),
        WrongFlags(["-v", "/tmp:relative"], "relative"),
        WrongFlags(["--mount", "type=bind,dst=/x"], "--mount"), WrongFlags(["--mount", "type=magic,dst=/x"], "magic"),
        WrongFlags(["-v", "/no/such/source:/mnt"], "/no/such/source"),
        WrongFlags(["-v", "/tmp:/mnt", "-v", "/usr:/mnt"], "/mnt"),
        WrongFlags(["--name", "a/b"], "--name: 'a/b'"), WrongFlags(["--name", "a"], "--name: 'a'"),
        WrongFlags(["--name", ".."], ".."), WrongFlags(["--name", ""], "--name"),
        WrongFlags(["--name", "a b"], "a b"),
        WrongFlags(["--device", "/dev/no-such-device"], "--device: '/dev/no-such-device'"),
        WrongFlags(["--device", "/etc/passwd"], "/etc/passwd"),
        WrongFlags(["--cap-add", "FLY"], "FLY"), WrongFlags(["--security-opt", "magic=1"], "magic"),
        WrongFlags(["--security-opt", "seccomp=/no/such/profile"], "/no/such/profile"),
        WrongFlags(["--ulimit", "nofile=x"], "nofile=x"),
        WrongFlags(["--ulimit", "magic=1"], "magic"), WrongFlags(["--ulimit", "nofile=2:1"], "nofile=2:1"),
        WrongFlags(["--sysctl", "kernel.hostname=x"], "kernel.hostname"),
        WrongFlags(["--sysctl", "nothing"], "nothing"),
        WrongFlags(["--network", "no-such-network"], "no-such-network"),
        WrongFlags(["--publish", "80"], "--publish"), WrongFlags(["-p", "0:x"], "0:x"),
        WrongFlags(["-p", "1.2.3:80:80"], "1.2.3"), WrongFlags(["-p", "80-82:80-81"], "80-82:80-81"),
        WrongFlags(["-p", "80:80/sctp"], "sctp"), WrongFlags(["--expose", "x"], "x"),
        WrongFlags(["--network", "a/b"], "a/b"), WrongFlags(["--ip", "10.1"], "10.1"),
        WrongFlags(["--mac-address", "ff:ff:ff:ff:ff:ff"], "ff:ff:ff:ff:ff:ff"),
        WrongFlags(["--ip", "10.0.0.1", "--network", "none"], "--ip"),
        WrongFlags(["--network", "container:no-such-container"], "no-such-container"),
        WrongFlags(["--pid", "container:no-such-container"], "no-such-container"),
        WrongFlags(["--userns", "magic"], "magic"),
        WrongFlags(["--user", "no-such-user"], "no-such-user"),
        WrongFlags(["--user", "0:no-such-group"], "no-such-group"),
        WrongFlags(["--group-add", "no-such-group"], "no-such-group"),
        WrongFlags(["--env-file", "/no/such/file"], "/no/such/file"),
        WrongFlags(["--label-file", "/no/such/file"], "/no/such/file"),
        WrongFlags(["--stop-signal", "MAGIC"], "--stop-signal: 'MAGIC'"),
        WrongFlags(["--device-read-bps", "/dev/no-such:1mb"], "--device-read-bps: '/dev/no-such'"),
        WrongFlags(["--device-write-iops", "/dev/null:1"], "--device-write-iops: '/dev/null'"),
        WrongFlags(["--storage", "copy"], "--storage copy"),
        WrongFlags(["--timeout", "soon"], "soon"), WrongFlags(["--restart", "sometimes"], "sometimes"),
        WrongFlags(["--log-driver", "syslog"], "syslog"), WrongFlags(["--log-opt", "max-size=x"], "--log-opt"),
        WrongFlags(["--umask", "99"], "99"),
        WrongFlags(["--personality", "VMS"], "VMS"), WrongFlags(["--add-host", "name"], "name"),
        WrongFlags(["--add-host", "name:300.1.1.1"], "300.1.1.1"),
        WrongFlags(["--dns", "nowhere"], "nowhere"), WrongFlags(["--shm-size", "x"], "x"),
        WrongFlags(["--detach-keys", "ctrl-€"], "ctrl-"),
        WrongFlags(["--storage", "magic"], "magic"), WrongFlags(["--limits", "magic"], "magic"),
        WrongFlags(["--no-such-flag"], "--no-such-flag"),
        WrongFlags(["-t=maybe"], "maybe"), WrongFlags(["--oom-score-adj", "2000"], "2000"),
        WrongFlags(["--hostname", "under score!"], "under score!"),
    ]

    @Test(arguments: wrongFlags)
    func `a wrong value is refused and named`(wrong: WrongFlags) throws {
        try withApus(.available.last!) { apus in
            expectRefusal(try apus.run(wrong.flags, "true"), naming: wrong.name)
            #expect(try apus.leftovers() == [])
        }
    }

    @Test(arguments: Caller.available)
    func `a root that is missing, a file, or unreadable is refused`(caller: Caller) throws {
        try withApus(caller) { apus in
            let file = try apus.file("file", "")
            for root in ["/no/such/root", file, ""] {
                expectRefusal(try apus.run([], root: root, "true"), naming: root.isEmpty ? "--rootfs" : root)
                expectRefusal(try apus.run([], root: "\(root):O", "true"), naming: root.isEmpty ? "--rootfs" : root)
            }
            if caller != .root {
                expectRefusal(try apus.run([], root: "/root/apus", "true"), naming: "/root/apus", "ermission denied")
            }
            #expect(try apus.leftovers() == [])
        }
    }

    @Test(arguments: Caller.available)
    func `an AppArmor profile that is not loaded is refused, not left out`(caller: Caller) throws {
        try withApus(caller) { apus in
            expectRefusal(
                try apus.run(["--security-opt", "apparmor=no-such-profile"], "true"), naming: "no-such-profile")
            #expect(try apus.run(["--security-opt", "apparmor=unconfined"], "true").status == 0)
        }
    }

    @Test(arguments: Caller.available)
    func `no root, no command, and an image are refused`(caller: Caller) throws {
        try withApus(caller) { apus in
            expectRefusal(try apus("run"), naming: "root")
            expectRefusal(try apus("run", "@host"), naming: "command")
            expectRefusal(try apus.run([]), naming: "command")
            expectRefusal(try apus("run", "--pull", "never", "debian", "true"), naming: "debian")
            expectRefusal(try apus.run(""), naming: "''")
        }
    }

    @Test(arguments: Caller.available)
    func `a name that is taken is refused, and its container lives on`(caller: Caller) throws {
        try withApus(caller) { apus in
            let id = try apus.detached(["--name", "taken"], ["sleep", "1000"])
            let refused = try apus("run", "-d", "--name", "taken", "--rootfs", Machine.busybox, "true")
            expectRefusal(refused, naming: "taken", String(id.prefix(12)))
            expectOutput(try apus("ps", "-a", "-q", "--no-trunc"), id)
        }
    }

    @Test(arguments: Caller.available)
    func `a file for the container's ID that is there already is refused and kept`(caller: Caller) throws {
        try withApus(caller) { apus in
            let file = try apus.file("cid", "kept")
            expectRefusal(try apus.run(["--cidfile", file], "true"), naming: file)
            #expect(try String(contentsOfFile: file, encoding: .utf8) == "kept")
            expectRefusal(try apus.run(["--cidfile", "/no/such/place/cid"], "true"), naming: "/no/such/place/cid")
            #expect(try apus.leftovers() == [])
        }
    }

    @Test(arguments: Caller.available)
    func `a symlink that leads out of the root is followed inside it`(caller: Caller) throws {
        try withApus(caller) { apus in
            let root = try apus.makeRoot()
            let outside = try apus.file("passwd", "outsider:x:7:7::/:/bin/sh\n")
            unlink("\(root)/etc/passwd")
            symlink(outside, "\(root)/etc/passwd")
            expectRefusal(try apus.run(["-u", "outsider"], root: root, "true"), naming: "outsider")
            unlink("\(root)/bin/true")
            symlink(Machine.apus, "\(root)/bin/true")
            expectRefusal(try apus.run([], root: root, "true"), 127, naming: "true")
        }
    }

    @Test(arguments: Caller.available)
    func `a passwd file that is a FIFO or without end does not hold a run up`(caller: Caller) throws {
        try withApus(caller) { apus in
            let root = try apus.makeRoot()
            unlink("\(root)/etc/passwd")
            mkfifo("\(root)/etc/passwd", 0o666)
            expectRefusal(try apus.run(["-u", "user"], root: root, "true"), naming: "/etc/passwd")
        }
    }

    @Test(arguments: Caller.available)
    func `a container that is not there is named by every command`(caller: Caller) throws {
        try withApus(caller) { apus in
            let name = "no-such-container"
            let commands = [
                "start", "stop", "kill", "pause", "unpause", "restart", "wait", "rm", "logs", "inspect", "top", "stats",
                "diff", "port", "attach",
            ].map { [$0, name] }
            let others = [
                ["exec", name, "true"], ["rename", name, "other"], ["update", "--restart", "no", name],
                ["cp", "\(name):/etc", apus.directory], ["cp", "/etc/passwd", "\(name):/"], ["start", "-a", name],
            ]
            for words in commands + others {
                let outcome = try apus(words)
                // Docker's exit status: 125 is a failure of `run` itself.
                #expect(outcome.status == 1 && outcome.isOneLineNaming(name), "\(words): \(outcome)")
            }
        }
    }

    @Test(arguments: Caller.available)
    func `a container that does not run is named by every command that wants one`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.create("idle", command: ["true"])
            for words in [
                ["exec", "idle", "true"], ["kill", "idle"], ["pause", "idle"], ["attach", "idle"], ["top", "idle"],
            ] {
                let outcome = try apus(words)
                #expect(outcome.status == 1 && outcome.isOneLineNaming("idle"), "\(words): \(outcome)")
            }
        }
    }

    @Test(arguments: [
        (["stop", "--no-such-option"], "--no-such-option"), (["stop", "-x", "a"], "-x"), (["ps", "--al"], "'--all'"),
        (["ps", "-ax"], "-x"), (["stop"], "container"), (["ps", "extra"], "extra"), (["ps", "--filter"], "--filter"),
        (["logs", "--tail", "few", "a"], "few"), (["update", "a"], "option"), (["strat", "a"], "'start'"),
        (["--no-such-option", "ps"], "--no-such-option"), (["--root", "", "ps"], "--root"), (["--root"], "--root"),
        (["stop", "--time", "soon", "a"], "soon"),
    ])
    func `words that a command does not take are refused in one line that says where to look`(
        words: [String], name: String
    ) throws {
        try withApus(.own) { apus in
            let outcome = try apus(words)
            #expect(outcome.status == 125 && outcome.isOneLineNaming(name), "\(outcome)")
            #expect(outcome.errors.contains("--help'") && outcome.output == "", "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `an unknown command is refused and named`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outcome = try apus("fly")
            #expect(outcome.status == 125 && outcome.errors.contains("fly"), "\(outcome)")
        }
    }

    @Test(Requirement.ordinaryCaller, arguments: Caller.unprivileged)
    func `a data directory that cannot be written is named`(caller: Caller) throws {
        try withApus(caller) { apus in
            apus.environment["APUS_ROOT"] = "/proc/nowhere"
            expectRefusal(try apus.run("true"), naming: "/proc/nowhere")
            apus.environment["APUS_ROOT"] = "/usr/apus-test"
            expectRefusal(try apus.run("true"), naming: "/usr/apus-test", "ermission denied")
        }
    }

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `a limit below what the kernel accepts is refused or ends the run, in one line`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outcome = try apus.run(["--memory", "1k"], "true")
            #expect(outcome.status == 125 || outcome.status == 137, "\(outcome)")
            #expect(outcome.errors.hasPrefix("apus: ") && outcome.errors.contains("memory"), "\(outcome)")
        }
    }
}
