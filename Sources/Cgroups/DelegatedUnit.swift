import CLinux
import Glibc
import Linux
import SystemPackage

/// The one cgroup that systemd delegates to Apus, once for as long as the manager runs.
///
/// It belongs to a service that does nothing and stays active. A scope for each container would be what other engines
/// make; systemd then spends several times what all the rest of a run takes. Stopping the service ends all
/// containers.
///
/// - Note: org.freedesktop.systemd1(5); systemd, "Control Group APIs and Delegation".
enum DelegatedUnit {
    /// How long systemd may take to answer, in seconds: as long as it gives a unit to start. It serves its clients one
    /// after the other, and on a busy machine there may be hundreds.
    ///
    /// - Note: systemd-system.conf(5), `DefaultTimeoutStartSec=`.
    static let patience: UInt64 = 90

    /// Whether systemd runs this machine.
    ///
    /// - Note: sd_booted(3).
    static var isSystemdHere: Bool { access("/run/systemd/system", F_OK) == 0 }

    /// The cgroup of this user's systemd: all below it is this user's to write.
    static var managerRoot: String {
        let uid = geteuid()
        return uid == 0
            ? Hierarchies.mountPoint : "\(Hierarchies.mountPoint)/user.slice/user-\(uid).slice/user@\(uid).service"
    }

    private static let prefix = "apus-containers"
    private static var usualSlice: String { geteuid() == 0 ? "system.slice" : "app.slice" }

    /// The service in `slice`; `nil` is the usual one.
    static func name(in slice: String?) -> String {
        slice.map { "\(prefix)-\($0.dropLast(".slice".count)).service" } ?? "\(prefix).service"
    }

    /// Whether `unit` has a name that Apus gives.
    static func isOurs(_ unit: String) -> Bool { unit.hasPrefix(prefix) && unit.hasSuffix(".service") }

    /// Where the service's cgroup is.
    static func path(in slice: String?) -> String {
        "\(managerRoot)\(path(of: slice ?? usualSlice))/\(self.name(in: slice))"
    }

    /// Where a slice lies below `managerRoot`. Its name says in what: `a-b.slice` is in `a.slice`.
    ///
    /// - Note: systemd.slice(5).
    static func path(of slice: String) -> String {
        let name = slice.dropLast(".slice".count)
        if name == "-" { return "" }
        var path = ""
        for index in name.indices where name[index] == "-" { path += "/\(name[..<index]).slice" }
        return path + "/\(name).slice"
    }

    static let manager = "org.freedesktop.systemd1.Manager"
    static let unitExists = "org.freedesktop.systemd1.UnitExists"

    /// Whether the service's cgroup, at `path`, is there to stay.
    ///
    /// That it exists says nothing: it does while the service's program runs, and systemd removes it when that has
    /// ended, together with all below it that has no process yet. `start` makes a mark in it after that.
    static func isReady(_ path: String) -> Bool { access("\(path)/\(ControllersV2.leaf)", F_OK) == 0 }

    /// Has systemd start the service, if it does not run, and waits until its cgroup is there to stay.
    ///
    /// - Parameter slice: Where to put it; `nil` for the usual place.
    /// - Throws: `Failure` when no systemd of this user answers, it refuses, or the cgroup does not take the mark.
    static func start(in slice: String?) throws(Failure) {
        let unit = name(in: slice)
        let deadline = Deadline(seconds: patience)
        do throws(DBusError) {
            let connection = try connect(deadline)
            try waitForEnd(of: try beginStart(unit, slice ?? usualSlice, connection), connection)
            try realize(unit, connection)
        } catch {
            throw failure(unit, error)
        }
        while access(path(in: slice), F_OK) != 0 {
            if deadline.isOver {
                throw Failure("create cgroup", unit, "systemd did not make its cgroup within \(patience) s")
            }
            deadline.nap()  // systemd sends no word of it
        }
        do throws(SystemCallError) {
            try FileDescriptor.workingDirectory.makeDirectory("\(path(in: slice))/\(ControllersV2.leaf)")
        } catch {
            throw Failure("create cgroup", unit, error)
        }
    }

    /// Asks systemd for the service.
    ///
    /// - Returns: The job that starts it, which another Apus may have asked for before. It ends at once if the service
    ///   runs already.
    private static func beginStart(
        _ unit: String, _ slice: String, _ connection: DBusConnection
    ) throws(DBusError) -> String {
        do throws(DBusError) {
            return try make(unit, slice, connection)
        } catch {
            guard error.name == unitExists else { throw error }
            var body = DBusWriter()
            body.string(unit)
            body.string("replace")
            return try job(connection.call(manager, "StartUnit", "ss", body))
        }
    }

    static func job(_ reply: DBusMessage) throws(DBusError) -> String {
        var reader = DBusReader(reply.body)
        return try reader.string()
    }

    private static func make(
        _ unit: String, _ slice: String, _ connection: DBusConnection
    ) throws(DBusError) -> String {
        let programs: [String] = ["/bin/true", "/usr/bin/true", "/run/current-system/sw/bin/true"]
        guard let program = programs.first(where: { access($0, X_OK) == 0 }) else {
            throw DBusError("this machine has no program 'true' for the service")
        }
        var body = DBusWriter()
        body.string(unit)
        body.string("fail")
        body.array(alignment: 8) { properties in
            properties.property("Description", "s") { $0.string("Containers of Apus") }
            properties.property("Slice", "s") { $0.string(slice) }
            properties.property("Type", "s") { $0.string("oneshot") }
            properties.property("RemainAfterExit", "b") { $0.uint32(1) }
            properties.property("Delegate", "b") { $0.uint32(1) }
            properties.property("TasksMax", "t") { $0.uint64(.max) }
            // One container that runs out of memory must not take the others along.
            properties.property("OOMPolicy", "s") { $0.string("continue") }
            properties.property("CollectMode", "s") { $0.string("inactive-or-failed") }
            properties.property("ExecStart", "a(sasb)") { value in
                value.array(alignment: 8) { commands in
                    commands.align(8)
                    commands.string(program)
                    commands.array(alignment: 4) { $0.string(program) }
                    commands.uint32(0)
                }
            }
        }
        body.array(alignment: 8) { _ in }
        return try job(connection.call(manager, "StartTransientUnit", "ssa(sv)a(sa(sv))", body))
    }

    /// Has systemd make the service's cgroup again, which it removes when the program has ended: any change of a
    /// resource property does.
    private static func realize(_ unit: String, _ connection: DBusConnection) throws(DBusError) {
        var body = DBusWriter()
        body.string(unit)
        body.uint32(1)
        body.array(alignment: 8) { properties in properties.property("TasksMax", "t") { $0.uint64(.max) } }
        _ = try connection.call(manager, "SetUnitProperties", "sba(sv)", body)
    }

    static func waitForEnd(of job: String, _ connection: DBusConnection) throws(DBusError) {
        while true {
            let signal = try connection.nextSignal("JobRemoved")
            var reader = DBusReader(signal.body)
            _ = try reader.uint32()
            guard try reader.string() == job else { continue }
            _ = try reader.string()
            let result = try reader.string()
            guard result == "done" else { throw DBusError("systemd could not start it: job \(result)") }
            return
        }
    }

    /// Moves a process into the cgroup `subgroup` of a unit, which must exist. The systemd of a user asks the machine's for what it may
    /// not do itself, such as taking a process of the same user out of its login session.
    static func attach(_ pid: pid_t, to unit: String, below subgroup: String) throws(Failure) {
        do throws(DBusError) {
            let connection = try connect(Deadline(seconds: patience))
            var body = DBusWriter()
            body.string(unit)
            body.string(subgroup)
            body.array(alignment: 4) { $0.uint32(UInt32(pid)) }
            _ = try connection.call(manager, "AttachProcessesToUnit", "ssau", body)
        } catch {
            throw failure(unit, error)
        }
    }

    private static func failure(_ unit: String, _ error: DBusError) -> Failure {
        Failure(
            "create cgroup", unit, error.description,
            remedy: geteuid() == 0 ? nil : RemedyV2.forNoCgroup(.memory))
    }

    // MARK: finding the manager

    /// Connects to the systemd that is responsible: the machine's for root, else the user's own. Its private socket
    /// needs no message bus; where that is out of reach, the bus does.
    static func connect(_ deadline: Deadline) throws(DBusError) -> DBusConnection {
        var last = DBusError("no systemd of this user answers (no socket in /run/user/\(getuid()))")
        for address in addresses() {
            do throws(DBusError) {
                return try DBusConnection(address, deadline: deadline)
            } catch {
                if !error.isNotThere { last = error }
            }
        }
        throw last
    }

    private static func addresses() -> [DBusAddress] {
        if geteuid() == 0 {
            return [
                DBusAddress(path: "/run/systemd/private", isBus: false),
                DBusAddress(path: "/run/dbus/system_bus_socket", isBus: true),
            ]
        }
        // The variables are missing under cron and su, or are another user's.
        var directories = ["/run/user/\(getuid())"]
        if let directory = environment("XDG_RUNTIME_DIR"), !directories.contains(directory) {
            directories.insert(directory, at: 0)
        }
        return directories.map { DBusAddress(path: "\($0)/systemd/private", isBus: false) }
            + (environment("DBUS_SESSION_BUS_ADDRESS").map(DBusAddress.parse) ?? [])
            + directories.map { DBusAddress(path: "\($0)/bus", isBus: true) }
    }

    private static func environment(_ name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }
}

extension DBusWriter {
    /// One `(sv)` of systemd's lists of properties.
    mutating func property(_ name: String, _ signature: String, _ value: (inout DBusWriter) -> Void) {
        align(8)
        string(name)
        self.signature(signature)
        value(&self)
    }
}
