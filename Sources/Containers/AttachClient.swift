import CLinux
import Glibc
public import Linux
public import SystemPackage

/// A command's side of attach: joins this process' streams, terminal and signals to a container's.
public struct AttachClient {
    /// What it passes on.
    public struct Options: Sendable {
        /// Whether this process' input goes to the container.
        public var sendsInput = true
        /// Whether the container has a terminal, so that this process' own passes every key on.
        public var hasTerminal = false
        /// The keys that detach; none if empty.
        public var detachKeys = DetachKeys.standard
        /// Whether signals that come here go to the container.
        public var forwardsSignals = true
        /// Whether a program that is running already should draw its screen again.
        public var redraws = false
        /// What comes before each line of the container's output.
        public var marks = LineMarks()

        public init() {}
    }

    /// Why it came to its end.
    public enum Ending: Sendable, Equatable {
        case exited(Int32)
        /// The user pressed the detach keys, or nobody reads the output any more: the container goes on.
        case detached
        /// A signal that is not forwarded came; the container goes on.
        case interrupted(Signal)
    }

    let connection: AttachConnection
    private let options: Options

    /// - Parameter socket: Connected to a container's supervisor; closed when `run` returns.
    public init(socket: FileDescriptor, _ options: Options) {
        connection = AttachConnection(socket: socket)
        self.options = options
    }

    /// Connects to a running container.
    ///
    /// - Throws: When it is not running, or its streams are those of the command that runs it.
    public init(_ container: Container, _ options: Options) throws(Failure) {
        let state = try container.loadState()
        guard case .running(let running) = state.status else {
            throw Failure(
                "attach", state.name, "the container is not running",
                remedy: "start it with 'apus start -a \(state.name)'")
        }
        guard !running.paused else {
            throw Failure("attach", state.name, "the container is paused", remedy: "use 'apus unpause \(state.name)'")
        }
        let socket: FileDescriptor
        do throws(SystemCallError) {
            socket = try AttachSocket.attach.connect(in: container.directory)
        } catch  where error.errno == .noSuchFileOrDirectory || error.errno == .connectionRefused {
            throw Failure("attach", state.name, "its streams are those of the command that runs it")
        } catch {
            throw Failure("attach", state.name, error)
        }
        self.init(socket: socket, options)
        do throws(SystemCallError) {
            try connection.send(.ready)
        } catch {
            throw Failure("attach", state.name, error)
        }
    }

    /// Passes streams, sizes and signals on until the container ends or the user leaves it.
    ///
    /// The terminal has its settings back when this returns, however it does.
    ///
    /// - Throws: When the container could not be started, or its supervisor is gone.
    public func run() throws -> Ending {
        defer { connection.socket.closeQuietly() }
        let session = AttachSession(connection, options)
        let ending = try session.run()
        if case .exited = ending {
            if !session.notice.isEmpty { Report.line(session.notice) }
            return ending
        }
        try? connection.send(.detach)  // `try?`: a supervisor that is gone needs no farewell
        return ending
    }

    /// The two ends of a connection: one for a client, one for the supervisor that is about to start.
    public static func makePair() throws(Failure) -> (client: FileDescriptor, supervisor: FileDescriptor) {
        var ends: [CInt] = [0, 0]
        let type = CInt(SOCK_SEQPACKET.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        do throws(SystemCallError) {
            try check("socketpair") { socketpair(AF_UNIX, type, 0, &ends) }
        } catch {
            throw Failure("attach", "", error)
        }
        return (FileDescriptor(rawValue: ends[0]), FileDescriptor(rawValue: ends[1]))
    }
}

/// One client at work.
private final class AttachSession {
    private let connection: AttachConnection
    private let options: AttachClient.Options
    private let loop = EventLoop()
    private let input = FileDescriptor(rawValue: STDIN_FILENO)
    private var keys: DetachKeyFilter
    private var buffer = [UInt8](repeating: 0, count: AttachConnection.chunk)
    private var ending: AttachClient.Ending?
    /// By the descriptor that they are written to; none where lines stay as they are.
    private var marked: [CInt: MarkedStream] = [:]
    /// What the user should know about the container's end.
    private(set) var notice = ""

    init(_ connection: AttachConnection, _ options: AttachClient.Options) {
        self.connection = connection
        self.options = options
        // Of a pipe's bytes none means leaving.
        keys = DetachKeyFilter(FileDescriptor(rawValue: STDIN_FILENO).isTerminal ? options.detachKeys : [])
        if !options.marks.isEmpty {
            for stream in [STDOUT_FILENO, STDERR_FILENO] { marked[stream] = MarkedStream(options.marks) }
        }
    }

    func run() throws -> AttachClient.Ending {
        let signals = try SignalDescriptor(handledSignals)
        let mask = try handledSignals.block()
        let settings = options.hasTerminal && options.sendsInput && input.isTerminal ? try input.setRaw() : nil
        defer {
            if let settings { input.restore(settings) }
            signals.descriptor.closeQuietly()
            _ = try? mask.setAsMask()  // `try?`: fails only for a bad argument, which this is not
        }
        loop.watch(signals.descriptor) { [unowned self] _ in
            while let arrival = try signals.next() { try take(arrival.signal) }
        }
        loop.watch(connection.socket) { [unowned self] _ in try receive() }
        if options.sendsInput { loop.watch(input) { [unowned self] _ in try passInput() } }
        try sendSizes()
        try loop.run()
        return ending ?? .detached
    }

    // MARK: Signals

    private var handledSignals: SignalSet {
        guard options.forwardsSignals else {
            // Those that would end this process before it gave the terminal its settings back.
            return SignalSet([.terminate, .interrupt, .hangUp, .quit, .windowChange])
        }
        let faults: [Signal] = [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP].map { Signal(rawValue: $0) }
        // The shell's job control is about this process.
        return .all.subtracting(faults + [.terminalStop, .terminalInput, .terminalOutput, .continue, .child, .pipe])
    }

    private func take(_ signal: Signal) throws {
        if signal == .windowChange { return try sendSize() }
        if options.forwardsSignals { return try send(.signal(signal.rawValue)) }
        end(.interrupted(signal))
    }

    private func sendSizes() throws {
        guard options.hasTerminal else { return }
        if options.redraws, let size = ownSize {
            // Programs draw anew when the size changes.
            try send(.resize(WindowSize(rows: size.rows + 1, columns: size.columns)))
        }
        try sendSize()
    }

    private func sendSize() throws {
        guard options.hasTerminal, let size = ownSize else { return }
        try send(.resize(size))
    }

    private var ownSize: WindowSize? {
        guard let size = FileDescriptor(rawValue: STDOUT_FILENO).windowSizeIfTerminal(), size.rows > 0, size.rows < .max
        else { return nil }
        return size
    }

    // MARK: Streams

    private func passInput() throws {
        let count = Glibc.read(input.rawValue, &buffer, buffer.count)
        if count < 0 && (errno == EINTR || errno == EAGAIN) { return }
        guard count > 0 else {
            loop.unwatch(input)
            return try send(.endOfInput)
        }
        let (bytes, detaches) = keys.take(buffer[..<count])
        if !bytes.isEmpty { try send(.input(bytes[...])) }
        if detaches { end(.detached) }
    }

    private func send(_ message: ClientMessage) throws {
        do throws(SystemCallError) {
            try connection.send(message)
        } catch {
            // What a supervisor said before it went is still to be received.
            guard error.errno == .brokenPipe || error.errno == .connectionReset else { throw error }
        }
    }

    private func receive() throws {
        switch try connection.receiveFromServer() {
        case .output(let bytes): write(bytes, to: STDOUT_FILENO)
        case .error(let bytes): write(bytes, to: STDERR_FILENO)
        case .exited(let code, let notice):
            for stream in [STDOUT_FILENO, STDERR_FILENO] {
                if let rest = marked[stream]?.finish() { writeOut(rest[...], to: stream) }
            }
            self.notice = notice
            end(.exited(code))
        case .failed(let failure): throw failure
        case nil: throw Failure("attach", "", "the container's supervisor was killed")
        }
    }

    private func write(_ bytes: ArraySlice<UInt8>, to stream: CInt) {
        let shown = marked[stream]?.pass(bytes)
        writeOut(shown?[...] ?? bytes, to: stream)
    }

    private func writeOut(_ bytes: ArraySlice<UInt8>, to stream: CInt) {
        do throws(SystemCallError) {
            try FileDescriptor(rawValue: stream).writeFully(bytes)
        } catch {
            end(.detached)  // nobody reads it any more
        }
    }

    private func end(_ ending: AttachClient.Ending) {
        self.ending = ending
        loop.stop()
    }
}

/// Finds the detach keys among what a user types.
struct DetachKeyFilter {
    private let keys: [UInt8]
    /// How many of them were pressed just now, and held back.
    private var matched = 0

    init(_ keys: [UInt8]) {
        self.keys = keys
    }

    /// - Returns: What is to be passed on, and whether the keys are complete; nothing after them is passed on.
    mutating func take(_ typed: ArraySlice<UInt8>) -> (passed: [UInt8], detaches: Bool) {
        guard !keys.isEmpty else { return (Array(typed), false) }
        var passed: [UInt8] = []
        for byte in typed {
            if byte == keys[matched] {
                matched += 1
                if matched == keys.count { return (passed, true) }
                continue
            }
            // As with Docker, what was held back is passed on as it was, and this key may begin anew.
            passed += keys[..<matched]
            matched = 0
            if byte == keys[0] { matched = 1 } else { passed.append(byte) }
        }
        return (passed, false)
    }
}
