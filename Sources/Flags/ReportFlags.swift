import Containers
import Linux
public import Reports

/// What a command line says of the report on what its command uses.
public struct ReportRequest: Sendable, Equatable {
    /// The files that it is written to, as given.
    public var files: [String] = []
    /// Whether standard error gets it as a table.
    public var summary = false
    /// By how much the peak of memory may be higher than the baseline's.
    public var allowedGrowth: Percentage?
    /// The report of an earlier run, as given.
    public var baseline: String?

    /// Whether anything wants a report.
    public var isWanted: Bool { self != ReportRequest() }

    func check(_ command: String) throws(Failure) {
        if (allowedGrowth == nil) != (baseline == nil) {
            throw Failure(command, "", "--fail-if-peak-grows and --baseline go together only")
        }
    }
}

/// The flags of a command that can report.
protocol Reporting: SendableMetatype {
    var report: ReportRequest { get set }
}

extension Flag where Target: Reporting {
    static var report: [Flag] {
        [
            .list("report", nil, "FILE", "Write what it used to FILE.json or FILE.html") {
                flags, text throws(Failure) in
                _ = try ReportDestination.format(of: text)
                flags.report.files.append(text)
            },
            .toggle("summary", nil, "Show what it used when it has ended") { $0.report.summary = $1 },
            .value(
                "fail-if-peak-grows", nil, "PERCENT", "Exit status 123 if its peak memory is so much above --baseline"
            ) {
                flags, text throws(Failure) in
                flags.report.allowedGrowth = try Percentage(text)
            },
            .value("baseline", nil, "FILE", "What --report FILE.json wrote of an earlier run") {
                $0.report.baseline = $1
            },
        ]
    }
}
