import FoundationEssentials
import Glibc
import Linux
import OCI
import Testing

/// What a hostile configuration, a hostile image and a killed caller do not get.
@Suite struct RuntimeSafetyTests {
    @Test(arguments: Caller.available)
    func `no descriptor of the host's becomes the working directory`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            for number in 3..<20 {
                try runtime.configure(["pwd"]) { $0.process?.cwd = "/proc/self/fd/\(number)" }
                for verb in ["run", "create"] {
                    let outcome = try runtime(verb, "--bundle", runtime.bundle, runtime.id())
                    #expect(outcome.status == 1 && outcome.output == "", "\(outcome)")
                }
            }
        }
    }

    @Test(Requirement.root) func `a container cannot reach the executable of one that waits beside it`() throws {
        try withRuntime(.root) { runtime in
            try runtime.create(runtime.id())
            let pid = try #require(try runtime.state(runtime.id()).pid)
            try runtime.configure(script: "readlink /proc/\(pid)/exe || echo refused") { spec in
                spec.linux?.namespaces?.removeAll { $0.type == .pid }
                spec.mounts?.removeAll { $0.destination == "/proc" }
                spec.mounts?.append(Spec.Mount(destination: "/proc", type: "bind", source: "/proc", options: ["rbind"]))
                spec.linux?.maskedPaths = nil
                spec.linux?.readonlyPaths = nil
            }
            let outcome = try runtime("run", "-b", runtime.bundle, runtime.id("two"))
            #expect(outcome.output == "refused\n", "\(outcome)")
        }
    }

    @Test(Requirement.root) func `a command that is not root opens the pipes that it has got`() throws {
        try withRuntime(.root) { runtime in
            try runtime.configure(script: "echo out >/dev/stdout; echo err >/dev/stderr") {
                $0.process?.user = Spec.User(uid: 1000, gid: 1000)
            }
            let outcome = try runtime("run", "-b", runtime.bundle, runtime.id())
            #expect(outcome.status == 0 && outcome.output == "out\n" && outcome.errors == "err\n", "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `a container dies with a run that is killed`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(script: "echo ready; sleep 1000")
            let process = try runtime.apus.startProgram(runtime.words(["run", "-b", runtime.bundle, runtime.id()]))
            try process.waitForOutput("ready")
            let pid = try runtime.waitForRecord(runtime.id())
            let command = try #require(try ProcessHandle.open(pid))
            defer { command.pidfd.closeQuietly() }
            try process.send(SIGKILL)
            _ = try Deadline.after().wait(for: [(command.pidfd, POLLIN)], "the container's end")
            #expect(try runtime.state(runtime.id()).status == .stopped)
            expectOutput(try runtime("delete", runtime.id()), "")
        }
    }

    @Test(arguments: Caller.available)
    func `whatever moment create is killed at, delete removes all of it`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(["sleep", "1000"]) {
                $0.hooks = Spec.Hooks(createRuntime: [Spec.Hook(path: "/bin/true")])
            }
            for round in 0..<40 {
                let words = runtime.words(["create", "--bundle", runtime.bundle, runtime.id("\(round)")])
                let script = #"exec "$@" >/dev/null 2>&1 </dev/null"#
                let process = try runtime.apus.startProgram(["/bin/sh", "-c", script, "sh"] + words)
                usleep(UInt32(round) * 400)
                try process.send(SIGKILL)
                _ = try process.waitForEnd()
                expectOutput(try runtime("delete", "--force", runtime.id("\(round)")), "")
            }
        }
    }

    @Test(arguments: Caller.available)
    func `containers are made and deleted at the same time`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(script: "echo done")
            let runs = try (0..<20).map { number in
                try runtime.apus.startProgram(runtime.words(["run", "-b", runtime.bundle, runtime.id("\(number)")]))
            }
            for run in runs { expectOutput(try run.wait(), "done") }
        }
    }

    @Test(arguments: Caller.available)
    func `a detached run that is killed at any moment leaves nothing that delete does not find`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            let mark = MarkedProcesses.newMark()
            try runtime.configure(["sleep", mark])
            let script = #"exec "$@" >/dev/null 2>&1 </dev/null"#
            for _ in 0..<30 {
                let words =
                    ["/bin/sh", "-c", script, "sh"] + runtime.words(["run", "-d", "-b", runtime.bundle, runtime.id()])
                let process = try runtime.apus.startProgram(words)
                usleep(.random(in: 0...30_000))  // the moment is what is to be any
                try process.send(SIGKILL)
                _ = try process.waitForEnd()
                expectOutput(try runtime("delete", "--force", runtime.id()), "")
                try MarkedProcesses.waitForEnd(mark)
            }
        }
    }
}
