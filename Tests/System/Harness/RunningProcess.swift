import CLinux
import Glibc
import Linux
import SystemPackage
import Testing

/// How a process ended and what it wrote.
struct Outcome: CustomStringConvertible {
    /// Its exit status; 128 + N when signal N ended it.
    let status: Int32
    /// All of it, the last line's end too. From a terminal: both streams.
    let output: String
    let errors: String

    /// The lines of standard output.
    var lines: [String] {
        output.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map { String($0) }
    }
    /// Standard output without white space around it.
    var text: String { output.trimmed }
    var description: String { "status \(status), output \(output.debugDescription), errors \(errors.debugDescription)" }
}

extension StringProtocol {
    /// Without white space around it.
    var trimmed: String {
        String(String(drop(while: \.isWhitespace)).reversed().drop(while: \.isWhitespace).reversed())
    }
}

/// A process that a test talks to while it runs. One that is still running when the test lets go of it is killed.
final class RunningProcess {
    private let handle: ProcessHandle
    private var input: FileDescriptor?
    /// Standard output and error, or the terminal.
    private let streams: [FileDescriptor]
    private var open: Set<Int>
    private var written: [[UInt8]] = [[], []]
    /// How much of the output `waitForOutput` has passed.
    private var seen = 0
    private var isReaped = false
    private let name: String

    var pid: pid_t { handle.pid }
    /// The terminal's end that a user would have, if there is a terminal.
    let terminal: FileDescriptor?

    /// - Parameter onTerminal: Whether all three streams are a terminal of 80 by 24, its controlling one.
    init(_ words: [String], environment: [String: String], directory: String, onTerminal: Bool = false) throws {
        name = words.joined(separator: " ")
        var start = Start(words: words, environment: environment, directory: directory)
        if onTerminal {
            let pair = try Pseudoterminal()
            // Opened here too, or the end that the user has reports an end before the process has opened it.
            let peer = try pair.openPeer()
            defer { peer.closeQuietly() }
            try peer.setWindowSize(WindowSize(rows: 24, columns: 80))
            start.terminal = "/dev/pts/\(pair.number)"
            try check("fchmod") { fchmod(peer.rawValue, 0o666) }
            terminal = pair.master
            handle = try start.spawn()
            input = nil
            streams = [pair.master]
        } else {
            let pipes = try (0..<3).map { _ in try FileDescriptor.makePipe() }
            start.streams = [pipes[0].read, pipes[1].write, pipes[2].write]
            defer { for end in [pipes[0].read, pipes[1].write, pipes[2].write] { end.closeQuietly() } }
            terminal = nil
            handle = try start.spawn()
            input = pipes[0].write
            streams = [pipes[1].read, pipes[2].read]
        }
        open = Set(streams.indices)
    }

    deinit {
        if !isReaped {
            Glibc.kill(-handle.pid, SIGKILL)
            _ = try? handle.reap()  // `try?`: killed, and nobody asks for its status
        }
        handle.pidfd.closeQuietly()
        closeInput()
        for stream in streams { stream.closeQuietly() }
    }

    /// Writes to its standard input or terminal, and takes what it writes where it reads no more meanwhile.
    func write(_ text: String, seconds: Int = 90) throws {
        let target = try #require(terminal ?? input)
        let deadline = Deadline.after(seconds)
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let polled = open.sorted()
            let purpose = "'\(name)' to read its input"
            let events = try deadline.wait(
                for: [(target, POLLOUT)] + polled.map { (streams[$0], POLLIN) }, purpose)
            if events[0] == 0 {
                take(polled, events.dropFirst())
            } else {
                let count = try check("write", purpose) {
                    CInt(rest.withUnsafeBytes { Glibc.write(target.rawValue, $0.baseAddress, min($0.count, 4096)) })
                }
                rest = rest.dropFirst(Int(count))
            }
        }
    }

    /// Ends its standard input.
    func closeInput() {
        input?.closeQuietly()
        input = nil
    }

    func send(_ signal: CInt) throws { _ = try handle.send(signal) }

    /// Sends a signal to its process group, as a terminal or a batch system does.
    func sendToGroup(_ signal: CInt) throws { try check("kill") { Glibc.kill(-handle.pid, signal) } }

    var hasEnded: Bool { handle.hasEnded() }

    /// All that has been read from its standard output or terminal.
    var output: String { String(decoding: written[0], as: UTF8.self) }
    var errors: String { String(decoding: written[1], as: UTF8.self) }

    /// Waits until it has written `text` after what the last call waited for.
    func waitForOutput(_ text: String, seconds: Int = 90) throws {
        let deadline = Deadline.after(seconds)
        while true {
            if let end = find(Array(text.utf8)) {
                seen = end
                return
            }
            guard open.contains(0) else {
                throw TimedOut(
                    purpose: "'\(text)' from '\(name)': \(output.debugDescription), \(errors.debugDescription)")
            }
            try readSome(deadline, "'\(text)' from '\(name)'")
        }
    }

    private func find(_ text: [UInt8]) -> Int? {
        var start = seen
        while start + text.count <= written[0].count {
            if written[0][start..<(start + text.count)].elementsEqual(text) { return start + text.count }
            start += 1
        }
        return nil
    }

    /// Waits until it has ended and everybody has closed its output.
    ///
    /// - Throws: `TimedOut`; then it and its process group have been killed.
    func wait(seconds: Int = 90) throws -> Outcome {
        let deadline = Deadline.after(seconds)
        do {
            while !open.isEmpty { try readSome(deadline, "the output's end of '\(name)'") }
            _ = try deadline.wait(for: [(handle.pidfd, POLLIN)], "the end of '\(name)'")
        } catch let error as TimedOut {
            throw TimedOut(purpose: "\(error.purpose); so far: \(output.debugDescription), \(errors.debugDescription)")
        }
        let status = try #require(try handle.reap())
        isReaped = true
        return Outcome(status: status.code, output: output, errors: errors)
    }

    /// Waits until it has ended, whoever still holds its output.
    func waitForEnd(seconds: Int = 90) throws -> Int32 {
        _ = try Deadline.after(seconds).wait(for: [(handle.pidfd, POLLIN)], "the end of '\(name)'")
        let status = try #require(try handle.reap())
        isReaped = true
        return status.code
    }

    private func readSome(_ deadline: Deadline, _ purpose: String) throws {
        let polled = open.sorted()
        take(polled, try deadline.wait(for: polled.map { (streams[$0], POLLIN) }, purpose)[...])
    }

    /// Reads from those of the streams that have an event.
    private func take(_ polled: [Int], _ events: ArraySlice<CInt>) {
        var buffer = [UInt8](repeating: 0, count: 65536)
        for (index, event) in zip(polled, events) where event != 0 {
            let count = buffer.withUnsafeMutableBytes { Glibc.read(streams[index].rawValue, $0.baseAddress, $0.count) }
            // A terminal whose other end has been closed fails with EIO instead of ending.
            if count > 0 { written[index] += buffer[..<count] } else { open.remove(index) }
        }
    }
}
