import Glibc
import Testing

/// `--log-prefix` and `--log-timestamps`.
@Suite struct ForegroundOutputTests {
    @Test(arguments: Caller.available)
    func `each line of both streams has the prefix, and its bytes`(caller: Caller) throws {
        try withApus(caller) { apus in
            let script = #"printf 'one\n\ntw'; printf 'err\n' >&2; printf 'o\n\001\t\r\nlast'; printf 'e2' >&2"#
            let outcome = try apus.shell(["--log-prefix", "job 7| "], script)
            #expect(outcome.output == "job 7| one\njob 7| \njob 7| two\njob 7| \u{1}\t\r\njob 7| last", "\(outcome)")
            #expect(outcome.errors == "job 7| err\njob 7| e2")
        }
    }

    @Test func `lines of two streams do not mix`() throws {
        try withApus(.own) { apus in
            let script = "for i in 1 2 3 4 5 6 7 8 9; do printf out; printf err >&2; echo out; echo err >&2; done"
            let outcome = try apus.startShell(
                "exec $APUS run --rm --log-prefix '> ' --rootfs \(Machine.busybox) sh -c '\(script)' 2>&1"
            ).wait()
            #expect(outcome.lines.count == 18, "\(outcome)")
            #expect(outcome.lines.allSatisfy { $0 == "> outout" || $0 == "> errerr" }, "\(outcome)")
        }
    }

    @Test(arguments: [["--sig-proxy=false"], []])
    func `times come before the prefix`(flags: [String]) throws {
        try withApus(.own) { apus in
            let outcome = try apus.shell(flags + ["--log-timestamps", "--log-prefix", "p "], "echo one; echo two")
            let times = outcome.lines.map { $0.prefix { $0 != " " } }
            #expect(outcome.lines.map { $0.drop { $0 != " " } } == [" p one", " p two"], "\(outcome)")
            #expect(times.allSatisfy { $0.count == 24 && $0.hasSuffix("Z") && $0.hasPrefix("20") }, "\(outcome)")
        }
    }

    @Test func `a line without an end is passed on in pieces`() throws {
        try withApus(.own) { apus in
            let outcome = try apus.shell(["--log-prefix", "p "], "head -c 100000 /dev/zero | tr '\\0' x")
            #expect(outcome.output == "p " + String(repeating: "x", count: 100_000))
        }
    }

    @Test(arguments: [["-t"], ["-d"], ["--log-driver", "passthrough"]])
    func `where it cannot be it is refused by name`(flags: [String]) throws {
        try withApus(.own) { apus in
            for flag in [["--log-timestamps"], ["--log-prefix", "x"]] {
                let outcome = try apus.run(flags + flag, "true")
                #expect(outcome.status == 125 && outcome.isOneLineNaming(flag[0]), "\(outcome)")
            }
        }
    }
}
