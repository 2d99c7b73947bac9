import FoundationEssentials
import Glibc
import Linux
import Testing

extension LimitSuites {
    /// A command under `apus limit` runs as it would without, and what cuts it is said and shows in the exit status.
    @Suite struct LimitTests {
        // MARK: In place

        @Test(arguments: Caller.all)
        func `a command keeps its user, directory, umask, environment and descriptors`(caller: Caller) throws {
            try withApus(caller) { apus in
                let script = """
                    id; pwd; umask; env | grep -v -e '^_=' -e ^APUS_LIMIT_ID=; ps -o pgid= -p $$; tty; cat <&5; grep -e Cap -e NoNewPrivs -e Groups \
                    -e Seccomp: /proc/self/status; cat /proc/self/limits; readlink /proc/self/ns/*
                    """
                try apus.file("fifth", "five\n")
                let wrapped = "umask 027; exec 5<fifth; $APUS limit -- sh -c '\(script)'"
                let bare = "umask 027; exec 5<fifth; sh -c '\(script)'"
                let limited = try apus.startShell(wrapped).wait()
                let plain = try apus.startShell(bare).wait()
                #expect(limited.status == plain.status)
                #expect(limited.errors == plain.errors)
                // The process group is that of each shell.
                let (one, other) = (
                    limited.lines.filter { Int($0.trimmed) == nil }, plain.lines.filter { Int($0.trimmed) == nil }
                )
                #expect(one == other)
            }
        }

        @Test(arguments: Caller.available)
        func `the command's own exit code and signal are those of apus`(caller: Caller) throws {
            try withApus(caller) { apus in
                for code in [0, 1, 3, 124, 255] {
                    #expect(
                        try apus.limitedShell([], "exit \(code)")
                            == Outcome(status: Int32(code), output: "", errors: ""))
                }
                #expect(
                    try apus.limitedShell([], "kill -TERM $$") == Outcome(status: 128 + SIGTERM, output: "", errors: "")
                )
                #expect(
                    try apus.limitedShell([], "kill -KILL $$") == Outcome(status: 128 + SIGKILL, output: "", errors: "")
                )
                expectRefusal(try apus.limit([], ["/no/such"]), 127, naming: "exec", "/no/such")
                expectRefusal(try apus.limit([], ["nosuchprogram"]), 127, naming: "exec", "nosuchprogram", "$PATH")
                expectRefusal(try apus.limit([], ["/"]), 126, naming: "exec", "is a directory")
            }
        }

        @Test(arguments: Caller.available)
        func `what the caller ignores or blocks the command ignores or blocks, and nothing else`(caller: Caller) throws
        {
            try withApus(caller) { apus in
                for trap in ["true", "trap '' PIPE CHLD HUP", "trap '' USR1 INT"] {
                    let show = "grep -e SigBlk -e SigIgn /proc/self/status"
                    let limited = try apus.startShell("\(trap); $APUS limit -- \(show)").wait()
                    let plain = try apus.startShell("\(trap); exec env \(show)").wait()
                    #expect(limited == plain, "\(trap)")
                }
            }
        }

        @Test(arguments: Caller.available)
        func `signals to apus reach the command`(caller: Caller) throws {
            try withApus(caller) { apus in
                for name in ["TERM", "HUP", "USR1", "INT", "QUIT"] {
                    let running = try apus.start(["limit", "--", "/bin/sh", "-c", Script.onSignal(name, exit: 7)])
                    try running.waitForOutput("ready")
                    try running.send(
                        try #require(
                            ["TERM": SIGTERM, "HUP": SIGHUP, "USR1": SIGUSR1, "INT": SIGINT, "QUIT": SIGQUIT][name]))
                    #expect(try running.wait().status == 7, "\(name)")
                }
            }
        }

        @Test(arguments: Caller.available)
        func `the terminal's keys interrupt, stop and continue the command`(caller: Caller) throws {
            try withApus(caller) { apus in
                let shell = try apus.startProgram(["/bin/bash", "--norc", "-i"], onTerminal: true)
                apus.environment["APUS"] = Machine.apus
                try shell.write("PS1='pro''mpt '; stty -echo\n")
                try shell.waitForOutput("prompt ")
                let job = "trap \"echo again\" CONT; echo up; while :; do sleep 0.05; done"
                try shell.write("\(Machine.apus) limit -- sh -c '\(job)'\n")
                try shell.waitForOutput("up")
                try shell.write("\u{1a}")  // Ctrl-Z
                try shell.waitForOutput("Stopped")
                try shell.waitForOutput("prompt ")
                try shell.write("fg\n")
                try shell.waitForOutput("again")
                try shell.write("\u{03}")  // Ctrl-C
                try shell.waitForOutput("prompt ")
                // A script of a shell ends with it, as it would with the command alone. The inner shell executes `sleep`
                // itself: one that it forks takes the signal for the shell's until it has executed, and loses it.
                let inner = "\(Machine.apus) limit -- sh -c \"echo waiting; exec sleep 1000\"; echo went on"
                try shell.write("sh -c '\(inner)'\n")
                try shell.waitForOutput("waiting")
                try shell.write("\u{03}")
                try shell.waitForOutput("prompt ")
                try shell.write("echo code=$?\n")
                try shell.waitForOutput("code=130")
                #expect(!shell.output.contains("went on"))
                try shell.write("exit 0\n")
                _ = try shell.waitForEnd()
            }
        }

        // MARK: Limits

        @Test(Requirement.limits, arguments: Caller.withLimits)
        func `the memory limit kills, and the verdict says whom`(caller: Caller) throws {
            try withApus(caller) { apus in
                let outcome = try apus.limitedShell(["--memory", "32m", "--swap", "0"], Hungry.memory)
                #expect(outcome.status == 137)
                #expect(outcome.isOneLineNaming("memory limit of 32 MiB hit: killed pid "), "\(outcome)")
                #expect(outcome.errors.contains("(tail), peak 32 MiB"), "\(outcome)")
                // A child's end is the command's to handle, and is said all the same.
                let child = try apus.limitedShell(["--memory", "32m", "--swap", "0"], "tail /dev/zero; exit 3")
                #expect(child.status == 3)
                #expect(child.errors.contains("memory limit of 32 MiB hit: killed "), "\(child)")
                #expect(apus.limitLeftovers() == [])
            }
        }

        @Test(arguments: Caller.available)
        func `the timeout ends the command with 124, also one that wants to go on`(caller: Caller) throws {
            try withApus(caller) { apus in
                let flags = ["--timeout", "100ms"]
                let outcome = try apus.limit(flags, ["sleep", "1000"])
                #expect(outcome.status == 124)
                #expect(outcome.isOneLineNaming("timeout of 0.1s hit"))
                let stubborn = try apus.limitedShell(
                    flags + ["--kill-after", "100ms"], "trap '' TERM; while :; do sleep 0.1; done")
                #expect(stubborn.status == 124)
                let polite = try apus.limitedShell(flags, "trap 'echo bye; exit 5' TERM; while :; do sleep 0.01; done")
                #expect(polite.status == 124)
                #expect(polite.output == "bye\n")
                let stopped = try apus.limitedShell(flags, "kill -STOP $$")
                #expect(stopped.status == 124)
            }
        }

        @Test(Requirement.limits, arguments: Caller.withLimits)
        func `no more processes than the limit are made, and that is said`(caller: Caller) throws {
            try withApus(caller) { apus in
                let outcome = try apus.limitedShell(
                    ["--pids", "5"], "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; echo all")
                #expect(outcome.status == 2)
                #expect(outcome.errors.contains("apus: limit of 5 processes hit"), "\(outcome)")
                #expect(apus.limitLeftovers() == [])
            }
        }

        @Test(Requirement.limits, arguments: Caller.withLimits)
        func `a fork bomb ends at the timeout and nothing of it is left`(caller: Caller) throws {
            try withApus(caller) { apus in
                let flags = ["--pids", "64", "--timeout", "500ms", "--kill-after", "0"]
                let outcome = try apus.startShell(
                    "$APUS limit \(flags.joined(separator: " ")) -- bash -c '\(Hungry.forks)' 2>&1 | grep ^apus:"
                ).wait()
                #expect(outcome.output.contains("timeout of 0.5s hit"), "\(outcome)")
                #expect(apus.limitLeftovers() == [])
            }
        }

        @Test(Requirement.limits, arguments: Caller.withLimits)
        func `the CPU time of all processes together is limited`(caller: Caller) throws {
            try withApus(caller) { apus in
                // None of them alone uses so much.
                let script = "for i in 1 2 3 4; do sh -c '\(Hungry.processor)' & done; wait"
                let outcome = try apus.limitedShell(["--cpu-time", "200ms"], script)
                #expect(outcome.status == 128 + SIGXCPU)
                #expect(outcome.isOneLineNaming("CPU time limit of 0.2s hit"), "\(outcome)")
                #expect(try apus.limitedShell(["--cpu-time", "10s"], "exit 3").status == 3)
            }
        }

        @Test(arguments: Caller.available)
        func `files grow no larger, and no more are opened, than their limits`(caller: Caller) throws {
            try withApus(caller) { apus in
                let outcome = try apus.limit(
                    ["--file-size", "100k"], ["dd", "if=/dev/zero", "of=file", "bs=10k", "count=20", "status=none"])
                #expect(outcome.status == 128 + SIGXFSZ)
                #expect(outcome.isOneLineNaming("file size limit of 100 KiB hit"), "\(outcome)")
                var status = FileStatus()
                #expect(stat("\(apus.directory)/file", &status) == 0 && status.st_size == 100 << 10)
                #expect(try apus.limitedShell(["--open-files", "20"], "ulimit -n; ulimit -Hn").output == "20\n20\n")
            }
        }

        @Test(arguments: Caller.available)
        func `output ends at its limit, to the byte`(caller: Caller) throws {
            try withApus(caller) { apus in
                let outcome = try apus.limitedShell(["--output-size", "10000"], "exec yes")
                #expect(outcome.status == 128 + SIGXFSZ)
                #expect(outcome.output.utf8.count == 10000)
                #expect(outcome.isOneLineNaming("output limit of 9.7 KiB hit"), "\(outcome)")
                let both = try apus.limitedShell(["--output-size", "8"], "echo one; echo two >&2; sleep 1000 & exit 4")
                #expect(both == Outcome(status: 4, output: "one\n", errors: "two\n"))
            }
        }

        @Test(arguments: Caller.available)
        func `nice, ionice and CPUs are those that were asked for`(caller: Caller) throws {
            try withApus(caller) { apus in
                let niceness = try apus.limit(["--nice", "7"], ["nice"])
                #expect(niceness.output == "7\n")
                #expect(try apus.limit(["--ionice", "idle"], ["ionice"]).output == "idle\n")
                #expect(try apus.limit(["--ionice", "best-effort:6"], ["ionice"]).output == "best-effort: prio 6\n")
            }
        }

        @Test(Requirement.root)
        func `bytes written to a disk are limited`() throws {
            try withApus(.root) { apus in
                var status = FileStatus()
                try #require(stat(apus.directory, &status) == 0)
                let started = Date()
                let outcome = try apus.limit(
                    ["--io-write-bps", "2m"],
                    [
                        "dd", "if=/dev/zero", "of=file", "bs=256k", "count=8", "oflag=direct",
                        "status=none",
                    ])
                #expect(outcome.status == 0, "\(outcome)")
                // 2 MiB at 2 MiB a second, of which the first part is let through at once.
                #expect(Date().timeIntervalSince(started) > 0.4)
            }
        }

        // MARK: All that it started

        @Test(Requirement.limits, arguments: Caller.withLimits)
        func `what has left the command's session ends with it`(caller: Caller) throws {
            try withApus(caller) { apus in
                let script =
                    "setsid sh -c 'echo $$ > pid; (sleep 1000 & echo $! > other)' & while ! test -s other; do :; done"
                let outcome = try apus.limitedShell([], script)
                #expect(outcome.status == 0, "\(outcome)")
                for name in ["pid", "other"] {
                    let pid = try #require(
                        pid_t(try String(contentsOfFile: "\(apus.directory)/\(name)", encoding: .utf8).trimmed))
                    #expect(ProcessStatus(pid).map { $0.state == "Z" } ?? true)
                }
                #expect(apus.limitLeftovers() == [])
            }
        }

        @Test(Requirement.limits, arguments: Caller.withLimits)
        func `with --linger what the command leaves goes on in its cgroup until it ends`(caller: Caller) throws {
            try withApus(caller) { apus in
                let outcome = try apus.limitedShell(
                    ["--linger", "--pids", "20"], "sleep 1000 > /dev/null 2>&1 & echo $! > pid")
                #expect(outcome.status == 0)
                #expect(outcome.isOneLineNaming("processes go on in '/sys/fs/cgroup/"), "\(outcome)")
                let pid = try #require(
                    pid_t(try String(contentsOfFile: "\(apus.directory)/pid", encoding: .utf8).trimmed))
                #expect(kill(pid, 0) == 0)
                // The next one leaves it alone, and removes the cgroup once it is empty.
                #expect(try apus.limit([], ["true"]).status == 0)
                #expect(kill(pid, 0) == 0)
                #expect(apus.limitLeftovers() != [])
                kill(pid, SIGKILL)
                try apus.expectNoLimitLeftovers()
            }
        }

        @Test(Requirement.limits, arguments: Caller.withLimits)
        func `an apus that is killed at any moment leaves no process, and after the next nothing`(caller: Caller) throws
        {
            try withApus(caller) { apus in
                let mark = MarkedProcesses.newMark()
                for _ in 0..<60 {
                    let running = try apus.start([
                        "limit", "--pids", "50", "--", "/bin/sh", "-c", "setsid sleep \(mark) & sleep \(mark)",
                    ])
                    usleep(.random(in: 0...150_000))
                    try running.send(SIGKILL)
                    _ = try running.waitForEnd()
                }
                _ = try apus.limit([], ["true"])
                try MarkedProcesses.waitForEnd(mark)
                try apus.expectNoLimitLeftovers()
            }
        }

        @Test(arguments: Caller.available)
        func `many at once leave nothing`(caller: Caller) throws {
            try withApus(caller) { apus in
                let script =
                    "i=0; while [ $i -lt 200 ]; do $APUS limit -- sh -c 'sleep 0.05 & true' & i=$((i+1)); done; wait"
                let outcome = try apus.startShell(script).wait()
                #expect(outcome == .printed(""))
                #expect(apus.limitLeftovers() == [])
            }
        }

        // MARK: Wrong words

        @Test func `wrong words are refused in one line that names them`() throws {
            try withApus(.own) { apus in
                let wrong: [([String], String)] = [
                    ([], "no command"), (["--"], "no command"), (["--memory"], "--memory"),
                    (["--memory", "x", "true"], "--memory"),
                    (["--memory", "1k", "true"], "--memory"), (["--swap", "1m", "true"], "--swap"),
                    (["--pids", "0", "true"], "--pids"),
                    (["--timeout", "0", "true"], "--timeout"), (["--timeout", "-1s", "true"], "--timeout"),
                    (["--cpu-time", "soon", "true"], "--cpu-time"), (["--nice", "20", "true"], "--nice"),
                    (["--ionice", "nicely", "true"], "--ionice"), (["--cpuset", "a", "true"], "--cpuset"),
                    (["--io-read-bps", "/dev/null:1m", "true"], "--io-read-bps"),
                    (["--io-read-bps", "fast", "true"], "--io-read-bps"),
                    (["--limits", "some", "true"], "--limits"),
                    (["--memroy", "1g", "true"], "did you mean '--memory'"),
                    (["--output-size", "0", "true"], "--output-size"), (["--file-size", "-1", "true"], "--file-size"),
                    ([""], "empty command"),
                ]
                for (words, name) in wrong { expectRefusal(try apus(["limit"] + words), naming: name) }
                #expect(try apus("limit", "--help").output.contains("--memory SIZE"))
            }
        }
    }
}
