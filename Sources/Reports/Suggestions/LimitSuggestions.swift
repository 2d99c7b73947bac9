/// Limits for a command, from what earlier runs of it used.
///
/// A run says nothing of what it would have used of that which it was cut by, so it does not count for that limit. One that
/// never began does not count at all.
public struct LimitSuggestions: Sendable {
    /// One limit of one command.
    public struct Suggestion: Sendable, Equatable {
        /// The option's name without dashes.
        public let name: String
        public let unit: UsageReport.Unit
        /// How many runs it comes from.
        public let runs: Int
        /// How many have reached this limit, and so do not count.
        public let ignored: Int
        /// What 95 of 100 runs stay below or at, in `unit`s; `nil` if no run counts.
        public let percentile: UInt64?
        /// The highest of all runs that count.
        public let highest: UInt64?
        /// What to ask for, in `unit`s.
        public let value: UInt64?

        /// The value as the option takes it: `615m`, `1m20s`, `26`.
        public var word: String? { value.map { LimitWord.text($0, unit) } }
    }

    /// The runs of one command.
    public struct Group: Sendable {
        public let command: [String]
        /// As a shell would take it.
        public let commandLine: String
        /// How many there are, those that never began left out.
        public fileprivate(set) var runs = 0
        /// How many of them have failed by themselves.
        public fileprivate(set) var failed = 0
        /// How many more never began.
        public fileprivate(set) var neverBegan = 0
        /// In the order in which they were first met.
        fileprivate var peaks: [Peaks] = []
    }

    /// What runs of one command used of what one limit limits.
    fileprivate struct Peaks: Sendable {
        let name: String
        let unit: UsageReport.Unit
        var values: [UInt64] = []
        var ignored = 0
    }

    /// In the order in which their commands were first met.
    public private(set) var groups: [Group] = []

    public init() {}

    /// Counts a run in.
    public mutating func add(_ report: UsageReport) {
        let index = groups.firstIndex { $0.command == report.command } ?? groups.count
        if index == groups.count {
            groups.append(Group(command: report.command, commandLine: report.commandLine))
        }
        guard report.outcome.reason != .setup, report.outcome.reason != .exec else {
            groups[index].neverBegan += 1
            return
        }
        groups[index].runs += 1
        if !report.outcome.isSuccess, !report.outcome.isCut { groups[index].failed += 1 }
        for (name, unit, peak) in report.peaksByLimit {
            groups[index].add(name, unit, peak, isCut: report.hasReached(name))
        }
    }

    /// Suggestions for each of its limits.
    ///
    /// - Parameter margin: What is put on top of the 95th percentile.
    public static func suggestions(for group: Group, margin: Percentage) -> [Suggestion] {
        group.peaks.map { peaks in
            let sorted = peaks.values.sorted()
            // By the nearest rank: one of the values, and with fewer than 20 the highest.
            let percentile = sorted.isEmpty ? nil : sorted[(sorted.count * 95 + 99) / 100 - 1]
            return Suggestion(
                name: peaks.name, unit: peaks.unit, runs: sorted.count, ignored: peaks.ignored, percentile: percentile,
                highest: sorted.last,
                value: percentile.map { LimitWord.rounded(margin.added(to: $0), peaks.unit) })
        }
    }
}

extension LimitSuggestions.Group {
    fileprivate mutating func add(_ name: String, _ unit: UsageReport.Unit, _ peak: UInt64, isCut: Bool) {
        let index = peaks.firstIndex { $0.name == name } ?? peaks.count
        if index == peaks.count { peaks.append(LimitSuggestions.Peaks(name: name, unit: unit)) }
        if isCut { peaks[index].ignored += 1 } else { peaks[index].values.append(peak) }
    }
}

extension UsageReport {
    /// What was used at most of what limits of `apus limit` limit.
    fileprivate var peaksByLimit: [(name: String, unit: Unit, peak: UInt64)] {
        let measured: [(String, Unit, UInt64?)] = [
            ("memory", .bytes, memory.total.peak), ("pids", .processes, processes.peak),
            ("timeout", .nanoseconds, wall), ("cpu-time", .nanoseconds, cpu.total),
        ]
        let names = measured.map(\.0) + ["pids-limit"]
        let others = limits.filter { !names.contains($0.name) && $0.isOfAmount }
        return measured.compactMap { name, unit, peak in peak.map { (name, unit, $0) } }
            + others.compactMap { limit in
                limit.peak.flatMap { peak in limit.unit.map { (limit.name, $0, peak) } }
            }
    }

    /// Whether this run was kept by a limit from using more.
    fileprivate func hasReached(_ name: String) -> Bool {
        let names = name == "pids" ? ["pids", "pids-limit"] : [name]
        if outcome.limit.map(names.contains) ?? false { return true }
        if limits.contains(where: { names.contains($0.name) && $0.hit == true }) { return true }
        return switch outcome.reason {
        case .oom: name == "memory"
        case .timeout: name == "timeout"
        case .cpuTime: name == "cpu-time"
        case .disk: name == "file-size"
        case .output: name == "output-size"
        case .exited, .signal, .setup, .exec: false
        }
    }
}

extension UsageReport.Limit {
    /// Whether it is of something that a command has a certain need of: not of a speed, and no order.
    fileprivate var isOfAmount: Bool {
        switch unit {
        case .bytes, .nanoseconds, .processes, .files: true
        case .millicpus, .bytesPerSecond, .operationsPerSecond, .level, nil: false
        }
    }
}
