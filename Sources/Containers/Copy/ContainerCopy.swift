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
                try reader.finishOutput()
            }
            return 0
        case (.stream, .container(let name, let path)):
            return try withVisit(to: name) { visit in
                let target = CopyTarget(
                    path: path, inContainer: true, keepsOwners: keepsOwners, takesUserStream: true)
                return try CopyTransfer.receive(
                    into: target, .inside(visit), from: FileDescriptor(rawValue: STDIN_FILENO))
            }
        case (.container(let name, let inside), .host(let outside)):
            return try withVisit(to: name) { visit in
                let source = CopySource(path: inside, inContainer: true, followsLink: followsLink)
                return try CopyTransfer.transfer(
                    { (stream) throws(Failure) in try source.write(to: stream) }, .inside(visit),
                    to: place(outside, inContainer: false), .outside(confined: true))
            }
        case (.host(let outside), .container(let name, let inside)):
            return try withVisit(to: name) { visit in
                let source = CopySource(path: outside, inContainer: false, followsLink: followsLink)
                return try CopyTransfer.transfer(
                    { (stream) throws(Failure) in try source.write(to: stream) },
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
