import Testing

@testable import Reports

struct SampleSeriesTests {
    @Test(arguments: [1, 20, 300, 301, 302, 601, 100_000])
    func `a series of any length has its first and last sample and at most 301`(count: UInt64) {
        let samples = series(count).samples
        #expect(samples.points.count <= 301)
        #expect(samples.points.count >= min(Int(count), 151))
        #expect(samples.points.first?.time == 0)
        #expect(samples.points.last?.time == (count - 1) * 20_000_000)
    }

    @Test func `each thinning doubles the interval`() {
        #expect(series(301).samples.interval == 20_000_000)
        #expect(series(302).samples.interval == 40_000_000)
        #expect(series(601).samples.interval == 40_000_000)
        #expect(series(603).samples.interval == 80_000_000)
        #expect(series(0).nextTime == 0 && series(1).nextTime == 20_000_000)
    }

    @Test func `a peak between samples that are left out is kept, and counters stay in step with their times`() {
        var series = SampleSeries(interval: 1)
        for time in 0..<UInt64(20_000) {
            var sample = UsageReport.Sample(time: time)
            sample.memory = time == 4321 ? 1 << 30 : 1 << 20
            sample.cpu = time * 3
            series.add(sample)
        }
        let points = series.samples.points
        #expect(points.compactMap(\.memory).max() == 1 << 30)
        #expect(points.allSatisfy { $0.cpu == $0.time * 3 && $0.swap == nil })
        #expect(zip(points, points.dropFirst()).allSatisfy { $0.time < $1.time })
    }

    @Test func `the highest rate is that of the busiest span`() {
        func rate(_ points: [(UInt64, UInt64?)], over span: UInt64) -> Double? {
            let samples = points.map { time, cpu in
                var sample = UsageReport.Sample(time: time)
                sample.cpu = cpu
                return sample
            }
            return UsageReport.Samples(interval: 1, points: samples).highestRate(over: span) { $0.cpu }
        }
        #expect(rate([(0, 0), (10, 5), (20, 25), (30, 25), (40, 26)], over: 10) == 2)
        // A burst that is shorter counts as part of a whole span.
        #expect(rate([(0, 0), (10, 5), (20, 25), (30, 25), (40, 26)], over: 20) == 1.25)
        #expect(rate([(0, 0), (1, 9), (100, 10)], over: 50) == 0.1)
        #expect(rate([(0, 0), (5, 5)], over: 10) == nil && rate([], over: 10) == nil && rate([(0, 1)], over: 0) == nil)
        #expect(rate([(0, nil), (10, 5), (20, 10)], over: 10) == 0.5)
    }

    private func series(_ count: UInt64) -> SampleSeries {
        var series = SampleSeries()
        for index in 0..<count { series.add(UsageReport.Sample(time: index * 20_000_000)) }
        return series
    }
}
