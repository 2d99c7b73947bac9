import CLinux
import Glibc
import Linux
import SystemPackage

/// A transient scope: the unit by which systemd makes a cgroup for processes that it did not start.
///
/// - Note: org.freedesktop.systemd1(5), `StartTransientUnit`; systemd.scope(5).
final class SystemdScope {
    /// `libpod-ID.scope`
    let unit: String
    /// What it lies in: `machine.slice`.
    let slice: String
    /// systemd makes no scope without a process: this one is in it until the container's own is.
    private var placeholder: ProcessHandle?

    /// The cgroup's path below that of the manager, without a slash at its start.
    var path: String { String("\(DelegatedUnit.path(of: slice))/\(unit)".dropFirst()) }

    /// - Parameter text: `slice:prefix:name`; `nil` for the usual slice and a name from the container's.
    /// - Throws: `Failure` for another form, or for what is no name of a unit.
    init(_ text: String?, id: String) throws(Failure) {
        let usual = geteuid() == 0 ? "system.slice" : "user.slice"
        let parts =
            (text ?? "").isEmpty
            ? [usual, "apus", id] : text!.split(separator: ":", omittingEmptySubsequences: false).map { String($0) }
        guard parts.count == 3 else {
            throw Failure(
                "create cgroup", text ?? "",
                "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups")
        }
        slice = parts[0].isEmpty ? usual : parts[0]
        unit =
            parts[2].hasSuffix(".slice") ? parts[2] : "\(parts[1].isEmpty ? "" : "\(parts[1])-")\(parts[2]).scope"
        guard Self.isSlice(slice), CgroupName.isComponent(unit), !parts[2].isEmpty, unit.utf8.first != 0x2d else {
            throw Failure("create cgroup", text ?? unit, "not the names of systemd units")
        }
    }

    /// - Throws: `Failure` unless the unit of a record is the one whose cgroup the record names.
    init(recorded unit: String, _ name: String) throws(Failure) {
        guard unit == name, unit.hasSuffix(".scope") || unit.hasSuffix(".slice") else {
            throw Failure("open cgroup", unit, "not the unit of cgroup '\(name)'")
        }
        self.unit = unit
        slice = ""
    }

    deinit { dismissPlaceholder() }

    /// `a-b.slice`, whose parts are the slices that it is in; `-.slice` is the root of all.
    private static func isSlice(_ name: String) -> Bool {
        guard name.hasSuffix(".slice"), CgroupName.isComponent(name) else { return false }
        let stem = name.dropLast(".slice".count)
        return stem == "-"
            || !stem.isEmpty && stem.split(separator: "-", omittingEmptySubsequences: false).allSatisfy { !$0.isEmpty }
    }

    /// Has systemd start it with a placeholder in it, and waits until its cgroup is there.
    ///
    /// - Throws: `Failure` when no systemd of this user answers or it refuses.
    func start(_ properties: SystemdProperties, _ version: CgroupVersion) throws {
        let isSlice = unit.hasSuffix(".slice")
        if !isSlice { placeholder = try Self.makePlaceholder() }
        var all = SystemdProperties()
        all.text("Description", "Container of Apus: \(unit)")
        if isSlice { all.texts("Wants", [slice]) } else { all.text("Slice", slice) }
        if let placeholder { all.numbers("PIDs", [UInt32(placeholder.pid)]) }
        if !isSlice { all.flag("Delegate", true) }
        for accounting in ["MemoryAccounting", "CPUAccounting", "TasksAccounting"] { all.flag(accounting, true) }
        all.flag(version == .v2 ? "IOAccounting" : "BlockIOAccounting", true)
        all.flag("DefaultDependencies", false)
        all.append(properties)
        do throws(DBusError) {
            try start(all)
        } catch {
            dismissPlaceholder()
            throw Failure("create cgroup", unit, error.description)
        }
    }

    private func start(_ properties: SystemdProperties) throws(DBusError) {
        let connection = try DelegatedUnit.connect(Deadline(seconds: 30))
        let job: String
        do throws(DBusError) {
            job = try make(properties, connection)
        } catch {
            // One that has failed keeps its name until that is forgotten.
            guard error.name == DelegatedUnit.unitExists else { throw error }
            try resetFailed(connection)
            job = try make(properties, connection)
        }
        try DelegatedUnit.waitForEnd(of: job, connection)
    }

    private func make(_ properties: SystemdProperties, _ connection: DBusConnection) throws(DBusError) -> String {
        var body = DBusWriter()
        body.string(unit)
        body.string("replace")
        properties.write(to: &body)
        body.array(alignment: 8) { _ in }
        return try DelegatedUnit.job(
            connection.call(DelegatedUnit.manager, "StartTransientUnit", "ssa(sv)a(sa(sv))", body))
    }

    private func resetFailed(_ connection: DBusConnection) throws(DBusError) {
        var body = DBusWriter()
        body.string(unit)
        _ = try connection.call(DelegatedUnit.manager, "ResetFailedUnit", "s", body)
    }

    /// Changes properties of the running unit, until it ends.
    func set(_ properties: SystemdProperties) throws(Failure) {
        guard !properties.isEmpty else { return }
        do throws(DBusError) {
            let connection = try DelegatedUnit.connect(Deadline(seconds: 30))
            var body = DBusWriter()
            body.string(unit)
            body.uint32(1)
            properties.write(to: &body)
            _ = try connection.call(DelegatedUnit.manager, "SetUnitProperties", "sba(sv)", body)
        } catch {
            throw Failure("update cgroup", unit, error.description)
        }
    }

    /// Ends the unit, of which systemd may know already that its cgroup is gone.
    func stop() throws(Failure) {
        do throws(DBusError) {
            let connection = try DelegatedUnit.connect(Deadline(seconds: 30))
            try stop(connection)
            try resetFailed(connection)
        } catch {
            guard error.name == "org.freedesktop.systemd1.NoSuchUnit" else {
                throw Failure("remove cgroup", unit, error.description)
            }
        }
    }

    private func stop(_ connection: DBusConnection) throws(DBusError) {
        var body = DBusWriter()
        body.string(unit)
        body.string("replace")
        let job = try DelegatedUnit.job(connection.call(DelegatedUnit.manager, "StopUnit", "ss", body))
        try DelegatedUnit.waitForEnd(of: job, connection)
    }

    // MARK: the placeholder

    private static func makePlaceholder() throws(Failure) -> ProcessHandle {
        do throws(SystemCallError) {
            guard let process = try Clone.clone() else { waitForever() }
            return process
        } catch {
            throw Failure("create cgroup", "scope", error)
        }
    }

    private static func waitForever() -> Never {
        try? CurrentProcess.dieWithParent()  // `try?`: its parent kills it as well
        _ = apus_close_range(0, UInt32.max, 0)
        while true { pause() }
    }

    /// Ends the process that held the scope; without another one in it, systemd removes it.
    func dismissPlaceholder() {
        guard let process = placeholder else { return }
        placeholder = nil
        // `try?`: it is a child of this process that nobody else reaps
        _ = try? process.send(SIGKILL)
        _ = try? process.reap()  // `try?`: as above
        process.pidfd.closeQuietly()
    }
}
