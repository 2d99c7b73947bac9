import Cgroups
import Glibc
import Linux
public import OCI
import SystemPackage

/// What can be done with a container that has not ended.
extension RuntimeContainer {
    /// Stops all of its processes, until `resume`.
    ///
    /// - Throws: When it has ended, or has no cgroup.
    public func pause() throws {
        try lock()
        let record = try record()
        switch try status(record) {
        case .running, .created: try withCgroup(record, to: "pause") { try $0.freeze() }
        case .creating, .paused, .stopped: throw Failure("pause", id, "container not running")
        }
    }

    /// Records what a cgroup has grown by: on v1 the freezer's hierarchy is joined at its first use.
    func keep(_ cgroup: any Cgroup) throws(Failure) {
        guard cgroup.record.kind == .v1, try lockIfPresent(), var record = try recordIfPresent(),
            record.cgroup != cgroup.record
        else { return }
        record.cgroup = cgroup.record
        try save(record)
    }

    /// Lets them go on.
    ///
    /// - Throws: When they are not stopped.
    public func resume() throws {
        try lock()
        let record = try record()
        guard try status(record) != .stopped, record.cgroup?.isFrozen ?? false else {
            throw Failure("resume", id, "container not paused")
        }
        try withCgroup(record, to: "resume") { try $0.thaw() }
    }

    /// Changes its limits; what `resources` does not name stays as it is.
    ///
    /// - Parameters:
    ///   - cacheSchema: For the class of service: `L3:0=f`; `nil` leaves it as it is.
    ///   - bandwidthSchema: `MB:0=20`; `nil` leaves it as it is.
    /// - Throws: For the first limit that cannot be enforced; all are then what they were.
    public func update(
        _ resources: Spec.Resources, cacheSchema: String? = nil, bandwidthSchema: String? = nil
    ) throws {
        try lock()
        let record = try record()
        guard try status(record) != .stopped else { throw Failure("update", id, "container not running") }
        if resources != Spec.Resources() {
            _ = try withCgroup(record, to: "update") { try $0.update(resources, specVersion: record.ociVersion) }
        }
        guard cacheSchema != nil || bandwidthSchema != nil else { return }
        var wish = try spec().linux?.intelRdt ?? Spec.IntelRdt()
        wish.l3CacheSchema = cacheSchema
        wish.memBwSchema = bandwidthSchema
        wish.schemata = nil
        try IntelRdtGroup(wish, id: id).update()
    }

    /// Does something with its cgroup. A hierarchy of v1 that the container joins for that is recorded, so that `delete`
    /// finds it; the caller has the container to itself.
    private func withCgroup<Result>(
        _ record: RuntimeRecord, to verb: String, _ body: (any Cgroup) throws -> Result
    ) throws -> Result {
        guard let cgroup = try cgroup(record) else { throw Failure(verb, id, "container has no cgroup") }
        defer { saveQuietly(cgroup.record, record) }
        return try body(cgroup)
    }

    private func saveQuietly(_ cgroup: CgroupRecord, _ record: RuntimeRecord) {
        guard record.cgroup != cgroup else { return }
        var record = record
        record.cgroup = cgroup
        try? save(record)  // `try?`: where nothing can be written, `delete` fails and says so
    }

    /// Kills all of its processes.
    func killAll(_ record: RuntimeRecord) throws {
        try lock()
        defer { unlock() }
        try withCgroup(record, to: "kill") { try $0.kill() }
    }

    /// Its processes, as this PID namespace numbers them, in ascending order.
    ///
    /// - Throws: When it has ended.
    public func processes() throws -> [pid_t] {
        let record = try record()
        guard let process = try initProcess(record) else { throw Failure("", id, "container not running") }
        defer { process.pidfd.closeQuietly() }
        if let cgroup = try cgroup(record) { return try cgroup.processes().sorted() }
        return try step("list processes", id) { () throws(SystemCallError) in
            try ProcessTree.processes(of: record.pid)
        }
    }

    // MARK: Events

    /// What it uses and has used.
    ///
    /// - Throws: When it has ended.
    public func statistics() throws -> ContainerStatistics {
        let record = try record()
        guard let process = try initProcess(record) else { throw notRunning }
        defer { process.pidfd.closeQuietly() }
        try lock()
        defer { unlock() }
        var statistics = ContainerStatistics()
        if record.cgroup != nil {
            statistics = try withCgroup(record, to: "count") { try $0.containerStatistics() }
        }
        if let wish = try spec().linux?.intelRdt { statistics.intelRdt = try IntelRdtGroup(wish, id: id).statistics() }
        statistics.networkInterfaces = NetworkInterfaces.of(record.pid)
        return statistics
    }

    private var notRunning: Failure { Failure("", "", "container with id \(id) is not running") }

    /// Tells what happens to it until it has ended.
    ///
    /// - Parameters:
    ///   - interval: Between two statistics, in milliseconds.
    ///   - tell: Gets statistics, or nothing each time that the kernel ran out of memory for it.
    public func watch(every interval: CInt, _ tell: (ContainerStatistics?) throws -> Void) throws {
        let record = try record()
        guard let process = try initProcess(record) else { throw notRunning }
        defer { process.pidfd.closeQuietly() }
        let cgroup = try cgroup(record)
        let notifier = try cgroup?.oomNotifier()
        defer { notifier?.closeQuietly() }
        var kills = try cgroup?.oomKills() ?? 0
        while true {
            var entries = [process.pidfd.rawValue, notifier?.rawValue ?? -1].map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            let ready = poll(&entries, nfds_t(entries.count), interval)
            if entries[1].revents != 0, let notifier { drain(notifier) }
            // Also at the end: that may be what ended it.
            let now = try cgroup?.oomKills() ?? 0
            if now > kills { try tell(nil) }
            kills = now
            if entries[0].revents != 0 { return }
            if ready == 0 { try tell(statistics()) }
        }
    }

    private func drain(_ notifier: FileDescriptor) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        _ = Glibc.read(notifier.rawValue, &buffer, buffer.count)
    }
}

/// What went through the interfaces of a container's network namespace.
enum NetworkInterfaces {
    /// - Returns: `nil` in the network namespace of this process, whose interfaces are not the container's.
    static func of(_ pid: pid_t) -> [ContainerStatistics.NetworkInterface]? {
        let here = FileDescriptor.workingDirectory
        guard let namespace = here.linkTarget(of: "/proc/\(pid)/ns/net"),
            namespace != here.linkTarget(of: "/proc/self/ns/net"),
            // A process that has ended has no interfaces.
            let bytes = FileDescriptor.contentsIfReadable(of: "/proc/\(pid)/net/dev", limit: 1 << 20)
        else { return nil }
        return parse(String(decoding: bytes, as: UTF8.self))
    }

    /// - Note: proc_pid_net(5): after the name, eight numbers of what came in and eight of what went out.
    static func parse(_ text: String) -> [ContainerStatistics.NetworkInterface] {
        text.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { return nil }
            let numbers = parts[1].split(separator: " ").compactMap { UInt64($0) }
            guard numbers.count >= 12 else { return nil }
            var interface = ContainerStatistics.NetworkInterface()
            interface.name = String(parts[0].drop { $0 == " " })
            (interface.rxBytes, interface.rxPackets) = (numbers[0], numbers[1])
            (interface.rxErrors, interface.rxDropped) = (numbers[2], numbers[3])
            (interface.txBytes, interface.txPackets) = (numbers[8], numbers[9])
            (interface.txErrors, interface.txDropped) = (numbers[10], numbers[11])
            return interface
        }
    }
}
