import Linux

/// How a command ended, in words.
public struct Verdict: Sendable, Equatable {
    /// What a reader has to think of it.
    public enum Tone: String, Sendable {
        /// It ended well.
        case good
        /// It failed by itself.
        case failed
        /// A limit ended it.
        case cut
    }

    public let tone: Tone
    /// A few words: `Out of memory`.
    public let title: String
    /// What more there is to say; `nil` if nothing.
    public let detail: String?
}

extension UsageReport {
    public var verdict: Verdict {
        Verdict(tone: tone, title: title, detail: outcome.message ?? cutByLimit)
    }

    private var tone: Verdict.Tone {
        if outcome.isCut { return .cut }
        return outcome.isSuccess ? .good : .failed
    }

    private var title: String {
        switch outcome.reason {
        case .exited where outcome.exitCode == 0: "Succeeded"
        case .exited: outcome.exitCode.map { "Failed with exit code \($0)" } ?? "Ended"
        case .signal: outcome.signal.map { "Killed by \(Signal(rawValue: $0))" } ?? "Killed by a signal"
        case .oom: "Out of memory"
        case .timeout: "Timed out"
        case .cpuTime: "Out of CPU time"
        case .disk: "Wrote too much to disk"
        case .output: "Printed too much"
        case .setup: "Could not be set up"
        case .exec: "Could not be executed"
        }
    }

    private var cutByLimit: String? {
        guard let limit = limits.first(where: { $0.name == outcome.limit }) else { return nil }
        return "\(limit.name) limit of \(limit.asked) hit"
    }
}
