import Linux
import Testing

@testable import Reports

struct SuggestionTests {
    @Test func `of 100 runs the 95th counts, with the margin, rounded up to what people write`() throws {
        var runs = LimitSuggestions()
        for megabytes in 1...100 { runs.add(run(memory: UInt64(megabytes) << 20)) }
        let memory = try #require(try suggestion("memory", runs))
        #expect(memory.percentile == 95 << 20 && memory.highest == 100 << 20 && memory.word == "114m")
        #expect(memory.runs == 100 && memory.ignored == 0)
    }

    @Test(arguments: [(1, 1), (2, 2), (19, 19), (20, 19), (21, 20), (40, 38)])
    func `the percentile is that of the nearest rank`(count: Int, rank: UInt64) throws {
        var runs = LimitSuggestions()
        for number in (1...count).reversed() { runs.add(run(memory: UInt64(number) << 20)) }
        #expect(try suggestion("memory", runs)?.percentile == rank << 20)
    }

    @Test func `a run does not count for the limit that it was cut by, but for others it does`() throws {
        var runs = LimitSuggestions()
        runs.add(run(memory: 100 << 20))
        var cut = run(memory: 64 << 20)
        cut.outcome = UsageReport.Outcome(reason: .oom, status: 137)
        cut.outcome.limit = "memory"
        cut.processes.peak = 9
        runs.add(cut)
        #expect(try suggestion("memory", runs)?.runs == 1)
        #expect(try suggestion("memory", runs)?.ignored == 1)
        #expect(try suggestion("memory", runs)?.percentile == 100 << 20)
        #expect(try suggestion("pids", runs)?.percentile == 9)
    }

    @Test func `a limit that all runs have reached is not suggested`() throws {
        var runs = LimitSuggestions()
        var reached = run(memory: 64 << 20)
        reached.limits = [UsageReport.Limit(name: "memory", asked: "64 MiB", enforced: true)]
        reached.limits[0].hit = true
        runs.add(reached)
        let memory = try #require(try suggestion("memory", runs))
        #expect(memory.word == nil && memory.percentile == nil && memory.ignored == 1)
    }

    @Test func `each command has limits of its own, and a run that never began has none`() {
        var runs = LimitSuggestions()
        runs.add(run(memory: 1))
        var other = run(memory: 2)
        other.command = ["other"]
        runs.add(other)
        var missing = run(memory: 3)
        missing.outcome = UsageReport.Outcome(reason: .exec, status: 127)
        runs.add(missing)
        var failed = run(memory: 4)
        failed.outcome.exitCode = 1
        runs.add(failed)
        #expect(runs.groups.map(\.command) == [["true"], ["other"]])
        #expect(runs.groups.map(\.runs) == [2, 1])
        #expect(runs.groups[0].neverBegan == 1 && runs.groups[0].failed == 1)
    }

    @Test func `times are whole seconds, and what else has a peak is there too`() throws {
        var runs = LimitSuggestions()
        var report = run(memory: 1)
        report.wall = 3_600_000_000_000
        report.cpu.total = 1
        report.limits = [
            UsageReport.Limit(name: "open-files", asked: "64", value: 64, unit: .files, enforced: true),
            UsageReport.Limit(name: "io-read-bps", asked: "1m", value: 1 << 20, unit: .bytesPerSecond, enforced: true),
        ]
        report.limits[0].peak = 10
        report.limits[1].peak = 10
        runs.add(report)
        #expect(try suggestion("timeout", runs)?.word == "1h12m")
        #expect(try suggestion("cpu-time", runs)?.word == "1s")
        #expect(try suggestion("open-files", runs)?.word == "12")
        #expect(try suggestion("memory", runs)?.word == "1k")
        #expect(try suggestion("io-read-bps", runs) == nil)
    }

    private func run(memory: UInt64) -> UsageReport {
        var report = UsageReport.minimal
        report.memory.total.peak = memory
        return report
    }

    private func suggestion(_ name: String, _ runs: LimitSuggestions) throws -> LimitSuggestions.Suggestion? {
        LimitSuggestions.suggestions(for: runs.groups[0], margin: try Percentage("20%")).first { $0.name == name }
    }
}
