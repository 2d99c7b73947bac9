import Testing

/// What the program in a container starts with: variables, directory, user, limits of its process.
@Suite struct ProgramTests {
    // MARK: Variables

    @Test(arguments: Caller.available)
    func `the command gets a small environment of its own`(caller: Caller) throws {
        try withApus(caller) { apus in
            apus.environment["SECRET_OF_THE_CALLER"] = "1"
            let outcome = try apus.run(["--hostname", "box"], "/bin/env")
            let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
            #expect(outcome.lines.sorted() == ["HOME=/root", "HOSTNAME=box", path], "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `-e sets variables, and takes the caller's value where none is given`(caller: Caller) throws {
        try withApus(caller) { apus in
            apus.environment["TAKEN"] = "from outside"
            let flags = [
                "-e", "A=1", "--env", "B=two words", "-eC=x=y", "-e", "TAKEN", "-e", "ABSENT", "-e", "HOME=/h",
            ]
            let outcome = try apus.shell(flags, "echo \"$A|$B|$C|$TAKEN|${ABSENT-unset}|$HOME\"")
            #expect(outcome.output == "1|two words|x=y|from outside|unset|/h\n", "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `an environment file gives variables that -e overrides`(caller: Caller) throws {
        try withApus(caller) { apus in
            apus.environment["TAKEN"] = "from outside"
            let file = try apus.file("variables", "# comment\n\nA=1\nB=kept as it is # all of it\nTAKEN\n")
            let outcome = try apus.shell(["--env-file", file, "-e", "A=2"], "echo \"$A|$B|$TAKEN\"")
            #expect(outcome.output == "2|kept as it is # all of it|from outside\n", "\(outcome)")
        }
    }

    // MARK: Directory and program

    @Test(arguments: Caller.available)
    func `-w is where the command starts`(caller: Caller) throws {
        try withApus(caller) { apus in
            expectOutput(try apus.run("pwd"), "/")
            expectOutput(try apus.run(["-w", "/var/tmp"], "pwd"), "/var/tmp")
        }
    }

    @Test(arguments: Caller.available)
    func `a missing working directory is made`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outcome = try apus.run(["-w", "/made/for/it"], root: "\(try apus.makeRoot()):O", "pwd")
            #expect(outcome.status == 0 && outcome.output == "/made/for/it\n", "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `--entrypoint gets the command as its arguments`(caller: Caller) throws {
        try withApus(caller) { apus in
            expectOutput(try apus.run(["--entrypoint", "echo"], "--", "-n", "a", "b"), "a b")
            expectOutput(try apus.run(["--entrypoint", "pwd"]), "/")
        }
    }

    @Test(arguments: Caller.available)
    func `words after the command are the command's, whatever they look like`(caller: Caller) throws {
        try withApus(caller) { apus in
            expectOutput(try apus.run("echo", "--rm", "-e", "", "a b", "*"), "--rm -e  a b *")
        }
    }

    // MARK: User

    @Test(arguments: Caller.available)
    func `-u takes names, numbers and groups`(caller: Caller) throws {
        try withApus(caller) { apus in
            let asked = [
                "user": "1000 1000", "1000": "1000 1000", "user:daemon": "1000 1", "user:29": "1000 29",
                "12345": "12345 0",
                "nobody": "65534 65534", "0:7": "0 7",
            ]
            for (user, ids) in asked {
                let outcome = try apus.shell(["-u", user], "echo $(id -u) $(id -g)")
                #expect(outcome.text == ids, "-u \(user): \(outcome)")
            }
        }
    }

    @Test(arguments: Caller.available)
    func `a user has their groups of /etc/group, and those of --group-add`(caller: Caller) throws {
        try withApus(caller) { apus in
            #expect(try apus.run(["-u", "user"], "id", "-G").text.split(separator: " ").sorted() == ["1000", "29"])
            let added = try apus.run(["-u", "user", "--group-add", "daemon", "--group-add", "777"], "id", "-G")
            #expect(added.text.split(separator: " ").sorted() == ["1", "1000", "29", "777"], "\(added)")
        }
    }

    @Test(arguments: Caller.available)
    func `HOME is that of the user`(caller: Caller) throws {
        try withApus(caller) { apus in
            expectOutput(try apus.shell(["-u", "user"], "echo $HOME"), "/home")
            expectOutput(try apus.shell(["-u", "4321"], "echo $HOME"), "/")
        }
    }

    // MARK: The process

    @Test(arguments: Caller.available)
    func `the command is process 1, and with --init a child of it`(caller: Caller) throws {
        try withApus(caller) { apus in
            expectOutput(try apus.shell("echo $$"), "1")
            let outcome = try apus.shell(["--init"], "echo $(($$ > 1)) $PPID")
            #expect(outcome.text == "1 1", "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `--umask sets the file mode mask`(caller: Caller) throws {
        try withApus(caller) { apus in
            expectOutput(try apus.shell("umask"), "0022")
            expectOutput(try apus.shell(["--umask", "077"], "umask"), "0077")
        }
    }

    @Test(arguments: Caller.available)
    func `--ulimit sets limits of the process`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outcome = try apus.shell(
                ["--ulimit", "nofile=64:128", "--ulimit", "core=0"], "ulimit -Sn; ulimit -Hn; ulimit -Hc")
            #expect(outcome.lines == ["64", "128", "0"], "\(outcome)")
        }
    }

    @Test(Requirement.ordinaryCaller, arguments: Caller.unprivileged)
    func `a hard limit above the caller's own is refused to one who may not raise it`(caller: Caller) throws {
        try withApus(caller) { apus in
            let shell = try apus.startShell(
                "ulimit -n 100; $APUS run --rm --ulimit nofile=200 --rootfs \(Machine.busybox) true")
            expectRefusal(try shell.wait(), naming: "RLIMIT_NOFILE=200:200", "CAP_SYS_RESOURCE")
        }
    }

    @Test(arguments: Caller.available)
    func `--personality LINUX32 shows a machine of 32 bits`(caller: Caller) throws {
        try withApus(caller) { apus in
            expectOutput(try apus.run(["--personality", "LINUX32"], "uname", "-m"), "i686")
            #expect(try apus.run(["--personality", "LINUX"], "uname", "-m").text != "i686")
        }
    }

    @Test(arguments: Caller.available)
    func `--oom-score-adj is the command's`(caller: Caller) throws {
        try withApus(caller) { apus in
            expectOutput(try apus.run(["--oom-score-adj", "500"], "cat", "/proc/self/oom_score_adj"), "500")
        }
    }

    @Test(arguments: Caller.available)
    func `the command's signals and mask are the default ones`(caller: Caller) throws {
        try withApus(caller) { apus in
            let run = "$APUS run --rm --rootfs \(Machine.busybox) grep -E '^Sig(Blk|Ign)' /proc/self/status"
            let outcome = try apus.startShell("trap '' INT TERM PIPE HUP; \(run)").wait()
            // All but the two of the C library, which posix_spawn leaves ignored.
            let masks = outcome.lines.compactMap { UInt64($0.suffix(16), radix: 16) }
            #expect(masks.map { $0 & ~0x1_8000_0000 } == [0, 0], "\(outcome)")
        }
    }
}
