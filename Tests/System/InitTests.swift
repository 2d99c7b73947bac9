import Glibc
import Testing

/// `--init`: Apus itself as a container's reaping init.
@Suite struct InitTests {
    @Test(arguments: Caller.available)
    func `init reaps what its command orphans`(caller: Caller) throws {
        try withApus(caller) { apus in
            // An orphan that has ended must not stay as a zombie: its /proc entry goes, which the last loop waits for.
            let script = """
                for _ in 1 2 3; do sh -c 'sh -c "exit 0" & echo $! >>/tmp/orphans; exec true'; done
                for pid in $(cat /tmp/orphans); do while test -e /proc/$pid; do sleep 0.05; done; done
                wc -l </tmp/orphans
                """
            let result = try apus.runContainer(["--rm", "--init"], ["sh", "-c", script])
            expectOutput(result, "3")
        }
    }

    @Test(arguments: Caller.available, [0, 5, 255])
    func `init exits as its command does`(caller: Caller, code: Int32) throws {
        try withApus(caller) { apus in
            let result = try apus.runContainer(["--rm", "--init"], ["sh", "-c", "exit \(code)"])
            #expect(result.status == code)
        }
    }

    @Test(arguments: Caller.available)
    func `a command killed by a signal exits 128 and the signal through init`(caller: Caller) throws {
        try withApus(caller) { apus in
            let result = try apus.runContainer(["--rm", "--init"], ["sh", "-c", "kill -USR1 $$"])
            #expect(result.status == 128 + SIGUSR1)
        }
    }

    @Test(arguments: Caller.available, [("TERM", SIGTERM), ("USR1", SIGUSR1), ("HUP", SIGHUP)])
    func `init passes signals on`(caller: Caller, signal: (name: String, number: CInt)) throws {
        try withApus(caller) { apus in
            let run = try apus.begin(
                apus.runWords(["--rm", "--init"], ["sh", "-c", Script.onSignal(signal.name, exit: 11)]))
            try run.waitForOutput("ready")
            try run.send(signal.number)
            #expect(try run.wait().status == 11)
        }
    }

    @Test(arguments: Caller.available)
    func `a command without handlers can be stopped through init`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("plain", ["--init"])
            try apus.succeed("stop", "plain")
            #expect(try apus.inspect("plain", "{{.State.ExitCode}}") == "143")
        }
    }

    @Test(arguments: Caller.available)
    func `a command that cannot be run is said through init too`(caller: Caller) throws {
        try withApus(caller) { apus in
            let absent = try apus.runContainer(["--rm", "--init"], ["no-such-program"])
            #expect(absent.status == 127)
            #expect(absent.isOneLineNaming("no-such-program"))
            #expect(try apus.runContainer(["--rm", "--init"], ["/etc"]).status == 126)
        }
    }

    @Test(arguments: Caller.available)
    func `without init the command is process 1`(caller: Caller) throws {
        try withApus(caller) { apus in
            let plain = try apus.runContainer(["--rm"], ["sh", "-c", "echo $$"])
            #expect(plain == .printed("1\n"))
            let withInit = try apus.runContainer(["--rm", "--init"], ["sh", "-c", "echo $$"])
            #expect(withInit.output != "1\n")
        }
    }
}
