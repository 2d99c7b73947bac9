import CLinux
import Glibc
public import Linux
public import SystemPackage

/// The FIFO at which the init of a created container waits for `start`.
///
/// Init has it open for reading and writing from before it leaves the host's files, so that it needs neither a path nor
/// /proc in the container, and holds nothing that leads out of it. `start` writes one byte. When init executes the
/// command, or ends, its descriptor is closed, which `start` notices; if init could not go on, its reason lies in the FIFO.
///
/// Callers ignore SIGPIPE: init may end at any moment.
///
/// - Note: fifo(7).
public enum StartGate {
    /// The FIFO's name in the container's directory.
    public static let name = "exec.fifo"

    /// Makes the FIFO, and opens it for init.
    public static func make(in directory: FileDescriptor) throws(SystemCallError) -> FileDescriptor {
        try check("mkfifo", "'\(name)'") { mkfifoat(directory.rawValue, name, 0o600) }
        return try directory.open(name, O_RDWR)
    }

    /// Whether an init waits there.
    public static func isClosed(in directory: FileDescriptor) throws(SystemCallError) -> Bool {
        guard let writer = try openWriter(in: directory) else { return false }
        writer.closeQuietly()
        return true
    }

    /// Lets init go on, and waits until it has executed the command.
    ///
    /// - Parameter initProcess: Whose end is waited for as well.
    /// - Throws: What kept init from it.
    public static func open(in directory: FileDescriptor, for initProcess: ProcessHandle) throws(Failure) {
        let writer = try step("start container", "its init") { () throws(SystemCallError) in
            try openWriter(in: directory)
        }
        guard let writer else { throw Failure("start container", "its init", "does not wait for a start") }
        defer { writer.closeQuietly() }
        try step("start container", "its init") { () throws(SystemCallError) in
            try writer.writeFully([start])
            // POLLERR: no reader is left. Init itself, in case another process has it open.
            var entries = [writer, initProcess.pidfd].map { pollfd(fd: $0.rawValue, events: 0, revents: 0) }
            entries[1].events = Int16(POLLIN)
            while poll(&entries, 2, -1) < 0 {}
        }
        if let failure = try reason(in: directory) { throw failure }
    }

    /// Lets an init that waits there end, which nobody knows anything else of.
    public static func dismiss(in directory: FileDescriptor) throws(SystemCallError) {
        guard let writer = try openWriter(in: directory) else { return }
        defer { writer.closeQuietly() }
        do throws(SystemCallError) {
            try writer.writeFully([dismissal])
        } catch  where error.errno == .brokenPipe {
            return  // it has just ended by itself
        }
    }

    private static let start = UInt8(ascii: "0")
    private static let dismissal = UInt8(ascii: "q")

    /// - Returns: `nil` when no init waits there, or there is no FIFO.
    private static func openWriter(in directory: FileDescriptor) throws(SystemCallError) -> FileDescriptor? {
        do {
            return try directory.open(name, O_WRONLY | O_NONBLOCK | O_NOFOLLOW)
        } catch  where error.errno == .noSuchAddressOrDevice || error.errno == .noSuchFileOrDirectory {
            return nil
        }
    }

    /// What init has left in the FIFO. A writer that is still open has kept it there.
    private static func reason(in directory: FileDescriptor) throws(Failure) -> Failure? {
        let reader = try step("start container", "its init") { () throws(SystemCallError) in
            try directory.open(name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
        }
        defer { reader.closeQuietly() }
        var bytes = [UInt8](repeating: 0, count: Channel.limit)
        let count = read(reader.rawValue, &bytes, bytes.count)
        guard count > 0 else { return nil }
        if bytes[0] == UInt8(ascii: "f") { return Channel.decode(bytes[1..<count]) }
        return Failure("start container", "its init", "ended before it could run the command")
    }

    // MARK: In init

    /// Waits until `start` opens the gate. Its maker hears nothing more: failures go to the FIFO from here on.
    static func wait(at gate: FileDescriptor, insteadOf channel: Channel) throws(Failure) {
        try step("wait for", "start") { () throws(SystemCallError) in
            endOnSignals()
            // In one step, so that the number never stands for something else.
            try check("dup3") { dup3(gate.rawValue, channel.socket.rawValue, O_CLOEXEC) }
            gate.closeQuietly()
            var byte: UInt8 = 0
            try check("read", "'\(name)'") { CInt(read(channel.socket.rawValue, &byte, 1)) }
            if byte != start { CurrentProcess.exitNow(1) }
        }
    }

    /// The first process of a PID namespace gets no signal that it does not handle; a container that waits must be one
    /// that can be asked to end. Executing the command gives the signals their defaults back.
    private static func endOnSignals() {
        for number in [SIGHUP, SIGINT, SIGTERM] { signal(number) { _exit(128 + $0) } }
    }

    /// Says why init cannot go on, to whoever waits for it.
    static func report(_ failure: Failure, over channel: Channel) {
        do throws(SystemCallError) {
            try channel.send(.failed(failure))
        } catch {
            guard error.errno == .notSocket else { return }  // a supervisor that is gone has nobody to tell
            let bytes = Channel.encode(failure).prefix(Channel.limit)
            try? channel.socket.writeFully(bytes)  // `try?`: as just said
        }
    }
}
