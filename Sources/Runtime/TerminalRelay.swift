import CLinux
import Glibc
import Linux
import SystemPackage

/// Copies between a container's terminal and this process' standard streams.
struct TerminalRelay {
    private let master: FileDescriptor
    private let settings: TerminalSettings?
    /// What the terminal has not taken yet; nothing more is read meanwhile.
    private var pending: ArraySlice<UInt8> = []
    private var readsInput = true
    private var hasHungUp = false

    private static let input = FileDescriptor(rawValue: STDIN_FILENO)
    private static let output = FileDescriptor(rawValue: STDOUT_FILENO)

    /// - Parameter master: The terminal's master side, which is closed by `finish`.
    init(_ master: FileDescriptor) throws(SystemCallError) {
        self.master = master
        settings = Self.input.isTerminal ? try Self.input.setRaw() : nil
        try check("fcntl", "O_NONBLOCK") { apus_fcntl_int(master.rawValue, F_SETFL, O_RDWR | O_NONBLOCK) }
        takeWindowSize()
    }

    /// Gives the container's terminal the size of this process' one.
    func takeWindowSize() {
        guard let size = Self.input.windowSizeIfTerminal() else { return }
        try? master.setWindowSize(size)  // `try?`: a terminal that has hung up needs none
    }

    /// Adds what is to be polled behind the first two entries.
    func prepare(_ entries: inout [pollfd]) {
        entries.removeSubrange(2...)
        let events = hasHungUp ? 0 : POLLIN | (pending.isEmpty ? 0 : POLLOUT)
        entries.append(pollfd(fd: hasHungUp ? -1 : master.rawValue, events: Int16(events), revents: 0))
        let wantsInput = readsInput && pending.isEmpty && !hasHungUp
        entries.append(pollfd(fd: wantsInput ? STDIN_FILENO : -1, events: Int16(POLLIN), revents: 0))
    }

    /// Copies what is there.
    mutating func serve(_ entries: [pollfd]) {
        if entries[2].revents != 0 {
            writeInput()
            copyOutput()
        }
        if entries[3].revents != 0 { readInput() }
    }

    private mutating func readInput() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(STDIN_FILENO, &buffer, buffer.count)
        if count > 0 {
            pending = buffer[..<count]
            writeInput()
        } else if count == 0 || errno != EAGAIN {
            readsInput = false
        }
    }

    private mutating func writeInput() {
        guard !pending.isEmpty else { return }
        let count = pending.withUnsafeBytes { write(master.rawValue, $0.baseAddress, $0.count) }
        if count > 0 { pending.removeFirst(count) } else if errno != EAGAIN { pending = [] }
    }

    /// - Returns: Whether there was anything.
    @discardableResult
    private mutating func copyOutput() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 32768)
        let count = read(master.rawValue, &buffer, buffer.count)
        if count > 0 {
            try? Self.output.writeFully(buffer[..<count])  // `try?`: a reader that is gone must not end the container
        } else if count == 0 || errno != EAGAIN {
            hasHungUp = true
        }
        return count > 0
    }

    /// Copies what is left, and gives this process' terminal back its settings.
    mutating func finish() {
        while !hasHungUp, copyOutput() {}
        if let settings { Self.input.restore(settings) }
        master.closeQuietly()
    }
}
