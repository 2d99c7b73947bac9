import Glibc
import Linux
import SystemPackage

/// Looks at what a cgroup uses again and again, and cheaply: its files stay open, and a look reads each of them once, always
/// into the same memory.
public final class CgroupMeter {
    /// One look; `nil` is what this cgroup does not count.
    public struct Reading: Sendable, Equatable {
        /// Bytes, file cache included.
        public var memory: UInt64?
        /// Bytes.
        public var swap: UInt64?
        /// Nanoseconds on processors, since the cgroup was made.
        public var cpu: UInt64?
        /// Bytes read from disks, since the cgroup was made.
        public var readBytes: UInt64?
        /// Bytes written to disks, since the cgroup was made.
        public var writtenBytes: UInt64?
        /// Processes and threads.
        public var processes: UInt64?
    }

    /// Memory by kind, in bytes; `nil` is what this cgroup does not tell.
    public struct MemoryKinds: Sendable, Equatable {
        /// The programs' own.
        public var anonymous: UInt64?
        /// The page cache.
        public var file: UInt64?
        /// What the kernel keeps for them.
        public var kernel: UInt64?
        /// tmpfs and shared mappings.
        public var shared: UInt64?
        /// What is under way in sockets.
        public var sockets: UInt64?

        public init() {}
    }

    private let kind: CgroupRecord.Kind
    private let memory: FileDescriptor?
    private let swap: FileDescriptor?
    private let cpu: FileDescriptor?
    private let io: FileDescriptor?
    private let processes: FileDescriptor?
    private let memoryKinds: FileDescriptor?
    /// Enough for some hundred disks.
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)

    /// Opens the files of a cgroup, as far as this kernel has them.
    public init(_ cgroup: any Cgroup) {
        let record = cgroup.record
        func open(_ controller: String, v1: String, v2: String) -> FileDescriptor? {
            let isV2 = record.kind == .v2
            let path =
                isV2
                ? record.directories["unified"]
                : record.directories.first { $0.key.split(separator: ",").contains { $0 == controller } }?.value
            // `try?`: what is not there is not counted
            return path.flatMap { try? FileDescriptor.workingDirectory.open("\($0)/\(isV2 ? v2 : v1)", O_RDONLY) }
        }
        kind = record.kind
        memory = open("memory", v1: "memory.usage_in_bytes", v2: "memory.current")
        swap = open("memory", v1: "memory.memsw.usage_in_bytes", v2: "memory.swap.current")
        cpu = open("cpuacct", v1: "cpuacct.usage", v2: "cpu.stat")
        io = open("blkio", v1: "blkio.throttle.io_service_bytes_recursive", v2: "io.stat")
        processes = open("pids", v1: "pids.current", v2: "pids.current")
        memoryKinds = open("memory", v1: "memory.stat", v2: "memory.stat")
    }

    deinit {
        for file in [memory, swap, cpu, io, processes, memoryKinds] { file?.closeQuietly() }
        buffer.deallocate()
    }

    /// - Returns: `nil` for a cgroup that is gone.
    public func read() -> Reading? {
        var reading = Reading()
        reading.memory = number(memory)
        reading.swap = number(swap)
        reading.processes = number(processes)
        let isV2 = kind == .v2
        reading.cpu = isV2 ? text(cpu).map { Self.sum($0, behind: "usage_usec ") * 1000 } : number(cpu)
        if let text = text(io) {
            reading.readBytes = Self.sum(text, behind: isV2 ? " rbytes=" : " Read ")
            reading.writtenBytes = Self.sum(text, behind: isV2 ? " wbytes=" : " Write ")
        }
        // There it is memory and swap together.
        if !isV2, let both = reading.swap, let memory = reading.memory {
            reading.swap = both > memory ? both - memory : 0
        }
        return reading == Reading() ? nil : reading
    }

    /// A second look that takes the kernel longer.
    ///
    /// - Note: cgroup-v1 memory.rst, "stat file"; cgroup-v2, "Memory Interface Files".
    public func readMemoryKinds() -> MemoryKinds {
        var kinds = MemoryKinds()
        guard let text = text(memoryKinds) else { return kinds }
        let isV2 = kind == .v2
        kinds.anonymous = Self.value(text, of: isV2 ? "anon " : "total_rss ")
        kinds.file = Self.value(text, of: isV2 ? "file " : "total_cache ")
        kinds.shared = Self.value(text, of: isV2 ? "shmem " : "total_shmem ")
        // v1 has files of their own for these, with the kernel's own peaks.
        if isV2 {
            kinds.kernel = Self.value(text, of: "kernel ")
            kinds.sockets = Self.value(text, of: "sock ")
        }
        return kinds
    }

    /// What a file holds now, up to the next look.
    private func text(_ file: FileDescriptor?) -> UnsafeRawBufferPointer? {
        guard let file else { return nil }
        let count = pread(file.rawValue, buffer.baseAddress, buffer.count, 0)
        return count < 0 ? nil : UnsafeRawBufferPointer(rebasing: buffer[..<count])
    }

    private func number(_ file: FileDescriptor?) -> UInt64? {
        guard let text = text(file), !text.isEmpty else { return nil }
        return Self.number(text, at: 0)
    }

    /// All numbers that stand right behind `mark`, together.
    static func sum(_ text: UnsafeRawBufferPointer, behind mark: StaticString) -> UInt64 {
        let length = mark.utf8CodeUnitCount
        guard let start = text.baseAddress, text.count > length else { return 0 }
        var sum: UInt64 = 0
        for place in 0..<(text.count - length) where text[place] == mark.utf8Start.pointee {
            if memcmp(start + place, mark.utf8Start, length) == 0 { sum &+= number(text, at: place + length) }
        }
        return sum
    }

    /// The number in the line that begins with `key`, which ends with a space.
    static func value(_ text: UnsafeRawBufferPointer, of key: StaticString) -> UInt64? {
        let length = key.utf8CodeUnitCount
        guard let start = text.baseAddress else { return nil }
        var place = 0
        while place + length < text.count {
            if memcmp(start + place, key.utf8Start, length) == 0 { return number(text, at: place + length) }
            guard let end = memchr(start + place, CInt(UInt8(ascii: "\n")), text.count - place) else { return nil }
            place = UnsafeRawPointer(end) - start + 1
        }
        return nil
    }

    private static func number(_ text: UnsafeRawBufferPointer, at place: Int) -> UInt64 {
        var number: UInt64 = 0
        var place = place
        while place < text.count, text[place] >= UInt8(ascii: "0"), text[place] <= UInt8(ascii: "9") {
            number = number &* 10 &+ UInt64(text[place] - UInt8(ascii: "0"))
            place += 1
        }
        return number
    }
}
