import FoundationEssentials
import Glibc
import Testing

/// `apus logs` and the log drivers.
@Suite struct LogTests {
    @Test(arguments: Caller.available)
    func `each stream comes back as it went`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("talker", command: ["sh", "-c", "echo out; echo err >&2; printf 'no end'"])
            try apus.succeed("wait", "talker")
            #expect(try apus("logs", "talker") == Outcome(status: 0, output: "out\nno end", errors: "err\n"))
        }
    }

    @Test(arguments: Caller.available)
    func `a foreground run is logged as well as shown`(caller: Caller) throws {
        try withApus(caller) { apus in
            let result = try apus.runContainer(["--name", "seen"], ["sh", "-c", "echo out; echo err >&2"])
            #expect(result == Outcome(status: 0, output: "out\n", errors: "err\n"))
            #expect(try apus("logs", "seen") == result)
        }
    }

    @Test(arguments: Caller.available)
    func `following ends with the container and has everything`(caller: Caller) throws {
        try withApus(caller) { apus in
            let script = "echo ready; read line; i=0; while test $i -lt 2000; do echo line $i; i=$((i+1)); done"
            try apus.detached("counting", ["-i"], command: ["sh", "-c", script])
            let following = try apus.begin("logs", "-f", "counting")
            try following.waitForOutput("ready")
            let attached = try apus.begin("attach", "counting")
            try attached.write("\n")
            attached.closeInput()
            let result = try following.wait()
            #expect(result.status == 0)
            #expect(result.lines == ["ready"] + (0..<2000).map { "line \($0)" })
            #expect(try attached.wait().lines.suffix(2000) == (0..<2000).map { "line \($0)" })
        }
    }

    @Test(arguments: ["0": [], "2": ["c", "d"], "100": ["a", "b", "c", "d"], "all": ["a", "b", "c", "d"]])
    func `--tail shows the newest lines`(tail: String, lines: [String]) throws {
        try withApus(.own) { apus in
            _ = try apus.runContainer(["--name", "four"], ["sh", "-c", "echo a; echo b; echo c; echo d"])
            #expect(try apus("logs", "--tail", tail, "four").lines == lines)
            #expect(try apus("logs", "-n", tail, "four").lines == lines)
        }
    }

    @Test func `--tail that is no number is a usage error`() throws {
        try withApus(.own) { apus in
            try apus.create("still", command: ["true"])
            let result = try apus("logs", "--tail", "few", "still")
            #expect(result.status == 125)
            #expect(try apus("logs", "still") == .printed(""))
        }
    }

    @Test func `--timestamps, --since and --until go by the time of each line`() throws {
        try withApus(.own) { apus in
            _ = try apus.runContainer(["--name", "timed"], ["sh", "-c", "echo first; sleep 1.2; echo second"])
            let stamped = try apus("logs", "-t", "timed").lines.map { $0.split(separator: " ").map(String.init) }
            #expect(stamped.map(\.last) == ["first", "second"])
            #expect(stamped.allSatisfy { $0[0].wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z/) != nil })
            #expect(try apus("logs", "--since", stamped[1][0], "timed").output == "second\n")
            #expect(try apus("logs", "--until", stamped[0][0], "timed").output == "first\n")
            #expect(try apus("logs", "--since", "10m", "timed").lines.count == 2)
            #expect(try apus("logs", "--since", "2100-01-01T00:00:00Z", "timed").output == "")
            #expect(try apus("logs", "--since", "yesterday", "timed").status == 125)
        }
    }

    @Test(arguments: Caller.available)
    func `a rotated log keeps so many files of so much, and the newest lines`(caller: Caller) throws {
        try withApus(caller) { apus in
            let flags = ["--log-opt", "max-size=4k", "--log-opt", "max-file=3", "--name", "wordy"]
            let script = "i=0; while test $i -lt 500; do echo line $i; i=$((i+1)); done"
            _ = try apus.runContainer(flags, ["sh", "-c", script])
            let id = try apus.inspect("wordy", "{{.Id}}")
            let files = try FileManager.default.contentsOfDirectory(atPath: "\(apus.data)/containers/\(id)")
            let logs = files.filter { $0.hasPrefix("log") }.sorted()
            #expect(logs == ["log", "log.1", "log.2"])
            for name in logs {
                let path = "\(apus.data)/containers/\(id)/\(name)"
                let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? UInt64
                #expect(try #require(size) <= 4096)
            }
            let lines = try apus("logs", "wordy").lines
            #expect(lines == (500 - lines.count..<500).map { "line \($0)" })
            #expect(lines.count > 30)
            #expect(try apus("logs", "--tail", "40", "wordy").lines == (460..<500).map { "line \($0)" })
        }
    }

    @Test(arguments: Caller.available)
    func `each line of the file is JSON as Docker's`(caller: Caller) throws {
        try withApus(caller) { apus in
            struct Entry: Decodable {
                let log, stream, time: String
            }
            let script = "printf 'quote \" back \\\\ tab\\t bell\\a\\n'; printf 'caf\\303\\251 \\377\\n' >&2"
            _ = try apus.runContainer(["--name", "odd"], ["sh", "-c", script])
            let text = try String(contentsOfFile: try apus.inspect("odd", "{{.LogPath}}"), encoding: .utf8)
            let entries = try text.split(separator: "\n").map {
                try JSONDecoder().decode(Entry.self, from: Data($0.utf8))
            }
            #expect(entries.count == 2)
            #expect(entries.first { $0.stream == "stdout" }?.log == "quote \" back \\ tab\t bell\u{7}\n")
            #expect(entries.first { $0.stream == "stderr" }?.log == "café \u{fffd}\n")
        }
    }

    @Test(arguments: Caller.available)
    func `a megabyte without a line's end is neither lost nor kept in memory`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("endless", command: ["sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x"])
            try apus.succeed("wait", "endless")
            #expect(try apus("logs", "endless").output == String(repeating: "x", count: 1_000_000))
        }
    }

    // MARK: Drivers

    @Test(arguments: Caller.available)
    func `the driver none keeps nothing and says so`(caller: Caller) throws {
        try withApus(caller) { apus in
            let result = try apus.runContainer(["--name", "quiet", "--log-driver", "none"], ["echo", "hello"])
            #expect(result == .printed("hello\n"))
            let logs = try apus("logs", "quiet")
            #expect(logs.status == 1)
            #expect(logs.isOneLineNaming("none"))
            #expect(try apus.inspect("quiet", "{{.HostConfig.LogConfig.Type}}") == "none")
        }
    }

    @Test(arguments: Caller.available)
    func `the driver passthrough writes to the caller's own streams, detached too`(caller: Caller) throws {
        try withApus(caller) { apus in
            let flags = ["-d", "--name", "direct", "--log-driver", "passthrough"]
            let run = try apus.begin(apus.runWords(flags, ["sh", "-c", "sleep 0.2; echo out; echo err >&2"]))
            let result = try run.wait()
            #expect(result.output.hasSuffix("\nout\n"))
            #expect(result.errors == "err\n")
            #expect(try apus("logs", "direct").status == 1)
        }
    }

    @Test func `a driver or option that does not exist is refused by name`() throws {
        try withApus(.own) { apus in
            for flags in [["--log-driver", "journald"], ["--log-opt", "max-size=much"], ["--log-opt", "colour=red"]] {
                let result = try apus.runContainer(["--rm"] + flags, ["true"])
                #expect(result.status == 125, "\(flags): \(result)")
                #expect(result.isOneLineNaming(flags[0]), "\(flags): \(result)")
            }
        }
    }
}
