import Glibc
import Linux
import OCI
import SystemPackage
import Testing

@testable import Cgroups

extension KernelTests {
    @Suite(Requirement.v1) struct V1 {
        @Test func `hierarchies that no limit needs join when they are asked for, and go with the rest`() throws {
            let test = try TestCgroup()
            let pid = try test.start("exec sleep 100")
            try test.waitForProcesses(1)
            #expect(test.cgroup.record.directories.keys.sorted() == ["memory"])
            try test.cgroup.freeze()
            let freezer = try #require(test.cgroup.record.directories["freezer"])
            #expect(
                try FileDescriptor.workingDirectory.contents(of: "\(freezer)/tasks", limit: 99)
                    == Array("\(pid)\n".utf8))
            // Another process knows only what the record said at the start.
            let other = try #require(Cgroups.leftover(id: test.cgroup.record.id).first)
            try other.thaw()
            try test.cgroup.kill()
            try other.remove()
            #expect(access(freezer, F_OK) != 0)
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

        @Test func `a best effort records what is not enforced`() throws {
            let resources = Spec.Resources(cpu: .init(cpus: "4000"), unified: ["memory.high": "1"])
            #expect(throws: Failure.self) { try TestCgroup(resources) }
            let test = try TestCgroup(resources, policy: .bestEffort)
            #expect(test.limits.map(\.enforced) == [false, false])
            #expect(test.limits.map(\.mechanism) == [.none, .none])
        }

        @Test(arguments: [
            "/etc/apus/ID", "/sys/fs/cgroup/memory/apus/other", "/sys/fs/cgroup/memory/../memory/ID",
            "/sys/fs/cgroup/pids/ID",
        ])
        func `a record that leads elsewhere is refused`(path: String) {
            let record = CgroupRecord.forged(path, .v1, in: "memory")
            #expect(throws: Failure.self) { try Cgroups.open(record) }
        }
    }
}
