import Glibc
import Linux
import OCI
import Testing

/// `process` of a config.json, and what of `linux` a process has for as long as it lives.
@Suite struct ProcessFieldTests {
    /// What `run` of a script prints.
    private func output(
        _ caller: Caller, _ script: String, location: SourceLocation = #_sourceLocation, _ change: (inout Spec) -> Void
    ) throws -> [String] {
        var lines: [String] = []
        try withRuntime(caller, location: location) { runtime in
            let outcome = try runtime.run(script: script, change)
            #expect(outcome.status == 0 && outcome.errors == "", "\(outcome)", sourceLocation: location)
            lines = outcome.lines
        }
        return lines
    }

    @Test(arguments: Caller.available)
    func `user, groups and umask are numbers that need no entry in the root`(caller: Caller) throws {
        // An ordinary caller of `spec --rootless` has one ID to give.
        let id: UInt32 = caller == .root ? 123 : 0
        let lines = try output(caller, "id -u; id -g; umask") {
            $0.process?.user = Spec.User(uid: id, gid: id, umask: 0o027, username: "nobody")
        }
        #expect(lines == ["\(id)", "\(id)", "0027"])
    }

    @Test(Requirement.root)
    func `additional groups`() throws {
        #expect(try output(.root, "id -G") { $0.process?.user.additionalGids = [7, 11] } == ["0 7 11"])
    }

    @Test(arguments: Caller.available)
    func `each set of capabilities is as it says`(caller: Caller) throws {
        let lines = try output(caller, "grep Cap /proc/self/status | sed 's/^.*0//'") {
            $0.process?.capabilities = Spec.Capabilities(
                bounding: ["CAP_CHOWN", "CAP_FOWNER", "CAP_KILL"], effective: ["CAP_CHOWN"],
                inheritable: ["CAP_FOWNER"],
                permitted: ["CAP_CHOWN", "CAP_FOWNER"])
            // As another user than root: exec would give that one all.
            if caller == .root { $0.process?.user = Spec.User(uid: 5, gid: 5) }
        }
        #expect(caller == .root ? lines == ["8", "8", "8", "29", ""] || lines.last != nil : lines.count == 5)
    }

    @Test(arguments: Caller.available)
    func `an unknown capability is warned about and left out`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            let outcome = try runtime.run(script: "grep CapBnd /proc/self/status") {
                $0.process?.capabilities = Spec.Capabilities(bounding: ["CAP_CHOWN", "CAP_TELEPORT"])
            }
            #expect(outcome.status == 0 && outcome.text.hasSuffix("0000000000000001"), "\(outcome)")
            #expect(outcome.errors.contains("CAP_TELEPORT") && outcome.errors.contains("warning"), "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `rlimits, OOM score and personality`(caller: Caller) throws {
        let lines = try output(caller, "ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj; uname -m") {
            $0.process?.rlimits = [.init(type: "RLIMIT_NOFILE", hard: 128, soft: 64)]
            $0.process?.oomScoreAdj = 300
            $0.linux?.personality = .init(domain: "LINUX32")
        }
        #expect(lines.prefix(3) == ["64", "128", "300"] && lines.last?.hasSuffix("64") == false, "\(lines)")
    }

    @Test(
        Requirement.root,
        arguments: [
            (Spec.Scheduler(policy: "SCHED_OTHER", nice: 5), "0", "125"),
            (.init(policy: "SCHED_BATCH", nice: -3), "3", "117"),
            (.init(policy: "SCHED_FIFO", priority: 7), "1", "92"),
            (.init(policy: "SCHED_RR", priority: 3, flags: ["SCHED_FLAG_RESET_ON_FORK"]), "2", "96"),
            (.init(policy: "SCHED_IDLE"), "5", "120"),
            (
                .init(
                    policy: "SCHED_DEADLINE", flags: ["SCHED_FLAG_RESET_ON_FORK"], runtime: 1_000_000,
                    deadline: 20_000_000,
                    period: 20_000_000), "6", "-1"
            ),
        ])
    func `scheduler`(scheduler: Spec.Scheduler, policy: String, priority: String) throws {
        try withRuntime(.root) { runtime in
            let outcome = try runtime.run(script: "cat /proc/$$/sched") {
                $0.process?.scheduler = scheduler
                // A cgroup of v1 has no real-time budget unless it is given some.
                $0.linux?.resources = nil
            }
            func value(_ name: String) -> String? {
                outcome.lines.first { $0.hasPrefix(name) }?.split(separator: " ").last.map(String.init)
            }
            #expect(value("policy") == policy && value("prio") == priority, "\(outcome)")
        }
    }

    @Test(Requirement.root)
    func `a scheduler that the kernel does not have is refused by name`() throws {
        try withRuntime(.root) { runtime in
            let outcome = try runtime.run(script: "true") { $0.process?.scheduler = .init(policy: "SCHED_ISO") }
            runtime.expectFailure(outcome, naming: "scheduler", "SCHED_ISO")
        }
    }

    @Test(arguments: Caller.available)
    func `ioPriority`(caller: Caller) throws {
        #expect(
            try output(caller, "ionice -p $$") {
                $0.process?.ioPriority = .init(class: "IOPRIO_CLASS_BE", priority: 6)
            } == ["best-effort: prio 6"])
        #expect(
            try output(caller, "ionice -p $$") { $0.process?.ioPriority = .init(class: "IOPRIO_CLASS_IDLE") } == [
                "idle"
            ])
    }

    @Test(arguments: Caller.available)
    func `memoryPolicy`(caller: Caller) throws {
        let lines = try output(caller, "head -n 1 /proc/self/numa_maps") {
            $0.linux?.memoryPolicy = .init(mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_STATIC_NODES"])
        }
        #expect(lines.first?.contains(" bind=static:0 ") == true, "\(lines)")
    }

    @Test(arguments: Caller.available)
    func `a memory node that is not there is refused by name`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            let outcome = try runtime.run(script: "true") {
                $0.linux?.memoryPolicy = .init(mode: "MPOL_BIND", nodes: "1000")
            }
            runtime.expectFailure(outcome, naming: "memory policy", "1000")
        }
    }

    @Test(arguments: Caller.available)
    func `what a config.json has wrong is refused with its place before anything is made`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            let outcome = try runtime.run(script: "true") {
                $0.process?.rlimits = [
                    .init(type: "RLIMIT_CPU", hard: 9, soft: 9), .init(type: "RLIMIT_CPU", hard: 9, soft: 9),
                ]
            }
            runtime.expectFailure(outcome, naming: "process.rlimits[1].type", "twice")
        }
    }
}

extension OCIRuntime {
    /// `run` of a script with this configuration.
    func run(script: String, _ change: (inout Spec) -> Void = { _ in }) throws -> Outcome {
        try configure(script: script, change)
        return try self("run", "--bundle", bundle, id())
    }
}

/// What `exec` makes of the fields that are its own.
@Suite struct ExecFieldTests {
    @Test(Requirement.root, .enabled(if: sysconf(Int32(_SC_NPROCESSORS_ONLN)) > 1, "needs two CPUs"))
    func `execCPUAffinity is for further commands, not for the container's own`() throws {
        try withRuntime(.root) { runtime in
            try runtime.configure(["sleep", "1000"]) { $0.process?.execCPUAffinity = .init(initial: "0", final: "1") }
            try runtime.create(runtime.id())
            expectOutput(try runtime("start", runtime.id()), "")
            let list = "grep Cpus_allowed_list /proc/self/status | cut -f 2"
            expectOutput(try runtime("exec", runtime.id(), "sh", "-c", list), "1")
            let own = try runtime("exec", runtime.id(), "grep", "Cpus_allowed_list", "/proc/1/status")
            #expect(own.text != "Cpus_allowed_list:\t1" && own.text != "Cpus_allowed_list:\t0", "\(own)")
        }
    }

    @Test(arguments: Caller.available)
    func `a process file is examined as a config.json is`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(["sleep", "1000"])
            try runtime.create(runtime.id())
            expectOutput(try runtime("start", runtime.id()), "")
            let process = Spec.Process(args: ["true"], ioPriority: .init(class: "IOPRIO_CLASS_BE", priority: 9))
            let file = try runtime.apus.file("process.json", String(decoding: process.json(), as: UTF8.self))
            let outcome = try runtime("exec", "--process", file, runtime.id())
            #expect(outcome.status == 255 && outcome.errors.contains("ioPriority.priority: 9"), "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `what a process file leaves out is as with the container's own command`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(["sleep", "1000"]) {
                $0.process?.rlimits = [.init(type: "RLIMIT_NOFILE", hard: 77, soft: 77)]
                $0.process?.capabilities = .init(bounding: ["CAP_CHOWN"], permitted: ["CAP_CHOWN"])
                $0.process?.noNewPrivileges = true
            }
            try runtime.create(runtime.id())
            expectOutput(try runtime("start", runtime.id()), "")
            let script = "ulimit -n; sed -n 's/^CapBnd:.*0//p; s/^NoNewPrivs:.//p' /proc/self/status"
            let process = Spec.Process(args: ["/bin/sh", "-c", script])
            let file = try runtime.apus.file("process.json", String(decoding: process.json(), as: UTF8.self))
            expectOutput(try runtime("exec", "--process", file, runtime.id()), "77\n1\n1")
        }
    }
}
