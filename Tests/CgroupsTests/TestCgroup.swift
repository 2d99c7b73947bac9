import Glibc
import Linux
import OCI
import SystemPackage
import Testing

@testable import Cgroups

/// What these tests need from the machine.
enum Requirement {
    static var v1: ConditionTrait { .enabled(if: hasV1, "needs root, with v1 hierarchies in /sys/fs/cgroup") }
    static var v2: ConditionTrait {
        .enabled(if: hasV2, "needs cgroup v2 with systemd, or root with /sys/fs/cgroup writable")
    }
    /// In CI one of them has to be there.
    static var any: ConditionTrait {
        .enabled(if: hasV1 || hasV2 || isCI, "needs cgroups: v1 as root, or v2 with systemd or as root")
    }

    private static let hasV1 =
        geteuid() == 0 && Hierarchies.version() == .v1 && FileSystem(at: "/sys/fs/cgroup/memory") == .cgroup1
    /// With systemd an ordinary user must get a cgroup too: a machine where that fails, fails the tests.
    private static let hasV2 =
        Hierarchies.version() == .v2
        && (DelegatedUnit.isSystemdHere || access("/sys/fs/cgroup/cgroup.procs", W_OK) == 0)
    private static let isCI = getenv("CI").map { String(cString: $0) } == "true"
}

/// Tests against the kernel, one at a time: they measure and wait.
@Suite(.serialized) enum KernelTests {}

/// A cgroup for one test, with a process in it; both are removed when the test is over.
final class TestCgroup {
    let cgroup: any Cgroup
    let limits: [LimitRecord]
    private var children: [pid_t] = []

    static func newID() -> String { "apus-test-\(getpid())-\(UInt32.random(in: 0 ... .max))" }

    init(_ resources: Spec.Resources? = nil, policy: LimitsPolicy = .strict, id: String = newID()) throws {
        let made = try Cgroups.create(id: id, resources: resources, policy: policy, parent: nil)
        cgroup = try #require(made.cgroup)
        limits = made.limits
        // Brings this process near, so that its children may move in.
        try cgroup.cloneTarget()?.closeQuietly()
    }

    deinit {
        for child in children {
            kill(child, SIGKILL)
            waitpid(child, nil, 0)
        }
        // `try?`: the test has its result; what is left shows in the test of what is left.
        try? cgroup.remove()
    }

    func path(_ hierarchy: String, _ file: String = "") throws -> String {
        let controller = try #require(Controller(rawValue: hierarchy))
        return try #require(cgroup.record.directories[Hierarchies.name(of: controller)]) + "/" + file
    }

    /// The only directory on v2.
    var directory: String { get throws { try #require(cgroup.record.directories["unified"]) } }

    /// What a file of a cgroup v2 holds.
    func value(_ file: String) throws -> String { try CgroupDirectory(directory).read(file) }

    /// What a file in a hierarchy of v1 holds.
    func value(_ hierarchy: String, _ file: String) throws -> String {
        try CgroupDirectory(path(hierarchy)).read(file)
    }

    /// What its interface files say of its limits, as far as it has them.
    func limitFiles() throws -> [String: String] {
        let names = [
            "memory.max", "memory.swap.max", "cpu.max", "cpu.weight", "pids.max", "memory.limit_in_bytes",
            "memory.memsw.limit_in_bytes", "cpu.cfs_quota_us", "cpu.shares",
        ]
        var values: [String: String] = [:]
        for (hierarchy, path) in cgroup.record.directories {
            let directory = try CgroupDirectory(path)
            for name in names { values["\(hierarchy)/\(name)"] = try directory.readIfThere(name) }
        }
        return values
    }

    /// Starts a shell in the cgroup that then runs `script`.
    @discardableResult
    func start(_ script: String) throws -> pid_t {
        let file = cgroup.record.kind == .v1 ? "tasks" : "cgroup.procs"
        let join = cgroup.record.directories.values.map { "echo 0 > \($0)/\(file)" }.joined(separator: " && ")
        var words: [UnsafeMutablePointer<CChar>?] = []
        for word in ["/bin/sh", "-c", "\(join) && \(script)"] { words.append(strdup(word)) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        try #require(posix_spawn(&pid, "/bin/sh", nil, nil, &words, nil) == 0)
        children.append(pid)
        return pid
    }

    /// Waits until `count` processes are in it.
    func waitForProcesses(_ count: Int) throws {
        for _ in 0..<2000 {
            if try cgroup.processes().count == count { return }
            poll(nil, 0, 1)
        }
        Issue.record("there are \(try cgroup.processes().count) processes, not \(count)")
    }
}

extension CgroupRecord {
    /// A record as somebody might write it who wants to have other cgroups removed; `ID` in `path` is the record's own.
    static func forged(_ path: String, _ kind: Kind, in hierarchy: String, base: String? = nil) -> CgroupRecord {
        let id = "apus-test-forged"
        let path = path.hasSuffix("ID") ? "\(path.dropLast(2))\(id)" : path
        return CgroupRecord(kind: kind, id: id, directories: [hierarchy: path], base: base)
    }
}
