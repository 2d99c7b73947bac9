public import CLinux
import Glibc
import SystemPackage

/// Gives memory back that a process which now only waits does not need.
public enum MemoryTrim {
    /// Finds every page of this process' executable that was never written to, and frees what malloc keeps.
    ///
    /// Unmapping these pages (`MADV_DONTNEED`) loses nothing: each is read from the page cache again when it is next
    /// touched. A waiting supervisor then costs what it has written, not all the code that has once run in it. The
    /// caller unmaps them, as the last thing before it waits: whatever code runs later is mapped again.
    ///
    /// - Returns: Runs of pages, in memory that is never freed, since freeing it would touch code again.
    ///
    /// - Note: proc_pid_pagemap(5): bit 61 is set for a page of a file that this process has not made its own;
    ///   madvise(2), `MADV_DONTNEED`.
    public static func untouchedPages() -> UnsafeMutableBufferPointer<iovec> {
        // Without /proc nothing is given back, and nothing else changes.
        guard let maps = FileDescriptor.contentsIfReadable(of: "/proc/self/maps", limit: 1 << 20),
            let pagemap = try? FileDescriptor.workingDirectory.open("/proc/self/pagemap")  // `try?`: as just said
        else { return .init(start: nil, count: 0) }
        defer { pagemap.closeQuietly() }
        var untouched: [iovec] = []
        for line in maps.split(separator: UInt8(ascii: "\n")) where line.last != UInt8(ascii: "]") {
            let fields = line.split(separator: UInt8(ascii: " "))
            guard fields.count > 5, let range = addressRange(fields[0]) else { continue }
            untouched += pages(of: range, pagemap)
        }
        let runs = UnsafeMutableBufferPointer<iovec>.allocate(capacity: untouched.count)
        _ = runs.initialize(from: untouched)
        malloc_trim(0)
        return runs
    }

    private static func addressRange(_ text: ArraySlice<UInt8>) -> Range<UInt>? {
        let ends = text.split(separator: UInt8(ascii: "-")).map { UInt(String(decoding: $0, as: UTF8.self), radix: 16) }
        guard ends.count == 2, let first = ends[0], let last = ends[1] else { return nil }
        return first..<last
    }

    /// The runs of pages in `range` that still are the file's own.
    private static func pages(of range: Range<UInt>, _ pagemap: FileDescriptor) -> [iovec] {
        let pageSize: UInt = 4096
        var entries = [UInt64](repeating: 0, count: Int((range.upperBound - range.lowerBound) / pageSize))
        let offset = off_t(range.lowerBound / pageSize) * 8
        let read = entries.withUnsafeMutableBytes { pread(pagemap.rawValue, $0.baseAddress!, $0.count, offset) }
        guard read == entries.count * 8 else { return [] }
        var runs: [iovec] = []
        var start: Int?
        for index in 0...entries.count {
            if index < entries.count && entries[index] & (1 << 61) != 0 {
                start = start ?? index
            } else if let first = start {
                let address = UnsafeMutableRawPointer(bitPattern: range.lowerBound + UInt(first) * pageSize)
                runs.append(iovec(iov_base: address, iov_len: (index - first) * Int(pageSize)))
                start = nil
            }
        }
        return runs
    }
}
