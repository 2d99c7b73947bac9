import Testing

/// The harness itself: what has to hold before any other result means something.
@Suite struct HarnessTests {
    @Test(arguments: Caller.all)
    func `the caller's own user runs the executable`(caller: Caller) throws {
        try withApus(caller) { apus in
            let version = try apus("--version")
            #expect(version.status == 0 && version.output.hasPrefix("Apus version "), "\(version)")
            let user = try apus.startProgram(["/usr/bin/id", "-u"]).wait()
            #expect(user.text == "\(caller.account.uid)")
        }
    }

    @Test(arguments: Caller.all)
    func `a container runs and leaves nothing`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outcome = try apus.run("echo", "hello")
            #expect(outcome.status == 0 && outcome.output == "hello\n" && outcome.errors == "", "\(outcome)")
            #expect(try apus.leftovers() == [])
            #expect(apus.ids.count == 1)
        }
    }

    @Test func `a process on a terminal has it as its controlling one`() throws {
        try withApus(.available[0]) { apus in
            let shell = try apus.startShell("stty size; echo there >/dev/tty; exit 3", onTerminal: true)
            try shell.waitForOutput("there")
            let outcome = try shell.wait()
            #expect(outcome.status == 3 && outcome.output.hasPrefix("24 80\r\n"), "\(outcome)")
        }
    }

    @Test func `a long input does not keep a process from writing`() throws {
        let text = String(repeating: "0123456789abcde\n", count: 1 << 16)
        let process = try RunningProcess(["/bin/cat"], environment: [:], directory: "/")
        try process.write(text)
        process.closeInput()
        #expect(try process.wait().output == text)
    }

    @Test func `a process that does not end is given up`() throws {
        let process = try RunningProcess(["/bin/cat"], environment: [:], directory: "/")
        #expect(throws: TimedOut.self) { try process.wait(seconds: 0) }
    }

    @Test func `a container that is left is found`() throws {
        try withApus(.available[0]) { apus in
            _ = try apus.detached(["--name", "left"], ["sleep", "1000"])
            let leftovers = try apus.leftovers(patience: 0)
            for kind in ["containers/", "names/left", "alive/", "process "] {
                #expect(leftovers.contains { $0.hasPrefix(kind) }, "\(leftovers)")
            }
        }
    }
}
