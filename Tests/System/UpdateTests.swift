import FoundationEssentials
import Glibc
import Linux
import SystemPackage
import Testing

/// `apus update`: all of it or nothing, for the container that runs and for its next starts.
@Suite struct UpdateTests {
    /// What the container's own cgroup says of its limits, on v1 or v2.
    private func limits(_ apus: Apus, _ name: String) throws -> String {
        let files = [
            "memory.max", "memory.swap.max", "pids.max", "cpu.max", "memory/memory.limit_in_bytes", "cpu/cpu.shares",
        ]
        let script = files.map { "cat /sys/fs/cgroup/\($0) 2>/dev/null" }.joined(separator: "; ") + "; true"
        return try apus.succeed("exec", name, "sh", "-c", script)
    }

    @Test(arguments: Caller.withLimits)
    func `an update that fails half-way changes nothing`(caller: Caller) throws {
        try withApus(caller) { apus in
            let id = try apus.detached("steady", ["--memory", "64m", "--cpu-shares", "512"])
            let before = try limits(apus, "steady")
            let known = try apus.inspect("steady", "{{.HostConfig}} {{.Apus}}")
            // The memory can be had; processors of that number cannot.
            let words = ["--memory", "48m", "--pids-limit", "50", "--cpu-shares", "100", "--cpuset-cpus", "4095"]
            let result = try apus(["update"] + words + ["steady"])
            #expect(result.status == 1)
            #expect(result.isOneLineNaming("cpuset-cpus"))
            #expect(try limits(apus, "steady") == before)
            #expect(try apus.inspect("steady", "{{.HostConfig}} {{.Apus}}") == known)
            try apus.succeed("kill", "steady")
            #expect(Leftovers.cgroups(of: [id]) == [])
        }
    }

    @Test(arguments: Caller.withLimits)
    func `limits that were added later leave no cgroup behind`(caller: Caller) throws {
        try withApus(caller) { apus in
            let id = try apus.detached(
                "grown", command: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"])
            try apus.succeed("update", "--pids-limit", "50", "--cpus", "0.9", "grown")
            try apus.succeed("stop", "grown")
            #expect(Leftovers.cgroups(of: [id]) == [])
        }
    }

    @Test(Requirement.root)
    func `an update of a container that has just ended is for its next start`() throws {
        try withApus(.root) { apus in
            let id = try apus.detached("ending", ["--memory", "64m"])
            let initProcess = try #require(pid_t(apus.inspect("ending", "{{.State.Pid}}")))
            let handle = try #require(try ProcessHandle.open(initProcess))
            defer { close(handle.pidfd.rawValue) }
            let supervisor = try #require(ProcessStatus(initProcess)).parent
            // Init has ended, its cgroup is gone, and the supervisor has not come to record that.
            kill(supervisor, SIGSTOP)
            defer { kill(supervisor, SIGCONT) }
            try handle.send(SIGKILL)
            _ = try Deadline.after(30).wait(for: [(handle.pidfd, POLLIN)], "the end of init")
            for cgroup in Leftovers.cgroups(of: [id]) { #expect(rmdir(cgroup) == 0) }
            try apus.succeed("update", "--memory", "48m", "--pids-limit", "50", "ending")
            kill(supervisor, SIGCONT)
            #expect(try apus.succeed("wait", "ending") == "137")
            #expect(try apus.inspect("ending", "{{.HostConfig.Memory}}") == "\(48 << 20)")
            #expect(Leftovers.cgroups(of: [id]) == [])
        }
    }

    @Test func `limits that contradict those that there are change nothing`() throws {
        try withApus(.own) { apus in
            try apus.create("plain", command: ["true"])
            try apus.create("limited", ["--memory", "64m", "--memory-swap", "96m"], command: ["true"])
            for (words, name) in [
                (["--memory-swap", "1g", "plain"], "--memory-swap"),
                (["--memory", "128m", "limited"], "--memory-swap"),
                (["--memory-swap", "32m", "limited"], "--memory"),
                (["--memory-reservation", "65m", "limited"], "--memory"),
            ] {
                let result = try apus(["update"] + words)
                #expect(result.status == 1 && result.isOneLineNaming(name), "\(words): \(result)")
            }
            #expect(try apus.inspect("plain", "{{.HostConfig.MemorySwap}}") == "0")
            #expect(try apus.inspect("limited", "{{.HostConfig.Memory}}") == "\(64 << 20)")
        }
    }

    // MARK: Restart policy

    /// A container that ends with 5 each time it gets a line of input from `send`.
    private static let ending = ["sh", "-c", "echo life; trap 'exit 5' USR1; while :; do sleep 0.05; done"]

    @Test(arguments: Caller.available)
    func `the supervisor that runs follows a policy that is given later`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("late", command: Self.ending)
            try apus.waitForLog("late", "life")
            try apus.succeed("update", "--restart", "always", "late")
            let log = try apus.begin("logs", "-f", "late")
            try log.waitForOutput("life")
            try apus.succeed("kill", "-s", "USR1", "late")
            try log.waitForOutput("life", seconds: 20)
            try apus.succeed("stop", "-t", "0", "late")
        }
    }

    @Test(arguments: Caller.available)
    func `the supervisor that runs follows a policy that is taken back`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("late", ["--restart", "always"], command: Self.ending)
            try apus.waitForLog("late", "life")
            try apus.succeed("update", "--restart", "no", "late")
            try apus.succeed("kill", "-s", "USR1", "late")
            #expect(try apus.succeed("wait", "late") == "5")
            #expect(try apus.inspect("late", "{{.State.Status}} {{.RestartCount}}") == "exited 0")
        }
    }

    @Test(arguments: Caller.available)
    func `no start undoes an update or a new name that comes while it is under way`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("cycle0", ["--restart", "always"], command: ["true"])
            for round in 1...10 {
                let policy = round.isMultiple(of: 2) ? "always" : "unless-stopped"
                try apus.succeed("update", "--restart", policy, "cycle\(round - 1)")
                try apus.succeed("rename", "cycle\(round - 1)", "cycle\(round)")
                usleep(UInt32(round) * 10_000)
                #expect(try apus.inspect("cycle\(round)", "{{.HostConfig.RestartPolicy.Name}}") == policy)
            }
            try apus.succeed("rm", "-f", "cycle10")
        }
    }

    @Test(arguments: Caller.available)
    func `a policy that is taken back while a container waits for its next start counts`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("cycling", ["--restart", "always"], command: ["sh", "-c", "exit 3"])
            try apus.succeed("update", "--restart", "no", "cycling")
            #expect(try apus.begin("wait", "cycling").wait(seconds: 20) == .printed("3\n"))
            #expect(try apus.state("cycling") == "exited")
        }
    }

    @Test(arguments: Caller.withLimits)
    func `an update that comes while a container is started holds at once`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.create("racing", ["--pids-limit", "100"], command: ["sleep", "1000"])
            for round in 1...30 {
                let start = try apus.begin("start", "racing")
                usleep(UInt32(round % 15) * 2000)  // at another moment of it each time
                try apus.succeed("update", "--pids-limit", "\(100 + round)", "racing")
                let started = try start.wait()
                #expect(started.status == 0, "round \(round): \(started.errors)")
                let files = "/sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max"
                let limit = try apus.succeed("exec", "racing", "sh", "-c", "cat \(files) 2>/dev/null; true")
                #expect(limit == "\(100 + round)", "round \(round)")
                try apus.succeed("kill", "racing")
            }
        }
    }
}
