import Glibc

/// How often and when what failed in passing is tried again.
public struct RetryPolicy: Sendable {
    /// How often in all.
    public var attempts = 6
    /// Before the second attempt; each further wait is twice as long.
    public var firstWait: Duration = .milliseconds(250)
    /// The longest wait, also where the server asks for a longer one.
    public var longestWait: Duration = .seconds(30)

    public init() {}

    /// How long to wait before the next attempt.
    ///
    /// - Parameters:
    ///   - failures: How often it has failed, at least 1.
    ///   - asked: What the server asks for.
    func wait(after failures: Int, asked: Duration?) -> Duration {
        if let asked { return min(asked, longestWait) }
        let full = min(firstWait * (1 << min(failures - 1, 16)), longestWait)
        // Not all at once: those whom one outage cut off would otherwise come back together.
        return full * Double.random(in: 0.5...1)
    }

    /// Calls `body` until it succeeds, or fails in a way that will not pass.
    func retrying<Result: Sendable>(
        _ body: () async throws(RequestFailure) -> Result
    ) async throws(RequestFailure) -> Result {
        var failures = 0
        while true {
            let failure: RequestFailure
            do throws(RequestFailure) {
                return try await body()
            } catch {
                failure = error
            }
            failures += 1
            guard failure.isTransient, failures < attempts else { throw failure }
            try await pause(wait(after: failures, asked: failure.retryAfter))
        }
    }

    func pause(_ duration: Duration) async throws(RequestFailure) {
        do {
            try await Task.sleep(for: duration)
        } catch {
            throw RequestFailure("given up")
        }
    }
}
