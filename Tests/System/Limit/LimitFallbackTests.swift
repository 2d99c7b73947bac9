import FoundationEssentials
import Glibc
import Linux
import Reports
import Testing

extension LimitSuites {
    /// Where no cgroup can be had, limits are refused; with best-effort they are held otherwise, and that is said.
    @Suite struct FallbackTests {
        @Test(Requirement.noLimits, arguments: Caller.withoutLimits)
        func `strict refuses what cannot be held, with the remedy`(caller: Caller) throws {
            try withApus(caller) { apus in
                for flags in [["--memory", "64m"], ["--pids", "5"], ["--cpus", "0.5"]] {
                    let outcome = try apus.limit(flags, ["true"])
                    expectRefusal(outcome, naming: flags[0], "--limits best-effort")
                }
                // What needs no cgroup works.
                #expect(try apus.limitedShell(["--timeout", "60s", "--file-size", "1m"], "exit 3").status == 3)
            }
        }

        @Test(Requirement.noLimits, arguments: Caller.withoutLimits)
        func `best-effort holds memory, processes and CPU time all the same`(caller: Caller) throws {
            try withApus(caller) { apus in
                let flags = ["--limits", "best-effort"]
                let shared =
                    "python3 -c 'import mmap\nm = mmap.mmap(-1, 400 << 20)\nfor i in range(0, len(m), 4096): m[i] = 1\nimport time; time.sleep(1000)'"
                let memory = try apus.limitedShell(flags + ["--memory", "64m"], shared)
                #expect(memory.status == 137)
                #expect(memory.errors.contains("apus: memory limit of 64 MiB hit: killed pid "), "\(memory)")
                #expect(memory.errors.contains("--memory: no cgroup can hold it here: "), "\(memory)")
                let pids = try apus.limitedShell(
                    flags + ["--pids", "5"], "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; wait")
                #expect(pids.status == 137)
                #expect(pids.errors.contains("apus: limit of 5 processes hit: the command was killed"), "\(pids)")
                let script = "for i in 1 2 3; do sh -c '\(Hungry.processor)' & done; wait"
                let time = try apus.limitedShell(["--cpu-time", "200ms"], script)
                #expect(time.status == 128 + SIGXCPU)
                let cpus = try apus.limit(flags + ["--cpus", "0.5"], ["nproc"])
                #expect(cpus.output == "1\n")
            }
        }

        @Test(Requirement.root, Requirement.systemd)
        func `a user without a systemd of their own is refused with the remedy, or limited as far as that goes`() throws
        {
            try withApus(.root) { apus in
                let asUser = [
                    "/usr/bin/setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups", Machine.apus, "limit",
                ]
                for flags in [["--memory", "64m"], ["--pids", "5"], ["--cpus", "0.5"]] {
                    expectRefusal(
                        try apus.startProgram(asUser + flags + ["--", "true"]).wait(), naming: flags[0],
                        "no systemd of this user answers", "loginctl enable-linger 54321", "--limits best-effort")
                }
                let forks = "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; wait"
                let held = try apus.startProgram(
                    asUser + ["--limits", "best-effort", "--pids", "5", "--", "/bin/sh", "-c", forks]
                ).wait()
                #expect(held.status == 137)
                #expect(held.errors.contains("--pids: no cgroup can hold it here: "), "\(held)")
                #expect(held.errors.contains("apus: limit of 5 processes hit: the command was killed"), "\(held)")
                let plain = try apus.startProgram(asUser + ["--timeout", "60s", "--", "/bin/sh", "-c", "exit 3"]).wait()
                #expect(plain.status == 3, "\(plain)")
            }
        }

        @Test(arguments: Caller.available)
        func `without cgroups a report has samples, too`(caller: Caller) throws {
            try withApus(caller) { apus in
                // The first look is taken at once and the last at the end; others come as a look's own cost allows.
                let command = [Machine.apus, "limit", "--report", "report.json", "--", "sleep", "0.2"]
                #expect(try apus.startProgram(withoutCgroups(caller) + command).wait() == .printed(""))
                let report = try UsageReport.read("\(apus.directory)/report.json")
                let points = try #require(report.samples).points
                #expect(points.count >= 2)
                #expect(points[0].processes == 1)
                // Of one that is just executing, or has ended, it is 0.
                #expect(points.allSatisfy { $0.cpu != nil && $0.memory != nil })
            }
        }

        /// What a command is started by, so that it sees no cgroups: an ordinary user needs a user namespace to hide them.
        private func withoutCgroups(_ caller: Caller) -> [String] {
            let hide = caller == .root ? "umount -l /sys/fs/cgroup" : "mount -t tmpfs none /sys/fs/cgroup"
            return ["/usr/bin/unshare", caller == .root ? "-m" : "-Urm", "/bin/sh", "-c", "\(hide); exec \"$@\"", "sh"]
        }

        @Test(arguments: Caller.available)
        func `without cgroups nothing outlives the command, or an apus that is killed`(caller: Caller) throws {
            try withApus(caller) { apus in
                let mark = MarkedProcesses.newMark()
                let hidden = withoutCgroups(caller)
                let script = "setsid sleep \(mark) & sleep 0.05"
                let outcome = try apus.startProgram(hidden + [Machine.apus, "limit", "--", "/bin/sh", "-c", script])
                    .wait()
                #expect(outcome.status == 0, "\(outcome)")
                #expect(MarkedProcesses.find(mark).allSatisfy { $0.hasEnded() })
                let running = try apus.startProgram(
                    hidden + [
                        Machine.apus, "limit", "--", "/bin/sh", "-c", "setsid sleep \(mark) & echo up; sleep \(mark)",
                    ])
                try running.waitForOutput("up")
                try running.send(SIGKILL)
                _ = try running.waitForEnd()
                try MarkedProcesses.waitForEnd(mark)
            }
        }
    }
}
