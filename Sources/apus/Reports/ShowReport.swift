import ArgumentParser
import Linux
import Reports

/// `apus report show`: a recorded report once more, in another form.
struct ShowReport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report show", abstract: "Show a report that --report has written",
        discussion: """
            The file is one that --report FILE.json has written. What its fields are is said in report.schema.json, which is \
            installed in share/apus.
            """)

    @Option(help: "summary, html or json") var format = "summary"
    @Argument(help: "A report as JSON", completion: .file()) var file: String

    func run() throws {
        if format == "summary" { return Output.write(ReportSummary.text(try UsageReport.read(file))) }
        guard let format = ReportFormat(rawValue: format) else {
            throw Failure("report show", "--format \(format)", "is not summary, html or json")
        }
        Output.write(String(decoding: try UsageReport.read(file).bytes(format), as: UTF8.self))
    }
}
