import Glibc
import Testing

/// `--health-cmd`: whether a container works, as it says itself.
@Suite struct HealthTests {
    private static let often = ["--health-interval", "50ms", "--health-retries", "2"]

    @Test(arguments: Caller.available)
    func `health follows what the command says`(caller: Caller) throws {
        try withApus(caller) { apus in
            let id = try apus.detached(
                "checked", Self.often + ["--health-cmd", "echo looked; test -e /tmp/well"])
            #expect(["starting", "unhealthy"].contains(try apus.inspect("checked", "{{.State.Health.Status}}")))
            try waitForHealth(apus, id, "unhealthy")
            #expect(try apus.succeed("ps", "--format", "{{.Status}}").hasSuffix("(unhealthy)"))
            try apus.succeed("exec", "checked", "touch", "/tmp/well")
            try waitForHealth(apus, id, "healthy")
            #expect(try apus.inspect("checked", "{{.State.Health.FailingStreak}}") == "0")
            #expect(try apus.inspect("checked", "{{(index .State.Health.Log 0).Output}}").contains("looked"))
            #expect(try apus.succeed("ps", "--filter", "health=healthy", "--format", "{{.Names}}") == "checked")
        }
    }

    @Test(arguments: Caller.available)
    func `whatever a check prints can be read again`(caller: Caller) throws {
        try withApus(caller) { apus in
            let command = #"printf 'a\0b\001\377\033"'"#
            let id = try apus.detached("loud", Self.often + ["--health-cmd", command])
            try waitForHealth(apus, id, "healthy")
            #expect(
                try apus.inspect("loud", "{{(index .State.Health.Log 0).Output}}") == "ab\u{1}\u{fffd}\u{1b}\"")
        }
    }

    @Test(arguments: Caller.available)
    func `a check that takes too long is a failure`(caller: Caller) throws {
        try withApus(caller) { apus in
            let flags = Self.often + ["--health-cmd", "sleep 1000", "--health-timeout", "100ms"]
            let id = try apus.detached("slow", flags)
            try waitForHealth(apus, id, "unhealthy")
            #expect(try apus.inspect("slow", "{{(index .State.Health.Log 0).ExitCode}}") == "-1")
        }
    }

    @Test(arguments: Caller.available)
    func `stopping does not wait for a check that is under way`(caller: Caller) throws {
        try withApus(caller) { apus in
            let flags = ["--health-interval", "10ms", "--health-cmd", "echo > /tmp/begun; sleep 1000"]
            try apus.detached(
                "busy", flags,
                command: ["sh", "-c", "while ! test -e /tmp/begun; do sleep 0.02; done; echo seen; exec sleep 1000"])
            try apus.waitForLog("busy", "seen")
            let began = ContinuousClock.now
            try apus.succeed("stop", "busy")
            #expect(ContinuousClock.now - began < .seconds(8))
        }
    }

    @Test(arguments: Caller.available)
    func `without a check there is no health`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("plain")
            #expect(try apus.inspect("plain", "{{if .State.Health}}some{{else}}none{{end}}") == "none")
            #expect(try apus.succeed("ps", "--filter", "health=none", "--format", "{{.Names}}") == "plain")
        }
    }

    private func waitForHealth(_ apus: Apus, _ id: String, _ status: String) throws {
        try waitUntil(changing: ["\(apus.data)/containers/\(id)"], "health '\(status)'") {
            try apus.inspect(id, "{{.State.Health.Status}}") == status
        }
    }
}
