import FoundationEssentials
import Glibc
import Linux
import OCI
import Reports
import Testing

/// `apus report`: recorded reports shown, compared, and turned into limits.
@Suite struct ReportCommandTests {
    @Test(arguments: Caller.available)
    func `a report shown as JSON is the same report`(caller: Caller) throws {
        try withApus(caller) { apus in
            let report = UsageReport.sample(peak: 512 << 20)
            let file = try apus.write(report, "a.json")
            let shown = try apus("report", "show", "--format", "json", file)
            #expect(shown.status == 0 && shown.output == String(decoding: report.text, as: UTF8.self))
        }
    }

    @Test func `the summary is a table with the verdict, the limits and the figures`() throws {
        try withApus(Caller.available[0]) { apus in
            let summary = try apus("report", "show", try apus.write(.sample(peak: 512 << 20), "a.json"))
            let lines = summary.lines
            #expect(lines.first == "Result    Out of memory: memory limit of 512 MiB hit", "\(summary)")
            #expect(lines.contains("LIMIT    ASKED     HIGHEST   USED    HELD BY     REACHED"))
            #expect(lines.contains("memory   512 MiB   512 MiB   100 %   cgroup-v2   ended it"))
            #expect(lines.contains("wall clock   1 min 30 s"))
            #expect(lines.allSatisfy { $0.last != " " })
        }
    }

    @Test func `compare marks what grew`() throws {
        try withApus(Caller.available[0]) { apus in
            let before = try apus.write(.sample(peak: 256 << 20), "a.json")
            let after = try apus.write(.sample(peak: 512 << 20), "b.json")
            let table = try apus("report", "compare", before, after)
            #expect(table.lines.contains("memory: total, peak   256 MiB   512 MiB   2 x     grew"), "\(table)")
            #expect(table.lines.last == "2 figures have not changed")
            let json = try JSON(try apus("report", "compare", "--format", "json", before, after).output)
            let change = try #require(json["figures"]?.elements.first)
            #expect(change["field"] == .string("memory.total.peakBytes") && change["unit"] == .string("bytes"))
            #expect(change["ratio"] == .number(2) && change["grew"] == .bool(true))
            let same = try apus("report", "compare", before, before)
            #expect(same.output == "no figure has changed\n")
        }
    }

    @Test func `suggest turns a directory of reports into flags`() throws {
        try withApus(Caller.available[0]) { apus in
            let directory = try apus.makeDirectory("reports")
            for number in 1...3 {
                var report = UsageReport.sample(peak: UInt64(number) * 100 << 20)
                report.outcome = UsageReport.Outcome(reason: .exited, status: 0)
                report.outcome.exitCode = 0
                report.limits = []
                try apus.write(report, "reports/\(number).json")
            }
            try apus.write(.sample(peak: 64 << 20), "reports/cut.json")
            let flags = try apus("report", "suggest", "--format", "flags", "--margin", "10%", directory)
            expectOutput(flags, "--memory 330m --pids 10 --timeout 1m39s")
            let table = try apus("report", "suggest", directory)
            #expect(table.lines.first == "make -j 'all tests': 4 runs", "\(table)")
            #expect(
                table.lines.contains {
                    $0.hasPrefix("memory") && $0.hasSuffix("1 run reached this limit and does not count")
                })
            let json = try JSON(try apus("report", "suggest", "--format", "json", directory).output)
            let command = try #require(json["commands"]?.elements.first)
            #expect(command["flags"]?.elements.first == .string("--memory"))
            #expect(command["limits"]?.elements.first?["word"] == .string("360m"))
        }
    }

    @Test func `suggest keeps commands apart and says so`() throws {
        try withApus(Caller.available[0]) { apus in
            var other = UsageReport.sample(peak: 1 << 20)
            other.command = ["true"]
            let files = [try apus.write(.sample(peak: 1 << 20), "a.json"), try apus.write(other, "b.json")]
            let table = try apus(["report", "suggest"] + files)
            #expect(table.lines.first == "2 different commands, each with limits of its own", "\(table)")
            expectRefusal(
                try apus(["report", "suggest", "--format", "flags"] + files), naming: "--format flags", "2 different")
        }
    }

    @Test(arguments: Caller.available)
    func `what is no report is refused in one line and never waited for`(caller: Caller) throws {
        try withApus(caller) { apus in
            let whole = String(decoding: UsageReport.sample(peak: 1).text, as: UTF8.self)
            let cut = try apus.file("cut.json", String(whole.dropLast(30)))
            let newer = try apus.file(
                "newer.json", whole.replacing(#""schemaVersion":1"#, with: #""schemaVersion":2"#))
            let other = try apus.file("other.json", "{}")
            let fifo = "\(apus.directory)/fifo"
            try #require(mkfifo(fifo, 0o666) == 0)
            chmod(fifo, 0o666)
            let huge = "\(apus.directory)/huge.json"
            close(open(huge, O_CREAT | O_WRONLY, 0o644))
            try #require(truncate(huge, 65 << 20) == 0)
            for (file, words) in [
                (cut, "not valid JSON"), (newer, "schemaVersion: expected 1, got 2"), (other, "not a report of Apus"),
                (fifo, "not a regular file"), (huge, "more than 64 MiB"), ("/", "not a regular file"),
                ("/no/such/file", "No such file"),
            ] {
                expectRefusal(try apus("report", "show", file), naming: file, words)
                expectRefusal(try apus("report", "compare", file, file), naming: file, words)
            }
            expectRefusal(try apus("report", "suggest", other), naming: other)
            expectRefusal(try apus("report", "show", "--format", "pdf", other), naming: "--format pdf")
            expectRefusal(try apus("report", "suggest", "--margin", "much", other), naming: "--margin", "'much'")
        }
    }

    @Test func `suggest says why there is nothing to suggest`() throws {
        try withApus(Caller.available[0]) { apus in
            let cut = try apus("report", "suggest", try apus.write(.sample(peak: 1 << 20), "a.json"))
            #expect(
                cut.lines.contains {
                    $0.hasSuffix("1 run reached this limit and does not count: raise it and measure again")
                })
            var failed = UsageReport.sample(peak: 1)
            failed.memory = UsageReport.Memory()
            failed.processes = UsageReport.Processes()
            failed.wall = nil
            failed.limits = []
            failed.outcome = UsageReport.Outcome(reason: .exited, status: 1)
            let nothing = try apus("report", "suggest", try apus.write(failed, "b.json"))
            expectOutput(
                nothing,
                """
                make -j 'all tests': 1 run; 1 failed without having reached a limit, and counted

                  no limit: the reports have no peaks
                """)
        }
    }

    @Test func `a file of a directory that is no report does not hide the others`() throws {
        try withApus(Caller.available[0]) { apus in
            let directory = try apus.makeDirectory("reports")
            try apus.write(.sample(peak: 1 << 20), "reports/a.json")
            _ = try apus.file("reports/b.json", "[]")
            _ = try apus.file("reports/readme.txt", "no report, and not asked for")
            let table = try apus("report", "suggest", directory)
            #expect(table.status == 1 && table.output.contains("make -j 'all tests': 1 run\n"), "\(table)")
            #expect(table.errors == "apus: read report: \(directory)/b.json: expected an object, got a list\n")
            expectRefusal(try apus("report", "suggest", try apus.makeDirectory("none")), naming: "no reports")
        }
    }

    @Test func `report has help and completes its words`() throws {
        try withApus(Caller.available[0]) { apus in
            let group = try apus("report")
            #expect(group.status == 0 && group.output.contains("suggest"))
            let help = try apus("report", "compare", "--help")
            #expect(help.status == 0 && help.output.contains("--format"))
            let completed = try apus("__complete", "report", "s").lines.map { $0.prefix { $0 != "\t" } }
            #expect(completed == ["show", "suggest"])
        }
    }
}

extension UsageReport {
    /// A run that was cut at its memory limit.
    static func sample(peak: UInt64) -> UsageReport {
        var report = UsageReport()
        report.version = "0.1.0"
        report.command = ["make", "-j", "all tests"]
        report.outcome = Outcome(reason: .oom, status: 137)
        report.outcome.limit = "memory"
        report.wall = 90_000_000_000
        report.memory.total.peak = peak
        report.processes.peak = 9
        report.limits = [
            Limit(
                name: "memory", asked: "512 MiB", value: 512 << 20, unit: .bytes, mechanism: .cgroupV2, enforced: true)
        ]
        report.limits[0].peak = 512 << 20
        report.limits[0].hit = true
        return report
    }
}

extension Apus {
    /// Writes a report to a file of the caller's.
    ///
    /// - Returns: Its path.
    @discardableResult
    func write(_ report: UsageReport, _ name: String) throws -> String {
        try file(name, String(decoding: report.text, as: UTF8.self))
    }
}
