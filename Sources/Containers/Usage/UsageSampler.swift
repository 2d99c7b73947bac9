import Cgroups
import Linux
import Reports

/// Looks at a cgroup from time to time, for charts and for the peaks that the kernel does not keep. One look takes some
/// 20 µs: at first 50 of them are taken a second, and fewer the longer it takes.
final class UsageSampler {
    private let meter: CgroupMeter
    private let loop: EventLoop
    private let begin: UInt64
    private var series = SampleSeries()
    private var timer: Int?
    private var looks = 0
    /// The highest of each kind that a look has seen.
    private(set) var peaks = CgroupMeter.MemoryKinds()

    /// - Parameter begin: When the command began, by the clock that only goes forward.
    init(_ cgroup: any Cgroup, loop: EventLoop, begin: UInt64) {
        meter = CgroupMeter(cgroup)
        self.loop = loop
        self.begin = begin
        look()
    }

    /// Takes the last look.
    func finish() -> UsageReport.Samples {
        if let timer { loop.cancel(timer) }
        take()
        return series.samples
    }

    private func look() {
        take()
        // The kernel sums these up for each look.
        if looks % 5 == 0 { peaks.raise(to: meter.readMemoryKinds()) }
        looks += 1
        let now = Clock.monotonic() - begin
        timer = loop.after(nanoseconds: max(series.nextTime, now + 1_000_000) - now) { [unowned self] in look() }
    }

    private func take() {
        guard let reading = meter.read() else { return }
        var sample = UsageReport.Sample(time: Clock.monotonic() - begin)
        sample.memory = reading.memory
        sample.swap = reading.swap
        sample.cpu = reading.cpu
        sample.read = reading.readBytes
        sample.written = reading.writtenBytes
        sample.processes = reading.processes
        series.add(sample)
    }
}

extension CgroupMeter.MemoryKinds {
    /// Takes over what is higher.
    fileprivate mutating func raise(to look: Self) {
        for kind in [\Self.anonymous, \.file, \.kernel, \.shared, \.sockets] {
            if let seen = look[keyPath: kind] { self[keyPath: kind] = max(self[keyPath: kind] ?? 0, seen) }
        }
    }
}
