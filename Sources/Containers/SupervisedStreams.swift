import CLinux
import Glibc
import Linux
import SystemPackage

/// The running container's streams, joined to its log, to attached clients and to the runner's own streams.
final class SupervisedStreams {
    private var outputs: [OutputPump] = []
    private var input: InputPump?
    private var terminal: FileDescriptor?
    private let log: LogWriter?
    private let server: AttachServer?
    private let relays: Bool
    private let loop: EventLoop
    /// What is hidden of each stream, and what is put before its lines where they are relayed.
    private var masks: [LogWriter.StreamName: SecretMask.Stream] = [:]
    private var marks: [LogWriter.StreamName: MarkedStream] = [:]

    init(
        _ streams: ContainerStart.SupervisorEnds, log: LogWriter?, server: AttachServer?, relays: Bool,
        mask: SecretMask? = nil, marks lineMarks: LineMarks = LineMarks(), loop: EventLoop
    ) throws {
        self.log = log
        self.server = server
        self.relays = relays
        self.loop = loop
        for name in [LogWriter.StreamName.stdout, .stderr] {
            if let mask { masks[name] = SecretMask.Stream(mask) }
            if !lineMarks.isEmpty { marks[name] = MarkedStream(lineMarks) }
        }
        // Of its own: the pump closes the other as soon as nobody has the terminal open inside.
        terminal = try streams.terminal?.duplicate(as: nil)
        if let terminal = streams.terminal {
            // A descriptor of its own, because the loop watches each for one thing.
            let writing = try terminal.duplicate(as: nil)
            input = try InputPump(writing, isTerminal: true, loop: loop)
            outputs = [try pump(terminal, .stdout)]
        } else {
            if let target = streams.input { input = try InputPump(target, isTerminal: false, loop: loop) }
            if let source = streams.output { outputs.append(try pump(source, .stdout)) }
            if let source = streams.error { outputs.append(try pump(source, .stderr)) }
        }
        server?.onInput = { [unowned self] in try take($0) }
        server?.onResize = { [unowned self] in try self.terminal?.setWindowSize($0) }
        server?.onDrained = { [unowned self] in for item in outputs { item.resume() } }
        if relays, let input { try relayInput(to: input) }
    }

    /// Passes on what the container wrote before it ended, and writes the log out.
    func drain() throws {
        for output in outputs { try output.drain() }
        for name in [LogWriter.StreamName.stdout, .stderr] {
            if let rest = masks[name]?.finish(), !rest.isEmpty { try deliver(rest[...], name) }
            if let rest = marks[name]?.finish() { relay(rest[...], to: name.descriptor) }
        }
        input?.close()
        terminal?.closeQuietly()
        terminal = nil
        loop.unwatch(FileDescriptor(rawValue: STDIN_FILENO))
        try log?.finish()
    }

    /// Gives the container's terminal the size of this process' own.
    func takeWindowSize() throws {
        let own = FileDescriptor(rawValue: STDIN_FILENO)
        guard relays, let terminal, own.isTerminal else { return }
        try terminal.setWindowSize(own.windowSize())
    }

    private func pump(_ source: FileDescriptor, _ name: LogWriter.StreamName) throws -> OutputPump {
        try OutputPump(source, loop: loop) { [unowned self] bytes in
            let shown = masks[name]?.pass(bytes)
            try deliver(shown?[...] ?? bytes, name)
            return !(server?.isBehind ?? false)
        }
    }

    private func deliver(_ bytes: ArraySlice<UInt8>, _ name: LogWriter.StreamName) throws {
        if bytes.isEmpty { return }
        try log?.write(bytes, from: name)
        try server?.broadcast(name == .stdout ? .output(bytes) : .error(bytes))
        guard relays else { return }
        let marked = marks[name]?.pass(bytes)
        relay(marked?[...] ?? bytes, to: name.descriptor)
    }

    /// A reader that is gone must not end the container: what it would have read is dropped.
    private func relay(_ bytes: ArraySlice<UInt8>, to target: CInt) {
        try? FileDescriptor(rawValue: target).writeFully(bytes)  // `try?`: EPIPE, as just said
    }

    private func take(_ bytes: ArraySlice<UInt8>?) throws {
        if let bytes { try input?.write(bytes) } else { try input?.end() }
    }

    private func relayInput(to input: InputPump) throws {
        let own = FileDescriptor(rawValue: STDIN_FILENO)
        var buffer = [UInt8](repeating: 0, count: AttachConnection.chunk)
        loop.watch(own) { [unowned self] _ in
            let count = Glibc.read(own.rawValue, &buffer, buffer.count)
            if count > 0 {
                try input.write(buffer[..<count])
            } else if count == 0 || errno != EAGAIN {
                loop.unwatch(own)
                try input.end()
            }
        }
    }
}

extension LogWriter.StreamName {
    /// The stream of that name of this process.
    fileprivate var descriptor: CInt { self == .stdout ? STDOUT_FILENO : STDERR_FILENO }
}
