import CLinux
import Glibc
import Linux
import SystemPackage

/// Scopes: cgroups that systemd makes around processes which it did not start, and leaves to them.
///
/// - Note: org.freedesktop.systemd1(5); systemd, "Control Group APIs and Delegation".
enum SystemdScope {
    /// Whether systemd runs this machine.
    ///
    /// - Note: sd_booted(3).
    static var isSystemdHere: Bool { access("/run/systemd/system", F_OK) == 0 }

    /// The unit for a container. `+` is the one letter of an id that a unit name must not have.
    static func name(of id: String) -> String {
        var name = "apus-"
        for letter in id { name += letter == "+" ? "\\x2b" : String(letter) }
        return name + ".scope"
    }

    private static let manager = "org.freedesktop.systemd1.Manager"
    private static let unitExists = "org.freedesktop.systemd1.UnitExists"

    /// Starts a delegated scope with this process in it, and waits until it is there.
    ///
    /// It ends by itself with the last process in it.
    ///
    /// - Parameter slice: Where to put it; `nil` for the manager's usual place.
    /// - Throws: `Failure` when no systemd of this user answers, or it refuses.
    static func start(_ unit: String, description: String, slice: String?) throws(Failure) {
        let deadline = Deadline(seconds: 10)
        do throws(DBusError) {
            let connection = try connect(deadline)
            while true {
                do throws(DBusError) {
                    return try start(unit, description, slice, connection)
                } catch {
                    // The scope of the run before goes when systemd has seen its last process end; it sends no word.
                    guard error.name == unitExists, !deadline.isOver else { throw error }
                    deadline.nap()
                }
            }
        } catch {
            throw failure(unit, error)
        }
    }

    private static func start(
        _ unit: String, _ description: String, _ slice: String?, _ connection: DBusConnection
    ) throws(DBusError) {
        var body = DBusWriter()
        body.string(unit)
        body.string("fail")
        body.array(alignment: 8) { properties in
            properties.property("Description", "s") { $0.string(description) }
            properties.property("PIDs", "au") { value in value.array(alignment: 4) { $0.uint32(UInt32(getpid())) } }
            properties.property("Delegate", "b") { $0.uint32(1) }
            properties.property("CollectMode", "s") { $0.string("inactive-or-failed") }
            if let slice { properties.property("Slice", "s") { $0.string(slice) } }
        }
        body.array(alignment: 8) { _ in }
        let reply = try connection.call(manager, "StartTransientUnit", "ssa(sv)a(sa(sv))", body)
        var reader = DBusReader(reply.body)
        let job = try reader.string()
        try waitForEnd(of: job, connection)
    }

    private static func waitForEnd(of job: String, _ connection: DBusConnection) throws(DBusError) {
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

    /// Moves a process into the cgroup `subgroup` of a scope. The systemd of a user asks the machine's for what it may
    /// not do itself, such as taking a process of the same user out of its login session.
    static func attach(_ pid: pid_t, to unit: String, below subgroup: String) throws(Failure) {
        do throws(DBusError) {
            let connection = try connect(Deadline(seconds: 10))
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
    private static func connect(_ deadline: Deadline) throws(DBusError) -> DBusConnection {
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
