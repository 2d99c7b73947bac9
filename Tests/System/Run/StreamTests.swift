import Glibc
import Testing

/// Standard input, output and error of a container in the foreground.
@Suite struct StreamTests {
    @Test(arguments: Caller.available)
    func `standard output and error stay apart`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outcome = try apus.shell("echo out; echo err >&2")
            #expect(outcome.output == "out\n" && outcome.errors == "err\n", "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `with -i the command reads standard input to its end`(caller: Caller) throws {
        try withApus(caller) { apus in
            let input = String(repeating: "0123456789abcde\n", count: 2048)
            let outcome = try apus.run(["-i"], "cat", input: input)
            #expect(outcome.status == 0 && outcome.output == input)
        }
    }

    @Test(arguments: Caller.available)
    func `without -i the command finds its standard input at its end`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outcome = try apus.run("cat", input: "not for the container")
            #expect(outcome.status == 0 && outcome.output == "", "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `output arrives while the command still runs`(caller: Caller) throws {
        try withApus(caller) { apus in
            let process = try apus.start(["run", "--rm", "-i", "--rootfs", Machine.busybox, "cat"])
            try process.write("first\n")
            try process.waitForOutput("first\n")
            try process.write("second\n")
            try process.waitForOutput("second\n")
            process.closeInput()
            #expect(try process.wait().status == 0)
        }
    }

    @Test(arguments: Caller.available)
    func `a large output is complete`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outcome = try apus.run("dd", "if=/dev/zero", "bs=64k", "count=128")
            #expect(outcome.status == 0 && outcome.output.utf8.count == 64 * 1024 * 128)
        }
    }

    @Test(arguments: Caller.available)
    func `a reader that goes away does not hold the container up`(caller: Caller) throws {
        try withApus(caller) { apus in
            let pipeline = try apus.startShell("$APUS run --rm --rootfs \(Machine.busybox) yes | head -n 1")
            let outcome = try pipeline.wait()
            #expect(outcome.status == 0 && outcome.output == "y\n", "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `standard streams that are closed are none in the container`(caller: Caller) throws {
        try withApus(caller) { apus in
            let closed = try apus.startShell("$APUS run --rm --rootfs \(Machine.busybox) true <&- >&- 2>&-; echo $?")
            let outcome = try closed.wait()
            #expect(outcome.output == "0\n", "\(outcome)")
        }
    }

    @Test(arguments: Caller.available, [SIGTERM, SIGINT, SIGHUP, SIGUSR1])
    func `a signal reaches the command`(caller: Caller, signal: CInt) throws {
        try withApus(caller) { apus in
            let script = "trap 'echo caught; exit 5' \(signal); echo ready; while :; do sleep 0.05; done"
            let process = try apus.start(["run", "--rm", "--rootfs", Machine.busybox, "sh", "-c", script])
            try process.waitForOutput("ready")
            try process.send(signal)
            let outcome = try process.wait()
            #expect(outcome.status == 5 && outcome.output == "ready\ncaught\n", "\(outcome)")
        }
    }
}
