/// What is different between two reports.
public struct Comparison: Sendable {
    /// A figure that is not what it was.
    public struct Change: Sendable, Equatable {
        /// Which one, with a value for its label and unit alone.
        public let figure: Figure
        /// The title of its group.
        public let group: String
        /// `nil` where it is not known.
        public let before: UInt64?
        public let after: UInt64?

        /// How many times as much it is; `nil` where that cannot be told.
        public var ratio: Double? {
            guard let before, let after, before > 0 else { return nil }
            return Double(after) / Double(before)
        }

        public var hasGrown: Bool { (after ?? 0) > (before ?? .max) }
        public var hasShrunk: Bool { (after ?? .max) < (before ?? 0) }

        /// A value of it for people.
        public func text(_ value: UInt64?) -> String { value.map { Readable.text($0, figure.unit) } ?? "unknown" }
    }

    /// Anything else that is not what it was.
    public struct Fact: Sendable, Equatable {
        public let label: String
        /// `nil` where it is not known, or was not asked for.
        public let before: String?
        public let after: String?
    }

    public let facts: [Fact]
    public let changes: [Change]
    /// How many figures are the same.
    public let unchanged: Int

    public init(_ before: UsageReport, _ after: UsageReport) {
        facts = Self.facts(before, after)
        var changes: [Change] = []
        var unchanged = 0
        for (group, figure) in Self.allFigures(before, after) {
            let change = Change(
                figure: figure, group: group, before: before.figure(figure.field)?.value,
                after: after.figure(figure.field)?.value)
            if change.before == change.after { unchanged += 1 } else { changes.append(change) }
        }
        self.changes = changes
        self.unchanged = unchanged
    }

    /// Those that either has, by kind.
    private static func allFigures(
        _ before: UsageReport, _ after: UsageReport
    ) -> [(group: String, figure: Figure)] {
        var all = before.figures.map { ($0.title, $0.figures) }
        for group in after.figures {
            if let index = all.firstIndex(where: { $0.0 == group.title }) {
                let known = Set(all[index].1.map(\.field))
                all[index].1 += group.figures.filter { !known.contains($0.field) }
            } else {
                all.append((group.title, group.figures))
            }
        }
        return all.flatMap { title, figures in figures.map { (title, $0) } }
    }

    private static func facts(_ before: UsageReport, _ after: UsageReport) -> [Fact] {
        let facts: [(String, (UsageReport) -> String?)] = [
            ("command", { $0.commandLine }), ("directory", { $0.workingDirectory }), ("ended", { $0.verdict.title }),
            ("image", { $0.container?.image }), ("host", { $0.host.name }), ("kernel", { $0.host.kernel }),
            ("processors", { $0.host.processors.map { "\($0)" } }), ("memory", { $0.host.memory.map(Readable.bytes) }),
            ("figures from", { $0.accounting?.rawValue }), ("version", { $0.version }),
        ]
        let names = before.limits.map(\.name)
        let limits = names + after.limits.map(\.name).filter { !names.contains($0) }
        return
            (facts.map { Fact(label: $0.0, before: $0.1(before), after: $0.1(after)) }
            + limits.map { name in
                Fact(label: "\(name) limit", before: before.asked(name), after: after.asked(name))
            }).filter { $0.before != $0.after }
    }
}

extension UsageReport {
    /// What was asked of a limit.
    fileprivate func asked(_ name: String) -> String? { limits.first { $0.name == name }?.asked }
}
