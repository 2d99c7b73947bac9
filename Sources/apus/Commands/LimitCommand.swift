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
        return try LimitedRun(request.config, ignored: ignored, reports: reports(to: request.reports)).run()
    }

    /// `nil` if nothing is to be told.
    static func reports(to request: ReportRequest) throws -> LimitReports? {
        request.isEmpty ? nil : try LimitReports(request, version: Program.version) { ReportSummary.text($0) }
    }
}
