import FoundationEssentials
import Glibc
import Linux
import OCI
import Testing

/// A container's life as the specification has it: create, start, kill, delete, and the state between.
///
/// - Note: OCI Runtime Specification, runtime.md.
@Suite struct RuntimeLifecycleTests {
    @Test(arguments: Caller.available)
    func `a created container has run nothing until it is started`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(script: "echo started")
            try runtime.create(runtime.id())
            #expect(try runtime.state(runtime.id()).status == .created)
            #expect(try runtime.output == "")
            expectOutput(try runtime("start", runtime.id()), "")
            try runtime.waitForEnd(runtime.id())
            #expect(try runtime.output == "started\n")
            #expect(try runtime.state(runtime.id()).status == .stopped)
            expectOutput(try runtime("delete", runtime.id()), "")
            runtime.expectFailure(try runtime("state", runtime.id()), naming: "does not exist")
        }
    }

    @Test(arguments: Caller.available)
    func `the state names the bundle, the process and the annotations`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(["sleep", "1000"]) { $0.annotations = ["org.example.key": "value"] }
            let pidFile = "\(runtime.apus.directory)/pid"
            try runtime.create(runtime.id(), "--pid-file", pidFile)
            let state = try runtime.state(runtime.id())
            #expect(state.id == runtime.id() && state.bundle == runtime.bundle)
            #expect(state.annotations == ["org.example.key": "value"])
            #expect(try String(contentsOfFile: pidFile, encoding: .utf8) == state.pid.map { "\($0)" })
            _ = try runtime("start", runtime.id())
            #expect(try runtime.state(runtime.id()).status == .running)
            let listed = try runtime("list", "--format", "json")
            #expect(try JSON(listed.output).elements.map { $0["id"] } == [.string(runtime.id())])
        }
    }

    @Test(arguments: Caller.available)
    func `a signal reaches the command, and one that has ended takes none`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(script: "trap 'echo got it; exit' USR1; echo ready; while :; do sleep 0.1; done")
            try runtime.create(runtime.id())
            _ = try runtime("start", runtime.id())
            try waitUntil(changing: [runtime.apus.directory], "the trap") { try runtime.output.contains("ready") }
            expectOutput(try runtime("kill", runtime.id(), "USR1"), "")
            try runtime.waitForEnd(runtime.id())
            #expect(try runtime.output == "ready\ngot it\n")
            runtime.expectFailure(try runtime("kill", runtime.id(), "USR1"), naming: "container not running")
            expectOutput(try runtime("kill", "--all", runtime.id(), "9"), "")
        }
    }

    @Test(arguments: Caller.available, ["TERM", "KILL"])
    func `a created container can be ended and deleted`(caller: Caller, signal: String) throws {
        try withRuntime(caller) { runtime in
            try runtime.create(runtime.id())
            expectOutput(try runtime("kill", runtime.id(), signal), "")
            try runtime.waitForEnd(runtime.id())
            runtime.expectFailure(try runtime("start", runtime.id()), naming: "stopped")
            expectOutput(try runtime("delete", runtime.id()), "")
            try runtime.create(runtime.id("two"))
            expectOutput(try runtime("delete", runtime.id("two")), "")
        }
    }

    @Test(arguments: Caller.available)
    func `a running container is deleted only by force`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(["sleep", "1000"])
            #expect(try runtime.leaving("run", "--detach", "-b", runtime.bundle, runtime.id()).status == 0)
            runtime.expectFailure(try runtime("delete", runtime.id()), naming: "not stopped")
            runtime.expectFailure(try runtime("start", runtime.id()), naming: "already running")
            expectOutput(try runtime("delete", "--force", runtime.id()), "")
            expectOutput(try runtime("delete", "--force", runtime.id()), "")
            runtime.expectFailure(try runtime("delete", runtime.id()), naming: "does not exist")
        }
    }

    @Test func `an ID is taken once, and must be one`() throws {
        try withRuntime(Caller.available[0]) { runtime in
            try runtime.create(runtime.id())
            runtime.expectFailure(
                try runtime("create", "-b", runtime.bundle, runtime.id()), naming: "already exists", runtime.id())
            #expect(try runtime.state(runtime.id()).status == .created)
            for id in ["a/b", "..", "", "a b"] {
                runtime.expectFailure(try runtime("create", "-b", runtime.bundle, id), naming: "invalid container ID")
            }
        }
    }

    @Test(arguments: Caller.available)
    func `changes of the bundle after create have no effect`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(["echo", "before"])
            try runtime.create(runtime.id())
            try runtime.configure(["echo", "after"])
            _ = try runtime("start", runtime.id())
            try runtime.waitForEnd(runtime.id())
            #expect(try runtime.output == "before\n")
        }
    }

    @Test func `a state that was forged or damaged names no other process`() throws {
        try withRuntime(Caller.available[0]) { runtime in
            try runtime.configure(["sleep", "1000"])
            #expect(try runtime.leaving("run", "-d", "-b", runtime.bundle, runtime.id()).status == 0)
            let file = "\(runtime.root)/\(runtime.id())/state.json"
            let text = try String(contentsOfFile: file, encoding: .utf8)
            usleep(30_000)  // start times count in ticks of 10 ms
            let victim = try runtime.apus.startProgram(["/bin/sleep", "1000"])
            let pid = try #require(try runtime.state(runtime.id()).pid)
            try runtime.apus.file(
                "states/\(runtime.id())/state.json", text.replacing("\"pid\":\(pid)", with: "\"pid\":\(victim.pid)"))
            #expect(try runtime.state(runtime.id()).status == .stopped)
            #expect(try runtime("kill", runtime.id(), "9").status == 1)
            #expect(!victim.hasEnded)
            try runtime.apus.file("states/\(runtime.id())/state.json", text)
            _ = try runtime("kill", runtime.id(), "9")
            try runtime.waitForEnd(runtime.id())
            try runtime.apus.file("states/\(runtime.id())/state.json", "{\"schemaVersion\":1,\"id\":")
            runtime.expectFailure(try runtime("state", runtime.id()), naming: runtime.id(), "delete --force")
            expectOutput(try runtime("delete", "--force", runtime.id()), "")
        }
    }

    @Test(arguments: Caller.available)
    func `all processes are listed and signalled, with a cgroup or without`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(script: "sleep 1000 & trap '' TERM; echo ready; wait; exec sleep 2000")
            try runtime.create(runtime.id())
            expectOutput(try runtime("start", runtime.id()), "")
            try waitUntil(changing: [runtime.apus.directory], "its start") { try runtime.output == "ready\n" }
            let executed = try runtime.apus.startProgram(
                runtime.words(["exec", runtime.id(), "sh", "-c", "echo ready; exec sleep 1000"]))
            try executed.waitForOutput("ready")
            let listed = try runtime("ps", "--format", "json", runtime.id())
            let pids = listed.output.split { !$0.isNumber }.compactMap { pid_t($0) }
            #expect(listed.status == 0 && pids.count == 3, "\(listed)")
            #expect(try pids.contains(#require(runtime.state(runtime.id()).pid)), "\(listed)")
            // Init goes on without the others.
            expectOutput(try runtime("kill", "--all", runtime.id(), "TERM"), "")
            #expect(try executed.wait().status == 143)
            #expect(try runtime.state(runtime.id()).status == .running)
        }
    }
}
