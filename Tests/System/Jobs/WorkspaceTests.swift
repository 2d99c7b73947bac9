import Glibc
import Testing

/// `--workspace`: the caller's files stay the caller's.
@Suite struct WorkspaceTests {
    /// `USER:GROUP` of each file below a directory, each once.
    private func owners(_ path: String) throws -> [String] {
        let words = ["/bin/sh", "-c", "find '\(path)' -printf '%U:%G\\n' | sort -u"]
        return try RunningProcess(words, environment: [:], directory: "/").wait().lines
    }

    @Test(arguments: Caller.all)
    func `whoever wrote inside, the files are the caller's afterwards`(caller: Caller) throws {
        try withApus(caller) { apus in
            let path = try apus.makeDirectory("work")
            try apus.file("work/given", "given\n", mode: 0o600)
            let own = ["\(apus.account.uid):\(apus.account.gid)"]
            let first = try apus.shell(
                ["--workspace", "\(path)"], root: "\(apus.root):O", "pwd; cat given; mkdir d; echo x >d/root; ln -s d l"
            )
            #expect(first == .printed("/workspace\ngiven\n"))
            #expect(try owners(path) == own)
            guard caller != .withoutIDs else { return }
            let script = "cat given; echo y >>given; mkdir e; echo z >e/user; mv d f; stat -c %u:%g . given"
            let second = try apus.shell(
                ["--workspace", "\(path):/src", "-u", "1000:1000"], root: "\(apus.root):O", script)
            #expect(second == .printed("given\n1000:1000\n1000:1000\n"))
            #expect(try owners(path) == own)
            let failed = try apus.shell(
                ["--workspace", path, "-u", "5", "--timeout", "300ms"], root: "\(apus.root):O",
                "echo x >late; sleep 1000")
            #expect(failed.status == 124, "\(failed)")
            #expect(try owners(path) == own)
        }
    }

    @Test(Requirement.root) func `root gives them back to whom the directory belongs`() throws {
        try withApus(.root) { apus in
            let path = try apus.makeDirectory("work")
            let other = Caller.ordinary.account
            chown(path, other.uid, other.gid)
            for user in ["0", "1000:1000"] {
                let outcome = try apus.shell(
                    ["--workspace", path, "-u", user], root: "\(apus.root):O", "echo x >$(id -u)")
                #expect(outcome == .printed(""))
                #expect(try owners(path) == ["\(other.uid):\(other.gid)"])
            }
        }
    }

    @Test(arguments: Caller.available)
    func `nothing outside of it changes hands`(caller: Caller) throws {
        try withApus(caller) { apus in
            let path = try apus.makeDirectory("work")
            let outside = try apus.file("outside", "x")
            symlink(outside, "\(path)/link")
            var before = stat()
            lstat(outside, &before)
            let outcome = try apus.shell(["--workspace", path, "-u", "9:9"], root: "\(apus.root):O", "echo x >y")
            #expect(outcome == .printed(""))
            var after = stat()
            lstat(outside, &after)
            #expect(before.st_ctim.tv_sec == after.st_ctim.tv_sec && before.st_ctim.tv_nsec == after.st_ctim.tv_nsec)
        }
    }

    @Test(arguments: Caller.available)
    func `after a killed run the next command gives them back`(caller: Caller) throws {
        try withApus(caller) { apus in
            let path = try apus.makeDirectory("work")
            let job = try apus.start(
                ["run", "--rm", "--workspace", path, "-u", "1000", "--rootfs", "\(apus.root):O", "sh", "-c"]
                    + ["echo x >y; echo written; sleep 1000"])
            try job.waitForOutput("written")
            try job.send(SIGKILL)
            _ = try job.wait()
            try apus.succeed("ps")
            #expect(try owners(path) == ["\(apus.account.uid):\(apus.account.gid)"])
        }
    }

    @Test func `a workspace that cannot be is refused`() throws {
        try withApus(.own) { apus in
            for (text, reason) in [
                ("/nosuch", "No such file"), ("/etc/passwd", "not a directory"), ("a:b", "absolute"),
            ] {
                let outcome = try apus.run(["--workspace", text], "true")
                #expect(outcome.status == 125 && outcome.isOneLineNaming(reason), "\(outcome)")
            }
        }
    }
}
