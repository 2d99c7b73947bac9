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
        var reports: LimitReports?
        if !request.reports.isEmpty {
            let destinations = try request.reports.map { try ReportDestination($0) }
            reports = LimitReports(destinations, version: Program.version) { report, _ in report.text }
        }
        return try LimitedRun(request.config, ignored: ignored, reports: reports).run()
    }
}
