public import Linux

/// What `--fail-if-peak-grows PERCENT --baseline FILE` asks.
public enum PeakGrowth {
    /// What Apus exits with when it has grown and the command itself ended with 0.
    public static let exitStatus: Int32 = 123

    /// Compares the peak memory of a run with that of an earlier one.
    ///
    /// It is the peak of all processes together. Where one of the two has none, since no cgroup counted it, it is the
    /// largest process in both.
    ///
    /// - Returns: The verdict; `nil` if it has grown by no more than `allowed`.
    /// - Throws: When there is nothing to compare.
    public static func verdict(
        of report: UsageReport, over baseline: UsageReport, named name: String, allowed: Percentage
    ) throws(Failure) -> String? {
        let (what, before, after) = try peaks(of: report, over: baseline, named: name)
        guard allowed.isExceeded(by: after, over: before) else { return nil }
        let grown = before == 0 ? "" : " by \(Readable.percent(Double(after - before) / Double(before)))"
        return "\(what) has grown\(grown), from \(Readable.bytes(before)) to \(Readable.bytes(after)): "
            + "\(allowed) over '\(name)' is allowed"
    }

    private static func peaks(
        of report: UsageReport, over baseline: UsageReport, named name: String
    ) throws(Failure) -> (what: String, before: UInt64, after: UInt64) {
        if let before = baseline.memory.total.peak, let after = report.memory.total.peak {
            return ("peak memory", before, after)
        }
        if let before = baseline.memory.largestProcess, let after = report.memory.largestProcess {
            return ("peak memory of the largest process", before, after)
        }
        let both = report.memory.total.peak ?? report.memory.largestProcess
        throw Failure(
            "--fail-if-peak-grows", name,
            both == nil ? "the peak memory of this run is not known" : "has no peak memory to compare with",
            remedy: "take a new baseline by --report, with the same limits")
    }
}
