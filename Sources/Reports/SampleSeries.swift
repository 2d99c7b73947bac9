/// Samples of a command of any length: never more than `capacity`, spread over all of it.
///
/// Whenever it is full, two neighbours become one, and the interval is twice as long from then on. So a second has a
/// sample for each 20 ms and a day one for each six minutes, and neither takes more memory than the other.
public struct SampleSeries: Sendable {
    /// The most samples that there can be.
    public static let capacity = 301
    /// How long it is from one to the next at first, in nanoseconds, unless the caller says otherwise.
    public static let firstInterval: UInt64 = 20_000_000

    /// How long it is from one to the next for now, in nanoseconds.
    public private(set) var interval: UInt64
    private var points: [UsageReport.Sample] = []

    /// - Parameter interval: In nanoseconds, more than 0.
    public init(interval: UInt64 = firstInterval) {
        self.interval = interval
    }

    /// When the next sample is due: nanoseconds since the command's begin.
    public var nextTime: UInt64 { points.last.map { (openFrom ?? $0.time) + interval } ?? 0 }

    /// Adds a look, later than those before. One that comes before it is due, as the last does when the command has ended,
    /// becomes one with the next.
    public mutating func add(_ sample: UsageReport.Sample) {
        if openFrom != nil {
            points[points.count - 1] = sample.covering(points[points.count - 1])
        } else {
            if points.count == Self.capacity { halve() }
            points.append(sample)
        }
    }

    /// The time of the last sample but one, if the last has come before it was due.
    private var openFrom: UInt64? {
        guard points.count >= 2 else { return nil }
        let before = points[points.count - 2].time
        return points[points.count - 1].time - before < interval ? before : nil
    }

    /// What there is so far.
    public var samples: UsageReport.Samples { UsageReport.Samples(interval: interval, points: points) }

    /// The first stays, so that the series begins where the command does.
    private mutating func halve() {
        var kept = 1
        for index in stride(from: 1, to: points.count - 1, by: 2) {
            points[kept] = points[index + 1].covering(points[index])
            kept += 1
        }
        points.removeSubrange(kept...)
        interval *= 2
    }
}

extension UsageReport.Sample {
    /// This sample in place of itself and an earlier one: counters are the later's, of what goes up and down the highest
    /// is kept, so that no peak is lost.
    fileprivate func covering(_ earlier: UsageReport.Sample) -> UsageReport.Sample {
        var both = self
        both.memory = Self.higher(memory, earlier.memory)
        both.swap = Self.higher(swap, earlier.swap)
        both.processes = Self.higher(processes, earlier.processes)
        return both
    }

    private static func higher(_ one: UInt64?, _ other: UInt64?) -> UInt64? {
        guard let one, let other else { return one ?? other }
        return max(one, other)
    }
}
