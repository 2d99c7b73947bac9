import Testing

/// Limits hold from the first instruction on, are recorded, and are refused where nothing here can hold them.
@Suite struct LimitsTests {
    // MARK: Memory

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `running out of memory ends with 137 and is said`(caller: Caller) throws {
        try withApus(caller) { apus in
            let result = try apus.runContainer(
                ["--name", "greedy", "--memory", "32m"], ["sh", "-c", Script.eatMemory])
            #expect(result.status == 137)
            #expect(result.errors.contains("apus: memory limit hit"))
            #expect(result.errors.contains("32 MiB"))
            #expect(try apus.inspect("greedy", "{{.State.OOMKilled}} {{.State.ExitCode}}") == "true 137")
        }
    }

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `a child that ran out of memory is said although its parent lived on`(caller: Caller) throws {
        try withApus(caller) { apus in
            let script = "sh -c '\(Script.eatMemory)'; echo survived; exit 3"
            let result = try apus.runContainer(["--name", "parent", "--memory", "32m"], ["sh", "-c", script])
            #expect(result.status == 3)
            #expect(result.output == "survived\n")
            #expect(result.errors.contains("apus: memory limit hit"))
            #expect(try apus.inspect("parent", "{{.State.OOMKilled}} {{.State.ExitCode}}") == "true 3")
        }
    }

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `a detached container that ran out of memory has it in its record`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("greedy", ["--memory", "32m"], command: ["sh", "-c", Script.eatMemory])
            #expect(try apus("wait", "greedy").output == "137\n")
            #expect(try apus.inspect("greedy", "{{.State.OOMKilled}}") == "true")
        }
    }

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `another SIGKILL is not taken for want of memory`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("killed", ["--memory", "32m"])
            try apus.succeed("kill", "killed")
            #expect(try apus.inspect("killed", "{{.State.OOMKilled}} {{.State.ExitCode}}") == "false 137")
            let result = try apus.runContainer(
                ["--rm", "--memory", "32m"], ["sh", "-c", "sh -c 'kill -9 $$'; exit $?"])
            #expect(result.status == 137)
            #expect(!result.errors.contains("memory"))
        }
    }

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `an earlier want of memory is not held against the next start`(caller: Caller) throws {
        try withApus(caller) { apus in
            let script = "test -e /mark && exit 4; touch /mark; \(Script.eatMemory)"
            try apus.create("twice", ["--memory", "32m"], command: ["sh", "-c", script])
            for expected in ["true 137", "false 4"] {
                try apus.succeed("start", "twice")
                _ = try apus("wait", "twice")
                #expect(try apus.inspect("twice", "{{.State.OOMKilled}} {{.State.ExitCode}}") == expected)
            }
        }
    }

    // MARK: Others

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `no more processes than the limit can be made`(caller: Caller) throws {
        try withApus(caller) { apus in
            let script = "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; echo all"
            let result = try apus.runContainer(["--rm", "--pids-limit", "5"], ["sh", "-c", script])
            #expect(result.status == 2)
            #expect(!result.output.contains("all"))
            #expect(result.errors.contains("can't fork"))
        }
    }

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `more processors than one can be shared out in parts`(caller: Caller) throws {
        try withApus(caller) { apus in
            // 0.2 seconds of processor time at a tenth of a processor: the kernel counts that it had to hold it back.
            let script =
                "used() { read -r _ _ _ _ _ _ _ _ _ _ _ _ _ user system _ < /proc/self/stat; }; "
                + "used; enough=$((user + system + 20)); "
                + "while used; test $((user + system)) -lt $enough; do :; done; "
                + "cat /sys/fs/cgroup/cpu.stat /sys/fs/cgroup/cpu/cpu.stat 2>/dev/null | grep '^nr_throttled [1-9]'"
            let result = try apus.runContainer(["--rm", "--cpus", "0.1"], ["sh", "-c", script])
            #expect(result.status == 0, "\(result.errors)")
        }
    }

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `a container runs on the processors that it was given`(caller: Caller) throws {
        try withApus(caller) { apus in
            let result = try apus(
                apus.runWords(["--rm", "--cpuset-cpus", "0"], ["grep", "Cpus_allowed_list", "/proc/self/status"]))
            if Machine.isRoot || Machine.isDelegated("cpuset") {
                #expect(result == .printed("Cpus_allowed_list:\t0\n"))
            } else {
                expectRefusal(result, naming: "cpuset", "Delegate=")
            }
        }
    }

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `limits are recorded with what holds them`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("held", ["--memory", "64m", "--cpus", "0.5", "--pids-limit", "30"])
            let format = "{{range .Apus.Limits}}{{.Limit}} {{.Enforced}} {{.Mechanism}}\n{{end}}"
            let lines = try apus.inspect("held", format).split(separator: "\n")
            #expect(Set(lines.map { $0.prefix { $0 != " " } }).isSuperset(of: ["memory", "cpus", "pids-limit"]))
            for line in lines {
                let words = line.split(separator: " ")
                #expect(
                    words.count == 3 && words[1] == "true" && ["v1", "v2", "systemd"].contains(words[2]), "\(line)")
            }
            #expect(try apus.inspect("held", "{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}") == "67108864 30")
            #expect(try apus.inspect("held", "{{.HostConfig.NanoCpus}}") == "500000000")
        }
    }

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `a limit can be changed while the container runs`(caller: Caller) throws {
        try withApus(caller) { apus in
            let script =
                "trap '\(Script.eatMemory.replacing("'", with: "")); exit 5' USR1; echo ready; while :; do sleep 0.05; done"
            try apus.detached("changed", ["--memory", "256m"], command: ["sh", "-c", script])
            try apus.waitForLog("changed", "ready")
            #expect(try apus("update", "--memory", "24m", "--pids-limit", "40", "changed") == .printed("changed\n"))
            #expect(try apus.inspect("changed", "{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}") == "25165824 40")
            try apus.succeed("kill", "-s", "USR1", "changed")
            _ = try apus("wait", "changed")
            #expect(try apus.inspect("changed", "{{.State.OOMKilled}}") == "true")
        }
    }

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `no cgroup is left after a run`(caller: Caller) throws {
        try withApus(caller) { apus in
            for words in [
                ["true"], ["sh", "-c", "kill -9 $$"], ["no-such-program"], ["sh", "-c", "sleep 1000 & exit 0"],
            ] {
                _ = try apus.runContainer(["--rm", "--memory", "32m", "--pids-limit", "20"], words)
            }
            #expect(try apus.leftovers().isEmpty)
        }
    }

    @Test(arguments: Caller.available)
    func `a limit of each process is recorded as one that an rlimit holds`(caller: Caller) throws {
        try withApus(caller) { apus in
            let flags = apus.limitFlags + ["--ulimit", "nofile=64:128", "--ulimit", "core=0"]
            try apus.detached("few", flags)
            let format = "{{range .Apus.Limits}}{{.Limit}}={{.Asked}} {{.Enforced}} {{.Mechanism}}\n{{end}}"
            let expected: [Substring] = ["ulimit nofile=64:128 true rlimit", "ulimit core=0:0 true rlimit"]
            #expect(try apus.inspect("few", format).split(separator: "\n").suffix(2) == expected[...])
            guard !apus.limitFlags.isEmpty else { return }
            try apus.succeed("update", "--memory", "96m", "few")
            #expect(try apus.inspect("few", format).split(separator: "\n").suffix(2) == expected[...])
        }
    }

    // MARK: Refusals

    @Test(
        Requirement.limits, arguments: Caller.withLimits,
        [
            ["--memory", "12"], ["--cpuset-cpus", "4095"], ["--cpuset-mems", "63"], ["--cpus", "0.001"],
            ["--cpus", "-1"],
            ["--pids-limit", "-7"], ["--memory", "lots"], ["--memory", "64m", "--memory-swap", "32m"],
            ["--blkio-weight", "5"],
        ])
    func `a limit that the kernel would not take is refused by name`(caller: Caller, flags: [String]) throws {
        try withApus(caller) { apus in
            let result = try apus.runContainer(["--rm"] + flags, ["true"])
            #expect(result.status == 125, "\(result)")
            #expect(result.output.isEmpty)
            #expect(result.isOneLineNaming(String(flags[flags.count - 2].dropFirst(2))), "\(result)")
            #expect(try apus.leftovers().isEmpty)
        }
    }

    @Test(Requirement.noLimits, arguments: Caller.withoutLimits)
    func `a limit that nothing here can hold is refused with a remedy`(caller: Caller) throws {
        try withApus(caller) { apus in
            let result = try apus.runContainer(["--rm", "--memory", "64m"], ["true"])
            #expect(result.status == 125)
            #expect(result.isOneLineNaming("memory"))
            #expect(result.errors.contains("--limits best-effort") || result.errors.contains("doctor"))
            #expect(try apus("ps", "-aq").output.isEmpty)
        }
    }

    @Test(Requirement.noLimits, arguments: Caller.withoutLimits)
    func `best effort goes on without and records that nothing holds the limit`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("loose", ["--limits", "best-effort", "--memory", "64m", "--cpus", "1"])
            let format = "{{range .Apus.Limits}}{{.Limit}} {{.Enforced}} {{.Mechanism}}\n{{end}}"
            let lines = try apus.inspect("loose", format).split(separator: "\n")
            #expect(lines.count >= 2)
            #expect(lines.contains { $0.hasSuffix("false none") })
            #expect(try apus.inspect("loose", "{{.HostConfig.Memory}}") == "67108864")
        }
    }

    @Test(Requirement.noLimits, arguments: Caller.withoutLimits)
    func `without limits nothing needs a cgroup`(caller: Caller) throws {
        try withApus(caller) { apus in
            let result = try apus.runContainer(["--rm"], ["echo", "free"])
            #expect(result == .printed("free\n"))
        }
    }
}
