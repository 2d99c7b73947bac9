public import OCI

extension UsageReport {
    /// What was seen from time to time while the command ran.
    public struct Samples: JSONMappable, Sendable, Equatable {
        /// How long it is from one to the next, in nanoseconds.
        public var interval: UInt64
        /// The oldest first.
        public var points: [Sample]

        public init(interval: UInt64, points: [Sample]) {
            self.interval = interval
            self.points = points
        }

        package init() { self.init(interval: 0, points: []) }

        package mutating func map(_ fields: JSONFields) {
            fields.required("intervalNanoseconds", &interval)
            fields.required("points", &points)
        }
    }

    /// One look. Counters that only grow are what they were since the command's begin.
    public struct Sample: JSONMappable, Sendable, Equatable {
        /// Since the command's begin, in nanoseconds.
        public var time: UInt64
        /// What the memory limit counts, in bytes.
        public var memory: UInt64?
        /// In bytes.
        public var swap: UInt64?
        /// Time on processors so far, in nanoseconds.
        public var cpu: UInt64?
        /// Bytes so far.
        public var read: UInt64?
        /// Bytes so far.
        public var written: UInt64?
        /// Processes and threads.
        public var processes: UInt64?

        public init(time: UInt64) { self.time = time }

        package init() { self.init(time: 0) }

        package mutating func map(_ fields: JSONFields) {
            fields.required("timeNanoseconds", &time)
            fields.optional("memoryBytes", &memory)
            fields.optional("swapBytes", &swap)
            fields.optional("cpuNanoseconds", &cpu)
            fields.optional("readBytes", &read)
            fields.optional("writtenBytes", &written)
            fields.optional("processes", &processes)
        }
    }
}

extension UsageReport.Samples {
    /// The fastest that a counter grew: by how much of its unit in each nanosecond.
    ///
    /// - Parameter span: What it is the average of at least, in nanoseconds: the period of CPU limits, unless the caller says
    ///   otherwise.
    /// - Returns: `nil` where that is longer than what was seen.
    public func highestRate(over span: UInt64 = 100_000_000, of field: (UsageReport.Sample) -> UInt64?) -> Double? {
        var highest: Double?
        func look(_ first: Int, _ last: Int) {
            let time = points[last].time - points[first].time
            guard time > 0, time >= span, let before = field(points[first]), let after = field(points[last]),
                after >= before
            else { return }
            highest = max(highest ?? 0, Double(after - before) / Double(time))
        }
        // The shortest spans that begin with each sample, and those that end with each.
        var first = 0
        for last in points.indices {
            while first < last, points[last].time - points[first].time >= span {
                look(first, last)
                first += 1
            }
            if first > 0 { look(first - 1, last) }
        }
        return highest
    }
}
