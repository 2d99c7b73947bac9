import CLinux
import Glibc
import Linux
import SystemPackage

extension Container {
    /// Waits until the container has ended.
    ///
    /// - Returns: Its exit code; 0 for one that was never started.
    /// - Throws: When it was removed at its end before anybody could be told how it ended.
    public func waitForEnd() throws -> Int32 {
        while true {
            // Asked first: who records that the container runs has its socket by then.
            let isRecorded = directory.has("state.json")
            if let code = try codeFromSupervisor() { return code }
            // A foreground run gets both in its first milliseconds.
            guard !isRecorded, try isSupervised() else { break }
            poll(nil, 0, 2)
        }
        try waitUntilUnsupervised()
        guard let state = try stateUnlessRemoved() else {
            throw Failure("wait for container", shortID, "it was removed when it ended, and its exit code with it")
        }
        switch state.status {
        case .created: return 0
        case .exited(let ending): return ending.exitCode
        case .running: throw Failure("wait for container", state.name, "its supervisor was killed")
        }
    }

    private func stateUnlessRemoved() throws -> ContainerState? {
        do throws(Failure) {
            return try loadStateIfPresent()
        } catch {
            guard store.directory.has("containers/\(id)") else { return nil }
            throw error
        }
    }

    /// Asks the supervisor, who knows the exit code also of a container that is removed at its end.
    ///
    /// - Returns: `nil` without a supervisor that answers.
    private func codeFromSupervisor() throws -> Int32? {
        let socket: FileDescriptor
        do throws(SystemCallError) {
            socket = try AttachSocket.connectToAny(in: directory)
        } catch {
            return nil  // none listens: the container is not running
        }
        defer { socket.closeQuietly() }
        let connection = AttachConnection(socket: socket)
        while let message = try connection.receiveFromServer() {
            switch message {
            case .exited(let code, _): return code
            case .failed(let failure): return failure.exitCode
            case .output, .error: continue
            }
        }
        return nil
    }
}

/// What a container is doing, in the words of `ps` and `inspect`.
public enum ContainerActivity: String, Sendable, CaseIterable {
    case created, running, paused, restarting, exited, dead

    /// - Parameter isSupervised: Asked only where the record alone does not say it.
    public init(_ state: ContainerState, isSupervised: @autoclosure () throws -> Bool) rethrows {
        switch state.status {
        case .created: self = .created
        case .running(let running): self = running.paused ? .paused : .running
        case .exited: self = try state.restarts > 0 && isSupervised() ? .restarting : .exited
        }
    }
}
