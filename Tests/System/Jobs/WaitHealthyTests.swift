import Glibc
import Testing

/// `run --detach --wait-healthy`.
@Suite struct WaitHealthyTests {
    private static let often = ["-d", "--wait-healthy", "--health-interval", "50ms", "--health-retries", "2"]

    @Test(arguments: Caller.available)
    func `it returns once the container is healthy`(caller: Caller) throws {
        try withApus(caller) { apus in
            let id = try apus.succeed(
                apus.runWords(
                    Self.often + ["--health-cmd", "test -e /ready", "--health-retries", "1000", "--name", "service"],
                    ["sh", "-c", "sleep 0.3; touch /ready; sleep 1000"]))
            #expect(try apus.inspect(id, "{{.State.Health.Status}}") == "healthy")
            // A job joins its service's network.
            let job = try apus.run(["--network", "container:service"], "true")
            #expect(job.status == 0, "\(job)")
        }
    }

    @Test(arguments: Caller.available)
    func `a container that does not work is reported with its last check`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outcome = try apus(
                apus.runWords(
                    Self.often + ["--name", "bad", "--health-cmd", "echo no port; exit 3"], ["sleep", "1000"]))
            #expect(outcome.status == 1, "\(outcome)")
            #expect(
                outcome.isOneLineNaming("wait for container: bad: it is unhealthy; its last check (status 3): no port"))
            #expect(try apus.inspect(outcome.text, "{{.State.Status}}") == "running")
        }
    }

    @Test(arguments: Caller.available)
    func `a container that ends meanwhile is reported`(caller: Caller) throws {
        try withApus(caller) { apus in
            let words = Self.often + ["--health-cmd", "false"]
            let ended = try apus(apus.runWords(words + ["--name", "short"], ["sh", "-c", "exit 7"]))
            #expect(ended.status == 1 && ended.isOneLineNaming("it ended with status 7"), "\(ended)")
            let removed = try apus(apus.runWords(words + ["--rm"], ["sh", "-c", "exit 7"]))
            #expect(removed.status == 1 && removed.isOneLineNaming("before it was healthy"), "\(removed)")
        }
    }

    @Test func `the wait has an end`() throws {
        try withApus(.own) { apus in
            let outcome = try apus(
                apus.runWords(
                    ["-d", "--wait-healthy", "--wait-timeout", "200ms", "--health-cmd", "true", "--name", "slow"],
                    ["sleep", "1000"]))
            #expect(outcome.status == 1 && outcome.isOneLineNaming("not healthy within 0.2s"), "\(outcome)")
        }
    }

    @Test(arguments: [
        (["--wait-healthy"], "--detach"), (["-d", "--wait-healthy"], "no health check"),
        (["-d", "--wait-timeout", "1s"], "--wait-healthy"),
    ])
    func `what has nothing to wait for is refused`(flags: [String], reason: String) throws {
        try withApus(.own) { apus in
            let outcome = try apus.run(flags, "true")
            #expect(outcome.status == 125 && outcome.isOneLineNaming(reason), "\(outcome)")
        }
    }
}
