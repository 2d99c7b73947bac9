import CLinux
import Glibc
import Linux
import SystemPackage

/// `apus run` in the foreground.
extension ContainerStore {
    /// Makes a container, runs it with this process as its supervisor, and waits for its end.
    ///
    /// - Parameters:
    ///   - cidfile: A file, not there yet, for the container's ID.
    ///   - sharesStreams: Whether the container may have this process' own streams, so that nothing is copied or logged.
    ///   - marks: What comes before each line where they are copied.
    ///   - reports: Where it is told what the container has used; `nil` for nowhere.
    /// - Returns: The container's exit code.
    public func runInForeground(
        _ config: ContainerConfig, cidfile: String?, sharesStreams: Bool, marks: LineMarks = LineMarks(),
        reports: LimitReports? = nil
    ) throws -> Int32 {
        guard let reports else { return try runInForeground(config, cidfile, sharesStreams, marks, nil) }
        let notes = LimitNotes()
        do {
            return try runInForeground(config, cidfile, sharesStreams, marks, reports)
        } catch {
            try reports.write(failure: error, of: config.arguments, notes)
            throw error
        }
    }

    private func runInForeground(
        _ config: ContainerConfig, _ cidfile: String?, _ sharesStreams: Bool, _ marks: LineMarks,
        _ reports: LimitReports?
    ) throws -> Int32 {
        let caches = try HeldCaches(config, in: self)
        // The longest part of a start begins first.
        let network =
            config.network.isPrivate && config.network != .pasta && config.hasHostUsers
            ? NetworkPreparation.start() : nil
        let new = try make(config, isBrief: sharesStreams && config.leavesNothing)
        do {
            try new.writeCidfile(cidfile)
        } catch {
            releaseAlive(new.container.id, new.alive)
            throw error
        }
        let supervisor = try supervise(new, attachment: sharesStreams ? .inherited : .relayed)
        supervisor.network = consume network
        supervisor.lineMarks = marks
        supervisor.reports = reports
        supervisor.caches = caches
        return try supervisor.run(removeIfNotStarted: true)
    }
}

extension ContainerConfig {
    /// Whether a container that ends within its first moments leaves no records and no name to remember.
    fileprivate var leavesNothing: Bool {
        guard removeAtEnd, name == nil, case .none = healthCheck, userNamespace != .auto, job?.needsDirectory != true
        else { return false }
        // Where others find it by name, it has one.
        if !network.attachments.isEmpty { return false }
        return !mounts.contains { $0.kind == .volume }
    }

    /// Whether root runs it without a user namespace.
    fileprivate var hasHostUsers: Bool {
        geteuid() == 0 && (userNamespace == .standard || userNamespace == .host)
    }
}
