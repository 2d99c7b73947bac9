import FoundationEssentials
import Glibc
import Linux
import SystemPackage
import Testing

/// Who calls Apus. Tests run with each that the user who runs the tests can be.
enum Caller: String, CustomTestStringConvertible {
    case root
    /// A user with subordinate IDs.
    case ordinary
    /// A user without them, and so with one ID to give to a container.
    case withoutIDs

    var testDescription: String { rawValue }

    /// Root, and the user with subordinate IDs. A test run by an ordinary user has only that user.
    ///
    /// With `APUS_TEST_OWN_CALLER` in the environment a test run by root has only root: whoever sets it runs the tests
    /// once more as the other user.
    static let available: [Caller] =
        Machine.isRoot ? (Machine.hasOwnCallerOnly ? [.root] : [.root, .ordinary]) : [.ordinary]
    /// Also the user without subordinate IDs.
    static let all: [Caller] =
        Machine.isRoot ? (Machine.hasOwnCallerOnly ? [.root] : [.root, .ordinary, .withoutIDs]) : [.ordinary]
    /// Those who are not root.
    static let unprivileged = all.filter { $0 != .root }
    /// Those who can limit resources here. For another user than the one who runs the tests nothing is delegated.
    static let withLimits: [Caller] =
        Machine.isRoot ? [.root] : Machine.hasDelegation || Machine.isCI ? [.ordinary] : []

    /// The account, made when it is missing.
    var account: Account {
        switch self {
        case .root: Account(name: "root", uid: 0, gid: 0, home: "/root")
        case .ordinary: Machine.isRoot ? Account.ordinary : Account.current
        case .withoutIDs: Account.withoutIDs
        }
    }
}

/// A user of this machine.
struct Account {
    var name: String
    var uid: uid_t
    var gid: gid_t
    var home: String

    static let current: Account = find("\(geteuid())")!
    static let ordinary = make("apus-test", ["--create-home", "--add-subids-for-system"])
    static let withoutIDs = make("apus-test-bare", ["--create-home"])

    private static func find(_ user: String) -> Account? {
        guard let entry = getpwnam(user) ?? uid_t(user).flatMap({ getpwuid($0) }) else { return nil }
        return Account(
            name: String(cString: entry.pointee.pw_name), uid: entry.pointee.pw_uid, gid: entry.pointee.pw_gid,
            home: String(cString: entry.pointee.pw_dir))
    }

    /// Only for root. The accounts stay: another run of the tests may be using them.
    private static func make(_ name: String, _ options: [String]) -> Account {
        let lock = open("/run/lock", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { close(lock) }
        flock(lock, LOCK_EX)  // useradd fails while another is at work
        if let account = find(name) { return account }
        do {
            // A system user, since those get subordinate IDs only on request.
            let words = ["/usr/sbin/useradd", "--system", "--shell", "/bin/sh", "--home-dir", "/home/\(name)"]
            let made = try RunningProcess(words + options + [name], environment: [:], directory: "/").wait()
            guard made.status == 0, let account = find(name) else { fatalError("useradd \(name): \(made)") }
            return account
        } catch {
            fatalError("useradd \(name): \(error)")
        }
    }
}
