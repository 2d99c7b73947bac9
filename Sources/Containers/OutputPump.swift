import CLinux
import Glibc
import Linux
import SystemPackage

/// Reads one stream of the container and hands what comes to the log, to attached clients and to the runner.
final class OutputPump {
    private let source: FileDescriptor
    private let loop: EventLoop
    private let sink: (ArraySlice<UInt8>) throws -> Bool
    private var buffer = [UInt8](repeating: 0, count: AttachConnection.chunk)
    /// Whether the stream has ended.
    private(set) var isAtEnd = false

    /// - Parameter sink: Takes what was read; `false` means that no more should be read until `resume`.
    init(
        _ source: FileDescriptor, loop: EventLoop, sink: @escaping (ArraySlice<UInt8>) throws -> Bool
    ) throws(SystemCallError) {
        self.source = source
        self.loop = loop
        self.sink = sink
        try check("fcntl", "O_NONBLOCK") { apus_fcntl_int(source.rawValue, F_SETFL, O_NONBLOCK) }
        resume()
    }

    /// Reads on after the sink had enough.
    func resume() {
        guard !isAtEnd else { return }
        loop.watch(source) { [unowned self] _ in _ = try pass() }
    }

    /// Passes on what is there, without waiting.
    ///
    /// - Returns: Whether there was anything.
    func pass() throws -> Bool {
        guard !isAtEnd else { return false }
        let count = Glibc.read(source.rawValue, &buffer, buffer.count)
        if count > 0 {
            if try !sink(buffer[..<count]) { loop.unwatch(source) }
            return true
        }
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return false }
        end()  // 0 at the end of a pipe; EIO where the last holder of a terminal is gone
        return false
    }

    /// Passes on what the container wrote before it ended.
    func drain() throws {
        while try pass() {}
        if !isAtEnd { end() }
    }

    private func end() {
        isAtEnd = true
        loop.unwatch(source)
        source.closeQuietly()
    }
}

/// Writes the container's standard input without ever waiting for it to be read.
final class InputPump {
    private let target: FileDescriptor
    private let loop: EventLoop
    /// Whether the end of the input closes the target, or, on a terminal, sends its end-of-file character.
    private let isTerminal: Bool
    private var pending: [UInt8] = []
    private var endsWhenEmpty = false
    private(set) var isClosed = false

    init(_ target: FileDescriptor, isTerminal: Bool, loop: EventLoop) throws(SystemCallError) {
        self.target = target
        self.loop = loop
        self.isTerminal = isTerminal
        try check("fcntl", "O_NONBLOCK") { apus_fcntl_int(target.rawValue, F_SETFL, O_NONBLOCK) }
    }

    /// Whether so much is waiting that no more should be taken from whoever sends it.
    var isBehind: Bool { pending.count > 256 << 10 }

    func write(_ bytes: ArraySlice<UInt8>) throws {
        guard !isClosed else { return }
        pending.append(contentsOf: bytes)
        flush()
    }

    /// Ends the input once everything before it has been taken.
    func end() throws {
        if isTerminal {
            try write([4])  // the terminal's VEOF
        } else {
            endsWhenEmpty = true
            flush()
        }
    }

    private func flush() {
        while !pending.isEmpty {
            let count = pending.withUnsafeBytes { Glibc.write(target.rawValue, $0.baseAddress!, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                if errno == EAGAIN {
                    loop.watch(target, POLLOUT) { [unowned self] _ in flush() }
                    return
                }
                pending = []  // EPIPE: nobody reads it any more
                close()
                return
            }
            pending.removeFirst(count)
        }
        if !isTerminal { loop.unwatch(target) }
        if endsWhenEmpty { close() }
    }

    /// Closes the target, unless it is a terminal, which its output side closes.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        loop.unwatch(target)
        target.closeQuietly()
    }
}
