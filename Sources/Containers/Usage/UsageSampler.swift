import Cgroups
import Linux
import Reports

/// Looks at a cgroup from time to time, for charts.
///
/// One look takes about 0.1 ms. It begins with 50 a second, for what is soon over; each time 600 have been taken it drops
/// every second one and takes them half as often.
final class UsageSampler {
    private let cgroup: any Cgroup
    private let loop: EventLoop
    private let begin: UInt64
    private var interval: UInt64 = 20_000_000
    private var points: [UsageReport.Sample] = []
    private var timer: Int?

    private static let mostPoints = 600

    /// - Parameter begin: When the command began, by the clock that only goes forward.
    init(_ cgroup: any Cgroup, loop: EventLoop, begin: UInt64) {
        self.cgroup = cgroup
        self.loop = loop
        self.begin = begin
        look()
    }

    /// Takes the last look.
    func finish() -> UsageReport.Samples {
        if let timer { loop.cancel(timer) }
        take()
        return UsageReport.Samples(interval: interval, points: points)
    }

    private func look() {
        take()
        if points.count >= Self.mostPoints {
            points = points.enumerated().filter { $0.offset.isMultiple(of: 2) }.map(\.element)
            interval *= 2
        }
        timer = loop.after(nanoseconds: interval) { [unowned self] in look() }
    }

    private func take() {
        // `try?`: a cgroup that is just going has nothing more to show
        guard let statistics = try? cgroup.statistics() else { return }
        var sample = UsageReport.Sample(time: Clock.monotonic() - begin)
        sample.memory = statistics.memory?.usage
        sample.swap = statistics.memory?.swap
        sample.cpu = statistics.cpu?.usage
        sample.read = statistics.io?.readBytes
        sample.written = statistics.io?.writeBytes
        sample.processes = statistics.pids?.current
        points.append(sample)
    }
}
