import FoundationEssentials
import Glibc
import OCI
import Reports
import Testing

/// The page of a report in a real browser; `make test-report` has one.
@Suite(.enabled(if: Browser.path != nil, "needs a browser: make test-report installs chromium"))
struct PageTests {
    static let evil =
        "</script><img src=x onerror=\"document.title='evil'\"><script>document.title='evil'</script>\u{1b}[2J"

    @Test func `a browser shows the verdict, four charts and the limits, and runs nothing`() throws {
        try withApus(Caller.available[0]) { apus in
            let report = UsageReport.sampled(command: ["sh", "-c", Self.evil])
            let page = try apus("report", "show", "--format", "html", try apus.write(report, "a.json"))
            let file = try apus.file("a.html", page.output)
            let dom = try Browser.dom(of: file)
            #expect(dom.contains("<h1>Out of memory</h1>"))
            #expect(dom.count(of: #"role="img""#) == 4)
            #expect(dom.count(of: "<script") == 1 && dom.count(of: "<img") == 0)
            #expect(dom.contains(#"<span class="tag failed">ended the command</span>"#))
            #expect(dom.contains("<title>Out of memory: sh -c"))
            // Until the end of what the browser takes for the script: the whole report and nothing else.
            let start = try #require(dom.firstRange(of: #"id="apus-report">"#)).upperBound
            let end = try #require(dom[start...].firstRange(of: "</script>")).lowerBound
            #expect(try UsageReport(Array(dom[start..<end].utf8), named: "page") == report)
        }
    }

    @Test(arguments: ["1", "0"])
    func `a browser paints it, light and dark`(scheme: String) throws {
        try withApus(Caller.available[0]) { apus in
            let file = try apus.write(UsageReport.sampled(command: ["make"]), "a.json")
            let page = try apus.file("a.html", try apus("report", "show", "--format", "html", file).output)
            let corner = try Browser.picture(of: page, to: "\(apus.directory)/a.png", scheme: scheme)
            #expect(corner.count > 20_000)
        }
    }
}

/// Chromium without a screen.
private enum Browser {
    /// What `make test-report` says, or what is there.
    static let path: String? =
        getenv("APUS_TEST_BROWSER").map { String(cString: $0) }
        ?? (access("/usr/bin/chromium", X_OK) == 0 ? "/usr/bin/chromium" : nil)

    /// The page as it is once it has been read.
    static func dom(of file: String) throws -> String { try run(["--dump-dom"], file).output }

    /// - Parameter scheme: 0 for dark, 1 for light.
    /// - Returns: The picture's bytes.
    static func picture(of file: String, to picture: String, scheme: String) throws -> [UInt8] {
        let words = [
            "--screenshot=\(picture)", "--window-size=1240,2000", "--blink-settings=preferredColorScheme=\(scheme)",
        ]
        _ = try run(words, file)
        return Array(try Data(contentsOf: URL(filePath: picture)))
    }

    private static func run(_ words: [String], _ file: String) throws -> Outcome {
        let profile = makeTemporaryDirectory("apus-browser")
        defer { try? FileManager.default.removeItem(atPath: profile) }  // `try?`: what stays in /tmp is no failed test
        // Its own sandbox wants what root in a container has not got; the page is ours.
        let browser = try RunningProcess(
            [path ?? "", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=\(profile)"] + words
                + ["file://\(file)"],
            environment: ["HOME": profile, "PATH": "/usr/bin:/bin"], directory: "/")
        let outcome = try browser.wait()
        try #require(outcome.status == 0, "\(outcome)")
        return outcome
    }
}

extension String {
    fileprivate func count(of text: String) -> Int {
        split(separator: text, omittingEmptySubsequences: false).count - 1
    }
}

extension UsageReport {
    /// A run that was looked at for a minute and a half.
    fileprivate static func sampled(command: [String]) -> UsageReport {
        var report = sample(peak: 512 << 20)
        report.command = command
        var series = SampleSeries()
        for number in 0..<UInt64(4500) {
            var sample = Sample(time: number * 20_000_000)
            sample.memory = number * 100_000
            sample.cpu = number * 15_000_000
            sample.read = number << 16
            sample.written = number << 14
            sample.processes = 1 + number % 8
            series.add(sample)
        }
        report.samples = series.samples
        return report
    }
}
