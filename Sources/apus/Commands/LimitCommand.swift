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

    /// The files of `--report`, opened; `nil` for none.
    static func reports(to paths: [String]) throws -> LimitReports? {
        if paths.isEmpty { return nil }
        return LimitReports(try paths.map { try ReportDestination($0) }, version: Program.version) { report, _ in
            report.text
        }
    }
}
