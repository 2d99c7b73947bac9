import CLinux
import Glibc
import Linux
import SystemPackage

/// Passes on what a command writes, up to a limit: only then is there anything between it and its caller's streams.
final class LimitedOutput {
    /// What the command has as its standard output and error.
    let commandOutput, commandError: FileDescriptor
    /// Called once, when more has been written than may be.
    var onLimit: () throws -> Void = {}
    private(set) var hasReachedLimit = false
    /// How many bytes have been passed on.
    private(set) var passed: UInt64 = 0

    private let limit: UInt64
    private let streams: [Stream]
    private let loop: EventLoop
    private var commandEndsAreOpen = true

    /// One of the two.
    private final class Stream {
        let source, target: FileDescriptor
        /// What has been read and not yet written; at most what a pipe takes without blocking.
        var pending: ArraySlice<UInt8> = []
        var isAtEnd = false

        init(_ source: FileDescriptor, _ target: FileDescriptor) {
            self.source = source
            self.target = target
        }
    }

    /// What a pipe that poll(2) calls writable takes without making the writer wait.
    ///
    /// - Note: pipe(7), `PIPE_BUF`.
    private static let chunk = 4096

    /// - Parameter limit: In bytes, of both streams together.
    init(limit: Int64, loop: EventLoop) throws(Failure) {
        do throws(SystemCallError) {
            let output = try FileDescriptor.makePipe()
            let error = try FileDescriptor.makePipe()
            for source in [output.read, error.read] {
                try check("fcntl", "O_NONBLOCK") { apus_fcntl_int(source.rawValue, F_SETFL, O_NONBLOCK) }
            }
            (commandOutput, commandError) = (output.write, error.write)
            streams = [
                Stream(output.read, FileDescriptor(rawValue: STDOUT_FILENO)),
                Stream(error.read, FileDescriptor(rawValue: STDERR_FILENO)),
            ]
        } catch {
            throw Failure("--output-size", "", error)
        }
        self.limit = UInt64(limit)
        self.loop = loop
    }

    /// When the command has them.
    func closeCommandEnds() {
        guard commandEndsAreOpen else { return }
        commandOutput.closeQuietly()
        commandError.closeQuietly()
        commandEndsAreOpen = false
    }

    /// Passes on what comes, while the loop runs.
    func begin() {
        for stream in streams { awaitInput(stream) }
    }

    private func awaitInput(_ stream: Stream) {
        loop.unwatch(stream.target)
        guard !stream.isAtEnd else { return }
        loop.watch(stream.source) { [unowned self] _ in try take(stream) }
    }

    /// Reads, and writes when the other side is ready: whoever reads slowly makes the command wait, and never this
    /// process, which has clocks to watch.
    private func take(_ stream: Stream) throws {
        guard try fill(stream) else { return }
        loop.unwatch(stream.source)
        loop.watch(stream.target, POLLOUT) { [unowned self] _ in
            write(stream)
            if stream.pending.isEmpty { awaitInput(stream) }
        }
    }

    /// - Returns: Whether there is something to write.
    private func fill(_ stream: Stream) throws -> Bool {
        var bytes = [UInt8](repeating: 0, count: Self.chunk)
        let count = read(stream.source.rawValue, &bytes, bytes.count)
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return false }
        guard count > 0 else {
            end(stream)
            return false
        }
        let room = limit - passed
        stream.pending = bytes[..<min(count, Int(clamping: room))]
        passed += UInt64(stream.pending.count)
        if UInt64(count) > room, !hasReachedLimit {
            hasReachedLimit = true
            try onLimit()
        }
        return !stream.pending.isEmpty
    }

    private func write(_ stream: Stream) {
        let count = stream.pending.withUnsafeBytes { Glibc.write(stream.target.rawValue, $0.baseAddress, $0.count) }
        if count >= 0 {
            stream.pending = stream.pending.dropFirst(count)
        } else if errno != EINTR && errno != EAGAIN {
            // Nobody reads any more: the command is to notice it as it would without anything between.
            stream.pending = []
            end(stream)
        }
    }

    private func end(_ stream: Stream) {
        guard !stream.isAtEnd else { return }
        stream.isAtEnd = true
        loop.unwatch(stream.source)
        stream.source.closeQuietly()
    }

    /// Passes on what was written before the end; waits for who reads it, now that there is no clock to watch.
    func drain() throws {
        for stream in streams {
            repeat {
                while !stream.pending.isEmpty { write(stream) }
            } while try !stream.isAtEnd && fill(stream)
            end(stream)
        }
    }
}
