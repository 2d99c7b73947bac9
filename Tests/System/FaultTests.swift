import Glibc
import Testing

/// The supervisor is killed at any moment: what is left is nothing, after the next command at the latest.
@Suite(.serialized) struct FaultTests {
    /// So many moments, spread over the time from the first instruction to well after the start.
    private static let rounds = 100
    private static let longestDelay: UInt32 = 25_000

    @Test(arguments: Caller.available)
    func `a foreground run that is killed leaves no process, and after the next command nothing`(
        caller: Caller
    ) throws {
        try withApus(caller) { apus in
            let mark = MarkedProcesses.newMark()
            for round in 0..<Self.rounds {
                let flags = (round.isMultiple(of: 2) ? ["--rm"] : []) + apus.limitFlags
                let running = try apus.start(apus.runWords(flags, ["sleep", mark]))
                usleep(.random(in: 0...Self.longestDelay))
                // By its PID too: until the kernel has put its words in place, it has no mark.
                try running.send(SIGKILL)
                try MarkedProcesses.killSupervisors(mark)
                _ = try running.wait()
                try MarkedProcesses.waitForEnd(mark)
            }
            try expectOnlyEndedContainers(apus)
        }
    }

    @Test(arguments: Caller.available)
    func `a detached supervisor that is killed leaves nothing after the next command`(caller: Caller) throws {
        try withApus(caller) { apus in
            let mark = MarkedProcesses.newMark()
            for round in 0..<Self.rounds {
                let flags = ["-d"] + (round.isMultiple(of: 2) ? ["--rm"] : []) + apus.limitFlags
                let running = try apus.start(apus.runWords(flags, ["sleep", mark]))
                usleep(.random(in: 0...Self.longestDelay))
                // By its PID too: until the kernel has put its words in place, it has no mark.
                try running.send(SIGKILL)
                try MarkedProcesses.killSupervisors(mark)
                _ = try running.wait()
            }
            try expectOnlyEndedContainers(apus)
            try MarkedProcesses.waitForEnd(mark)
        }
    }

    /// Those without `--rm` that got as far as a record stay, and say how they ended; `withApus` looks for the rest.
    private func expectOnlyEndedContainers(_ apus: Apus) throws {
        let listing = try apus("ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.State}}")
        #expect(listing.status == 0 && listing.errors.isEmpty, "\(listing)")
        #expect(listing.lines.allSatisfy { $0.hasSuffix(" exited") }, "\(listing)")
        let left = try apus.leftovers().filter { entry in
            !listing.lines.contains { entry == "containers/\($0.prefix(64))" } && !entry.hasPrefix("names/")
        }
        #expect(left == [])
        #expect(try apus.leftovers().count { $0.hasPrefix("names/") } == listing.lines.count)
    }

    @Test(arguments: Caller.available)
    func `a command that is killed while it removes or stops leaves a container that works`(caller: Caller) throws {
        try withApus(caller) { apus in
            for verb in [["stop"], ["rm", "-f"], ["restart"], ["rename"], ["kill"]] {
                for _ in 0..<6 {
                    try apus.detached("victim")
                    let running = try apus.start(verb + ["victim"] + (verb == ["rename"] ? ["other"] : []))
                    usleep(.random(in: 0...4000))
                    try running.send(SIGKILL)
                    _ = try running.waitForEnd()
                    #expect(try apus("ps", "-a").errors.isEmpty)
                    #expect(try apus("rm", "-f", "victim", "other").status == 0)
                    let left = try apus.leftovers()
                    #expect(left == [], "\(verb)")
                }
            }
        }
    }
}
