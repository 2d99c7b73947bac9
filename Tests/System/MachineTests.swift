import Glibc
import Linux
import Testing

/// `doctor`, `top`, `stats` and `update`: what this machine can do, and what containers do with it.
@Suite struct MachineTests {
    @Test(arguments: Caller.all)
    func `doctor says that a default run works, and leaves nothing`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outcome = try apus("doctor")
            #expect(outcome.status == 0, "\(outcome)")
            #expect(outcome.output.split(separator: "\n").allSatisfy { $0.hasPrefix("ok  ") || $0.hasPrefix("no  ") })
            #expect(outcome.output.contains("ok  apus run @host"))
            #expect(try apus("doctor", "--format", "json").output.hasPrefix("["))
            #expect(try apus.leftovers().isEmpty)
        }
    }

    @Test(arguments: Caller.available)
    func `doctor predicts a run and does not run its command`(caller: Caller) throws {
        try withApus(caller) { apus in
            let root = try apus.makeRoot()
            let words = ["doctor", "--", "run", "--rm", "-v", "\(apus.directory):/host", "--rootfs", "\(root):O"]
            let good = try apus(words + ["touch", "/host/made"])
            #expect(good.status == 0, "\(good)")
            #expect(access("\(apus.directory)/made", F_OK) != 0)
            let bad = try apus(words + ["not-there"])
            #expect(bad.status == 1)
            #expect(bad.output.contains("not-there"))
            #expect(try apus.leftovers().isEmpty)
        }
    }

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `doctor says what would hold a limit`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outcome = try apus("doctor", "--", "run", "--memory", "64m", "--rm", "@host", "true")
            #expect(outcome.output.contains("ok  --memory"), "\(outcome)")
            #expect(try apus.leftovers().isEmpty)
        }
    }

    @Test(arguments: Caller.available)
    func `top shows the processes of one container and no others`(caller: Caller) throws {
        try withApus(caller) { apus in
            let mark = MarkedProcesses.newMark()
            let root = try apus.makeRoot()
            for (name, script) in [("box", "sleep \(mark) & echo ready; wait"), ("other", "exec sleep 1000")] {
                try apus.succeed("run", "-d", "--name", name, "--rootfs", "\(root):O", "--", "sh", "-c", script)
            }
            try apus.waitForLog("box", "ready")
            let lines = try apus.succeed("top", "box").split(separator: "\n")
            #expect(lines.first?.split(separator: " ") == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"])
            #expect(lines.count == 3, "\(lines)")
            #expect(lines.contains { $0.contains("sleep \(mark)") })
            #expect(!lines.contains { $0.contains("sleep 1000") })
            #expect(try apus.succeed("top", "box", "-o", "pid,args").split(separator: "\n").count == 3)
            #expect(try apus("top", "box", "-o", "args").status != 0)
        }
    }

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `update changes the limits of running and stopped containers`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("box", ["--memory", "64m"])
            try apus.succeed("update", "--memory", "96m", "--pids-limit", "50", "box")
            let used = try apus.succeed("stats", "--no-stream", "--format", "{{.MemUsage}}", "box")
            #expect(used.hasSuffix(" / 96MiB"), "\(used)")
            #expect(try apus.inspect("box", "{{.HostConfig.Memory}}") == "\(96 << 20)")
            try apus.succeed("kill", "box")
            try apus.succeed("wait", "box")
            try apus.succeed("update", "--memory", "128m", "box")
            try apus.succeed("start", "box")
            let later = try apus.succeed("stats", "--no-stream", "--format", "{{.MemUsage}} {{.PIDs}}", "box")
            #expect(later.hasSuffix(" / 128MiB 1"), "\(later)")
            for words in [
                ["--memory", "1x"], ["--memory", "4k", "--memory-reservation", "8k"], ["--cpus", "-1"], [],
            ] {
                #expect(try apus(["update"] + words + ["box"]).status != 0, "\(words)")
            }
        }
    }

    @Test(arguments: Caller.available)
    func `stats shows dashes for what nobody counts and nothing for what does not run`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.create("idle", command: ["true"])
            let idle = try apus.succeed("stats", "--no-stream", "--format", "{{.CPUPerc}} {{.PIDs}}", "idle")
            #expect(idle == "0.00% 0")
            #expect(try apus.succeed("stats", "--no-stream").split(separator: "\n").count == 1)
            #expect(try apus("stats", "--no-stream", "missing").isOneLineNaming("missing"))
        }
    }
}
