extension UsageReport {
    /// A chart for each thing that samples know, where there are at least two.
    var charts: [Chart] {
        guard let points = samples?.points, points.count >= 2 else { return [] }
        let level = Levels(points)
        let rate = Rates(points)
        return [memoryChart(level), cpuChart(rate), ioChart(rate), processChart(level)].compactMap { $0 }
    }

    func limit(_ names: String...) -> Limit? {
        limits.first { names.contains($0.name) && ($0.value ?? 0) > 0 }
    }

    private func memoryChart(_ level: Levels) -> Chart? {
        let memory = level.values(\.memory)
        guard memory.known else { return nil }
        let swap = level.values(\.swap)
        let hasSwap = swap.list.contains { ($0 ?? 0) > 0 }
        return Chart(
            title: "Memory", note: note(peak: self.memory.total.peak ?? memory.peak, limit("memory"), Readable.bytes),
            times: level.times,
            lines: [Chart.Line(label: "memory", values: memory.list)]
                + (hasSwap ? [Chart.Line(label: "swap", values: swap.list)] : []),
            limit: limitLine(limit("memory"), scale: 1), steps: .bytes,
            text: { Readable.bytes(Readable.whole($0)) }, isFilled: !hasSwap, id: "memory")
    }

    private func cpuChart(_ rate: Rates) -> Chart? {
        let used = rate.values(\.cpu)
        guard used.known else { return nil }
        var notes: [String] = []
        if let wall, wall > 0, let total = cpu.total {
            notes.append("\(Readable.decimal(Double(total) / Double(wall))) on average")
        }
        if let limit = limit("cpus") { notes.append(wording(limit)) }
        return Chart(
            title: "Processors in use", note: notes.joined(separator: " · "), times: rate.times,
            lines: [Chart.Line(label: "processors", values: used.list)],
            limit: limitLine(limit("cpus"), scale: 1000), steps: .decimal, text: Readable.decimal, isFilled: true,
            id: "cpu")
    }

    private func ioChart(_ rate: Rates) -> Chart? {
        let (read, written) = (rate.values(\.read, perSecond: true), rate.values(\.written, perSecond: true))
        guard read.known || written.known else { return nil }
        var notes: [String] = []
        if let bytes = io.read { notes.append("\(Readable.bytes(bytes)) read") }
        if let bytes = io.written { notes.append("\(Readable.bytes(bytes)) written") }
        return Chart(
            title: "Input and output", note: notes.joined(separator: " · "), times: rate.times,
            lines: [Chart.Line(label: "read", values: read.list), Chart.Line(label: "written", values: written.list)],
            limit: nil, steps: .bytes, text: { "\(Readable.bytes(Readable.whole($0)))/s" }, id: "io")
    }

    private func processChart(_ level: Levels) -> Chart? {
        let processes = level.values(\.processes)
        guard processes.known else { return nil }
        let asked = limit("pids", "pids-limit")
        return Chart(
            title: "Processes and threads",
            note: note(peak: self.processes.peak ?? processes.peak, asked, Readable.count), times: level.times,
            lines: [Chart.Line(label: "processes", values: processes.list)], limit: limitLine(asked, scale: 1),
            steps: .whole, text: { Readable.count(Readable.whole($0)) }, isFilled: true, id: "processes")
    }

    private func note(peak: UInt64?, _ limit: Limit?, _ text: (UInt64) -> String) -> String {
        [peak.map { "peak \(text($0))" }, limit.map(wording)].compactMap { $0 }.joined(separator: " · ")
    }

    private func wording(_ limit: Limit) -> String { "limit \(limit.asked)\(limit.enforced ? "" : ", not enforced")" }

    private func limitLine(_ limit: Limit?, scale: Double) -> Chart.Limit? {
        limit.map { Chart.Limit(value: Double($0.value ?? 0) / scale, label: wording($0)) }
    }
}

/// What goes up and down, as it was sampled.
private struct Levels {
    let points: [UsageReport.Sample]
    let times: [Double]

    init(_ points: [UsageReport.Sample]) {
        self.points = points
        times = points.map { Double($0.time) }
    }

    func values(_ field: (UsageReport.Sample) -> UInt64?) -> (list: [Double?], known: Bool, peak: UInt64?) {
        let values = points.map(field)
        return (values.map { $0.map { Double($0) } }, values.contains { $0 != nil }, values.compactMap { $0 }.max())
    }
}

/// How fast counters grew, over spans that are long enough to be told apart in a picture.
private struct Rates {
    /// The samples at the ends of these spans.
    private let ends: [UsageReport.Sample]
    /// Where they end, and the beginning.
    let times: [Double]

    init(_ points: [UsageReport.Sample]) {
        let span = (points.last?.time ?? 0) / 240
        var ends = [points[0]]
        for point in points.dropFirst() where point.time > ends[ends.count - 1].time {
            if point.time - ends[ends.count - 1].time >= span { ends.append(point) }
        }
        self.ends = ends
        times = ends.map { Double($0.time) }
    }

    /// - Parameter perSecond: Whether the counter is no time, which has no unit when it is divided by time.
    func values(
        _ field: (UsageReport.Sample) -> UInt64?, perSecond: Bool = false
    ) -> (list: [Double?], known: Bool) {
        var list: [Double?] = []
        for (earlier, later) in zip(ends, ends.dropFirst()) {
            guard let before = field(earlier), let after = field(later), after >= before else {
                list.append(nil)
                continue
            }
            list.append(Double(after - before) / Double(later.time - earlier.time) * (perSecond ? 1e9 : 1))
        }
        // The first span's rate held from its beginning on.
        return ([list.first ?? nil] + list, list.contains { $0 != nil })
    }
}
