import FoundationEssentials
import Glibc
import Testing

/// `--rootfs DIR`, `--rootfs DIR:O`, `@host` and `--storage copy`.
@Suite struct RootTests {
    @Test(arguments: Caller.available)
    func `a directory that is used as it is keeps what the container writes`(caller: Caller) throws {
        try withApus(caller) { apus in
            let root = try apus.makeRoot()
            expectOutput(try apus.shell([], root: root, "echo kept >/kept"), "")
            #expect(try String(contentsOfFile: "\(root)/kept", encoding: .utf8) == "kept\n")
        }
    }

    @Test(arguments: Caller.available)
    func `a directory that is used as it is gets no new files from Apus`(caller: Caller) throws {
        try withApus(caller) { apus in
            let root = try apus.makeRoot()
            let before = try tree(root)
            expectOutput(try apus.run([], root: root, "true"), "")
            #expect(try tree(root) == before)
        }
    }

    @Test(arguments: Caller.available, ["overlay", "copy"])
    func `nothing in the directory below a throw-away layer changes`(caller: Caller, storage: String) throws {
        try withApus(caller) { apus in
            let root = try apus.makeRoot()
            let before = try tree(root)
            let script = """
                echo new >/new; echo more >>/etc/passwd; rm /etc/group; mkdir /directory; mv /home /moved; chmod 700 /usr
                cat /new; tail -n 1 /etc/passwd; test ! -e /etc/group && ls -d /directory /moved
                """
            let outcome = try apus.shell(["--storage", storage], root: "\(root):O", script)
            expectOutput(outcome, "new\nmore\n/directory\n/moved")
            #expect(try tree(root) == before)
        }
    }

    @Test(Requirement.ordinaryCaller, arguments: Caller.unprivileged)
    func `a copy names what it may not read`(caller: Caller) throws {
        try withApus(caller) { apus in
            let root = try apus.makeRoot()
            _ = try apus.makeDirectory("root/home/closed", mode: 0)
            let outcome = try apus.run(["--storage", "copy"], root: "\(root):O", "true")
            expectRefusal(outcome, naming: root, "'home/closed'", "ermission denied", "--storage overlay")
            #expect(try apus.leftovers() == [])
        }
    }

    @Test(arguments: Caller.available)
    func `the throw-away layer goes with the container and not before`(caller: Caller) throws {
        try withApus(caller) { apus in
            let script = "cat /count 2>/dev/null; echo again >>/count"
            let root = "\(try apus.makeRoot()):O"
            let first = try apus("run", "--name", "layered", "--rootfs", root, "sh", "-c", script)
            expectOutput(first, "")
            expectOutput(try apus("start", "-a", "layered"), "again")
            expectOutput(try apus("rm", "layered"), "layered")
        }
    }

    @Test(arguments: Caller.available)
    func `two containers on one directory do not see each other's writes`(caller: Caller) throws {
        try withApus(caller) { apus in
            let root = "\(try apus.makeRoot()):O"
            let words = ["run", "--rm", "-i", "--rootfs", root, "sh", "-c", "echo x >/mine; echo up; read x"]
            let first = try apus.start(words)
            try first.waitForOutput("up")
            expectOutput(try apus.shell([], root: root, "test ! -e /mine && echo none"), "none")
            first.closeInput()
            _ = try first.wait()
        }
    }

    @Test(arguments: Caller.all)
    func `everybody writes to the temporary directories of a root that is another user's`(caller: Caller) throws {
        try withApus(caller) { apus in
            let root = "\(apus.directory)/others"
            try Machine.makeBusyboxRoot(root)
            for path in ["\(root)/var", "\(root)/var/tmp"] { mkdir(path, 0o755) }
            for path in ["\(root)/tmp", "\(root)/var/tmp"] { chmod(path, 0o1777) }
            try apus.file("others/tmp/below", "content")
            let script = "echo x >/tmp/x; echo x >/var/tmp/x; stat -c %a /tmp /var/tmp /var; ls /tmp"
            let made = try apus(["create", "--name", "kept", "--rootfs", "\(root):O", "sh", "-c", script])
            #expect(made.status == 0, "\(made)")
            expectOutput(try apus("start", "-a", "kept"), "1777\n1777\n755\nbelow\nx")
            expectOutput(try apus("diff", "kept"), "C /tmp\nA /tmp/x\nC /var\nC /var/tmp\nA /var/tmp/x")
            let machine = try apus(["run", "--rm", "@host", "--", "sh", "-c", "echo x >/var/tmp/x && echo written"])
            expectOutput(machine, "written")
        }
    }

    @Test(Requirement.ordinaryCaller, arguments: Caller.unprivileged)
    func `a directory of another user's can be below a throw-away layer`(caller: Caller) throws {
        try withApus(caller) { apus in
            let root = "\(Machine.busybox):O"
            expectOutput(try apus.shell([], root: root, "cat /etc/passwd | head -n 1"), "root:x:0:0:root:/root:/bin/sh")
        }
    }

    // MARK: @host

    private func host(_ apus: Apus, _ flags: [String] = [], _ script: String) throws -> Outcome {
        try apus(["run", "--rm"] + flags + ["@host", "--", "sh", "-c", script])
    }

    @Test(arguments: Caller.all)
    func `@host has the machine's programs, and its writes are gone afterwards`(caller: Caller) throws {
        try withApus(caller) { apus in
            let name = "apus-test-written-\(getpid())-\(caller)"
            // An ordinary user can write where they can outside: other places belong to users that the container lacks.
            let places = caller == .root ? "/etc /usr /var/tmp /" : apus.account.home
            let script = "for d in \(places); do echo x >$d/\(name) && cat $d/\(name); done; cat /etc/debian_version"
            let version = try String(contentsOfFile: "/etc/debian_version", encoding: .utf8).trimmed
            let lines = places.split(separator: " ").map { _ in "x" } + [version]
            expectOutput(try host(apus, [], script), lines.joined(separator: "\n"))
            for place in places.split(separator: " ") { #expect(access("\(place)/\(name)", F_OK) != 0, "\(place)") }
        }
    }

    @Test(arguments: Caller.all)
    func `@host has fresh proc, sys, dev, run and tmp`(caller: Caller) throws {
        try withApus(caller) { apus in
            let script =
                "ls -A /run; ls -A /tmp; ls /proc | grep -c '^[0-9]'; ls /dev | grep -c '^[vsh]d[a-z]'; test -d /sys/class"
            let outcome = try host(apus, [], script)
            // The shell and the two processes of each pipeline.
            #expect(outcome.status == 0 && outcome.errors == "", "\(outcome)")
            let numbers = outcome.lines.compactMap { Int($0) }
            #expect(outcome.lines.count == 2 && numbers.count == 2, "\(outcome)")
            #expect(numbers.first.map { $0 <= 4 } ?? false && numbers.last == 0, "\(outcome)")
        }
    }

    @Test(arguments: Caller.all)
    func `@host shows more of the machine with -v`(caller: Caller) throws {
        try withApus(caller) { apus in
            let shared = try apus.makeDirectory("shared")
            let outcome = try host(apus, ["-v", "\(shared):/tmp/shared"], "echo x >/tmp/shared/file")
            expectOutput(outcome, "")
            #expect(try String(contentsOfFile: "\(shared)/file", encoding: .utf8) == "x\n")
        }
    }

    @Test(arguments: Caller.all)
    func `@host does not show the data directory`(caller: Caller) throws {
        try withApus(caller) { apus in
            // Not below /tmp, which is fresh anyhow.
            let home = caller == .root ? "/var/lib" : apus.account.home
            let place = "\(home)/apus-test-\(getpid())-\(caller)"
            let data = "\(place)/data"
            apus.environment["APUS_ROOT"] = data
            defer {
                // `try?`: only tidying
                _ = try? RunningProcess(["/bin/rm", "-rf", place], environment: [:], directory: "/").wait()
            }
            expectOutput(try apus.startShell("mkdir -p -m 711 \(data)").wait(), "")
            expectOutput(try apus.run("true"), "")
            let outcome = try host(apus, [], "ls -A \(data) && echo there")
            expectOutput(outcome, "there")
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(data)/containers") == [])
        }
    }

    /// Every path with its type, mode, size and time of change.
    private func tree(_ root: String) throws -> String {
        let words = ["/usr/bin/find", root, "-printf", "%P %y %m %s %l %T@\\n"]
        return try RunningProcess(words, environment: [:], directory: "/").wait().output
    }
}
