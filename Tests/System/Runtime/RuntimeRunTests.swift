import FoundationEssentials
import Glibc
import Linux
import OCI
import Testing

/// `apus-runtime run`, and how failures are told.
@Suite struct RuntimeRunTests {
    @Test(arguments: Caller.available)
    func `run passes streams and the exit status on, and deletes the container`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(script: "read line; echo got $line; echo oops >&2; exit 7")
            let process = try runtime.apus.startProgram(
                runtime.words(["run", runtime.id(), "--bundle=\(runtime.bundle)"]))
            try process.write("words\n")
            let outcome = try process.wait()
            #expect(outcome.status == 7 && outcome.output == "got words\n" && outcome.errors == "oops\n", "\(outcome)")
            #expect(try runtime("list", "-q").output == "")
        }
    }

    @Test(arguments: Caller.available)
    func `run with --keep leaves a stopped container`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            expectOutput(try runtime("run", "--keep", "-b", runtime.bundle, runtime.id()), "")
            #expect(try runtime.state(runtime.id()).status == .stopped)
        }
    }

    @Test(arguments: Caller.available)
    func `a signal to run reaches the command`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(script: "trap 'exit 42' TERM; echo ready; while :; do sleep 0.1; done")
            let process = try runtime.apus.startProgram(runtime.words(["run", "-b", runtime.bundle, runtime.id()]))
            try process.waitForOutput("ready")
            _ = try runtime.waitForRecord(runtime.id())
            #expect(try runtime.state(runtime.id()).status == .running)
            try process.send(SIGTERM)
            #expect(try process.wait().status == 42)
        }
    }

    @Test(arguments: Caller.available)
    func `run on a terminal gives the container one of its own`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(script: "test -t 0 && stty size; read line; echo got $line; exit 3") {
                $0.process?.terminal = true
            }
            let process = try runtime.apus.startProgram(
                runtime.words(["run", "-b", runtime.bundle, runtime.id()]), onTerminal: true)
            try process.waitForOutput("24 80")
            try process.write("words\r")
            try process.waitForOutput("got words")
            #expect(try process.wait().status == 3)
        }
    }

    @Test(arguments: Caller.available)
    func `a failure is told in words that engines look for, also in the log`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            let log = "\(runtime.apus.directory)/log.json"
            for (command, words) in [
                ("/nope", #"exec: "/nope": stat /nope: no such file or directory"#),
                ("nope", #"exec: "nope": executable file not found in $PATH"#),
                ("/etc/passwd", #"exec: "/etc/passwd": permission denied"#),
            ] {
                try runtime.configure([command])
                for verb in ["create", "run"] {
                    unlink(log)
                    let outcome = try runtime(
                        "--log", log, "--log-format=json", verb, "--bundle", runtime.bundle, runtime.id())
                    runtime.expectFailure(outcome, naming: words)
                    let line = try JSON(String(contentsOfFile: log, encoding: .utf8))
                    #expect(line["level"] == .string("error"))
                    guard case .string(let message)? = line["msg"] else { continue }
                    #expect(message.contains(words) && outcome.errors.contains(message), "\(line)")
                }
                expectOutput(try runtime("delete", "--force", runtime.id()), "")
            }
        }
    }

    @Test func `damaged bundles are refused by name`() throws {
        try withRuntime(Caller.available[0]) { runtime in
            try runtime.configure(["true"]) { $0.process?.cwd = "relative" }
            runtime.expectFailure(try runtime("run", "-b", runtime.bundle, runtime.id()), naming: "process.cwd")
            try runtime.configure(["true"]) { $0.process?.args = [] }
            runtime.expectFailure(try runtime("run", "-b", runtime.bundle, runtime.id()), naming: "process.args")
            try runtime.configure(["true"]) { $0.root?.path = "missing" }
            runtime.expectFailure(try runtime("run", "-b", runtime.bundle, runtime.id()), naming: "missing")
            try runtime.apus.file("bundle/config.json", #"{"ociVersion": 1}"#)
            runtime.expectFailure(try runtime("run", "-b", runtime.bundle, runtime.id()), naming: "ociVersion")
            unlink("\(runtime.bundle)/config.json")
            runtime.expectFailure(try runtime("run", "-b", runtime.bundle, runtime.id()), naming: "config.json")
        }
    }

    @Test func `engines can read the version and the features`() throws {
        try withRuntime(Caller.available[0]) { runtime in
            let lines = try runtime("--version").lines
            #expect(lines[0].hasPrefix("apus-runtime version ") && lines[2] == "spec: 1.2.0")
            let features = try Features(json: Array(runtime("features").output.utf8))
            #expect(features.ociVersionMin == "1.0.0" && features.hooks?.count == 6)
            #expect(features.potentiallyUnsafeConfigAnnotations?.contains("org.systemd.property.") ?? false)
            #expect(try runtime("run", "--help").status == 0)
            #expect(try runtime("checkpoint", "--help").output.contains("\n  --image-path VALUE\n"))
            runtime.expectFailure(try runtime("nope", "--help"), naming: "nope")
            runtime.expectFailure(try runtime("run", "--nope"), naming: "--nope")
            runtime.expectFailure(try runtime("nope"), naming: "nope")
        }
    }
}
