import Glibc
import Testing

/// `-t`, attach and detach: the user's terminal is the container's for a while, and is theirs again after it.
@Suite struct TerminalTests {
    @Test(arguments: Caller.available)
    func `the command sees a terminal of the caller's size`(caller: Caller) throws {
        try withApus(caller) { apus in
            let run = try apus.terminal(
                apus.runWords(["--rm", "-it"], ["sh", "-c", "test -t 0 && test -t 1 && stty size"]))
            let result = try run.wait()
            #expect(result.status == 0)
            #expect(result.output == "24 80\r\n")
        }
    }

    @Test(arguments: Caller.available)
    func `what is typed arrives unchanged and is echoed once`(caller: Caller) throws {
        try withApus(caller) { apus in
            let run = try apus.terminal(
                apus.runWords(["--rm", "-it"], ["sh", "-c", "echo ready; read line; echo got $line"]))
            try run.waitForOutput("ready")
            try run.write("hello\r")
            let result = try run.wait()
            #expect(result.output == "ready\r\nhello\r\ngot hello\r\n")
        }
    }

    @Test(arguments: Caller.available)
    func `control-C is a signal inside and not to the run`(caller: Caller) throws {
        try withApus(caller) { apus in
            let script = "trap 'echo interrupted; exit 9' INT; echo ready; while :; do sleep 0.05; done"
            let run = try apus.terminal(apus.runWords(["--rm", "-it"], ["sh", "-c", script]))
            try run.waitForOutput("ready")
            try run.write("\u{3}")
            let result = try run.wait()
            #expect(result.status == 9)
            #expect(result.output.contains("interrupted"))
        }
    }

    @Test(arguments: Caller.available)
    func `control-D ends the input`(caller: Caller) throws {
        try withApus(caller) { apus in
            let run = try apus.terminal(apus.runWords(["--rm", "-it"], ["sh", "-c", "echo ready; cat; echo over"]))
            try run.waitForOutput("ready")
            try run.write("\u{4}")
            #expect(try run.wait().output.contains("over"))
        }
    }

    @Test(arguments: Caller.available)
    func `a new size of the window reaches the command`(caller: Caller) throws {
        try withApus(caller) { apus in
            let script = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.05; done"
            let run = try apus.terminal(apus.runWords(["--rm", "-it"], ["sh", "-c", script]))
            try run.waitForOutput("ready")
            try run.resize(rows: 50, columns: 132)
            try run.waitForOutput("50 132")
            #expect(try run.wait().status == 0)
        }
    }

    @Test(arguments: Caller.available)
    func `the user's terminal is raw meanwhile and as before after the end`(caller: Caller) throws {
        try withApus(caller) { apus in
            let run = try apus.terminal(apus.runWords(["--rm", "-it"], ["sh", "-c", "echo ready; read line"]))
            try run.waitForOutput("ready")
            #expect(try run.flags() == .raw)
            try run.write("\r")
            #expect(try run.waitForEnd() == 0)
            #expect(try run.flags() == .usual)
        }
    }

    @Test(arguments: Caller.withLimits)
    func `running out of memory is said on the terminal after the user has it back`(caller: Caller) throws {
        try withApus(caller) { apus in
            let flags = ["--rm", "-it", "--memory", "32m"]
            let run = try apus.terminal(apus.runWords(flags, ["sh", "-c", "echo ready; \(Script.eatMemory)"]))
            let result = try run.wait()
            #expect(result.status == 137)
            // With the carriage return that a terminal which is not raw any more puts there.
            let said = "apus: memory limit hit: the kernel killed a process of the container (limit 32 MiB)\r\n"
            #expect(result.output == "ready\r\n\(said)")
        }
    }

    @Test(arguments: Caller.available)
    func `a timeout is said on the terminal`(caller: Caller) throws {
        try withApus(caller) { apus in
            let run = try apus.terminal(apus.runWords(["--rm", "-it", "--timeout", "1s"], ["sleep", "1000"]))
            let result = try run.wait()
            #expect(result.status == 124)
            #expect(result.output == "apus: timeout of 1s reached: the container was stopped\r\n")
        }
    }

    @Test(arguments: Caller.available, [SIGTERM, SIGHUP, SIGINT])
    func `a signal that ends the run gives the terminal back`(caller: Caller, signal: CInt) throws {
        try withApus(caller) { apus in
            let script = "trap 'exit 8' TERM HUP INT; echo ready; while :; do sleep 0.05; done"
            let run = try apus.terminal(apus.runWords(["--rm", "-it"], ["sh", "-c", script]))
            try run.waitForOutput("ready")
            try run.send(signal)
            #expect(try run.waitForEnd() == 8)
            #expect(try run.flags() == .usual)
            #expect(try apus("ps", "-aq").output.isEmpty)
        }
    }

    @Test(arguments: Caller.available)
    func `a container that is killed gives the terminal back`(caller: Caller) throws {
        try withApus(caller) { apus in
            let run = try apus.terminal(
                apus.runWords(["-it", "--name", "shell"], ["sh", "-c", "echo ready; read line"]))
            try run.waitForOutput("ready")
            try apus.succeed("kill", "shell")
            #expect(try run.waitForEnd() == 137)
            #expect(try run.flags() == .usual)
        }
    }

    // MARK: Detaching and attaching

    @Test(arguments: Caller.available)
    func `the detach keys leave the container running, and attach comes back to it`(caller: Caller) throws {
        try withApus(caller) { apus in
            let script = "echo ready; while read line; do echo got $line; test $line = end && exit 6; done"
            let run = try apus.terminal(apus.runWords(["-it", "--name", "kept"], ["sh", "-c", script]))
            try run.waitForOutput("ready")
            try run.write("\u{10}\u{11}")
            #expect(try run.waitForEnd() == 0)
            #expect(try run.flags() == .usual)
            #expect(try apus.state("kept") == "running")

            let attach = try apus.terminal(["attach", "kept"])
            try attach.write("one\r")
            try attach.waitForOutput("got one")
            try attach.write("end\r")
            #expect(try attach.wait().status == 6)
        }
    }

    @Test(arguments: Caller.available)
    func `other detach keys can be chosen and the usual ones then pass`(caller: Caller) throws {
        try withApus(caller) { apus in
            let flags = ["-it", "--name", "kept", "--detach-keys", "ctrl-x,x"]
            let run = try apus.terminal(
                apus.runWords(flags, ["sh", "-c", "stty raw -echo; echo ready; od -An -tx1 -N3"]))
            try run.waitForOutput("ready")
            try run.write("\u{10}\u{11}z")
            try run.waitForOutput("10 11 7a")
            _ = try run.wait()
            try apus.succeed("start", "kept")
            let attach = try apus.terminal(["attach", "--detach-keys", "ctrl-x,x", "kept"])
            try attach.write("\u{18}x")
            #expect(try attach.waitForEnd() == 0)
            #expect(try apus.state("kept") == "running")
        }
    }

    @Test(arguments: Caller.available)
    func `two who are attached both see the output`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached(
                "shared", ["-i"], command: ["sh", "-c", "while read line; do echo got $line; done; exit 4"])
            let first = try apus.begin("attach", "shared")
            let second = try apus.begin("attach", "shared")
            try first.write("one\n")
            try first.waitForOutput("got one")
            try second.write("two\n")
            try second.waitForOutput("got two")
            try first.waitForOutput("got two")
            first.closeInput()
            #expect(try first.wait().status == 4)
            second.closeInput()
            #expect(try second.wait().status == 4)
        }
    }

    @Test(arguments: Caller.available)
    func `attach to what does not run is refused`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.create("still", command: ["true"])
            let result = try apus("attach", "still")
            #expect(result.status == 1 || result.status == 125)
            #expect(result.errors.contains("not running"))
            #expect(try apus("attach", "nobody").isOneLineNaming("nobody"))
        }
    }

    @Test(arguments: Caller.available)
    func `start -ai joins the caller to the container`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.create("echo", ["-i"], command: ["sh", "-c", "cat; echo complaint >&2; exit 5"])
            let result = try apus(["start", "-ai", "echo"], input: "spoken\n")
            #expect(result.status == 5)
            #expect(result.output == "spoken\n")
            #expect(result.errors == "complaint\n")
        }
    }

    // MARK: Signals

    @Test(
        arguments: Caller.available,
        [("INT", SIGINT), ("TERM", SIGTERM), ("USR1", SIGUSR1), ("HUP", SIGHUP), ("QUIT", SIGQUIT)])
    func `a signal to the run reaches the command`(caller: Caller, signal: (name: String, number: CInt)) throws {
        try withApus(caller) { apus in
            for logged in [[], ["--log-driver", "json-file"]] {
                let run = try apus.begin(
                    apus.runWords(["--rm"] + logged, ["sh", "-c", Script.onSignal(signal.name, exit: 11)]))
                try run.waitForOutput("ready")
                try run.send(signal.number)
                #expect(try run.wait().status == 11)
            }
        }
    }

    @Test(arguments: Caller.available)
    func `without signal proxy a signal ends the run alone and its container goes on`(caller: Caller) throws {
        try withApus(caller) { apus in
            let script = "trap 'echo heard' TERM; echo ready; while :; do sleep 0.05; done"
            let run = try apus.begin(apus.runWords(["--name", "on", "--sig-proxy=false"], ["sh", "-c", script]))
            try run.waitForOutput("ready")
            try run.send(SIGTERM)
            #expect(try run.wait().status == 128 + SIGTERM)
            #expect(try apus.state("on") == "running")
            #expect(try apus.succeed("logs", "on") == "ready")
        }
    }
}
