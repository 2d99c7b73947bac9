import Glibc
import Linux
import SystemPackage

/// Tells what a build does, in plain lines on standard error.
public struct BuildProgress: Sendable {
    private let isQuiet: Bool

    public init(isQuiet: Bool) { self.isQuiet = isQuiet }

    /// A step of a stage.
    struct Step {
        /// Such as `[build 2/5]`.
        var mark: String
        var text: String
        var begin = Clock.monotonicNow()
    }

    func begin(_ step: Step) { say("\(step.mark) \(step.text)") }

    func cached(_ step: Step) { say("\(step.mark) \(step.text) (cached)") }

    func end(_ step: Step) {
        let tenths = (Clock.monotonicNow() - step.begin) / 100_000_000
        say("\(step.mark) done in \(tenths / 10).\(tenths % 10) s")
    }

    func note(_ text: String) { say(text) }

    private func say(_ line: String) {
        if isQuiet { return }
        // One call for each line: those of stages at once do not mix.
        try? FileDescriptor(rawValue: STDERR_FILENO).writeFully(Array("\(line)\n".utf8))  // `try?`: nobody listens
    }
}

enum Clock {
    /// In nanoseconds.
    static func monotonicNow() -> UInt64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
    }
}
