/// Where the lines of a chart's grid are.
struct ChartScale {
    /// What steps between them are good to read.
    enum Steps {
        /// Powers of two.
        case bytes
        /// 1, 2 and 5 and their tens.
        case decimal
        /// The same from 1 on.
        case whole
        /// Parts of a second, a minute, an hour, a day; in nanoseconds.
        case time
    }

    /// Between two lines.
    let step: Double
    /// The last line.
    let top: Double

    /// - Parameters:
    ///   - highest: What has to have room; 0 or more.
    ///   - lines: About so many.
    init(upTo highest: Double, _ steps: Steps, lines: Double) {
        let wanted = highest / lines
        step =
            switch steps {
            case .bytes: Self.powerOfTwo(from: wanted)
            case .decimal: Self.decimal(from: wanted)
            case .whole: max(1, Self.decimal(from: wanted))
            case .time: Self.time(from: wanted)
            }
        top = max(1, (highest / step).rounded(.up)) * step
    }

    /// Where lines are, 0 included.
    var lines: [Double] { (0...Int((top / step).rounded())).map { Double($0) * step } }

    private static func powerOfTwo(from wanted: Double) -> Double {
        var step = 1.0
        while step < wanted { step *= 2 }
        return step
    }

    private static func decimal(from wanted: Double) -> Double {
        guard wanted > 0 else { return 1 }
        var power = 1.0
        while power > wanted { power /= 10 }
        while power * 10 <= wanted { power *= 10 }
        return [1, 2, 5].map { $0 * power }.first { $0 >= wanted } ?? 10 * power
    }

    private static func time(from wanted: Double) -> Double {
        let second = 1e9
        if wanted <= second / 2 { return max(1, decimal(from: wanted)) }
        let steps: [Double] = [
            1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800,
        ]
        return steps.map { $0 * second }.first { $0 >= wanted } ?? (wanted / 604_800e9).rounded(.up) * 604_800e9
    }

    /// A time on an axis with this step, in nanoseconds: `30 s`, `1.5 s`, `2 min`.
    func time(_ nanoseconds: Double) -> String {
        // Seconds and their parts have decimals.
        let units = [
            (86_400e9, "d", false), (3600e9, "h", false), (60e9, "min", false), (1e9, "s", true), (1e6, "ms", true),
            (1e3, "µs", true),
        ]
        let unit = units.first { size, _, isDecimal in step >= size || isDecimal && top >= size && step >= size / 100 }
        let (size, name, _) = unit ?? (1, "ns", true)
        return nanoseconds == 0 ? "0" : "\(Readable.decimal(nanoseconds / size, places: 2)) \(name)"
    }
}
