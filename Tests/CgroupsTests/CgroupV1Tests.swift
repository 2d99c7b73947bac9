import Glibc
import Linux
import OCI
import SystemPackage
import Testing

@testable import Cgroups

/// What these tests need from the machine: where it is missing they say so, and in CI the lack of it is a failure only
/// for machines whose root has cgroup v1.
enum Requirement {
    static let cgroupV1: Bool = {
        let met = geteuid() == 0 && Hierarchies.version() == .v1 && FileSystem(at: "/sys/fs/cgroup/memory") == .cgroup1
        if !met { print("cgroup v1 tests do not run: they need root and v1 hierarchies in /sys/fs/cgroup") }
        return met
    }()
}

/// A cgroup for one test, with a process in it; both are removed when the test is over.
final class TestCgroup {
    let cgroup: any Cgroup
    let limits: [LimitRecord]
    private var children: [pid_t] = []

    init(_ resources: Spec.Resources? = nil, policy: LimitsPolicy = .strict) throws {
        let id = "apus-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let made = try Cgroups.create(id: id, resources: resources, policy: policy, parent: nil)
        cgroup = try #require(made.cgroup)
        limits = made.limits
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

    func value(_ hierarchy: String, _ file: String) throws -> String {
        try CgroupDirectory(path(hierarchy)).read(file)
    }

    /// Starts a shell in the cgroup that then runs `script`.
    @discardableResult
    func start(_ script: String) throws -> pid_t {
        let join = cgroup.record.directories.values.map { "echo 0 > \($0)/tasks" }.joined(separator: " && ")
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

@Suite(.enabled(if: Requirement.cgroupV1)) struct CgroupV1Tests {
    @Test func `a cgroup without limits has the usual hierarchies and leaves none behind`() throws {
        let test = try TestCgroup()
        let paths = test.cgroup.record.directories
        #expect(Set(["memory", "pids", "freezer"]).isSubset(of: Set(paths.keys)))
        #expect(test.limits == [])
        try test.cgroup.remove()
        #expect(paths.values.allSatisfy { access($0, F_OK) != 0 })
    }

    @Test func `limits are in force before anything runs and are recorded`() throws {
        let test = try TestCgroup(
            .init(
                memory: .init(limit: 64 << 20, reservation: 32 << 20),
                cpu: .init(shares: 512, quota: 50_000, cpus: "0"),
                pids: .init(limit: 20)))
        #expect(try test.value("memory", "memory.limit_in_bytes") == "67108864")
        #expect(try test.value("memory", "memory.soft_limit_in_bytes") == "33554432")
        #expect(try test.value("pids", "pids.max") == "20")
        #expect(try test.value("cpu", "cpu.shares") == "512")
        #expect(try test.value("cpu", "cpu.cfs_quota_us") == "50000")
        #expect(try test.value("cpuset", "cpuset.cpus") == "0")
        #expect(test.limits.allSatisfy { $0.enforced && $0.mechanism == .v1 })
        #expect(test.limits.first { $0.limit == "memory" }?.asked == "64 MiB")
        #expect(test.limits.first { $0.limit == "cpus" }?.asked == "0.5")
        try test.start("exec sleep 100")
        try test.waitForProcesses(1)
    }

    @Test func `memory and swap can be raised and lowered together`() throws {
        let test = try TestCgroup(.init(memory: .init(limit: 64 << 20, swap: 64 << 20)))
        try test.cgroup.apply(.init(memory: .init(limit: 128 << 20, swap: 256 << 20)))
        #expect(try test.value("memory", "memory.limit_in_bytes") == "134217728")
        try test.cgroup.apply(.init(memory: .init(limit: 32 << 20, swap: 32 << 20)))
        #expect(try test.value("memory", "memory.limit_in_bytes") == "33554432")
    }

    @Test func `a later limit brings its hierarchy in and the processes with it`() throws {
        let test = try TestCgroup()
        let pid = try test.start("exec sleep 100")
        try test.waitForProcesses(1)
        #expect(test.cgroup.record.directories["cpuset"] == nil)
        try test.cgroup.apply(.init(cpu: .init(quota: 20_000, cpus: "0")))
        #expect(try test.value("cpuset", "cgroup.procs") == "\(pid)")
        #expect(try test.value("cpu", "cgroup.procs") == "\(pid)")
        let again = try Cgroups.open(test.cgroup.record)
        #expect(again.record == test.cgroup.record)
    }

    @Test func `a limit that the kernel refuses fails by name and leaves no cgroup`() throws {
        let before = try CgroupDirectory("/sys/fs/cgroup/memory").children()
        do {
            _ = try TestCgroup(.init(cpu: .init(quota: 10)))
            Issue.record("a quota of 10 µs was taken")
        } catch let failure as Failure {
            #expect(failure.step == "limit cpus")
            #expect(failure.exitCode == 125)
            #expect(failure.remedy?.contains("1000") == true)
        }
        #expect(try CgroupDirectory("/sys/fs/cgroup/memory").children().count == before.count || before.isEmpty)
    }

    @Test func `a best effort records what is not enforced`() throws {
        let resources = Spec.Resources(cpu: .init(cpus: "4000"), unified: ["memory.high": "1"])
        #expect(throws: Failure.self) { try TestCgroup(resources) }
        let test = try TestCgroup(resources, policy: .bestEffort)
        #expect(test.limits.map(\.enforced) == [false, false])
        #expect(test.limits.map(\.mechanism) == [.none, .none])
    }

    @Test func `frozen processes stop and go on`() throws {
        let test = try TestCgroup()
        let pid = try test.start("while :; do :; done")
        try test.waitForProcesses(1)
        try test.cgroup.freeze()
        let used = try #require(ProcessStatus(pid)).userTime
        poll(nil, 0, 100)
        #expect(try #require(ProcessStatus(pid)).userTime == used)
        try test.cgroup.thaw()
        for _ in 0..<2000 where ProcessStatus(pid)?.userTime == used { poll(nil, 0, 1) }
        #expect(try #require(ProcessStatus(pid)).userTime > used)
    }

    @Test(arguments: [false, true])
    func `killing reaches every process, also of a frozen cgroup`(frozen: Bool) throws {
        let test = try TestCgroup()
        try test.start("for i in 1 2 3 4 5; do sleep 100 & done; wait")
        try test.waitForProcesses(6)
        if frozen { try test.cgroup.freeze() }
        try test.cgroup.kill()
        #expect(try test.cgroup.processes() == [])
        try test.cgroup.remove()
        #expect(try Cgroups.open(test.cgroup.record).processes() == [])
    }

    @Test func `a cgroup that forks as fast as it can is killed`() throws {
        let test = try TestCgroup(.init(pids: .init(limit: 200)))
        try test.start("f() { f | f & sleep 1; f; }; f 2>/dev/null")
        poll(nil, 0, 200)
        try test.cgroup.kill()
        #expect(try test.cgroup.processes() == [])
    }

    @Test func `removal waits for processes that are about to end`() throws {
        let test = try TestCgroup()
        try test.start("exec sleep 1")
        try test.waitForProcesses(1)
        try test.cgroup.remove()
        #expect(test.cgroup.record.directories == [:])
    }

    @Test func `removal takes the cgroups that the container made`() throws {
        let test = try TestCgroup()
        let nested = try test.path("memory", "inner")
        try FileDescriptor.workingDirectory.makeDirectories(nested + "/most")
        try test.cgroup.remove()
        #expect(access(nested, F_OK) != 0)
    }

    @Test func `removal gives up on a process that goes on, and says which`() throws {
        let test = try TestCgroup()
        let pid = try test.start("exec sleep 100")
        try test.waitForProcesses(1)
        do {
            try test.cgroup.remove()
            Issue.record("removed under a process")
        } catch let failure as Failure {
            #expect(failure.reason.contains("\(pid)"))
        }
    }

    @Test func `what a killed Apus left is found by the id alone`() throws {
        let test = try TestCgroup(.init(cpu: .init(cpus: "0")))
        try test.start("exec sleep 100")
        try test.waitForProcesses(1)
        let found = Cgroups.leftover(id: test.cgroup.record.id)
        #expect(found.map(\.record) == [test.cgroup.record])
        for cgroup in found {
            try cgroup.kill()
            try cgroup.remove()
        }
        #expect(Cgroups.leftover(id: test.cgroup.record.id).isEmpty)
    }

    @Test func `the use of CPU, memory and processes is counted`() throws {
        let test = try TestCgroup(.init(memory: .init(limit: 64 << 20)))
        try test.start("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exec sleep 100")
        try test.waitForProcesses(1)
        poll(nil, 0, 100)
        let statistics = try test.cgroup.statistics()
        #expect(try #require(statistics.cpu).usage > 0)
        let memory = try #require(statistics.memory)
        #expect(memory.usage > 0)
        #expect(memory.limit == 64 << 20)
        #expect(statistics.pids == .init(current: 1, limit: nil))
    }

    @Test func `running out of memory is counted and announced`() throws {
        let test = try TestCgroup(.init(memory: .init(limit: 8 << 20)))
        let notifier = try #require(try test.cgroup.oomNotifier())
        defer { notifier.closeQuietly() }
        #expect(try test.cgroup.oomKills() == 0)
        try test.start("exec tail /dev/zero >/dev/null")
        var entry = pollfd(fd: notifier.rawValue, events: Int16(POLLIN), revents: 0)
        #expect(poll(&entry, 1, 10_000) == 1)
        for _ in 0..<2000 where try test.cgroup.oomKills() == 0 { poll(nil, 0, 1) }
        #expect(try test.cgroup.oomKills() >= 1)
    }

    @Test(arguments: [
        "/etc/apus/ID", "/sys/fs/cgroup/memory/apus/other", "/sys/fs/cgroup/memory/../memory/ID",
        "/sys/fs/cgroup/pids/ID",
    ])
    func `a record that leads elsewhere is refused`(path: String) {
        let id = "apus-test-forged"
        let path = path.hasSuffix("ID") ? path.dropLast(2) + id : Substring(path)
        let record = CgroupRecord(kind: .v1, id: id, directories: ["memory": String(path)])
        #expect(throws: Failure.self) { try Cgroups.open(record) }
    }
}
