import Testing

@testable import Reports

/// The page as text; `System.PageTests` opens it in a browser.
struct PageTextTests {
    static let hostile = [
        "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\"onload=\"x", "'; x='", "&lt;",
        "\u{1b}[31m\u{7}", "\u{9b}31m", "\u{202e}txt.exe", "<!--", "]]>", "\u{2028}", "</style>", "a\nb",
    ]

    @Test(arguments: hostile)
    func `nothing of a command is markup, or hidden`(word: String) throws {
        var report = UsageReport.whole
        report.command = [word]
        report.workingDirectory = word
        report.version = word
        report.start = word
        report.end = word
        report.user?.name = word
        report.host.name = word
        report.host.kernel = word
        report.host.architecture = word
        report.host.cgroups = word
        report.container = UsageReport.Container(id: word, name: word, image: word)
        report.accounting = UsageReport.Mechanism(rawValue: word)
        report.outcome.message = word
        report.outcome.limit = word
        report.outcome.killed = UsageReport.KilledProcess(pid: 1, name: word)
        for index in report.limits.indices {
            report.limits[index].asked = word
            report.limits[index].note = word
            report.limits[index].mechanism = UsageReport.Mechanism(rawValue: word)
        }
        let page = report.html
        // With or without it there are the same tags.
        #expect(tags(page) == tags(harmless(report).html))
        let shown = try #require(page.firstRange(of: #"<script type="application/json""#)).lowerBound
        #expect(!page[..<shown].unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
        #expect(!page[..<shown].unicodeScalars.contains { [0x7f, 0x9b, 0x202e, 0x2028].contains($0.value) })
    }

    @Test func `a page asks nobody for anything`() {
        let page = UsageReport.whole.html
        for text in ["src=", "href=", "url(", "@import", "http://", "https://"] { #expect(!page.contains(text)) }
        #expect(page.contains("default-src 'none'"))
        #expect(page.split(separator: "<script").count == 2)
    }

    @Test func `each thing that was sampled has a chart, and nothing else`() {
        #expect(UsageReport.whole.charts.map(\.id) == ["memory", "cpu", "io", "processes"])
        #expect(UsageReport.minimal.charts.isEmpty)
        var report = UsageReport.whole
        for index in report.samples?.points.indices ?? 0..<0 {
            report.samples?.points[index].cpu = nil
            report.samples?.points[index].read = nil
            report.samples?.points[index].written = nil
        }
        #expect(report.charts.map(\.id) == ["memory", "processes"])
        report.samples?.points = [UsageReport.Sample(time: 0)]
        #expect(report.charts.isEmpty)
    }

    @Test func `a chart shows the values and not something like them`() throws {
        let chart = try #require(UsageReport.whole.charts.first)
        #expect(chart.lines[0].values.compactMap { $0 }.max() == Double(512 << 20))
        #expect(chart.svg().contains("12 s · 116 MiB</text>"))
    }

    @Test func `no figure is too much for a page`() {
        var report = UsageReport.whole
        report.wall = .max
        report.memory.total.peak = .max
        report.limits[0].peak = .max
        report.limits[0].value = 1
        for (index, time) in [UInt64.max, 5, 5, 0, .max].enumerated() {
            report.samples?.points[index].time = time
            report.samples?.points[index].cpu = index % 2 == 0 ? .max : 0
            report.samples?.points[index].written = index % 2 == 0 ? 0 : .max
            report.samples?.points[index].memory = .max
        }
        #expect(report.html.hasSuffix("</html>\n"))
        report.samples?.points = (0..<2).map { _ in UsageReport.Sample(time: 0) }
        #expect(report.html.hasSuffix("</html>\n"))
    }

    private func harmless(_ report: UsageReport) -> UsageReport {
        var other = report
        other.command = ["x"]
        return other
    }

    /// The names of all that a parser would take for tags.
    private func tags(_ page: String) -> [Substring] {
        page.split(separator: "<").dropFirst().map { $0.prefix { $0 != ">" && $0 != " " } }
    }
}
