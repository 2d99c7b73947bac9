/// Durations as Go writes them, which is how Dockerfiles do: `1m30s`, `1.5h`, `-2ms`; without a unit only `0`.
enum GoDuration {
    private static let units: KeyValuePairs<String, Double> = [
        "ns": 1, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9,
    ]

    /// - Returns: `nil` for what is no duration, and for more than 292 years.
    static func nanoseconds(_ text: String) -> Int64? {
        var rest = text[...]
        let isNegative = rest.first == "-"
        if isNegative || rest.first == "+" { rest.removeFirst() }
        if rest == "0" { return 0 }
        guard !rest.isEmpty else { return nil }
        var total = 0.0
        while !rest.isEmpty {
            let number = rest.prefix { $0 == "." || ("0"..."9").contains($0) }
            let unit = rest[number.endIndex...].prefix { $0 != "." && !("0"..."9").contains($0) }
            guard let factor = units.first(where: { $0.key == unit })?.value, let count = Self.decimal(number) else {
                return nil
            }
            total += count * factor
            rest = rest[unit.endIndex...]
        }
        guard total < 0x1p63 else { return nil }
        return isNegative ? -Int64(total) : Int64(total)
    }

    /// Digits with at most one point among them.
    private static func decimal(_ digits: Substring) -> Double? {
        guard digits.contains(where: { $0 != "." }), digits.count(where: { $0 == "." }) <= 1 else { return nil }
        return Double("0\(digits)\(digits.last == "." ? "0" : "")")
    }
}
