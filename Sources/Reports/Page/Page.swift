import OCI

extension UsageReport {
    /// This report as one page that needs nothing else: no script, no font, no picture from anywhere.
    ///
    /// The report itself is in it, as JSON, in the element with the ID `apus-report`.
    public var html: String {
        let title = "\(verdict.title): \(shortCommand)"
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta name="generator" content="Apus \(HTMLText.escaped(version))">
            <title>\(HTMLText.escaped(title))</title>
            <style>
            \(PageStyle.sheet)</style>
            </head>
            <body>
            <main>
            \(header)
            \(tiles)
            \(chartSection)
            \(limitSection)
            \(figureSection)
            <footer>Written by Apus \(HTMLText.escaped(version)). This page has the same figures as JSON, in the element
            <code>apus-report</code>; <code>apus report show</code> renders such JSON again.</footer>
            </main>
            <script type="application/json" id="apus-report">\(HTMLText.embedded(json()))</script>
            </body>
            </html>

            """
    }

    /// As much of it as a title or a heading takes.
    private var shortCommand: String { Self.cut(commandLine, to: 80) }

    private static func cut(_ text: String, to length: Int) -> String {
        text.unicodeScalars.count <= length
            ? text : String(String.UnicodeScalarView(text.unicodeScalars.prefix(length - 1))) + "…"
    }

    // MARK: The top

    private var header: String {
        let detail = verdict.detail.map { #"<p class="detail"><bdi>\#(HTMLText.escaped($0))</bdi></p>"# } ?? ""
        return """
            <header class="card verdict \(verdict.tone.rawValue)">
            <div class="headline">\(Self.sign(verdict.tone))<h1>\(HTMLText.escaped(verdict.title))</h1></div>
            \(detail)
            <pre class="command"><bdi>\(HTMLText.escaped(Self.cut(commandLine, to: 4000)))</bdi></pre>
            <p class="meta">\(meta)</p>
            </header>
            """
    }

    /// A picture for what the title says in words.
    private static func sign(_ tone: Verdict.Tone) -> String {
        let inside =
            switch tone {
            case .good: #"<path d="M9.5 16.5l4.5 4.5 8.5-10"/>"#
            case .failed: #"<path d="M11 11l10 10M21 11l-10 10"/>"#
            case .cut: #"<path d="M16 9v9M16 22.6v.4"/>"#
            }
        return """
            <svg viewBox="0 0 32 32" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2.6" \
            stroke-linecap="round" stroke-linejoin="round"><circle cx="16" cy="16" r="13.5"/>\(inside)</svg>
            """
    }

    private var meta: String {
        var parts: [String] = []
        if let start { parts.append(Self.readable(time: start)) }
        if let user { parts.append(user.name ?? "user \(user.id)") }
        if let name = host.name { parts.append("on \(name)") }
        if let workingDirectory { parts.append("in \(workingDirectory)") }
        if let container { parts.append("container \(container.name ?? String(container.id.prefix(12)))") }
        return parts.map { "<bdi>\(HTMLText.escaped($0))</bdi>" }.joined(separator: " · ")
    }

    /// RFC 3339 with fewer digits.
    static func readable(time: String) -> String {
        let parts = time.split(separator: "T")
        guard parts.count == 2, time.hasSuffix("Z"), parts[1].utf8.count >= 9 else { return time }
        return "\(parts[0]) \(parts[1].prefix(8)) UTC"
    }

    // MARK: What matters most

    private var tiles: String {
        let shown = [
            tile("Wall clock", wall.map(Readable.duration), limit("timeout").flatMap { share(wall, of: $0) }),
            tile("Time on processors", cpu.total.map(Readable.duration), averageProcessors),
            tile(
                "Peak memory", (memory.total.peak ?? memory.largestProcess).map(Readable.bytes),
                memory.total.peak == nil
                    ? "of the largest process" : limit("memory").flatMap { share(memory.total.peak, of: $0) }),
            tile(
                "Processes at once", processes.peak.map(Readable.count),
                limit("pids", "pids-limit").flatMap { share(processes.peak, of: $0) }),
            tile("Read", io.read.map(Readable.bytes), io.readOperations.map { "\(Readable.count($0)) operations" }),
            tile(
                "Written", io.written.map(Readable.bytes), io.writeOperations.map { "\(Readable.count($0)) operations" }
            ),
        ]
        return #"<dl class="tiles">"# + shown.joined() + "</dl>"
    }

    private func tile(_ title: String, _ value: String?, _ more: String?) -> String {
        guard let value else { return "" }
        let second = more.map { #"<dd class="more">\#(HTMLText.escaped($0))</dd>"# } ?? ""
        return #"<div class="card tile"><dt>\#(title)</dt><dd>\#(value)</dd>\#(second)</div>"# + "\n"
    }

    private var averageProcessors: String? {
        guard let wall, wall > 0, let total = cpu.total else { return nil }
        return "\(Readable.decimal(Double(total) / Double(wall))) on average"
    }

    /// `94 % of 512 MiB`.
    private func share(_ value: UInt64?, of limit: Limit) -> String? {
        value.flatMap { value in limit.share(of: value).map { "\(Readable.percent($0)) of \(limit.asked)" } }
    }

    // MARK: Over time

    private var chartSection: String {
        let charts = charts
        guard !charts.isEmpty else { return "" }
        let figures = charts.map { chart in
            let legend = chart.lines.enumerated().map { index, line in
                #"<span style="--swatch: var(--line\#(index + 1))">\#(line.label)</span>"#
            }
            return """
                <figure class="card"><figcaption><h3>\(chart.title)</h3>\
                <span class="note">\(HTMLText.escaped(chart.note))</span>\
                \(legend.count > 1 ? #"<span class="legend">\#(legend.joined())</span>"# : "")</figcaption>
                \(chart.svg())
                </figure>

                """
        }
        return #"<section><h2>Over time</h2><div class="charts">"# + "\n" + figures.joined() + "</div></section>"
    }
}

extension UsageReport.Limit {
    /// How much of it `value` is, of one; `nil` where that means nothing.
    public func share(of value: UInt64) -> Double? {
        guard let limit = self.value, limit > 0, unit != .level else { return nil }
        return Double(value) / Double(limit)
    }
}
