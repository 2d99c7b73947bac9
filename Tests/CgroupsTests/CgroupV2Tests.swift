import Glibc
import Linux
import OCI
import SystemPackage
import Testing

@testable import Cgroups

extension KernelTests {
    @Suite(Requirement.v2) struct V2 {
        @Test func `limits are in force before anything runs and are recorded`() throws {
            let test = try TestCgroup(
                .init(
                    memory: .init(limit: 64 << 20, reservation: 32 << 20), cpu: .init(shares: 512, quota: 50_000),
                    pids: .init(limit: 20)))
            #expect(try test.value("memory.max") == "67108864")
            #expect(try test.value("memory.low") == "33554432")
            #expect(try test.value("memory.swap.max") == "67108864")
            #expect(try test.value("pids.max") == "20")
            #expect(try test.value("cpu.max") == "50000 100000")
            #expect(try test.value("cpu.weight") == "20")
            let mechanism: LimitMechanism = test.cgroup.record.unit == nil ? .v2 : .systemd
            #expect(test.limits.count == 5)
            #expect(test.limits.allSatisfy { $0.enforced && $0.mechanism == mechanism })
            try test.start("exec sleep 100")
            try test.waitForProcesses(1)
        }

        @Test func `limits can be changed while it runs`() throws {
            let test = try TestCgroup(.init(cpu: .init(quota: 50_000)))
            try test.start("exec sleep 100")
            try test.waitForProcesses(1)
            let again = try Cgroups.open(test.cgroup.record)
            try again.apply(.init(memory: .init(limit: 64 << 20, swap: 128 << 20), cpu: .init(period: 50_000)))
            #expect(try test.value("memory.max") == "67108864")
            #expect(try test.value("memory.swap.max") == "67108864")
            #expect(try test.value("cpu.max") == "50000 50000")
            try again.apply(.init(memory: .init(swap: 96 << 20)))
            #expect(try test.value("memory.swap.max") == "33554432")
            try again.apply(.init(memory: .init(limit: -1), cpu: .init(quota: -1), pids: .init(limit: 5)))
            #expect(try test.value("memory.max") == "max")
            #expect(try test.value("cpu.max") == "max 50000")
            #expect(try test.value("pids.max") == "5")
        }

        @Test func `a limit below what is in use is refused if that was asked`() throws {
            let test = try TestCgroup()
            try test.start("{ sleep 100 & wait; }")
            try test.waitForProcesses(2)
            #expect(throws: Failure.self) {
                try test.cgroup.apply(.init(memory: .init(limit: 4096, checkBeforeUpdate: true)))
            }
            #expect(try test.value("memory.max") == "max")
        }

        @Test func `a best effort records what is not enforced`() throws {
            let resources = Spec.Resources(memory: .init(swappiness: 10), cpu: .init(quota: 50_000))
            #expect(throws: Failure.self) { try TestCgroup(resources) }
            let test = try TestCgroup(resources, policy: .bestEffort)
            #expect(test.limits.map(\.enforced) == [false, true])
            #expect(test.limits.first?.mechanism == LimitMechanism.none)
        }

        @Test func `device rules are in force for root and recorded as not enforced for others`() throws {
            let test = try TestCgroup(.init(devices: [.init(allow: false)]))
            #expect(test.limits.map(\.limit) == ["devices"])
            #expect(test.limits.map(\.enforced) == [geteuid() == 0])
        }

        @Test func `a record of what is gone opens as nothing`() throws {
            let test = try TestCgroup()
            try test.cgroup.remove()
            let gone = try Cgroups.open(test.cgroup.record)
            #expect(try gone.processes() == [])
            try gone.kill()
            try gone.remove()
        }

        @Test func `a child starts inside`() throws {
            let test = try TestCgroup()
            let target = try #require(try test.cgroup.cloneTarget())
            defer { target.closeQuietly() }
            #expect(try test.cgroup.joinFiles().isEmpty)
            let directory = try CgroupDirectory(test.directory)
            #expect(try directory.descriptor.status().st_ino == target.status().st_ino)
        }

        @Test(arguments: ["/etc/apus/ID", "/sys/fs/cgroup/apus/other", "/sys/fs/cgroup/../cgroup/ID", "/sys/fs/cgroup"])
        func `a record that leads elsewhere is refused`(path: String) {
            let record = CgroupRecord.forged(path, .v2, in: "unified", base: "/sys/fs/cgroup")
            #expect(throws: Failure.self) { try Cgroups.open(record) }
        }
    }
}
