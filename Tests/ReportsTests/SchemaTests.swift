import Glibc
import Testing

@testable import Reports

/// Reports against the schema that users have, by a validator that is not ours.
@Suite(.enabled(if: Validator.isThere, "needs python3-jsonschema"))
struct SchemaTests {
    @Test(arguments: UsageReport.examples.keys.sorted())
    func `what is written is what the schema says`(example: String) throws {
        let report = try #require(UsageReport.examples[example])
        #expect(try problems(report.text) == "")
    }

    @Test(arguments: [
        (#""kind":"apus-report""#, #""kind":"pod""#, "$.kind"),
        (#""schemaVersion":1"#, #""schemaVersion":2"#, "$.schemaVersion"),
        (#""wallNanoseconds":64000000000"#, #""wallNanoseconds":-1"#, "$.wallNanoseconds"),
        (#""reason":"oom""#, #""reason":"bored""#, "$.outcome.reason"),
        (#""unit":"bytes""#, #""unit":"pounds""#, "$.limits[0].unit"),
        (#""minor":"#, #""tiny":"#, "'tiny' was unexpected"),
    ])
    func `the schema refuses what no report has`(good: String, bad: String, place: String) throws {
        let text = String(decoding: UsageReport.whole.text, as: UTF8.self)
        #expect(text.contains(good))
        #expect(try problems(Array(text.replacing(good, with: bad, maxReplacements: 1).utf8)).contains(place))
    }

    @Test func `null is the same as absent`() throws {
        let text =
            #"{"kind":"apus-report","schemaVersion":1,"version":"0.1.0","command":[],"user":null,"host":null,"#
            + #""outcome":{"reason":"exited","status":0,"limit":null},"cpu":{"totalNanoseconds":null},"limits":[]}"#
        #expect(try problems(Array(text.utf8)) == "")
        #expect(try UsageReport(Array(text.utf8), named: "a.json").cpu.total == nil)
    }

    @Test func `the example of a whole report has every field`() {
        #expect(missing(UsageReport.whole, "report") == [])
    }

    /// The places of optional properties without a value.
    private func missing(_ value: Any, _ place: String) -> [String] {
        let mirror = Mirror(reflecting: value)
        if mirror.displayStyle == .optional {
            return mirror.children.first.map { missing($0.value, place) } ?? [place]
        }
        // Of the limits each has something else that does not apply to it.
        guard mirror.displayStyle == .struct else { return [] }
        return mirror.children.flatMap { missing($0.value, "\(place).\($0.label ?? "")") }
    }

    /// What the validator says of a report.
    private func problems(_ report: [UInt8]) throws -> String {
        var template = Array("/tmp/apus-report.XXXXXX".utf8CString)
        let file = mkstemp(&template)
        let path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        defer { unlink(path) }
        try #require(report.withUnsafeBytes { write(file, $0.baseAddress, $0.count) } == report.count)
        close(file)
        let tests = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        let schema = "/\(tests)/../Sources/Reports/report.schema.json"
        return Validator.run("'/\(tests)/validate-report' '\(schema)' \(path) 2>&1").output
    }
}

/// Debian's python3-jsonschema.
enum Validator {
    /// In CI it is, or the tests fail.
    static let isThere =
        getenv("CI").map { String(cString: $0) } == "true"
        || run("/usr/bin/python3 -c 'import jsonschema' 2>&1").status == 0

    /// Runs a command of the shell.
    static func run(_ command: String) -> (status: Int32, output: String) {
        guard let pipe = popen(command, "re") else { return (-1, "popen") }
        var output: [UInt8] = []
        while case let byte = fgetc(pipe), byte != EOF { output.append(UInt8(byte)) }
        return (pclose(pipe), String(decoding: output, as: UTF8.self))
    }
}
