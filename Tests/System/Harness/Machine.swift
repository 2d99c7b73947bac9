import FoundationEssentials
import Glibc
import Linux
import SystemPackage
import Testing

/// What all tests share: the executable, a root file system, and what is known of this machine.
enum Machine {
    static let isRoot = geteuid() == 0
    /// Whether root's tests leave ordinary users out, who have a run of their own.
    static let hasOwnCallerOnly = getenv("APUS_TEST_OWN_CALLER") != nil
    /// Whether what is missing fails a test instead of skipping it.
    static let isCI = getenv("CI").map { String(cString: $0) } == "true"
    static let hasCgroupV2 = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0
    static let hasSystemd = access("/run/systemd/system", F_OK) == 0

    /// Whether this user's systemd hands out cgroups with controllers.
    static let hasDelegation = access("\(delegated)/cgroup.procs", W_OK) == 0

    /// Whether it hands out that controller too.
    static func isDelegated(_ controller: String) -> Bool {
        // `try?`: where there is no such file nothing is delegated
        let controllers = try? String(contentsOfFile: "\(delegated)/cgroup.controllers", encoding: .utf8)
        return controllers?.split(whereSeparator: \.isWhitespace).contains { $0 == controller } ?? false
    }

    private static let delegated = "/sys/fs/cgroup/user.slice/user-\(geteuid()).slice/user@\(geteuid()).service"

    /// Directory for what all tests share and nobody changes; removed when the tests end.
    private static let shared: String = {
        signal(SIGPIPE, SIG_IGN)  // what has ended before it read its input is no reason to end
        let path = makeTemporaryDirectory("apus-tests")
        chmod(path, 0o755)
        // `try?`: a directory in /tmp that stays is no failed test
        atexit { if Machine.owner == getpid() { try? FileManager.default.removeItem(atPath: Machine.shared) } }
        return path
    }()

    private static let owner = getpid()

    /// The executable under test, where every user can read it: a checkout may be below a closed /root.
    static let apus: String = {
        let built = setting("APUS_EXECUTABLE") ?? ".build/release/apus"
        let copy = "\(shared)/apus"
        // By another process: a file that this one has open for writing reaches the children that other threads start
        // at that moment, and cannot be executed as long as they have it.
        do {
            let words = ["/bin/cp", "--", built, copy]
            let copied = try RunningProcess(words, environment: [:], directory: here).wait()
            guard copied.status == 0 else { fatalError("APUS_EXECUTABLE: \(copied.errors)") }
        } catch {
            fatalError("APUS_EXECUTABLE: \(error)")
        }
        chmod(copy, 0o755)
        return copy
    }()

    /// A root file system of busybox that everybody reads and nobody changes.
    static let busybox: String = {
        let path = "\(shared)/busybox"
        do { try makeBusyboxRoot(path) } catch { fatalError("\(error)") }
        return path
    }()

    /// What all of them are copies of, because the script starts a process for each of busybox's 300 names.
    private static let pattern: String = {
        let path = "\(shared)/pattern"
        let script = setting("APUS_TEST_MAKE_ROOTFS") ?? "Tests/make-rootfs.sh"
        do { try call(["/bin/sh", script, path]) } catch { fatalError("\(error)") }
        return path
    }()

    /// Makes a root file system of busybox that belongs to the user who runs the tests.
    static func makeBusyboxRoot(_ path: String) throws {
        try call(["/bin/cp", "--archive", "--", pattern, path])
    }

    private static func call(_ words: [String]) throws {
        let environment = ["PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
        let ended = try RunningProcess(words, environment: environment, directory: here).wait()
        guard ended.status == 0 else { throw Unmet(reason: "\(words): \(ended)") }
    }

    private static let here = FileManager.default.currentDirectoryPath

    private static func setting(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// Something that the tests need and this machine lacks.
struct Unmet: Error, CustomStringConvertible {
    let reason: String
    var description: String { reason }
}

/// What a test requires of the machine; where it has to be there, as in CI, a test that lacks it fails.
enum Requirement {
    /// For tests of what only root can do. The suite also runs as an ordinary user, so that this never fails.
    static var root: ConditionTrait { .enabled(if: Machine.isRoot, "needs root") }
    /// For tests of what is different for those who are not root.
    static var ordinaryCaller: ConditionTrait {
        .enabled(if: !Caller.unprivileged.isEmpty, "ordinary users have a run of their own")
    }
    /// For tests of limits as such: somebody here can limit resources.
    static var limits: ConditionTrait {
        .enabled(if: !Caller.withLimits.isEmpty, "needs root or cgroups delegated by systemd")
    }
    /// For tests of what becomes of limits that nothing can hold.
    static var noLimits: ConditionTrait {
        .enabled(if: !Caller.withoutLimits.isEmpty, "all who call Apus here can limit resources")
    }
    static var systemd: ConditionTrait {
        .enabled(if: Machine.hasCgroupV2 && Machine.hasSystemd, "needs systemd and cgroup v2")
    }
}

/// Makes a new directory below /tmp.
func makeTemporaryDirectory(_ name: String) -> String {
    var template = Array("/tmp/\(name).XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { fatalError("mkdtemp: \(Errno(rawValue: errno))") }
    return template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
}
