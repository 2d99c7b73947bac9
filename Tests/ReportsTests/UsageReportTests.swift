import Linux
import OCI
import Testing

@testable import Reports

struct UsageReportTests {
    @Test(arguments: UsageReport.examples.keys.sorted())
    func `a report reads as it was written`(example: String) throws {
        let report = try #require(UsageReport.examples[example])
        #expect(try UsageReport(report.text, named: "a.json") == report)
    }

    @Test func `what is not known is left out`() {
        let text = String(decoding: UsageReport.minimal.text, as: UTF8.self)
        #expect(
            text == #"{"kind":"apus-report","schemaVersion":1,"version":"0.1.0","command":["true"],"#
                + #""outcome":{"reason":"exited","exitCode":0,"status":0},"limits":[]}"# + "\n")
    }

    @Test func `a measured zero is kept`() throws {
        var report = UsageReport.minimal
        report.memory.swap.peak = 0
        report.io.read = 0
        let text = String(decoding: report.text, as: UTF8.self)
        #expect(text.contains(#""swap":{"peakBytes":0}"#) && text.contains(#""io":{"readBytes":0}"#))
        #expect(try UsageReport(report.text, named: "a.json") == report)
    }

    @Test func `a mechanism that only a later version knows is kept`() throws {
        var report = UsageReport.minimal
        report.accounting = UsageReport.Mechanism(rawValue: "telepathy")
        #expect(try UsageReport(report.text, named: "a.json").accounting?.rawValue == "telepathy")
    }

    @Test(arguments: [
        ("", "not valid JSON: line 1, column 1: expected a value"),
        ("[]", "expected an object, got a list"),
        ("{}", "not a report of Apus (kind: missing)"),
        (#"{"kind":"pod"}"#, "not a report of Apus (kind: expected 'apus-report', got a string)"),
        (
            #"{"kind":"apus-report","schemaVersion":2,"version":{}}"#,
            "schemaVersion: expected 1, got 2; read it with the version of Apus that wrote it"
        ),
        (#"{"kind":"apus-report","schemaVersion":1,"version":"0.1.0","comm"#, "a string without an end"),
        (
            #"{"kind":"apus-report","schemaVersion":1,"version":"1","command":[],"limits":[],"outcome":{"reason":"x"}}"#,
            "outcome.reason: unknown value 'x'"
        ),
        (
            #"{"kind":"apus-report","schemaVersion":1,"version":"1","command":[],"wallNanoseconds":-1}"#,
            "wallNanoseconds: expected an integer from 0 to 18446744073709551615, got -1"
        ),
    ])
    func `what is no report is refused by what is wrong with it`(text: String, reason: String) throws {
        let failure = #expect(throws: Failure.self) { try UsageReport(Array(text.utf8), named: "a.json") }
        let line = try #require(failure?.description)
        #expect(line.hasPrefix("read report: a.json: ") && line.contains(reason))
    }
}
