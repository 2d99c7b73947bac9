import FoundationEssentials
import Glibc
import Linux
import Testing

extension LimitSuites {
    /// A limit in a limit, and a container in one: both hold, and what is inside ends with what is around it.
    @Suite(Requirement.limits) struct NestedTests {
        @Test(arguments: Caller.withLimits)
        func `an inner limit does not lead out of the outer one`(caller: Caller) throws {
            try withApus(caller) { apus in
                let inner = "\(Machine.apus) limit --memory 1g --pids 1000 --"
                let memory = try apus.limitedShell(
                    ["--memory", "32m", "--swap", "0"], "\(inner) tail /dev/zero; exit 3")
                #expect(memory.status == 3)
                #expect(memory.errors.contains("out of memory below the limit of 1 GiB: killed "), "\(memory)")
                let forks = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1000 & done; echo all"
                let pids = try apus.limitedShell(["--pids", "10"], "\(inner) sh -c '\(forks)'")
                #expect(pids.status == 2 && pids.output == "", "\(pids)")
                // There is no room for what watches over the inner one, either, and that goes on without.
                let full = try apus.limit(["--pids", "2"], [Machine.apus, "limit", "--", "sleep", "0.3"])
                #expect(full.status == 0, "\(full)")
                // The inner one's own limits hold as well.
                let own = try apus.limitedShell(
                    ["--memory", "512m"], "\(Machine.apus) limit --memory 32m --swap 0 -- tail /dev/zero")
                #expect(own.status == 137)
                #expect(own.errors.contains("memory limit of 32 MiB hit: killed "), "\(own)")
                #expect(apus.limitLeftovers() == [])
            }
        }

        @Test(arguments: Caller.withLimits)
        func `what an inner limit runs ends with the outer one, and no cgroup of either is left`(caller: Caller) throws
        {
            try withApus(caller) { apus in
                let mark = MarkedProcesses.newMark()
                // The inner one has a cgroup for processes where the outer has none.
                let inner = "\(Machine.apus) limit --pids 100 -- sh -c 'setsid sleep \(mark) & sleep \(mark)'"
                let outcome = try apus.limitedShell(["--timeout", "1s", "--kill-after", "0"], inner)
                #expect(outcome.status == 124)
                #expect(MarkedProcesses.find(mark).allSatisfy { $0.hasEnded() })
                #expect(apus.limitLeftovers() == [])
            }
        }

        @Test(arguments: Caller.withLimits)
        func `a container that is started in a limited command is limited by it`(caller: Caller) throws {
            try withApus(caller) { apus in
                let run = "\(Machine.apus) run --rm --network none --rootfs \(Machine.busybox)"
                let fill = "dd if=/dev/zero of=/dev/null bs=40M count=1 2>/dev/null"
                let outcome = try apus.limitedShell(
                    ["--memory", "32m", "--swap", "0"], "\(run) sh -c '\(fill)'; echo code=$?")
                #expect(outcome.output == "code=137\n", "\(outcome)")
                #expect(try apus.limitedShell(["--memory", "512m"], "\(run) sh -c '\(fill)'").status == 0)
                #expect(apus.limitLeftovers() == [])
            }
        }
    }
}
