import CLinux
import Glibc
import Linux
import SystemPackage

/// The supervisor's side of attach: passes the container's output to whoever is attached, and their input to it.
final class AttachServer {
    private final class Client {
        let connection: AttachConnection
        var pending: [[UInt8]] = []
        var isReady = false
        /// Whether the container is to end with it.
        var isOwner = false

        init(_ connection: AttachConnection) { self.connection = connection }
    }

    private let loop: EventLoop
    private let listener: FileDescriptor?
    private var clients: [Int32: Client] = [:]

    /// Called with the clients' input, and with `nil` at its end.
    var onInput: (ArraySlice<UInt8>?) throws -> Void = { _ in }
    var onResize: (WindowSize) throws -> Void = { _ in }
    var onSignal: (Int32) throws -> Void = { _ in }
    /// Called when the client that the container was to end with is gone.
    var onOwnerGone: () throws -> Void = {}
    /// Called when every client has taken what it was sent.
    var onDrained: () throws -> Void = {}

    /// Serves only the clients that it is given.
    init(loop: EventLoop) {
        self.loop = loop
        listener = nil
    }

    init(_ socket: AttachSocket, in directory: FileDescriptor, loop: EventLoop) throws(SystemCallError) {
        self.loop = loop
        let listener = try socket.listen(in: directory)
        self.listener = listener
        loop.watch(listener) { [unowned self] _ in try accept(from: listener) }
    }

    /// Takes a client that is connected already: the command that started this container.
    func adopt(_ socket: FileDescriptor, isOwner: Bool) {
        let client = Client(AttachConnection(socket: socket))
        client.isReady = true
        client.isOwner = isOwner
        add(client)
    }

    /// Whether a client is behind, so that no more should be read from the container.
    var isBehind: Bool { clients.values.contains { !$0.pending.isEmpty } }

    /// Sends output to every client.
    func broadcast(_ message: ServerMessage) throws {
        guard !clients.isEmpty else { return }
        let bytes = AttachConnection.encode(message)
        for client in clients.values where client.isReady {
            client.pending.append(bytes)
            try flush(client)
        }
    }

    /// Sends what is left, waiting for slow clients, and closes everything.
    func finish(_ message: ServerMessage) throws {
        if let listener { try acceptWaiting(from: listener) }
        for client in Array(clients.values) {
            client.pending.append(AttachConnection.encode(message))
            // A client that is not reading must not keep the container's end from being recorded for ever.
            var timeout = timeval(tv_sec: 10, tv_usec: 0)
            setsockopt(
                client.connection.socket.rawValue, SOL_SOCKET, SO_SNDTIMEO, &timeout,
                socklen_t(MemoryLayout<timeval>.size))
            for bytes in client.pending {
                do throws(SystemCallError) { try client.connection.send(bytes) } catch { break }
            }
            remove(client)
        }
        if let listener {
            loop.unwatch(listener)
            listener.closeQuietly()
        }
    }

    private func accept(from listener: FileDescriptor) throws {
        let raw = try check("accept", "attach socket") { apus_accept(listener.rawValue) }
        add(Client(AttachConnection(socket: FileDescriptor(rawValue: raw))))
    }

    /// Those who came just before the end hear of it too.
    private func acceptWaiting(from listener: FileDescriptor) throws {
        var entry = pollfd(fd: listener.rawValue, events: Int16(POLLIN), revents: 0)
        while poll(&entry, 1, 0) > 0 { try accept(from: listener) }
    }

    private func add(_ client: Client) {
        clients[client.connection.socket.rawValue] = client
        watch(client)
    }

    private func watch(_ client: Client) {
        loop.watch(client.connection.socket, client.pending.isEmpty ? POLLIN : POLLIN | POLLOUT) {
            [unowned self] events in
            if Int32(events) & POLLOUT != 0 { try flush(client) }
            if Int32(events) & (POLLIN | POLLHUP | POLLERR) != 0 { try serve(client) }
        }
    }

    private func serve(_ client: Client) throws {
        guard clients[client.connection.socket.rawValue] === client else { return }
        switch try client.connection.receiveFromClient() {
        case .input(let bytes): try onInput(bytes)
        case .endOfInput: try onInput(nil)
        case .resize(let size): try onResize(size)
        case .signal(let number): try onSignal(number)
        case .ready: client.isReady = true
        case .detach:
            client.isOwner = false
            remove(client)
        case nil:
            let wasOwner = client.isOwner
            remove(client)
            if wasOwner { try onOwnerGone() }
        }
        if !isBehind { try onDrained() }
    }

    private func flush(_ client: Client) throws {
        do throws(SystemCallError) {
            while let bytes = client.pending.first {
                try client.connection.send(bytes, flags: CInt(MSG_DONTWAIT))
                client.pending.removeFirst()
            }
            watch(client)
            if !isBehind { try onDrainedUntyped() }
        } catch  where error.errno == .resourceTemporarilyUnavailable || error.errno == .noBufferSpace {
            watch(client)
        } catch {
            client.pending = []  // it is gone: the loop sees its hangup next
        }
    }

    /// A failure of the container's own streams is found again, and reported, when they are next read.
    private func onDrainedUntyped() throws(SystemCallError) {
        do { try onDrained() } catch let error as SystemCallError { throw error } catch { return }
    }

    private func remove(_ client: Client) {
        loop.unwatch(client.connection.socket)
        clients[client.connection.socket.rawValue] = nil
        client.connection.socket.closeQuietly()
    }
}
