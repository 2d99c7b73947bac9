import CLinux
import Glibc
public import Linux
import SystemPackage

/// Bytes that nobody but their container is to see: in memory that is neither dumped nor, as far as the caller's rlimit
/// allows to lock it, swapped, and wiped when it is given back.
public final class SecretValue: Sendable {
    /// Written by `init` alone.
    nonisolated(unsafe) private let memory: UnsafeMutableRawBufferPointer
    /// How many of them are the value.
    public let count: Int

    /// The most bytes of one value.
    public static let limit = 512 << 10

    /// The value itself, valid for as long as this is.
    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }

    /// Reads a file, which must be a regular one.
    public convenience init(file path: String, named name: String) throws(Failure) {
        let file: FileDescriptor
        let status: FileStatus
        do throws(SystemCallError) {
            // Opened without waiting: a FIFO would hold everything up.
            file = try FileDescriptor.workingDirectory.open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
            status = try file.status()
        } catch {
            throw Failure("read secret", name, "'\(path)': \(error.errno.reason)")
        }
        defer { file.closeQuietly() }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw Failure("read secret", name, "'\(path)': not a regular file", remedy: "pass it on with env=VARIABLE")
        }
        try self.init(named: name) { (buffer) throws(SystemCallError) in
            var filled = 0
            while filled < buffer.count {
                let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
                let count = Glibc.read(file.rawValue, rest.baseAddress, rest.count)
                if count < 0, Glibc.errno == EINTR { continue }
                if count < 0 { throw SystemCallError("read", "'\(path)'", Errno(rawValue: Glibc.errno)) }
                if count == 0 { break }
                filled += count
            }
            return filled
        }
    }

    /// Reads a variable of this process' environment.
    public convenience init(variable: String, named name: String) throws(Failure) {
        guard let text = getenv(variable) else {
            throw Failure(
                "read secret", name, "the variable '\(variable)' is not set",
                remedy: "set it in the environment of this command, or use src=FILE")
        }
        try self.init(named: name) { (buffer) throws(SystemCallError) in
            let count = min(strlen(text), buffer.count)
            buffer.copyMemory(from: UnsafeRawBufferPointer(start: text, count: count))
            return count
        }
    }

    /// - Parameter fill: Writes the value into memory with room for one byte more than a value may have.
    private init(
        named name: String, _ fill: (UnsafeMutableRawBufferPointer) throws(SystemCallError) -> Int
    ) throws(Failure) {
        let size = Self.limit + 4096
        let start = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let start, start != MAP_FAILED else {
            throw Failure("read secret", name, "mmap: \(Errno(rawValue: Glibc.errno).reason)")
        }
        memory = UnsafeMutableRawBufferPointer(start: start, count: size)
        do throws(SystemCallError) {
            count = try fill(UnsafeMutableRawBufferPointer(rebasing: memory[..<(Self.limit + 1)]))
        } catch {
            count = 0
            throw Failure("read secret", name, error)
        }
        // Only what is used: an ordinary user may lock little. Where even that is too much, it may be swapped.
        mlock(start, max(count, 1))
        madvise(start, size, CInt(MADV_DONTDUMP))
        if count > Self.limit { throw Failure("read secret", name, "more than 512 KiB") }
    }

    deinit {
        if let start = memory.baseAddress {
            explicit_bzero(start, count)
            munmap(start, memory.count)
        }
    }
}
