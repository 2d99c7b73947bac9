import Containers
import Flags
import Glibc
import Linux
import Reports

/// `apus limit`.
enum LimitCommand {
    /// Runs the command with the words that follow its name.
    ///
    /// - Returns: The exit code of `apus`.
    static func main(_ words: [String]) throws -> Int32 {
        let request = try LimitCommandLine.parse(words)
        if request.help {
            print(LimitCommandLine.help(), terminator: "")
            return 0
        }
        var ignored = Program.ignoresPipe ? [Signal.pipe] : []
        // Whose children vanish by themselves cannot wait for them.
        if unsafeBitCast(signal(SIGCHLD, SIG_DFL), to: Int.self) == 1 { ignored.append(.child) }
        return try LimitedRun(request.config, ignored: ignored, reports: request.report.reports()).run()
    }
}

extension ReportRequest {
    /// The files opened, and the baseline read, before anything runs.
    ///
    /// - Returns: `nil` if nothing wants a report.
    func reports() throws -> LimitReports? {
        guard isWanted else { return nil }
        let destinations = try files.map { try ReportDestination($0) }
        var growth: LimitReports.AllowedGrowth?
        if let allowedGrowth, let baseline {
            growth = .init(allowedGrowth, over: try UsageReport.read(baseline), named: baseline)
        }
        let summarize: (UsageReport) -> String = { ReportSummary.text($0) }
        return LimitReports(
            destinations, version: Program.version, growth: growth, summarize: summary ? summarize : nil)
    }
}
