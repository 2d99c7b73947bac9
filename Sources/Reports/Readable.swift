/// Quantities the way people read them, with three digits that count.
public enum Readable {
    /// A value of `unit`s; without one it is a count.
    public static func text(_ value: UInt64, _ unit: UsageReport.Unit?) -> String {
        switch unit {
        case .bytes: bytes(value)
        case .nanoseconds: duration(value)
        case .bytesPerSecond: "\(bytes(value))/s"
        case .operationsPerSecond: "\(count(value))/s"
        case .millicpus: decimal(Double(value) / 1000)
        case .processes, .files, .level, nil: count(value)
        }
    }

    /// `512 MiB`, `1.46 GiB`, `17 bytes`.
    public static func bytes(_ count: UInt64) -> String {
        guard count >= 1024 else { return count == 1 ? "1 byte" : "\(count) bytes" }
        var value = Double(count)
        var unit = -1
        while value >= 1023.5, unit < 5 {  // what rounds to 1024 is one of the next
            value /= 1024
            unit += 1
        }
        return "\(decimal(value)) \(["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"][unit])"
    }

    /// `850 ns`, `12.3 ms`, `4.56 s`, `4 min 05 s`, `3 h 04 min`, `2 d 03 h`.
    public static func duration(_ nanoseconds: UInt64) -> String {
        let value = Double(nanoseconds)
        switch value {
        case ..<1000: return "\(nanoseconds) ns"
        case ..<999_500: return "\(decimal(value / 1e3)) µs"
        case ..<999_500_000: return "\(decimal(value / 1e6)) ms"
        case ..<59_950_000_000: return "\(decimal(value / 1e9)) s"
        default: break
        }
        let seconds = UInt64((value / 1e9).rounded())
        switch seconds {
        case ..<3600: return "\(seconds / 60) min \(two(seconds % 60)) s"
        case ..<86_400: return "\(seconds / 3600) h \(two(seconds % 3600 / 60)) min"
        default: return "\(seconds / 86_400) d \(two(seconds % 86_400 / 3600)) h"
        }
    }

    /// With commas between thousands: `123,456`.
    public static func count(_ number: UInt64) -> String {
        var digits = Array(String(number).utf8)
        var place = digits.count - 3
        while place > 0 {
            digits.insert(UInt8(ascii: ","), at: place)
            place -= 3
        }
        return String(decoding: digits, as: UTF8.self)
    }

    /// The whole number below a value of 0 or more, or the highest that there is.
    static func whole(_ value: Double) -> UInt64 { value < 0x1p64 ? UInt64(value) : .max }

    /// `34.2 %`, of a share of one; below a thousandth of one percent it is 0.
    public static func percent(_ share: Double) -> String { "\(decimal(share * 100)) %" }

    /// Up to three digits, and no zeros at the end of a fraction: `1.5`, `0.034`, `512`, `20000`.
    ///
    /// - Parameter value: 0 or more.
    public static func decimal(_ value: Double) -> String {
        let places =
            switch value {
            case ..<0.9995: 3
            case ..<9.995: 2
            case ..<99.95: 1
            default: 0
            }
        return decimal(value, places: places)
    }

    /// At most so many places behind the point, and no zeros at the end.
    ///
    /// - Parameter value: 0 or more.
    public static func decimal(_ value: Double, places: Int) -> String {
        let scale = (0..<places).reduce(UInt64(1)) { product, _ in product * 10 }
        let scaled = value * Double(scale)
        guard scaled < 0x1p63 else { return "∞" }
        let number = UInt64(scaled.rounded())
        var fraction = String(number % scale + scale).dropFirst()
        while fraction.last == "0" { fraction.removeLast() }
        return fraction.isEmpty ? "\(number / scale)" : "\(number / scale).\(fraction)"
    }

    private static func two(_ number: UInt64) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
