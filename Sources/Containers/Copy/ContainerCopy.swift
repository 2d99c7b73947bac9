import CLinux
import Glibc
import Linux
import OCI
import Sandbox
import SystemPackage

/// Copies files between a container, running or not, and this machine.
///
/// One process in the container's root and one on this machine's side, each confined to where it works; a tar stream
/// passes between them.
public struct ContainerCopy: Sendable {
    let store: ContainerStore
    /// Whether files keep their user and group IDs; without, they become root's in a container, and the caller's outside.
    public var keepsOwners = false
    /// Whether a source that is a symlink stands for what it points to.
    public var followsLink = false

    public init(_ store: ContainerStore) {
        self.store = store
    }

    /// Copies.
    ///
    /// - Returns: The size of the tar stream in bytes; 0 where it went to standard output.
    /// - Throws: For two places in containers or none, and for what cannot be read or written.
    public func copy(from source: CopyPlace, to target: CopyPlace) throws -> Int64 {
        switch (source, target) {
        case (.container(let name, let path), .stream):
            try withVisit(to: name) { visit in
                let source = CopySource(path: path, inContainer: true, followsLink: followsLink)
                let output = FileDescriptor(rawValue: STDOUT_FILENO)
                let reader = try visit.start { () throws(Failure) in try source.write(to: output) }
                try finishOutput(reader)
            }
            return 0
        case (.stream, .container(let name, let path)):
            return try withVisit(to: name) { visit in
                let target = CopyTarget(
                    path: path, inContainer: true, keepsOwners: keepsOwners, takesUserStream: true)
                return try receive(into: target, .inside(visit), from: FileDescriptor(rawValue: STDIN_FILENO))
            }
        case (.container(let name, let inside), .host(let outside)):
            return try withVisit(to: name) { visit in
                try transfer(
                    from: CopySource(path: inside, inContainer: true, followsLink: followsLink), .inside(visit),
                    to: place(outside, inContainer: false), .outside(confined: true))
            }
        case (.host(let outside), .container(let name, let inside)):
            return try withVisit(to: name) { visit in
                try transfer(
                    from: CopySource(path: outside, inContainer: false, followsLink: followsLink),
                    .outside(confined: false), to: place(inside, inContainer: true), .inside(visit))
            }
        case (.container, .container):
            throw Failure(
                "cp", "", "copying between containers is not supported",
                remedy: "use 'apus cp A:PATH - | apus cp - B:DIRECTORY'")
        default:
            throw Failure("cp", "", "one of the two must be CONTAINER:PATH")
        }
    }

    private func place(_ path: String, inContainer: Bool) -> CopyTarget {
        CopyTarget(path: path, inContainer: inContainer, keepsOwners: keepsOwners, takesUserStream: false)
    }

    // MARK: The two processes

    /// Where a child process works.
    private enum Side {
        case inside(RootVisit)
        /// On this machine's side.
        ///
        /// - Parameter confined: Whether it is to confine itself to a directory, which an ordinary user may do only in
        ///   a user namespace. There, other users' IDs are not seen.
        case outside(confined: Bool)

        func start(_ body: () throws(Failure) -> Void) throws(Failure) -> Errand {
            switch self {
            case .inside(let visit): try visit.start(body)
            case .outside(let confined): try Errand.start(in: confined && geteuid() != 0 ? .user : [], body)
            }
        }
    }

    private func transfer(
        from source: CopySource, _ sourceSide: Side, to target: CopyTarget, _ targetSide: Side
    ) throws -> Int64 {
        let (read, write) = try FileDescriptor.makePipe()
        let reader: Errand
        do {
            reader = try startReader(source, sourceSide, read, write)
        } catch {
            read.closeQuietly()
            throw error
        }
        let size: Int64
        do {
            size = try receive(into: target, targetSide, from: read)
        } catch {
            read.closeQuietly()
            // Where both fail the source's failure is the cause, unless it failed because nobody read on.
            try finish(reader, mayBeBroken: true)
            throw error
        }
        read.closeQuietly()
        try finish(reader, mayBeBroken: false)
        return size
    }

    private func finishOutput(_ reader: Errand) throws(Failure) {
        do throws(Failure) {
            try reader.finish()
        } catch  where error.isBrokenPipe {
            raise(SIGPIPE)  // whoever reads the stream has enough: this process ends as its child did
        }
    }

    private func finish(_ reader: Errand, mayBeBroken: Bool) throws(Failure) {
        do throws(Failure) {
            try reader.finish()
        } catch {
            if !mayBeBroken || !error.isBrokenPipe { throw error }
        }
    }

    private func startReader(
        _ source: CopySource, _ side: Side, _ read: FileDescriptor, _ write: FileDescriptor
    ) throws(Failure) -> Errand {
        defer { write.closeQuietly() }
        return try side.start { () throws(Failure) in
            read.closeQuietly()  // or a target that fails would never break the pipe
            try source.write(to: write)
        }
    }

    private func receive(into target: CopyTarget, _ side: Side, from stream: FileDescriptor) throws -> Int64 {
        let (read, write) = try FileDescriptor.makePipe()
        defer { read.closeQuietly() }
        let writer = try startWriter(target, side, stream, reportingTo: write)
        let size = try read.readAll(limit: 64)
        try writer.finish()
        return Int64(String(decoding: size, as: UTF8.self)) ?? 0
    }

    private func startWriter(
        _ target: CopyTarget, _ side: Side, _ stream: FileDescriptor, reportingTo report: FileDescriptor
    ) throws(Failure) -> Errand {
        defer { report.closeQuietly() }
        return try side.start { () throws(Failure) in
            let size = try target.read(from: stream)
            try? report.writeFully("\(size)".utf8)  // `try?`: a parent that is gone wants no number
        }
    }

    // MARK: The container

    /// Calls `body` with the container's root, which stays as it is meanwhile: a stopped one is not started.
    private func withVisit<Result>(to name: String, _ body: (RootVisit) throws -> Result) throws -> Result {
        let container = try store.find(name)
        defer { container.close() }
        let state = try container.loadState()
        if case .running = state.status {
            let process = try container.runningProcess(state, to: "cp")
            defer { process.pidfd.closeQuietly() }
            return try body(.running(initProcess: process, spec: try container.loadSpec()))
        }
        guard let alive = try store.lockAlive(container.id, wait: false) else {
            throw Failure("cp", state.name, "the container is being started or removed just now")
        }
        defer { store.releaseAlive(container.id, alive) }
        let config = try container.loadConfig()
        let spec = try container.makeSpec(config)
        try container.writeHostFiles(config, spec, nil)
        return try body(
            .stopped(root: try container.prepareRoot(config, spec), mountPoint: container.mountPoint, spec: spec))
    }
}

extension Failure {
    /// Whether a child process ended because nobody read on: then that one's failure is the one to report.
    fileprivate var isBrokenPipe: Bool { reason == "was killed by signal \(SIGPIPE)" }
}
