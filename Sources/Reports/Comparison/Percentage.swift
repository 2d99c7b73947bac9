public import Linux

/// A share as users write it: `20%`, `12.5%`, `20`.
public struct Percentage: Sendable, Equatable, CustomStringConvertible {
    /// In hundredths of a percent, at most 10,000,000.
    private let hundredths: UInt64

    /// - Parameter text: From 0 to 100000, with at most two places behind the point, and with or without `%`.
    /// - Throws: With an empty step, for the flag's name.
    public init(_ text: String) throws(Failure) {
        let number = text.utf8.last == UInt8(ascii: "%") ? text.dropLast() : text[...]
        let parts = number.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let whole = Self.digits(parts[0], at: 1...6),
            let fraction = parts.count == 1 ? 0 : Self.fraction(parts[1]), whole <= 100_000
        else { throw Failure("", "'\(text)'", "not a percentage", remedy: "give one from 0% to 100000%, such as 20%") }
        hundredths = whole * 100 + fraction
    }

    private static func fraction(_ text: Substring) -> UInt64? {
        digits(text, at: 1...2).map { text.utf8.count == 1 ? $0 * 10 : $0 }
    }

    private static func digits(_ text: Substring, at counts: ClosedRange<Int>) -> UInt64? {
        guard counts.contains(text.utf8.count),
            text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        return UInt64(text)
    }

    /// `value` and this share of it on top, rounded up.
    public func added(to value: UInt64) -> UInt64 {
        UInt64(clamping: (UInt128(value) * UInt128(10_000 + hundredths) + 9999) / 10_000)
    }

    /// Whether `after` is more than `before` and this share of it on top.
    public func isExceeded(by after: UInt64, over before: UInt64) -> Bool {
        UInt128(after) * 10_000 > UInt128(before) * UInt128(10_000 + hundredths)
    }

    public var description: String { "\(Readable.decimal(Double(hundredths) / 100, places: 2))%" }
}
