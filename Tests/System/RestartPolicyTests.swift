import Glibc
import Testing

/// `--restart`: who is started again, how often, and until when.
@Suite struct RestartPolicyTests {
    @Test(arguments: Caller.available)
    func `on-failure starts again so many times and no more`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("failing", ["--restart", "on-failure:2"], command: ["sh", "-c", "echo try; exit 5"])
            #expect(try apus.succeed("wait", "failing") == "5")
            #expect(try apus.inspect("failing", "{{.RestartCount}} {{.State.Status}}") == "2 exited")
            #expect(try apus.succeed("logs", "failing") == "try\ntry\ntry")
        }
    }

    @Test(arguments: Caller.available)
    func `on-failure leaves a success alone`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("fine", ["--restart", "on-failure"], command: ["true"])
            #expect(try apus.succeed("wait", "fine") == "0")
            #expect(try apus.inspect("fine", "{{.RestartCount}}") == "0")
        }
    }

    @Test(arguments: Caller.available, ["always", "unless-stopped"])
    func `a container that ends is started again until it is stopped`(caller: Caller, policy: String) throws {
        try withApus(caller) { apus in
            try apus.detached("lasting", ["--restart", policy], command: ["sh", "-c", "echo life; exit 0"])
            let log = try apus.begin("logs", "-f", "lasting")
            for _ in 0..<3 { try log.waitForOutput("life") }
            try apus.succeed("stop", "lasting")
            #expect(try apus.state("lasting") == "exited")
            #expect(try apus.succeed("ps", "-q") == "")
        }
    }

    @Test(arguments: Caller.available)
    func `a container that its user stopped can be started by hand`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("lasting", ["--restart", "always"])
            try apus.succeed("kill", "lasting")
            #expect(try apus.state("lasting") == "exited")
            try apus.succeed("start", "lasting")
            #expect(try apus.state("lasting") == "running")
        }
    }

    @Test(arguments: Caller.available)
    func `a container that waits for its next start can be removed`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("cycling", ["--restart", "always"], command: ["sh", "-c", "exit 1"])
            #expect(try apus("rm", "-f", "cycling") == .printed("cycling\n"))
            #expect(try apus("ps", "-aq") == .printed(""))
        }
    }

    @Test func `a policy that does not exist, or that --rm contradicts, is refused`() throws {
        try withApus(.own) { apus in
            for flags in [
                ["--restart", "sometimes"], ["--restart", "on-failure:x"], ["--restart", "always", "--rm"],
            ] {
                let result = try apus.runContainer(flags, ["true"])
                #expect(result.status == 125, "\(flags): \(result)")
                #expect(result.isOneLineNaming("--restart"), "\(flags): \(result)")
            }
        }
    }
}
