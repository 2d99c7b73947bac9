/// Values as options of limits take them.
enum LimitWord {
    /// Up to a whole number of what people would write.
    static func rounded(_ value: UInt64, _ unit: UsageReport.Unit) -> UInt64 {
        switch unit {
        case .bytes: up(value, to: value > 1 << 20 ? 1 << 20 : 1 << 10)
        case .nanoseconds: up(value, to: 1_000_000_000)
        default: max(1, value)
        }
    }

    /// Of a value that is rounded.
    static func text(_ value: UInt64, _ unit: UsageReport.Unit) -> String {
        switch unit {
        case .bytes: value % (1 << 20) == 0 ? "\(value >> 20)m" : value % 1024 == 0 ? "\(value >> 10)k" : "\(value)"
        case .nanoseconds: duration(seconds: value / 1_000_000_000)
        default: "\(value)"
        }
    }

    private static func up(_ value: UInt64, to step: UInt64) -> UInt64 {
        let rest = value % step
        guard rest > 0 else { return max(step, value) }
        return value > UInt64.max - step ? value : value - rest + step
    }

    private static func duration(seconds: UInt64) -> String {
        let parts = [(seconds / 3600, "h"), (seconds % 3600 / 60, "m"), (seconds % 60, "s")]
        return parts.filter { $0.0 > 0 }.map { "\($0.0)\($0.1)" }.joined()
    }
}
