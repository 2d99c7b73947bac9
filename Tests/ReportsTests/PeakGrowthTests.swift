import Linux
import Testing

@testable import Reports

struct PeakGrowthTests {
    @Test(arguments: [
        (100, 120, "20%", false), (100, 121, "20%", true), (100, 120, "20", false), (100, 50, "0%", false),
        (100, 101, "0%", true), (1000, 1125, "12.5%", false), (1000, 1126, "12.5%", true), (0, 1, "100000%", true),
        (1 << 62, UInt64.max, "300%", false),
    ])
    func `growth counts from where it is more than allowed`(
        before: UInt64, after: UInt64, allowed: String, isTooMuch: Bool
    ) throws {
        let verdict = try PeakGrowth.verdict(
            of: report(peak: after), over: report(peak: before), named: "a.json", allowed: Percentage(allowed))
        #expect((verdict != nil) == isTooMuch)
    }

    @Test func `the verdict says how much, from what and to what`() throws {
        let verdict = try PeakGrowth.verdict(
            of: report(peak: 512 << 20), over: report(peak: 384 << 20), named: "a.json", allowed: Percentage("20%"))
        #expect(
            verdict == "peak memory has grown by 33.3 %, from 384 MiB to 512 MiB: 20% over 'a.json' is allowed")
    }

    @Test func `without a figure for all processes the largest of each is compared`() throws {
        var before = UsageReport.minimal
        before.memory.largestProcess = 100
        var after = report(peak: 1)
        after.memory.largestProcess = 121
        let verdict = try PeakGrowth.verdict(of: after, over: before, named: "a.json", allowed: Percentage("20%"))
        #expect(verdict?.hasPrefix("peak memory of the largest process has grown by 21 %") == true)
    }

    @Test func `nothing to compare is an error and no success`() throws {
        let allowed = try Percentage("20%")
        let one = #expect(throws: Failure.self) {
            try PeakGrowth.verdict(of: report(peak: 1), over: .minimal, named: "a.json", allowed: allowed)
        }
        #expect(one?.reason == "has no peak memory to compare with")
        let other = #expect(throws: Failure.self) {
            try PeakGrowth.verdict(of: .minimal, over: report(peak: 1), named: "a.json", allowed: allowed)
        }
        #expect(other?.reason == "the peak memory of this run is not known")
    }

    @Test(arguments: ["", "%", "-1%", "1.234%", "20%%", "1e3", "100001%", " 20%", "20 %", "1.", ".5", "٢٠%"])
    func `what is no percentage is refused`(text: String) {
        #expect(throws: Failure.self) { try Percentage(text) }
    }

    @Test func `a margin is added and rounded up`() throws {
        #expect(try Percentage("20%").added(to: 101) == 122)
        #expect(try Percentage("0").added(to: 101) == 101)
        #expect(try Percentage("100000%").added(to: .max) == .max)
        #expect(try Percentage("12.50%").description == "12.5%")
    }

    private func report(peak: UInt64) -> UsageReport {
        var report = UsageReport.minimal
        report.memory.total.peak = peak
        return report
    }
}
