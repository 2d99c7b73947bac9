import Glibc
import Linux
import Testing

extension LimitSuites {
    /// Isolation piece by piece holds for root and for others, and changes nothing that was not asked for.
    @Suite struct IsolationTests {
        @Test(arguments: Caller.all)
        func `with --read-only nothing can be written to but what is named`(caller: Caller) throws {
            try withApus(caller) { apus in
                let open = try apus.makeDirectory("open")
                let script = """
                    touch closed 2>/dev/null && echo wrote; touch /tmp/closed-$$ 2>/dev/null && echo wrote; \
                    touch \(open)/file && echo done; echo > /dev/null; pwd; id -u
                    """
                let flags = ["--read-only", "--writable", "open"]
                let outcome = try apus.limitedShell(flags, script)
                expectOutput(outcome, "done\n\(apus.directory)\n\(apus.account.uid)")
                // In a directory that is writable by another mount the command writes where it stands.
                let inside = try apus.startShell("cd open && $APUS limit --read-only --writable . -- touch here").wait()
                #expect(inside == .printed(""))
                #expect(access("\(open)/here", F_OK) == 0 && access("\(apus.directory)/closed", F_OK) != 0)
            }
        }

        @Test(arguments: Caller.all)
        func `what is hidden is empty, and /tmp is one's own`(caller: Caller) throws {
            try withApus(caller) { apus in
                _ = try apus.makeDirectory("secrets")
                try apus.file("secrets/key", "key\n")
                try apus.file("token", "token\n")
                let script = "ls -A secrets; cat token; cat secrets/key 2>/dev/null; echo end"
                expectOutput(try apus.limitedShell(["--hide", "secrets", "--hide", "token"], script), "end")
                let flags = ["--private-tmp", "--writable", apus.directory, "--read-only"]
                expectOutput(
                    try apus.limitedShell(flags, "ls -A /tmp /var/tmp; echo x > /tmp/x; cat /tmp/x"),
                    "/tmp:\n\(name(apus))\n\n/var/tmp:\nx")
                expectOutput(try apus.limitedShell([], "cat token"), "token")
            }
        }

        private func name(_ apus: Apus) -> String { String(apus.directory.dropFirst("/tmp/".count)) }

        @Test(arguments: Caller.all)
        func `without a network there is a loopback and nothing else`(caller: Caller) throws {
            try withApus(caller) { apus in
                let outcome = try apus.limitedShell(
                    ["--no-network"],
                    "tail -n +3 /proc/net/dev | cut -d: -f1; cat /proc/net/fib_trie | grep -c 127.0.0.1")
                #expect(
                    outcome.status == 0 && outcome.lines.first?.trimmed == "lo" && outcome.lines.count == 2,
                    "\(outcome)")
            }
        }

        @Test(arguments: Caller.all)
        func `with new PIDs a command sees itself, its signals reach it, and all ends with it`(caller: Caller) throws {
            try withApus(caller) { apus in
                let outcome = try apus.limitedShell(["--new-pids"], "ls /proc | grep -c '^[0-9]'; exit 5")
                #expect(outcome.status == 5 && (Int(outcome.text) ?? 100) < 8, "\(outcome)")
                #expect(try apus.limitedShell(["--new-pids"], "kill -KILL $$").status == 137)
                let running = try apus.start([
                    "limit", "--new-pids", "--", "/bin/sh", "-c", Script.onSignal("TERM", exit: 7),
                ])
                try running.waitForOutput("ready")
                try running.send(SIGTERM)
                #expect(try running.wait().status == 7)
                #expect(try apus.limit(["--new-pids", "--timeout", "100ms"], ["sleep", "1000"]).status == 124)
            }
        }

        @Test(Requirement.root)
        func `root cannot undo what hides`() throws {
            try withApus(.root) { apus in
                _ = try apus.makeDirectory("secrets")
                try apus.file("secrets/key", "key\n")
                let script =
                    "umount secrets; mount -o remount,rw /; ls -A secrets; cat /proc/1/root\(apus.directory)/secrets/key; touch file"
                let outcome = try apus.limitedShell(
                    ["--hide", "secrets", "--read-only"], "(\(script)) 2>/dev/null; echo end")
                expectOutput(outcome, "end")
            }
        }

        @Test(arguments: Caller.all)
        func `landlock confines files and the network, and says what it does not`(caller: Caller) throws {
            try withApus(caller) { apus in
                let open = try apus.makeDirectory("open")
                _ = try apus.makeDirectory("secrets")
                try apus.file("secrets/key", "key\n")
                let flags = [
                    "--sandbox", "landlock", "--read-only", "--writable", open, "--hide", "secrets", "--no-network",
                ]
                let script = """
                    touch closed 2>/dev/null && echo wrote; echo x > open/file && cat open/file; cat secrets/key 2>/dev/null; \
                    ls secrets 2>/dev/null; exec 3<>/dev/tcp/127.0.0.1/1
                    """
                let outcome = try apus.limit(flags, ["/bin/bash", "-c", script])
                #expect(outcome.output == "x\n")
                #expect(outcome.status == 1)
                #expect(outcome.errors.contains("apus: --sandbox landlock does not hold: "), "\(outcome)")
                #expect(outcome.errors.contains("Address family not supported"), "\(outcome)")
                for flag in ["--private-tmp", "--new-pids"] {
                    expectRefusal(try apus.limit(["--sandbox", "landlock", flag], ["true"]), naming: flag, "landlock")
                }
                expectRefusal(try apus.limit(["--sandbox", "landlock"], ["true"]), naming: "confines nothing")
            }
        }

        @Test func `flags that do not go together are refused`() throws {
            try withApus(.own) { apus in
                expectRefusal(try apus.limit(["--writable", "."], ["true"]), naming: "--writable", "--read-only")
                expectRefusal(try apus.limit(["--linger", "--new-pids"], ["true"]), naming: "--linger", "--new-pids")
                expectRefusal(try apus.limit(["--read-only", "--writable", "/no/such"], ["true"]), naming: "/no/such")
            }
        }
    }
}
