import Glibc
import Testing

/// Under systemd, containers lie in the cgroup of a service that it delegates to Apus.
@Suite struct DelegationTests {
    @Test(Requirement.systemd, arguments: Caller.withLimits)
    func `many first runs at once all get the cgroup that they made`(caller: Caller) throws {
        try withApus(caller) { apus in
            for round in 0..<5 {
                // A slice has a service of its own, so that other tests' containers stay.
                let slice = "apustest\(MarkedProcesses.newMark()).slice"
                let runs = try (0..<8).map { _ in
                    try apus.start(
                        apus.runWords(["--rm", "--memory", "64m", "--cgroup-parent", slice], ["echo", "ran"]))
                }
                for run in runs { expectOutput(try run.wait(), "ran") }
                let manager = caller == .root ? "--system" : "--user"
                let stopped = try apus.startProgram(["/usr/bin/systemctl", manager, "stop", slice]).wait()
                #expect(stopped.status == 0, "round \(round): \(stopped)")
            }
        }
    }
}
