import Testing

/// The exit status of `apus run`: the container's own, or Docker's numbers.
@Suite struct ExitCodeTests {
    @Test(arguments: Caller.available, [0, 7, 255])
    func `the command's own exit code is passed on`(caller: Caller, code: Int32) throws {
        try withApus(caller) { apus in
            let outcome = try apus.shell("exit \(code)")
            #expect(outcome.status == code && outcome.errors == "", "\(outcome)")
        }
    }

    @Test(arguments: Caller.available, [9, 15])
    func `a command that signal N ends gives 128 + N`(caller: Caller, signal: Int32) throws {
        try withApus(caller) { apus in
            // Not as PID 1, which no signal of its own kills.
            let outcome = try apus.shell(["--init"], "kill -\(signal) $$")
            #expect(outcome.status == 128 + signal, "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `a command that is not there gives 127 and is named`(caller: Caller) throws {
        try withApus(caller) { apus in
            for command in ["no-such-command", "/bin/no-such-command"] {
                expectRefusal(try apus.run(command), 127, naming: command)
            }
        }
    }

    @Test(arguments: Caller.available)
    func `a command that cannot be executed gives 126 and is named`(caller: Caller) throws {
        try withApus(caller) { apus in
            for command in ["/etc/passwd", "/etc"] { expectRefusal(try apus.run(command), 126, naming: command) }
        }
    }

    @Test(arguments: Caller.available)
    func `a command for another kind of machine gives 126`(caller: Caller) throws {
        try withApus(caller) { apus in
            // The first bytes of an executable for a big-endian machine of 32 bits.
            let header = "\u{7f}ELF\u{1}\u{2}\u{1}" + String(repeating: "\0", count: 9) + "\0\u{2}\0\u{14}\0\0\0\u{1}"
            let foreign = try apus.file("foreign", header + String(repeating: "\0", count: 64), mode: 0o755)
            let outcome = try apus.run(["-v", "\(foreign):/tmp/foreign"], root: try apus.makeRoot(), "/tmp/foreign")
            expectRefusal(outcome, 126, naming: "/tmp/foreign")
        }
    }

    @Test(arguments: Caller.available)
    func `a script whose interpreter is missing gives 127`(caller: Caller) throws {
        try withApus(caller) { apus in
            let root = try apus.makeRoot()
            try apus.file("root/bin/script", "#!/bin/no-such-shell\n", mode: 0o755)
            expectRefusal(try apus.run([], root: root, "script"), 127, naming: "script")
        }
    }

    @Test(arguments: Caller.available)
    func `a run that reaches its timeout gives 124 and says so`(caller: Caller) throws {
        try withApus(caller) { apus in
            expectRefusal(try apus.run(["--timeout", "0.2s"], "sleep", "1000"), 124, naming: "timeout")
            let inTime = try apus.run(["--timeout", "1h"], "true")
            #expect(inTime.status == 0 && inTime.errors == "", "\(inTime)")
        }
    }

    @Test(arguments: Caller.available)
    func `what Apus itself cannot do gives 125`(caller: Caller) throws {
        try withApus(caller) { apus in
            expectRefusal(try apus.run([], root: "/no/such/root", "true"), 125, naming: "/no/such/root")
        }
    }
}
