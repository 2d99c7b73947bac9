import Glibc
import Linux
import OCI
import SystemPackage
import Testing

@testable import Cgroups

extension KernelTests {
    @Suite(Requirement.any) struct Behaviour {
        @Test func `a cgroup without limits leaves nothing behind`() throws {
            let test = try TestCgroup()
            let paths = test.cgroup.record.directories.values
            #expect(test.limits == [])
            try test.cgroup.remove()
            #expect(paths.allSatisfy { access($0, F_OK) != 0 })
        }

        @Test func `a limit that the kernel refuses fails by name and leaves no cgroup`() throws {
            let id = TestCgroup.newID()
            do {
                _ = try TestCgroup(.init(cpu: .init(quota: 10)), id: id)
                Issue.record("a quota of 10 µs was taken")
            } catch let failure as Failure {
                #expect(failure.step == "limit cpus")
                #expect(failure.exitCode == 125)
                #expect(failure.remedy?.contains("1000") == true)
            }
            #expect(Cgroups.leftover(id: id).isEmpty)
        }

        @Test func `a change of which one limit is refused changes none`() throws {
            let test = try TestCgroup(.init(memory: .init(limit: 64 << 20), cpu: .init(quota: 50_000)))
            let (old, record) = (try test.limitFiles(), test.cgroup.record)
            #expect(old.count >= 2)
            let change = Spec.Resources(
                memory: .init(limit: 32 << 20, swap: 48 << 20), cpu: .init(shares: 100, quota: 10_000, cpus: "4000"),
                pids: .init(limit: 5))
            #expect(throws: Failure.self) { try test.cgroup.apply(change) }
            // On v2 the controller of a new limit stays, and with it files that limit nothing.
            let new = try test.limitFiles()
            #expect(new.filter { old.keys.contains($0.key) } == old)
            #expect(new.filter { $0.key.hasSuffix("pids.max") }.allSatisfy { $0.value == "max" })
            #expect(test.cgroup.record == record)
        }

        @Test func `removal takes the cgroups that the container made`() throws {
            let test = try TestCgroup()
            let nested = test.cgroup.record.directories.values.map { "\($0)/inner" }
            for path in nested { try FileDescriptor.workingDirectory.makeDirectories("\(path)/most") }
            try test.cgroup.remove()
            #expect(nested.allSatisfy { access($0, F_OK) != 0 })
        }

        @Test func `what a killed Apus left is found by the id alone`() throws {
            let test = try TestCgroup(.init(pids: .init(limit: 20)))
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

        @Test func `the same id can be used again at once`() throws {
            let first = try TestCgroup()
            let record = first.cgroup.record
            try first.cgroup.remove()
            let again = try #require(
                try Cgroups.create(id: record.id, resources: nil, policy: .strict, parent: nil).cgroup)
            #expect(again.record == record)
            try again.remove()
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
            let paths = test.cgroup.record.directories.values
            try test.cgroup.remove()
            #expect(paths.allSatisfy { access($0, F_OK) != 0 })
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

        @Test func `the use of CPU, memory and processes is counted`() throws {
            let test = try TestCgroup(.init(memory: .init(limit: 64 << 20)))
            try test.start("exec dd if=/dev/zero of=/dev/null bs=1M")
            try test.waitForProcesses(1)
            var statistics = try test.cgroup.statistics()
            // On v1 the time is counted from the first look on.
            let deadline = Deadline(seconds: 30)
            while statistics.cpu?.usage ?? 0 == 0 || statistics.memory?.usage ?? 0 == 0, !deadline.isOver {
                poll(nil, 0, 1)
                statistics = try test.cgroup.statistics()
            }
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
    }
}
