import Testing

@testable import Reports

struct ChartScaleTests {
    @Test(arguments: [
        (2.6e9, ["0", "0.5 s", "1 s", "1.5 s", "2 s", "2.5 s", "3 s"]),
        (96e9, ["0", "15 s", "30 s", "45 s", "60 s", "75 s", "90 s", "105 s"]),
        (600e9, ["0", "2 min", "4 min", "6 min", "8 min", "10 min"]),
        (800e6, ["0", "200 ms", "400 ms", "600 ms", "800 ms"]),
        (7_200e9, ["0", "30 min", "60 min", "90 min", "120 min"]),
        (90 * 86_400e9, ["0", "14 d", "28 d", "42 d", "56 d", "70 d", "84 d", "98 d"]),
    ])
    func `times have steps that people count in`(span: Double, labels: [String]) {
        let scale = ChartScale(upTo: span, .time, lines: 7)
        #expect(scale.lines.map(scale.time) == labels)
    }

    @Test func `bytes have powers of two, others ones, twos and fives`() {
        #expect(
            ChartScale(upTo: 512 * 1_048_576, .bytes, lines: 4).lines.map { $0 / 1_048_576 } == [0, 128, 256, 384, 512])
        #expect(ChartScale(upTo: 1.5, .decimal, lines: 4).lines == [0, 0.5, 1, 1.5])
        #expect(ChartScale(upTo: 3, .whole, lines: 4).lines == [0, 1, 2, 3])
        #expect(ChartScale(upTo: 900, .whole, lines: 4).lines == [0, 500, 1000])
    }

    @Test(arguments: [ChartScale.Steps.bytes, .decimal, .whole, .time], [0, 1e-9, 1, 0x1p64, 1e30])
    func `any value has room, and few lines`(steps: ChartScale.Steps, highest: Double) {
        let scale = ChartScale(upTo: highest, steps, lines: 4)
        #expect(scale.top >= highest && scale.step > 0 && scale.lines.count <= 9)
    }
}
