import CLinux
import FoundationEssentials
import Glibc
import Linux
import OCI
import SystemPackage
import Testing

/// Further commands in a running container, as engines ask for them.
@Suite struct RuntimeExecTests {
    /// With a container that runs until it is deleted.
    private func withContainer(
        _ caller: Caller, memory: Int64? = nil, _ body: (OCIRuntime, String) throws -> Void
    ) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(["sleep", "1000"]) {
                $0.hostname = "inside"
                if let memory { $0.linux?.resources = Spec.Resources(memory: Spec.Memory(limit: memory)) }
            }
            try runtime.create(runtime.id())
            expectOutput(try runtime("start", runtime.id()), "")
            try body(runtime, runtime.id())
        }
    }

    @Test(arguments: Caller.available)
    func `a command runs inside of the container and tells its exit status`(caller: Caller) throws {
        try withContainer(caller) { runtime, id in
            expectOutput(try runtime("exec", id, "hostname"), "inside")
            expectOutput(try runtime("exec", id, "sh", "-c", "cat /proc/1/comm"), "sleep")
            #expect(try runtime("exec", id, "sh", "-c", "exit 7").status == 7)
            #expect(try runtime("exec", id, "sh", "-c", "kill -9 $$").status == 137)
        }
    }

    @Test(arguments: Caller.available)
    func `options change what the container's own process has`(caller: Caller) throws {
        try withContainer(caller) { runtime, id in
            expectOutput(
                try runtime("exec", "--cwd", "/tmp", "-e", "A=1", "--env=B=2", id, "sh", "-c", "echo $PWD $A $B"),
                "/tmp 1 2")
            expectOutput(try runtime("exec", id, "grep", "NoNewPrivs", "/proc/self/status"), "NoNewPrivs:\t1")
            expectOutput(
                try runtime("exec", "--no-new-privs=false", id, "grep", "NoNewPrivs", "/proc/self/status"),
                "NoNewPrivs:\t0")
        }
    }

    @Test(Requirement.root) func `a command has the user, groups and capabilities that are asked for`() throws {
        try withContainer(.root) { runtime, id in
            expectOutput(
                try runtime(
                    "exec", "-u", "1000:100", "-g", "7", "--additional-gids", "8", id, "sh", "-c",
                    "id -u; id -g; id -G"),
                "1000\n100\n100 7 8")
            let granted = try runtime("exec", "--cap", "CAP_SYS_CHROOT", id, "grep", "CapEff", "/proc/self/status")
            let usual = try runtime("exec", id, "grep", "CapEff", "/proc/self/status")
            let bits = [granted, usual].map { UInt64($0.output.dropFirst(8).prefix(16), radix: 16) ?? 0 }
            #expect(bits[0] ^ bits[1] == 1 << 18, "\(granted) \(usual)")
        }
    }

    @Test(arguments: Caller.available)
    func `a file tells the process, which outlives a detached call`(caller: Caller) throws {
        try withContainer(caller) { runtime, id in
            let directory = runtime.apus.directory
            try runtime.apus.file(
                "process.json",
                #"{"args":["sh","-c","echo $X in $PWD; exec sleep 1000"],"env":["X=from a file","PATH=/bin"],"cwd":"/tmp"}"#
            )
            let outcome = try runtime.leaving(
                "exec", "--process", "\(directory)/process.json", "--detach", "--pid-file", "\(directory)/pid", id)
            #expect(outcome.status == 0, "\(outcome)")
            let pid = try #require(pid_t(String(contentsOfFile: "\(directory)/pid", encoding: .utf8)))
            try waitUntil(changing: [directory], "its output") { try !runtime.output.isEmpty }
            #expect(try runtime.output == "from a file in /tmp\n")
            let process = try #require(try ProcessHandle.open(pid))
            defer { process.pidfd.closeQuietly() }
            #expect(!process.hasEnded())
            // It ends with the container.
            expectOutput(try runtime("delete", "--force", id), "")
            #expect(try Deadline.after(20).wait(for: [(process.pidfd, POLLIN)], "its end").isEmpty == false)
        }
    }

    @Test(arguments: Caller.available)
    func `what cannot be executed is told in the words that engines match`(caller: Caller) throws {
        try withContainer(caller) { runtime, id in
            for (command, words) in [
                ("/nope", #"exec: "/nope": stat /nope: no such file or directory"#),
                ("nope", #"exec: "nope": executable file not found in $PATH"#),
                ("/etc/passwd", #"exec: "/etc/passwd": permission denied"#),
            ] {
                let log = "\(runtime.apus.directory)/log-\(command.filter { $0 != "/" })"
                unlink(log)
                let outcome = try runtime("--log", log, "--log-format", "json", "exec", id, command)
                #expect(outcome.status == 255 && outcome.errors.contains(words), "\(outcome)")
                // The log is the machine's, though the command was looked for among the container's files.
                let entry = try JSON(String(contentsOfFile: log, encoding: .utf8))
                #expect(entry["level"] == .string("error"))
                guard case .string(let message) = entry["msg"] else {
                    Issue.record("no message in \(entry)")
                    continue
                }
                #expect(message.contains(words))
            }
        }
    }

    @Test(Requirement.root) func `neither a container that has ended nor one that is paused is entered`() throws {
        try withContainer(.root) { runtime, id in
            expectOutput(try runtime("pause", id), "")
            let paused = try runtime("exec", id, "true")
            #expect(paused.status == 255 && paused.errors.contains("paused"), "\(paused)")
            expectOutput(try runtime("resume", id), "")
            expectOutput(try runtime("exec", id, "true"), "")
            expectOutput(try runtime("kill", id, "KILL"), "")
            try runtime.waitForEnd(id)
            let stopped = try runtime("exec", id, "true")
            #expect(stopped.status == 255 && stopped.errors.contains("stopped"), "\(stopped)")
        }
    }

    @Test(Requirement.root) func `a command is in the container's cgroups, or in one below them`() throws {
        try withContainer(.root, memory: 64 << 20) { runtime, id in
            let paths = "cat /proc/self/cgroup | sort"
            let own = try runtime("exec", id, "sh", "-c", paths)
            #expect(try own.output == runtime("exec", id, "sh", "-c", "sort /proc/1/cgroup").output && own.status == 0)
            let missing = try runtime("exec", "--cgroup", "nope", id, "true")
            #expect(missing.status == 255 && missing.errors.contains("nope"), "\(missing)")
        }
    }

    @Test(Requirement.root) func `a cgroup below the container's own is entered, by its controller or in all`() throws {
        try withContainer(.root, memory: 64 << 20) { runtime, id in
            let record = try JSON(String(contentsOfFile: "\(runtime.root)/\(id)/state.json", encoding: .utf8))
            guard case .object(let directories) = record["cgroup"]?["directories"] else {
                Issue.record("no cgroups in \(record)")
                return
            }
            let paths = directories.values.compactMap { path in if case .string(let text) = path { text } else { nil } }
            for path in paths { try check("mkdir", path) { mkdir("\(path)/below", 0o755) } }
            defer { for path in paths { rmdir("\(path)/below") } }
            let inside = try runtime("exec", "--cgroup", "below", id, "sh", "-c", "cat /proc/self/cgroup")
            let lines = inside.output.split(separator: "\n").filter { $0.hasSuffix("/below") }
            #expect(inside.status == 0 && lines.count == paths.count, "\(inside)")
            guard !Machine.hasCgroupV2 else { return }
            let one = try runtime("exec", "--cgroup", "memory:below", id, "sh", "-c", "cat /proc/self/cgroup")
            #expect(one.output.split(separator: "\n").filter { $0.hasSuffix("/below") }.count == 1, "\(one)")
        }
    }

    @Test(Requirement.root) func `a paused container is entered when that is ignored, and goes on with it`() throws {
        try withContainer(.root) { runtime, id in
            expectOutput(try runtime("pause", id), "")
            let directory = runtime.apus.directory
            let words = ["exec", "--ignore-paused", "--pid-file", "\(directory)/pid", id, "echo", "awake"]
            let process = try runtime.apus.startProgram(runtime.words(words))
            try waitUntil(changing: ["\(runtime.root)/\(id)", directory], "the pause to hold it") {
                // On v2 it starts in the frozen cgroup, on v1 it enters it: either way nothing of it runs yet.
                try runtime.state(id).status == .paused
            }
            expectOutput(try runtime("resume", id), "")
            expectOutput(try process.wait(), "awake")
        }
    }

    @Test(Requirement.root, arguments: [("--apparmor", "AppArmor"), ("--process-label", "SELinux")])
    func `a label of a security module is applied, or its absence said`(option: String, name: String) throws {
        try withContainer(.root) { runtime, id in
            let outcome = try runtime("exec", option, "some-label", id, "true")
            // No machine of these tests has a profile of that name.
            #expect(outcome.status == 255 && outcome.errors.contains(name), "\(outcome)")
            #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome)")
        }
    }

    @Test(Requirement.root) func `a descriptor that stands for the process is sent when asked for`() throws {
        try withContainer(.root) { runtime, id in
            let path = "\(runtime.apus.directory)/pidfd"
            let listener = try EngineListener(path)
            defer { listener.close() }
            let process = try runtime.apus.startProgram(
                runtime.words(["exec", "--pidfd-socket", path, id, "sleep", "1000"]))
            let pidfd = try listener.receive()
            defer { pidfd.closeQuietly() }
            try check("pidfd_send_signal") { apus_pidfd_send_signal(pidfd.rawValue, SIGKILL) }
            #expect(try process.wait().status == 137)
        }
    }

    @Test(arguments: Caller.available)
    func `descriptors are passed on when asked for`(caller: Caller) throws {
        try withContainer(caller) { runtime, id in
            let script = #"echo three >file; exec "$@" 3<file 4<file"#
            func run(_ options: String...) throws -> Outcome {
                let words = runtime.words(["exec"] + options + [id, "sh", "-c", "ls /proc/self/fd | tr '\\n' ' '"])
                return try runtime.apus.startProgram(["/bin/sh", "-c", script, "sh"] + words).wait()
            }
            // ls has one of its own, for the directory.
            expectOutput(try run(), "0 1 2 3")
            expectOutput(try run("--preserve-fds", "1"), "0 1 2 3 4")
        }
    }

    @Test(arguments: Caller.available)
    func `a terminal is copied to the caller's streams`(caller: Caller) throws {
        try withContainer(caller) { runtime, id in
            let outcome = try runtime("exec", "--tty", id, "sh", "-c", "tty; test -t 0 && test -t 1 && exit 4")
            #expect(outcome.status == 4 && outcome.output.hasPrefix("/dev/pts/"), "\(outcome)")
            let refused = try runtime("exec", "--tty", "--detach", id, "true")
            #expect(refused.status == 255 && refused.errors.contains("console socket"), "\(refused)")
        }
    }

    @Test(arguments: Caller.available)
    func `a signal to the call reaches the command`(caller: Caller) throws {
        try withContainer(caller) { runtime, id in
            let words = ["exec", id, "sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done"]
            let process = try runtime.apus.startProgram(runtime.words(words))
            try process.waitForOutput("ready")
            try process.send(SIGTERM)
            #expect(try process.wait().status == 9)
        }
    }
}
