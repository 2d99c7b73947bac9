import Glibc
import Testing

/// Many commands at once: none is lost, none waits for ever, and what they leave is what they should.
@Suite(.serialized) struct ConcurrencyTests {
    @Test(arguments: Caller.available)
    func `200 runs at once all end as they should and leave nothing`(caller: Caller) throws {
        try withApus(caller) { apus in
            let runs = try (0..<200).map { number in
                try apus.start(
                    apus.runWords(["--rm"] + apus.limitFlags, ["sh", "-c", "echo \(number); exit \(number)"]))
            }
            for (number, run) in runs.enumerated() {
                let result = try run.wait(seconds: 300)
                #expect(result.status == Int32(number), "\(number): \(result)")
                #expect(result.output == "\(number)\n")
                #expect(result.errors == "")
            }
            #expect(try apus.leftovers() == [])
        }
    }

    @Test(arguments: Caller.available)
    func `20 detached runs at once get names and IDs of their own`(caller: Caller) throws {
        try withApus(caller) { apus in
            let runs = try (0..<20).map { _ in try apus.start(apus.runWords(["-d"], ["sleep", "1000"])) }
            let ids = try runs.map { try $0.wait().text }
            #expect(Set(ids).count == 20)
            let listing = try apus("ps", "--no-trunc", "--format", "{{.ID}} {{.Names}}").lines
            #expect(Set(listing.map { String($0.prefix(64)) }) == Set(ids))
            #expect(Set(listing.map { $0.dropFirst(65) }).count == 20)
        }
    }

    @Test(arguments: Caller.available)
    func `of twenty who want the same name one gets it`(caller: Caller) throws {
        try withApus(caller) { apus in
            let runs = try (0..<20).map { _ in
                try apus.start(apus.runWords(["-d", "--name", "only"], ["sleep", "1000"]))
            }
            let results = try runs.map { try $0.wait() }
            #expect(results.count { $0.status == 0 } == 1)
            for result in results where result.status != 0 {
                #expect(result.status == 125)
                #expect(result.isOneLineNaming("only"))
            }
            #expect(try apus("ps", "-aq").lines.count == 1)
        }
    }

    @Test(arguments: Caller.available)
    func `containers come, go and are looked at at the same time`(caller: Caller) throws {
        try withApus(caller) { apus in
            for round in 0..<5 {
                try apus.create("shared", command: ["sleep", "1000"])
                var commands: [RunningProcess] = []
                for number in 0..<4 {
                    commands.append(try apus.begin("start", "shared"))
                    commands.append(try apus.begin("ps", number.isMultiple(of: 2) ? "-a" : "-q"))
                    commands.append(try apus.start(apus.runWords(["-d", "--rm"], ["sleep", "0.\(number)"])))
                    commands.append(try apus.begin("stop", "-t", "0", "shared"))
                    commands.append(try apus.begin("inspect", "shared"))
                    commands.append(try apus.begin("rm", "-f", "shared"))
                }
                for command in commands {
                    let result = try command.wait()
                    #expect([0, 1].contains(result.status), "round \(round): \(result)")
                    #expect(!result.errors.contains("warning"), "round \(round): \(result)")
                    #expect(!result.errors.contains("damaged"), "round \(round): \(result)")
                }
                try apus.succeed("rm", "-f", "shared")
            }
        }
    }

    // Whoever finds the file without a lock clears up after its holder, and a start that comes to it then is refused.
    @Test(arguments: Caller.available)
    func `the file that says that a container is started is locked as soon as it is there`(caller: Caller) throws {
        try withApus(caller) { apus in
            let id = try apus.create("started", command: ["sleep", "1000"])
            for round in 1...20 {
                let start = try apus.begin("start", "started")
                #expect(Self.firstSeen("\(apus.data)/alive/\(id)") == .locked, "round \(round)")
                #expect(try start.wait() == .printed("started\n"))
                try apus.succeed("kill", "started")
            }
        }
    }

    private enum Sight { case locked, unlocked, nothing }

    /// What a file is when it first appears; `nothing` after a minute.
    private static func firstSeen(_ path: String) -> Sight {
        let end = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < end {
            let file = open(path, O_RDONLY | O_CLOEXEC)
            guard file >= 0 else { continue }
            defer { close(file) }
            guard flock(file, LOCK_SH | LOCK_NB) == 0 else { return .locked }
            var status = stat()
            // Not if it has just been removed: then it is of the life before.
            if fstat(file, &status) == 0, status.st_nlink > 0 { return .unlocked }
        }
        return .nothing
    }

    @Test(arguments: Caller.available)
    func `twenty who remove the same container all find it gone`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("doomed")
            let removals = try (0..<20).map { _ in try apus.begin("rm", "-f", "doomed") }
            for removal in removals {
                let result = try removal.wait()
                #expect(result.status == 0, "\(result)")
            }
            #expect(try apus.leftovers() == [])
        }
    }
}
