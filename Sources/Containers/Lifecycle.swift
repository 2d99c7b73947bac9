import CLinux
import Glibc
public import Linux
import SystemPackage

/// Making and starting containers.
extension ContainerStore {
    /// A container that was made just now, with its `alive` lock held.
    public struct New {
        public let container: Container
        /// What was asked for, with the name that the container got if it has a directory.
        public let config: ContainerConfig
        let alive: FileDescriptor
    }

    /// Makes a container's directory and takes its name.
    ///
    /// - Parameters:
    ///   - config: A config without a name gets one.
    ///   - isBrief: Whether `settle` does all that only once the container has lived for a moment.
    /// - Throws: Nothing is left then.
    public func make(_ config: ContainerConfig, isBrief: Bool = false) throws(Failure) -> New {
        let id = try Self.newID()
        let alive = try lockNew(id)
        if isBrief {
            return New(container: try makeBrief(id, config, alive), config: config, alive: alive)
        }
        do throws(Failure) {
            let (container, config) = try settle(id, config)
            return New(container: container, config: config, alive: alive)
        } catch {
            releaseAlive(id, alive)
            throw error
        }
    }

    /// One without a name, and with a directory only where its root needs a place for its layer.
    private func makeBrief(
        _ id: String, _ config: ContainerConfig, _ alive: FileDescriptor
    ) throws(Failure) -> Container {
        if case .directory = config.root {
            return Container(id: id, store: self, directory: FileDescriptor(rawValue: -1))
        }
        do throws(Failure) {
            return try makeDirectory(id)
        } catch {
            releaseAlive(id, alive)
            throw error
        }
    }

    /// Gives a container its directory, unless it has one, and its name.
    func settle(_ id: String, _ config: ContainerConfig) throws(Failure) -> (Container, ContainerConfig) {
        let container = try makeDirectory(id)
        do throws(Failure) {
            var config = config
            config.name = try reserveName(config.name ?? "", for: id)
            return (container, config)
        } catch {
            try? container.removeFiles(name: nil)  // `try?`: the first error is the one to report
            throw error
        }
    }

    private func lockNew(_ id: String) throws(Failure) -> FileDescriptor {
        do throws(SystemCallError) {
            if let alive = try lockAlive(id, wait: true) { return alive }
            throw SystemCallError("flock", "", .wouldBlock)
        } catch {
            throw Failure("make container", path, error)
        }
    }

    private func makeDirectory(_ id: String) throws(Failure) -> Container {
        do throws(SystemCallError) {
            try directory.makeDirectory("containers/\(id)", mode: 0o711)
        } catch {
            throw Failure("make container", "\(path)/containers/\(id)", error)
        }
        return try open(id: id)
    }

    private func reserveName(_ name: String, for id: String) throws(Failure) -> String {
        guard name.isEmpty else {
            try reserve(name, for: id)
            return name
        }
        for attempt in 0... {
            let name = RandomName.make(attempt: attempt)
            do throws(Failure) {
                try reserve(name, for: id)
                return name
            } catch  where attempt < 20 {
                continue
            }
        }
        throw Failure("name container", "", "no free name was found")
    }

    /// Records a container that is to be started later.
    public func create(_ config: ContainerConfig, cidfile: String? = nil) throws -> Container {
        let new = try make(config)
        defer { releaseAlive(new.container.id, new.alive) }
        do {
            try new.writeCidfile(cidfile)
            // Until the record says that they are in use.
            let layers = try new.container.holdLayers(new.config)
            defer { layers?.closeQuietly() }
            // A Spec that cannot be made is said now rather than at the start.
            let spec = try new.container.makeSpec(new.config)
            try new.container.saveDescription(new.config, spec)
            try new.container.writeState(initial: new.config) { _ in }
            return new.container
        } catch {
            try? new.container.removeFiles(name: new.config.name ?? "")  // `try?`: the first error is the one to report
            throw error
        }
    }

    /// A supervisor for a container that was made just now.
    public func supervise(_ new: New, attachment: Supervisor.Attachment) throws(Failure) -> Supervisor {
        try Supervisor(new.container, config: new.config, attachment: attachment, alive: new.alive)
    }

    /// A supervisor for a container that exists and is not running.
    ///
    /// - Throws: When it is running.
    public func supervise(_ container: Container, attachment: Supervisor.Attachment) throws -> Supervisor {
        let config = try container.loadConfig()
        guard let alive = try lockAlive(container.id, wait: false) else {
            throw Failure("start container", config.name ?? "", "it is running already")
        }
        return try Supervisor(container, config: config, attachment: attachment, alive: alive)
    }
}
