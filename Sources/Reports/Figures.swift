public import OCI

/// What the command and everything that it started used together.
extension UsageReport {
    /// Time on processors; times in nanoseconds.
    public struct CPU: JSONMappable, Sendable, Equatable {
        /// All of it.
        public var total: UInt64?
        /// In the programs' own code.
        public var user: UInt64?
        /// In the kernel.
        public var system: UInt64?
        /// Periods of the `--cpus` limit in which something ran.
        public var periods: UInt64?
        /// Those of them in which the limit was used up.
        public var throttledPeriods: UInt64?
        /// How long processes were kept from running by it, summed over the processors.
        public var throttled: UInt64?

        public init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("totalNanoseconds", &total)
            fields.optional("userNanoseconds", &user)
            fields.optional("systemNanoseconds", &system)
            fields.optional("periods", &periods)
            fields.optional("throttledPeriods", &throttledPeriods)
            fields.optional("throttledNanoseconds", &throttled)
        }
    }

    /// Memory by its kind.
    public struct Memory: JSONMappable, Sendable, Equatable {
        /// What the memory limit counts. Its peak is the kernel's own figure where the kernel keeps one.
        public var total = Bytes()
        /// The programs' own: heap, stacks, private mappings.
        public var anonymous = Bytes()
        /// The page cache: files read and written.
        public var file = Bytes()
        /// What the kernel keeps for them: stacks, page tables, slab.
        public var kernel = Bytes()
        /// tmpfs and shared mappings; part of `file` too.
        public var shared = Bytes()
        /// What is under way in sockets.
        public var sockets = Bytes()
        public var swap = Bytes()
        /// The largest resident set of one process, in bytes, as getrusage(2) tells it.
        public var largestProcess: UInt64?

        public init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.section("total", &total)
            fields.section("anonymous", &anonymous)
            fields.section("file", &file)
            fields.section("kernel", &kernel)
            fields.section("shared", &shared)
            fields.section("sockets", &sockets)
            fields.section("swap", &swap)
            fields.optional("largestProcessBytes", &largestProcess)
        }
    }

    /// A size that goes up and down, in bytes.
    public struct Bytes: JSONMappable, Sendable, Equatable {
        /// When the command ended, or when it was last looked at before.
        public var current: UInt64?
        /// The highest. Of kinds of memory that the kernel keeps none for, the highest that a sample has seen.
        public var peak: UInt64?

        public init(current: UInt64? = nil, peak: UInt64? = nil) {
            self.current = current
            self.peak = peak
        }

        package init() { self.init(current: nil) }

        package mutating func map(_ fields: JSONFields) {
            fields.optional("currentBytes", &current)
            fields.optional("peakBytes", &peak)
        }
    }

    public struct PageFaults: JSONMappable, Sendable, Equatable {
        /// Settled in memory.
        public var minor: UInt64?
        /// That had to wait for a disk.
        public var major: UInt64?

        public init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("minor", &minor)
            fields.optional("major", &major)
        }
    }

    /// What went from and to block devices.
    public struct IO: JSONMappable, Sendable, Equatable {
        /// Bytes.
        public var read: UInt64?
        /// Bytes.
        public var written: UInt64?
        public var readOperations: UInt64?
        public var writeOperations: UInt64?

        public init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("readBytes", &read)
            fields.optional("writtenBytes", &written)
            fields.optional("readOperations", &readOperations)
            fields.optional("writeOperations", &writeOperations)
        }
    }

    /// Processes and threads, which Linux counts alike.
    public struct Processes: JSONMappable, Sendable, Equatable {
        /// When the command ended, itself included, or when it was last looked at before.
        public var current: UInt64?
        /// The most at one time.
        public var peak: UInt64?

        public init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("current", &current)
            fields.optional("peak", &peak)
        }
    }

    public struct ContextSwitches: JSONMappable, Sendable, Equatable {
        /// Because a process had to wait.
        public var voluntary: UInt64?
        /// Because its time on the processor was over.
        public var involuntary: UInt64?

        public init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("voluntary", &voluntary)
            fields.optional("involuntary", &involuntary)
        }
    }

    /// How long processes waited for want of something: the kernel's pressure stall information (PSI).
    public struct Pressure: JSONMappable, Sendable, Equatable {
        public var cpu = Stall()
        public var memory = Stall()
        public var io = Stall()

        public init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.section("cpu", &cpu)
            fields.section("memory", &memory)
            fields.section("io", &io)
        }
    }

    /// Times in nanoseconds.
    public struct Stall: JSONMappable, Sendable, Equatable {
        /// In which at least one process waited.
        public var some: UInt64?
        /// In which all did.
        public var full: UInt64?

        public init(some: UInt64? = nil, full: UInt64? = nil) {
            self.some = some
            self.full = full
        }

        package init() { self.init(some: nil) }

        package mutating func map(_ fields: JSONFields) {
            fields.optional("someNanoseconds", &some)
            fields.optional("fullNanoseconds", &full)
        }
    }

    public struct Network: JSONMappable, Sendable, Equatable {
        /// Attempts to reach what the command may not reach.
        public var refusedConnections: UInt64?

        public init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("refusedConnections", &refusedConnections)
        }
    }
}
