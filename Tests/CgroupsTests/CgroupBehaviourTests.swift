import Glibc
import Linux
import OCI
import SystemPackage
import Testing

@testable import Cgroups

extension KernelTests {
    @Suite(.enabled(if: Requirement.v1 || Requirement.v2)) struct Behaviour {
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
    }
}
