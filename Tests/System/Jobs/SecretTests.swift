import FoundationEssentials
import Glibc
import Testing

/// `--secret` and `--mask-secrets`.
@Suite struct SecretTests {
    private static let value = "s3cr3t-of-the-build"

    @Test(arguments: Caller.all)
    func `a secret is a file in memory that its user alone reads`(caller: Caller) throws {
        try withApus(caller) { apus in
            let file = try apus.file("token", Self.value, mode: 0o600)
            let script = """
                cat /run/secrets/token; echo; stat -c '%a %u %g' /run/secrets/token
                grep ' /run/secrets ' /proc/self/mounts | cut -d' ' -f3,4 | cut -d, -f1
                echo no 2>/dev/null >/run/secrets/token || echo kept
                """
            // Below a root of somebody else's there is no room for a mount point but in memory.
            let room = caller == .withoutIDs ? ["--tmpfs", "/run"] : []
            let flags = ["--secret", "id=token,src=\(file)"]
            let outcome = try apus.shell(flags + room, root: "\(apus.root):O", script)
            #expect(outcome == .printed("\(Self.value)\n400 0 0\nramfs ro\nkept\n"))
        }
    }

    @Test(arguments: Caller.available)
    func `owner, mode and place are as asked for`(caller: Caller) throws {
        try withApus(caller) { apus in
            apus.environment["TOKEN"] = Self.value
            let flags = [
                "--secret", "id=a,env=TOKEN", "--secret", "id=b,env=TOKEN,target=/etc/deep/b,uid=3,gid=4,mode=0440",
                "--secret", "id=c,env=TOKEN,target=named", "-u", "12:13", "--read-only",
            ]
            let script =
                "cd /; for f in run/secrets/a etc/deep/b run/secrets/named; do stat -c '%n %a %u:%g %s' $f; done"
            let outcome = try apus.run(flags, root: "\(apus.root):O", "sh", "-c", "\(script); cat /run/secrets/a")
            #expect(
                outcome
                    == .printed(
                        "run/secrets/a 400 12:13 19\netc/deep/b 440 3:4 19\nrun/secrets/named 400 12:13 19\n\(Self.value)"
                    ))
        }
    }

    @Test(arguments: Caller.available)
    func `what a secret holds is nowhere kept`(caller: Caller) throws {
        try withApus(caller) { apus in
            let file = try apus.file("token", Self.value, mode: 0o600)
            apus.environment["TOKEN"] = Self.value
            let id = try apus.detached(
                "keeper", ["--secret", "id=token,src=\(file)", "--secret", "id=other,env=TOKEN,target=/x"],
                command: ["sh", "-c", "cat /run/secrets/token /x >/dev/null; echo ready; sleep 1000"])
            #expect(try apus.inspect("keeper", "{{(index .Apus.Secrets 0).Id}}") == "token")
            #expect(try apus.succeed("exec", "keeper", "cat", "/run/secrets/token") == Self.value)
            #expect(try !apus.succeed("inspect", "keeper").contains(Self.value))
            try apus.succeed("stop", "keeper")
            let found = try RunningProcess(
                ["/bin/grep", "-r", "-l", Self.value, "\(apus.data)/containers/\(id)"], environment: [:], directory: "/"
            ).wait()
            // An overlay's own directory cannot be read by an ordinary user.
            #expect(found.output == "" && found.status > 0, "\(found)")
            #expect(try !apus.succeed("export", "keeper").contains(Self.value))
            #expect(try !apus.succeed("diff", "keeper").contains("token"))
        }
    }

    @Test(arguments: Caller.available)
    func `a start reads secrets anew, from a file or the starter's environment`(caller: Caller) throws {
        try withApus(caller) { apus in
            let file = try apus.file("token", "first\n")
            apus.environment["TOKEN"] = "one"
            try apus.create(
                "again", ["--secret", "id=f,src=\(file)", "--secret", "id=v,env=TOKEN"],
                command: ["sh", "-c", "cat /run/secrets/f /run/secrets/v"])
            #expect(try apus.succeed("start", "-a", "again") == "first\none")
            try apus.file("token", "second\n")
            apus.environment["TOKEN"] = "two"
            #expect(try apus.succeed("start", "-a", "again") == "second\ntwo")
            apus.environment["TOKEN"] = nil
            let outcome = try apus("start", "-a", "again")
            #expect(outcome.status == 1 && outcome.isOneLineNaming("'TOKEN' is not set"), "\(outcome)")
        }
    }

    @Test(arguments: [
        ("id=a,src=/nosuch", "No such file"), ("id=a,src=/dev/zero", "not a regular file"),
        ("id=a,env=NO_SUCH_VARIABLE", "not set"), ("id=../a,env=HOME", "cannot be an id"), ("src=/etc/passwd", "no id"),
        ("id=a", "no source"), ("id=a,src=/x,env=HOME", "two sources"), ("id=a,env=HOME,mode=9", "not a mode"),
        ("id=a,env=HOME,color=red", "unknown key 'color'"),
    ])
    func `a secret that cannot be is refused`(text: String, reason: String) throws {
        try withApus(.own) { apus in
            let outcome = try apus.run(["--secret", text], "true")
            #expect(outcome.status == 125 && outcome.isOneLineNaming(reason), "\(outcome)")
        }
    }

    @Test func `a secret of more than 512 KiB is refused, one of just that is whole`() throws {
        try withApus(.own) { apus in
            let file = try apus.file("large", String(repeating: "x", count: 512 << 10))
            #expect(
                try apus.run(["--secret", "id=l,src=\(file)"], "wc", "-c", "/run/secrets/l").text.hasPrefix("524288 "))
            try apus.file("large", String(repeating: "x", count: 512 << 10 + 1))
            let outcome = try apus.run(["--secret", "id=l,src=\(file)"], "true")
            #expect(outcome.status == 125 && outcome.isOneLineNaming("more than 512 KiB"), "\(outcome)")
        }
    }

    // MARK: Masking

    @Test(arguments: Caller.available)
    func `a masked secret shows in no output, however it is cut`(caller: Caller) throws {
        try withApus(caller) { apus in
            apus.environment["TOKEN"] = Self.value
            // Byte by byte, each of its own write.
            let script = """
                t=$(cat /run/secrets/t); while [ -n "$t" ]; do printf %s "${t%"${t#?}"}"; t=${t#?}; done
                echo " <$(cat /run/secrets/t)>"; cat /run/secrets/t >&2; printf s3cr3t-
                """
            let flags = ["--name", "masked", "--secret", "id=t,env=TOKEN", "--mask-secrets"]
            let outcome = try apus.runContainer(flags, ["sh", "-c", script])
            #expect(outcome.output == "*** <***>\ns3cr3t-" && outcome.errors == "***", "\(outcome)")
            let logs = try apus("logs", "masked")
            #expect(logs.output == "*** <***>\ns3cr3t-" && logs.errors == "***", "\(logs)")
            let brief = try apus.shell(
                ["--secret", "id=t,env=TOKEN", "--mask-secrets"], root: "\(apus.root):O", "cat /run/secrets/t")
            #expect(brief == .printed("***"))
        }
    }

    @Test func `what a health check prints is masked in its record`() throws {
        try withApus(.own) { apus in
            apus.environment["TOKEN"] = Self.value
            let flags = [
                "-d", "--name", "checked", "--secret", "id=t,env=TOKEN", "--mask-secrets", "--wait-healthy",
                "--health-interval", "50ms", "--health-cmd", "echo $(cat /run/secrets/t)!",
            ]
            try apus.succeed(apus.runWords(flags, ["sleep", "1000"]))
            #expect(try apus.inspect("checked", "{{(index .State.Health.Log 0).Output}}") == "***!")
        }
    }

    @Test func `each line of a secret is masked, and what is too short is said`() throws {
        try withApus(.own) { apus in
            let file = try apus.file("lines", "first line\r\nabc\nsecond line\n")
            let outcome = try apus.shell(
                ["--secret", "id=t,src=\(file)", "--mask-secrets"], "sed 's/^/> /' /run/secrets/t")
            #expect(outcome.output == "> ***\r\n> abc\n> ***\n", "\(outcome)")
            #expect(outcome.isOneLineNaming("warning: secret 't' is empty or has lines of less than 4 bytes"))
        }
    }

    @Test(arguments: [
        (["-t"], "--tty"), (["--log-driver", "passthrough"], "passthrough"),
    ])
    func `masking is refused where it cannot be`(flags: [String], reason: String) throws {
        try withApus(.own) { apus in
            let outcome = try apus.run(["--secret", "id=h,env=HOME", "--mask-secrets"] + flags, "true")
            #expect(outcome.status == 125 && outcome.isOneLineNaming(reason), "\(outcome)")
        }
    }
}
