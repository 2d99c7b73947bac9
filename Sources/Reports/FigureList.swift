/// A figure of a report, as pages and tables show it.
public struct Figure: Sendable, Equatable {
    /// Its place in JSON: `memory.total.peakBytes`.
    public let field: String
    /// For people, to be read below its group's title: `user`.
    public let label: String
    public let value: UInt64
    /// `nil` for a count.
    public let unit: UsageReport.Unit?

    /// The value for people.
    public var text: String { Readable.text(value, unit) }
}

/// Figures of one kind.
public struct FigureGroup: Sendable, Equatable {
    public let title: String
    public let figures: [Figure]
}

extension UsageReport {
    /// All figures that are known, by kind.
    public var figures: [FigureGroup] {
        [timeFigures, memoryFigures, ioFigures, processFigures, pressureFigures].filter { !$0.figures.isEmpty }
    }

    /// The figure whose place in JSON is `field`.
    public func figure(_ field: String) -> Figure? {
        for group in figures {
            if let figure = group.figures.first(where: { $0.field == field }) { return figure }
        }
        return nil
    }

    private var timeFigures: FigureGroup {
        FigureGroup(
            "Time",
            [
                ("wallNanoseconds", "wall clock", wall, .nanoseconds),
                ("cpu.totalNanoseconds", "on processors", cpu.total, .nanoseconds),
                ("cpu.userNanoseconds", "user", cpu.user, .nanoseconds),
                ("cpu.systemNanoseconds", "system", cpu.system, .nanoseconds),
                ("cpu.periods", "periods of the CPU limit", cpu.periods, nil),
                ("cpu.throttledPeriods", "throttled periods", cpu.throttledPeriods, nil),
                ("cpu.throttledNanoseconds", "throttled", cpu.throttled, .nanoseconds),
            ])
    }

    private var memoryFigures: FigureGroup {
        let kinds = [
            ("total", "total", memory.total), ("anonymous", "anonymous", memory.anonymous),
            ("file", "files (page cache)", memory.file), ("kernel", "kernel", memory.kernel),
            ("shared", "shared", memory.shared), ("sockets", "sockets", memory.sockets), ("swap", "swap", memory.swap),
        ]
        let peaks = kinds.map { ("memory.\($0.0).peakBytes", "\($0.1), peak", $0.2.peak, Unit?.some(.bytes)) }
        let ends = kinds.map {
            ("memory.\($0.0).currentBytes", "\($0.1), at the end", $0.2.current, Unit?.some(.bytes))
        }
        return FigureGroup(
            "Memory",
            peaks + [("memory.largestProcessBytes", "largest process", memory.largestProcess, .bytes)] + ends + [
                ("pageFaults.minor", "minor page faults", pageFaults.minor, nil),
                ("pageFaults.major", "major page faults", pageFaults.major, nil),
            ])
    }

    private var ioFigures: FigureGroup {
        FigureGroup(
            "Input and output",
            [
                ("io.readBytes", "read", io.read, .bytes), ("io.writtenBytes", "written", io.written, .bytes),
                ("io.readOperations", "read operations", io.readOperations, nil),
                ("io.writeOperations", "write operations", io.writeOperations, nil),
                ("network.refusedConnections", "refused connections", network.refusedConnections, nil),
            ])
    }

    private var processFigures: FigureGroup {
        FigureGroup(
            "Processes and threads",
            [
                ("processes.peak", "peak", processes.peak, nil),
                ("processes.current", "at the end", processes.current, nil),
                ("contextSwitches.voluntary", "voluntary context switches", contextSwitches.voluntary, nil),
                ("contextSwitches.involuntary", "involuntary context switches", contextSwitches.involuntary, nil),
            ])
    }

    private var pressureFigures: FigureGroup {
        let kinds = [("cpu", "CPU", pressure.cpu), ("memory", "memory", pressure.memory), ("io", "IO", pressure.io)]
        return FigureGroup(
            "Pressure",
            kinds.flatMap { name, label, stall in
                [
                    ("pressure.\(name).someNanoseconds", "some waited for \(label)", stall.some, .nanoseconds),
                    ("pressure.\(name).fullNanoseconds", "all waited for \(label)", stall.full, .nanoseconds),
                ]
            })
    }
}

extension FigureGroup {
    /// Those of `rows` whose value is known.
    fileprivate init(_ title: String, _ rows: [(String, String, UInt64?, UsageReport.Unit?)]) {
        self.title = title
        figures = rows.compactMap { field, label, value, unit in
            value.map { Figure(field: field, label: label, value: $0, unit: unit) }
        }
    }
}
