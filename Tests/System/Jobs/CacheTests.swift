import FoundationEssentials
import Glibc
import Testing

/// `--cache` and `apus cache`.
@Suite struct CacheTests {
    @Test(arguments: Caller.all)
    func `what one job leaves in a cache the next one finds, whoever it is inside`(caller: Caller) throws {
        try withApus(caller) { apus in
            for mode in ["locked", "shared", "cow"] {
                let flags = ["--cache", "deps-\(mode):/cache:\(mode)"]
                let first = try apus.shell(
                    flags, root: "\(apus.root):O", "ls /cache; mkdir /cache/a; echo one >/cache/a/x")
                #expect(first == .printed(""), "\(mode)")
                let user = caller == .withoutIDs ? [] : ["-u", "7:8"]
                let second = try apus.shell(
                    flags + user, root: "\(apus.root):O",
                    "cat /cache/a/x; echo two >/cache/mine; rm -r /cache/gone; true")
                #expect(second.output == "one\n", "\(mode): \(second)")
                let third = try apus.shell(flags, root: "\(apus.root):O", "rm -r /cache/a; cat /cache/mine")
                #expect(third == .printed("two\n"), "\(mode)")
                let fourth = try apus.shell(flags, root: "\(apus.root):O", "ls /cache")
                #expect(fourth == .printed("mine\n"), "\(mode)")
            }
            try apus.succeed("cache", "prune", "-f")
        }
    }

    @Test(arguments: Caller.available)
    func `a locked cache has one job at a time, and the next one says for whom it waits`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.detached("first", ["--cache", "deps:/cache"])
            let refused = try apus.run(["--cache", "deps:/cache", "--cache-wait", "0"], root: "\(apus.root):O", "true")
            #expect(refused.status == 125, "\(refused)")
            #expect(refused.isOneLineNaming("lock cache: deps: is in use by container"), "\(refused)")
            #expect(refused.errors.contains("(first)"), "\(refused)")
            let next = try apus.start(
                ["run", "--rm", "--cache", "deps:/cache", "--rootfs", "\(apus.root):O", "echo", "mine"])
            #expect(try apus("cache", "rm", "deps").isOneLineNaming("a job is using it"))
            try apus.succeed("rm", "-f", "first")
            let outcome = try next.wait()
            #expect(outcome.output == "mine\n" && outcome.isOneLineNaming("waiting for cache 'deps', in use by"))
            try apus.succeed("cache", "rm", "deps")
        }
    }

    @Test(arguments: Caller.available)
    func `jobs on copies see what there was when they began, and the last to succeed leaves its own whole`(
        caller: Caller
    ) throws {
        try withApus(caller) { apus in
            let flags = ["--cache", "deps:/cache:cow"]
            _ = try apus.shell(flags, root: "\(apus.root):O", "echo 0 >/cache/base; echo 0 >/cache/same")
            let wait = "; while [ ! -e /tmp/go ]; do sleep 0.02; done"
            try apus.detached("one", flags, command: ["sh", "-c", "echo 1 >/cache/same; echo 1 >/cache/one\(wait)"])
            try apus.detached("two", flags, command: ["sh", "-c", "rm /cache/base; echo 2 >/cache/same\(wait)"])
            // A job that fails leaves nothing.
            let failed = try apus.shell(flags, root: "\(apus.root):O", "echo bad >/cache/same; exit 3")
            #expect(failed.status == 3)
            #expect(
                try apus.shell(flags, root: "\(apus.root):O", "cd /cache; grep -H . *") == .printed("base:0\nsame:0\n"))
            for name in ["one", "two"] {
                _ = try apus("exec", name, "touch", "/tmp/go")  // it may end with the container
                #expect(try apus.succeed("wait", name) == "0")
            }
            #expect(try apus.shell(flags, root: "\(apus.root):O", "cd /cache; grep -H . *") == .printed("same:2\n"))
            // Versions that nobody is on have gone.
            let left = try FileManager.default.contentsOfDirectory(atPath: "\(apus.data)/caches/deps")
            #expect(left.count == 3, "\(left)")
            try apus.succeed("rm", "one", "two")
            try apus.succeed("cache", "rm", "deps")
        }
    }

    @Test(arguments: Caller.available)
    func `a job killed at any moment leaves the cache as it was`(caller: Caller) throws {
        try withApus(caller) { apus in
            let flags = ["--cache", "deps:/cache:cow"]
            _ = try apus.shell(flags, root: "\(apus.root):O", "echo good >/cache/state")
            let job = try apus.start(
                ["run", "--rm"] + flags
                    + ["--rootfs", "\(apus.root):O", "sh", "-c", "echo bad >/cache/state; echo written; sleep 1000"])
            try job.waitForOutput("written")
            try job.send(SIGKILL)
            _ = try job.wait()
            #expect(try apus.shell(flags, root: "\(apus.root):O", "cat /cache/state") == .printed("good\n"))
            try apus.succeed("cache", "rm", "deps")
        }
    }

    @Test func `a cache is mapped to the IDs of a container that has its own`() throws {
        guard Machine.isRoot else { return }
        try withApus(.root) { apus in
            for mode in ["locked", "cow"] {
                let flags = ["--cache", "deps-\(mode):/cache:\(mode)"]
                let mapped = try apus.shell(
                    flags + ["--userns", "auto"], root: "\(apus.root):O", "echo mine >/cache/x; stat -c %u /cache/x")
                #expect(mapped == .printed("0\n"), "\(mode)")
                #expect(
                    try apus.shell(flags, root: "\(apus.root):O", "stat -c %u /cache/x") == .printed("0\n"), "\(mode)")
            }
        }
    }

    @Test(arguments: Caller.available)
    func `caches are listed, measured and removed`(caller: Caller) throws {
        try withApus(caller) { apus in
            _ = try apus.shell(["--cache", "aa:/c"], root: "\(apus.root):O", "head -c 3000 /dev/zero >/c/x")
            _ = try apus.shell(["--cache", "bb:/c:cow"], root: "\(apus.root):O", "head -c 5000 /dev/zero >/c/x")
            #expect(try apus.succeed("cache", "ls", "-q") == "aa\nbb")
            #expect(
                try apus.succeed("cache", "ls", "--format", "{{.Name}} {{.Mode}} {{.Size}} {{.InUse}}")
                    == "aa in place 3kB no\nbb copy-on-write 5kB no")
            #expect(try apus.succeed("cache", "ls").hasPrefix("NAME"))
            let usage = try apus.succeed("system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Size}}")
            #expect(usage.hasSuffix("Caches 2 8kB"), "\(usage)")
            #expect(try apus("cache", "rm", "cc").isOneLineNaming("no such cache"))
            let wrong = try apus.run(["--cache", "aa:/c:cow"], root: "\(apus.root):O", "true")
            #expect(wrong.status == 125 && wrong.isOneLineNaming("it is kept in place"), "\(wrong)")
            #expect(try apus.succeed("cache", "prune", "-f", "--filter", "until=1h").contains("space: 0B"))
            #expect(try apus.succeed("cache", "prune", "-f").contains("space: 8kB"))
            #expect(try apus.succeed("cache", "ls", "-q") == "")
        }
    }

    @Test(arguments: [
        ("deps", "not a cache"), ("deps:/c:odd", "unknown mode 'odd'"), ("../x:/c", "is not a name"),
        ("deps:relative", "not an absolute path"),
    ])
    func `a cache that cannot be is refused`(text: String, reason: String) throws {
        try withApus(.own) { apus in
            let outcome = try apus.run(["--cache", text], "true")
            #expect(outcome.status == 125 && outcome.isOneLineNaming(reason), "\(outcome)")
        }
    }
}
