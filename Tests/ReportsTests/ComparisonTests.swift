import Testing

@testable import Reports

struct ComparisonTests {
    @Test func `a report is the same as itself`() {
        let comparison = Comparison(.whole, .whole)
        #expect(comparison.changes.isEmpty && comparison.facts.isEmpty && comparison.unchanged > 35)
    }

    @Test func `what has changed is there with its ratio, what is not known too`() throws {
        var after = UsageReport.whole
        after.memory.total.peak = 768 << 20
        after.processes.peak = nil
        after.command = ["make", "-j", "two words"]
        after.limits[0].asked = "1 GiB"
        after.limits.removeLast()
        let comparison = Comparison(.whole, after)
        #expect(comparison.changes.map(\.figure.field) == ["memory.total.peakBytes", "processes.peak"])
        let memory = try #require(comparison.changes.first)
        #expect(memory.ratio == 1.5 && memory.hasGrown && !memory.hasShrunk && memory.text(memory.after) == "768 MiB")
        let processes = try #require(comparison.changes.last)
        #expect(processes.ratio == nil && !processes.hasGrown && !processes.hasShrunk)
        #expect(processes.text(processes.after) == "unknown")
        #expect(comparison.facts.map(\.label) == ["command", "memory limit", "cpuset limit"])
        #expect(comparison.facts[0].after == "make -j 'two words'" && comparison.facts[2].after == nil)
    }

    @Test func `what only the later one knows is a change too`() {
        let comparison = Comparison(.minimal, .whole)
        #expect(comparison.changes.contains { $0.figure.field == "wallNanoseconds" && $0.before == nil })
        #expect(comparison.unchanged == 0)
    }
}
