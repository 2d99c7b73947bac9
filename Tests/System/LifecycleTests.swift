import Testing

/// create, start, stop, kill, restart, wait, rm, rename: states, outputs and exit codes as Docker's.
@Suite struct LifecycleTests {
    @Test(arguments: Caller.available)
    func `a container goes from created over running to exited`(caller: Caller) throws {
        try withApus(caller) { apus in
            let id = try apus.create("life", command: ["sh", "-c", "echo working; exit 3"])
            #expect(id.utf8.count == 64)
            #expect(try apus.state("life") == "created")

            #expect(try apus("start", "life") == .printed("life\n"))
            #expect(try apus("wait", "life") == .printed("3\n"))
            #expect(try apus.state("life") == "exited")

            #expect(try apus("rm", "life") == .printed("life\n"))
            #expect(try apus("ps", "-aq").output.isEmpty)
        }
    }

    @Test(arguments: Caller.available)
    func `an exited container starts again with its files as it left them`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.create(
                "again", command: ["sh", "-c", "test -e /tmp/mark && exit 5; touch /mark; test -e /mark; exit 4"])
            for _ in 0..<2 {
                try apus.succeed("start", "again")
                #expect(try apus("wait", "again").output == "4\n")
            }
        }
    }

    @Test(arguments: Caller.available)
    func `waiting for a container that was never started returns at once`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.create("idle", command: ["true"])
            #expect(try apus("wait", "idle") == .printed("0\n"))
        }
    }

    @Test(arguments: Caller.available)
    func `wait prints a code for each container in the order given`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("one", command: ["sh", "-c", "exit 1"])
            try apus.detached("two", command: ["sh", "-c", "exit 2"])
            #expect(try apus("wait", "two", "one") == .printed("2\n1\n"))
        }
    }

    @Test(arguments: Caller.available)
    func `wait tells the code of a container that is removed when it ends`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached(
                "brief", ["--rm", "-i"],
                command: ["sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done"])
            let waiting = try apus.begin("wait", "brief")
            try apus.waitForLog("brief", "ready")
            try apus.succeed("kill", "-s", "TERM", "brief")
            let ended = try waiting.wait()
            // The supervisor tells those that were connected in time; it removed the record for all others.
            #expect(
                ended.output == "9\n" || ended.errors.contains("removed when it ended")
                    || ended.errors.contains("no such container"))
            #expect(try apus("ps", "-aq").output.isEmpty)
        }
    }

    // MARK: Starting

    @Test(arguments: Caller.available)
    func `starting a running container is no error`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("up")
            let pid = try apus.pid("up")
            #expect(try apus("start", "up") == .printed("up\n"))
            #expect(try apus.pid("up") == pid)
        }
    }

    @Test(arguments: Caller.available)
    func `a command that is not there fails its start with 127 in the record`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.create("absent", command: ["no-such-program"])
            let start = try apus("start", "absent")
            #expect(start.status == 1)
            #expect(start.isOneLineNaming("no-such-program"))
            #expect(try apus.inspect("absent", "{{.State.ExitCode}}") == "127")
        }
    }

    @Test(arguments: Caller.available)
    func `one failing container does not keep the others from being served`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.create("first", command: ["sleep", "1000"])
            try apus.create("last", command: ["sleep", "1000"])
            for verb in ["start", "stop", "restart", "kill", "wait", "rm"] {
                let result = try apus(verb, "first", "nobody", "last")
                #expect(result.status == 1, "\(verb): \(result)")
                #expect(result.output.split(separator: "\n").count == 2, "\(verb): \(result)")
                #expect(result.isOneLineNaming("nobody"), "\(verb): \(result)")
            }
        }
    }

    @Test(arguments: ["start", "stop", "kill", "restart", "wait", "rm", "pause", "unpause"])
    func `a container that does not exist is named and exits 1`(verb: String) throws {
        try withApus(.own) { apus in
            let result = try apus(verb, "nobody")
            #expect(result.status == 1)
            #expect(result.isOneLineNaming("nobody"))
        }
    }

    @Test(arguments: [
        "start", "stop", "kill", "restart", "wait", "rm", "pause", "unpause", "rename", "exec", "attach", "logs",
        "inspect",
    ])
    func `a command without a container is a usage error`(verb: String) throws {
        try withApus(.own) { apus in
            let result = try apus(verb)
            #expect(result.status == 125)
            #expect(result.output.isEmpty)
            #expect(!result.errors.isEmpty)
        }
    }

    // MARK: Stopping

    @Test(arguments: Caller.available)
    func `stop asks with SIGTERM and lets the command clean up`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("tidy", command: ["sh", "-c", Script.onSignal("TERM", exit: 12)])
            try apus.waitForLog("tidy", "ready")
            #expect(try apus("stop", "tidy") == .printed("tidy\n"))
            #expect(try apus.inspect("tidy", "{{.State.ExitCode}}") == "12")
        }
    }

    @Test(arguments: Caller.available)
    func `stop sends the container's own stop signal`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached(
                "own", ["--stop-signal", "USR2"], command: ["sh", "-c", Script.onSignal("USR2", exit: 13)])
            try apus.waitForLog("own", "ready")
            try apus.succeed("stop", "own")
            #expect(try apus.inspect("own", "{{.State.ExitCode}}") == "13")
        }
    }

    @Test(arguments: Caller.available)
    func `stop sends the signal that it is told to send`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("told", command: ["sh", "-c", Script.onSignal("HUP", exit: 14)])
            try apus.waitForLog("told", "ready")
            try apus.succeed("stop", "--signal", "SIGHUP", "told")
            #expect(try apus.inspect("told", "{{.State.ExitCode}}") == "14")
        }
    }

    @Test(arguments: Caller.available, ["stop", "restart"])
    func `an init that cannot see the signal is ended without waiting`(caller: Caller, verb: String) throws {
        try withApus(caller) { apus in
            try apus.detached("deaf", command: ["sleep", "1000"])
            let began = ContinuousClock.now
            try apus.succeed(verb, "deaf")
            #expect(ContinuousClock.now - began < .seconds(8))
        }
    }

    @Test(arguments: Caller.available)
    func `an init that ignores the signal is killed after the stop timeout`(caller: Caller) throws {
        try withApus(caller) { apus in
            let stubborn = "trap 'echo asked' TERM; echo ready; while :; do sleep 0.05; done"
            try apus.detached("stubborn", ["--stop-timeout", "1"], command: ["sh", "-c", stubborn])
            try apus.waitForLog("stubborn", "ready")
            try apus.succeed("stop", "stubborn")
            #expect(try apus.inspect("stubborn", "{{.State.ExitCode}}") == "137")
            #expect(try apus.inspect("stubborn", "{{.State.OOMKilled}}") == "false")
            #expect(try apus("logs", "stubborn").output.contains("asked"))
        }
    }

    @Test(arguments: Caller.available)
    func `stop -t 0 kills`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("now", command: ["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"])
            #expect(try apus("stop", "-t", "0", "now") == .printed("now\n"))
            #expect(try apus.inspect("now", "{{.State.ExitCode}}") == "137")
        }
    }

    @Test(arguments: Caller.available)
    func `stopping a container that is not running is no error`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.create("still", command: ["true"])
            #expect(try apus("stop", "still") == .printed("still\n"))
            #expect(try apus.state("still") == "created")
        }
    }

    // MARK: Killing

    @Test(arguments: Caller.available, [("KILL", 137), ("SIGUSR1", 33), ("12", 33)])
    func `kill sends the signal by name or number`(caller: Caller, signal: (name: String, code: Int)) throws {
        try withApus(caller) { apus in
            let script = "trap 'exit 33' USR1 USR2; echo ready; while :; do sleep 0.05; done"
            try apus.detached("target", command: ["sh", "-c", script])
            try apus.waitForLog("target", "ready")
            #expect(try apus("kill", "-s", signal.name, "target") == .printed("target\n"))
            #expect(try apus("wait", "target").output == "\(signal.code)\n")
        }
    }

    @Test(arguments: Caller.available)
    func `kill of a container that is not running exits 1 and says so`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.create("still", command: ["true"])
            let result = try apus("kill", "still")
            #expect(result.status == 1)
            #expect(result.errors.contains("not running"))
        }
    }

    @Test(arguments: ["NOSUCH", "0", "65", "-1", ""])
    func `a signal that does not exist is refused`(signal: String) throws {
        try withApus(.own) { apus in
            try apus.detached("target")
            let result = try apus("kill", "--signal=\(signal)", "target")
            #expect(result.status == 125)
            #expect(try apus.state("target") == "running")
        }
    }

    // MARK: Restarting, renaming, removing

    @Test(arguments: Caller.available)
    func `restart gives a running container a new process`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("fresh")
            let old = try apus.pid("fresh")
            #expect(try apus("restart", "fresh") == .printed("fresh\n"))
            #expect(try apus.pid("fresh") != old)
        }
    }

    @Test(arguments: Caller.available)
    func `restart starts a container that is not running`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.create("asleep", command: ["sleep", "1000"])
            try apus.succeed("restart", "asleep")
            #expect(try apus.state("asleep") == "running")
        }
    }

    @Test(arguments: Caller.available)
    func `a renamed container keeps running and its old name is free`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("before")
            let pid = try apus.pid("before")
            #expect(try apus("rename", "before", "after") == .printed(""))
            #expect(try apus.pid("after") == pid)
            #expect(try apus("kill", "before").status == 1)
            try apus.create("before", command: ["true"])
            #expect(try apus("rename", "before", "after").status == 1)
            #expect(try apus("rename", "before", "not/a/name").status == 1)
            #expect(try apus("rename", "before", "before").status == 1)
        }
    }

    @Test(arguments: Caller.available)
    func `a running container is only removed by force`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("busy")
            let refused = try apus("rm", "busy")
            #expect(refused.status == 1)
            #expect(refused.isOneLineNaming("busy"))
            #expect(try apus.state("busy") == "running")
            #expect(try apus("rm", "-f", "busy") == .printed("busy\n"))
            #expect(try apus("ps", "-aq").output.isEmpty)
        }
    }

    @Test(arguments: Caller.available)
    func `rm -f of what does not exist is no error`(caller: Caller) throws {
        try withApus(caller) { apus in
            let result = try apus("rm", "-f", "nobody")
            #expect(result.status == 0)
        }
    }

    @Test(arguments: Caller.available)
    func `a container answers to its name, its ID and a unique beginning of it`(caller: Caller) throws {
        try withApus(caller) { apus in
            let id = try apus.create("known", command: ["true"])
            for reference in ["known", id, String(id.prefix(12)), String(id.prefix(5))] {
                #expect(try apus.inspect(reference, "{{.Id}}") == id)
            }
            #expect(try apus("inspect", String(id.prefix(12)) + "x").status == 1)
        }
    }

    // MARK: Pausing

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `a paused container stands still until it is unpaused`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached(
                "frozen", command: ["sh", "-c", "trap 'exit 6' TERM; echo ready; while :; do sleep 0.05; done"])
            try apus.waitForLog("frozen", "ready")
            #expect(try apus("pause", "frozen") == .printed("frozen\n"))
            #expect(try apus.state("frozen") == "paused")
            #expect(try apus("pause", "frozen").status == 1)
            #expect(try apus("start", "frozen").status == 1)
            #expect(try apus("ps", "--format", "{{.Status}}").output.hasSuffix("(Paused)\n"))
            #expect(try apus("unpause", "frozen") == .printed("frozen\n"))
            #expect(try apus.state("frozen") == "running")
            #expect(try apus("unpause", "frozen").status == 1)
        }
    }

    @Test(Requirement.limits, arguments: Caller.withLimits, [["stop"], ["kill"], ["rm", "-f"], ["restart"]])
    func `a paused container can be ended`(caller: Caller, command: [String]) throws {
        try withApus(caller) { apus in
            try apus.detached("frozen")
            try apus.succeed("pause", "frozen")
            #expect(try apus(command + ["frozen"]) == .printed("frozen\n"))
            #expect(try apus("ps", "--filter", "status=paused", "-q").output.isEmpty)
        }
    }

    @Test(Requirement.noLimits, arguments: Caller.withoutLimits)
    func `pausing without a cgroup is refused with the reason`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("free")
            let result = try apus("pause", "free")
            #expect(result.status == 1)
            #expect(result.errors.contains("cgroup"))
        }
    }
}
