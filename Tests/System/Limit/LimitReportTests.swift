import FoundationEssentials
import Glibc
import Linux
import Reports
import Testing

extension LimitSuites {
    /// Reports say what the kernel has counted.
    @Suite struct ReportTests {
        private func report(_ apus: Apus, _ flags: [String], _ script: String) throws -> (Outcome, UsageReport) {
            let path = "\(apus.directory)/report.json"
            let outcome = try apus.limitedShell(["--report", path] + flags, script)
            return (outcome, try UsageReport.read(path))
        }

        @Test(arguments: Caller.available)
        func `a report has the command, its times and how it ended`(caller: Caller) throws {
            try withApus(caller) { apus in
                let (_, ended) = try report(apus, ["--timeout", "60s"], "exit 3")
                #expect(ended.command == ["/bin/sh", "-c", "exit 3"])
                #expect(ended.workingDirectory == apus.directory)
                #expect(ended.user?.id == apus.account.uid && ended.user?.name == apus.account.name)
                #expect(ended.outcome.reason == .exited && ended.outcome.exitCode == 3 && ended.outcome.status == 3)
                #expect(
                    ended.limits.map(\.name) == ["timeout"] && ended.limits[0].hit == false && ended.limits[0].enforced)
                #expect(try #require(ended.wall) > 0)
                let (_, killed) = try report(apus, [], "kill -TERM $$")
                #expect(killed.outcome.reason == .signal && killed.outcome.signal == SIGTERM)
                let (_, late) = try report(apus, ["--timeout", "100ms"], "sleep 1000")
                #expect(
                    late.outcome.reason == .timeout && late.outcome.status == 124 && late.outcome.limit == "timeout")
                #expect(late.outcome.message == "timeout of 0.1s hit: the command was ended")
                let (_, printed) = try report(apus, ["--output-size", "100"], "exec yes")
                #expect(printed.outcome.reason == .output && printed.limits[0].peak == 100)
                let (_, disk) = try report(
                    apus, ["--file-size", "1k"], "exec dd if=/dev/zero of=file bs=1k count=2 status=none")
                #expect(disk.outcome.reason == .disk && disk.outcome.limit == "file-size")
                let missing = "\(apus.directory)/missing.json"
                #expect(try apus.limit(["--report", missing], ["/no/such"]).status == 127)
                #expect(try UsageReport.read(missing).outcome.reason == .exec)
            }
        }

        @Test(Requirement.limits, arguments: Caller.withLimits)
        func `memory, processes and CPU time are those of all that was started`(caller: Caller) throws {
            try withApus(caller) { apus in
                let (outcome, killed) = try report(
                    apus, ["--memory", "32m", "--swap", "0", "--pids", "20"], "tail /dev/zero; exit 4")
                #expect(outcome.status == 4)
                #expect(
                    killed.outcome.reason == .oom && killed.outcome.exitCode == 4 && killed.outcome.limit == "memory")
                let memory = try #require(killed.limits.first)
                #expect(memory.name == "memory" && memory.hit == true && memory.enforced)
                #expect(killed.memory.total.peak == 32 << 20 && memory.peak == 32 << 20)
                if let peak = killed.processes.peak { #expect(peak >= 2 && peak < 20) }
                #expect(try #require(killed.pageFaults.minor) > 1000)
                // What a child of a child that nobody waits for has used counts, too: it says so itself before it ends.
                let used =
                    "setsid sh -c 'while read _ _ _ _ _ _ _ _ _ _ _ _ _ u s _ < /proc/self/stat; test $((u+s)) -lt 30; do :; done; echo > done' & while ! test -e done; do sleep 0.01; done"
                let (_, counted) = try report(apus, [], used)
                #expect(try #require(counted.cpu.total) >= 290_000_000)
                #expect(try #require(counted.contextSwitches.voluntary) > 0)
            }
        }

        @Test(Requirement.limits, arguments: Caller.withLimits)
        func `peaks of memory are told by kind`(caller: Caller) throws {
            try withApus(caller) { apus in
                // Long enough to be looked at, with the memory and without.
                let script = "own=$(head -c 16m /dev/zero | tr '\\0' a); sleep 0.5; own=; sleep 0.2"
                let (outcome, report) = try report(apus, [], script)
                #expect(outcome == .printed(""))
                let memory = report.memory
                let own = try #require(memory.anonymous.peak)
                #expect(own >= 16 << 20 && own < 80 << 20)
                #expect(try #require(memory.anonymous.current) < 16 << 20)
                #expect(try #require(memory.total.peak) >= own)
                #expect(try #require(memory.kernel.peak) > 0 && memory.file.peak != nil && memory.shared.peak != nil)
            }
        }

        @Test(Requirement.limits, arguments: Caller.withLimits)
        func `a limit of processors tells how many were used, and whether it held any back`(caller: Caller) throws {
            try withApus(caller) { apus in
                let (_, busy) = try report(apus, ["--cpus", "0.05", "--timeout", "1s"], Hungry.processor)
                let limit = try #require(busy.limits.first { $0.name == "cpus" })
                #expect(limit.enforced && limit.hit == true)
                #expect(try #require(limit.peak) > 10 && limit.value == 50)
                let (_, idle) = try report(apus, ["--cpus", "2"], "sleep 0.3")
                let other = try #require(idle.limits.first { $0.name == "cpus" })
                #expect(other.hit == false)
                #expect(try #require(other.peak) < 2000)
            }
        }

        @Test(Requirement.root)
        func `bytes and operations are those that the disk has seen`() throws {
            try withApus(.root) { apus in
                let script = """
                    dd if=/dev/zero of=file bs=64k count=32 oflag=direct status=none
                    dd if=file of=/dev/null bs=128k iflag=direct status=none
                    """
                let (outcome, report) = try report(apus, [], script)
                #expect(outcome == .printed(""))
                // The file system's own writes come on top, and what the programs themselves are read from.
                #expect(try #require(report.io.written) >= 2 << 20)
                #expect(try #require(report.io.read) >= 2 << 20)
                #expect(try #require(report.io.written) < 4 << 20)
                #expect(try #require(report.io.writeOperations) >= 32)
                #expect(try #require(report.io.readOperations) >= 16)
            }
        }

        @Test(arguments: Caller.available)
        func `run writes a report, too`(caller: Caller) throws {
            try withApus(caller) { apus in
                let path = "\(apus.directory)/report.json"
                let outcome = try apus.runContainer(
                    ["--rm", "--report", path, "--timeout", "60s"], ["sh", "-c", "exit 3"])
                #expect(outcome.status == 3)
                let ended = try UsageReport.read(path)
                #expect(ended.command == ["sh", "-c", "exit 3"] && ended.outcome.exitCode == 3)
                #expect(try #require(ended.container).id.utf8.count == 64)
                #expect(ended.limits.map(\.name) == ["timeout"])
                #expect(try #require(ended.cpu.total) > 0)
                let missing = try apus.runContainer(["--rm", "--report", path], ["/no/such"])
                #expect(missing.status == 127)
                #expect(try UsageReport.read(path).outcome.reason == .exec)
                expectRefusal(try apus.runContainer(["-d", "--report", path], ["true"]), naming: "--report")
            }
        }

        @Test(arguments: Caller.available)
        func `HTML is a page with what happened over time, and a summary goes to standard error`(caller: Caller) throws
        {
            try withApus(caller) { apus in
                let page = "\(apus.directory)/report.html"
                let outcome = try apus.limitedShell(
                    ["--report", page, "--summary", "--timeout", "60s"], "echo out; exit 3")
                #expect(outcome.status == 3 && outcome.output == "out\n")
                #expect(outcome.errors.contains("LIMIT") && outcome.errors.contains("timeout"))
                let text = try String(contentsOfFile: page, encoding: .utf8)
                #expect(text.hasPrefix("<!DOCTYPE html>") && text.contains("echo out; exit 3"))
                let run = try apus.runContainer(["--rm", "--report", page, "--summary"], ["true"])
                #expect(run.status == 0 && run.errors.contains("Container"))
            }
        }

        @Test(Requirement.limits, arguments: Caller.withLimits)
        func `memory that grows over a baseline is a failure of its own`(caller: Caller) throws {
            try withApus(caller) { apus in
                let small = "\(apus.directory)/small.json"
                let large = "head -c 40m /dev/zero | tail -n 1 >/dev/null"
                #expect(try apus.limitedShell(["--report", small, "--memory", "256m"], "true").status == 0)
                let growth = ["--memory", "256m", "--fail-if-peak-grows", "20%", "--baseline", small]
                let grown = try apus.limitedShell(growth, large)
                #expect(grown.status == 123)
                #expect(grown.isOneLineNaming("20% over '\(small)' is allowed"))
                #expect(try apus.limitedShell(growth, large + "; exit 4").status == 4)
                let allowed = ["--memory", "256m", "--fail-if-peak-grows", "100000%", "--baseline", small]
                #expect(try apus.limitedShell(allowed, "true").status == 0)
                let flags = ["--rm"] + growth
                #expect(try apus.runContainer(flags, ["sh", "-c", large]).status == 123)
                expectRefusal(try apus.limit(["--baseline", small], ["true"]), naming: "--fail-if-peak-grows")
                expectRefusal(
                    try apus.limit(["--fail-if-peak-grows", "20%", "--baseline", "/no/such"], ["true"]),
                    naming: "/no/such")
            }
        }

        @Test func `a file that cannot be written is refused before anything runs`() throws {
            try withApus(.own) { apus in
                for path in ["/no/such/report.json", "report.txt", "\(apus.directory)"] {
                    expectRefusal(try apus.limit(["--report", path], ["touch", "ran"]), naming: "--report", path)
                }
                #expect(access("\(apus.directory)/ran", F_OK) != 0)
            }
        }
    }
}
