/// Whether an answer comes fast enough to be waited for: one that drips would otherwise take for ever without stalling.
struct Pace {
    /// Bytes per second; a modem of 1984 had as many.
    static let slowest: Int64 = 300

    private let window: Duration
    private var begun = ContinuousClock.now
    private var bytes: Int64 = 0

    /// - Parameter timeouts: Whose time for a stall is also that in which so many bytes must have come.
    init(_ timeouts: TransportTimeouts) { window = timeouts.stall }

    /// Takes note of bytes that have come.
    mutating func came(_ count: Int) throws(RequestFailure) {
        bytes += Int64(count)
        let passed = ContinuousClock.now - begun
        guard passed >= window else { return }
        guard bytes >= Int64(passed / .seconds(1) * Double(Self.slowest)) else {
            throw RequestFailure("it stalled: but \(bytes) bytes came in \(window.wording)", isTransient: true)
        }
        begun = .now
        bytes = 0
    }
}
