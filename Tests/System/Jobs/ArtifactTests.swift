import FoundationEssentials
import Glibc
import Testing

/// `--artifact`.
@Suite struct ArtifactTests {
    /// The files below a directory of the test's, with their content, sorted.
    private func files(_ apus: Apus, _ name: String) throws -> [String] {
        let words = ["/bin/sh", "-c", "cd '\(apus.directory)/\(name)' && find . -mindepth 1 ! -type d | sort"]
        return try RunningProcess(words, environment: [:], directory: "/").wait().lines
    }

    private func content(_ apus: Apus, _ path: String) throws -> String {
        try String(contentsOfFile: "\(apus.directory)/\(path)", encoding: .utf8)
    }

    @Test(arguments: Caller.all)
    func `what matches is copied with its path, also of a job that fails, from memory and volumes`(
        caller: Caller
    ) throws {
        try withApus(caller) { apus in
            let volume = try apus.makeDirectory("volume")
            let script = """
                mkdir -p /src/build/a/b /mem/deep; cd /src/build; echo 1 >a/one.xml; echo 2 >a/b/two.xml; echo 3 >three.xml
                echo 4 >a/four.txt; echo 5 >.hidden.xml; echo mem >/mem/deep/log; echo vol >/vol/out; chmod 4777 a/one.xml
                mkdir dist; echo d >dist/d; ln -s d dist/link; exit 9
                """
            let flags = [
                "--tmpfs", "/mem", "-v", "\(volume):/vol", "-w", "/src", "--artifact", "build/**/*.xml:reports",
                "--artifact", "/mem/deep/log:logs", "--artifact", "/vol/out:logs", "--artifact", "/src/build/dist:pack",
            ]
            let outcome = try apus.startShell(
                "exec $APUS run --rm \(flags.map { "'\($0)'" }.joined(separator: " ")) --rootfs \(apus.root):O sh -c '\(script)'"
            ).wait()
            #expect(outcome.status == 9 && outcome.errors == "", "\(outcome)")
            #expect(try files(apus, "reports") == ["./a/b/two.xml", "./a/one.xml", "./three.xml"])
            #expect(try files(apus, "logs") == ["./log", "./out"])
            #expect(try files(apus, "pack") == ["./dist/d", "./dist/link"])
            #expect(try content(apus, "logs/log") == "mem\n")
            var status = stat()
            #expect(stat("\(apus.directory)/reports/a/one.xml", &status) == 0)
            #expect(status.st_uid == apus.account.uid && status.st_mode & 0o7777 == 0o755)
        }
    }

    @Test(arguments: Caller.available)
    func `neither a symlink nor a device leads anything out`(caller: Caller) throws {
        try withApus(caller) { apus in
            let secret = try apus.file("secret", "mine\n", mode: 0o600)
            let script = """
                mkdir -p /out/sub /other; echo in >/other/file; cd /out; ln -s /etc/passwd abs; ln -s ../../etc/passwd up
                ln -s sub/x ok; ln -s ../ok sub/back; mkfifo fifo; echo x >sub/x; ln -s /other linked; ln -s /run/secrets run
                """
            let flags = [
                "--secret", "id=s,src=\(secret)", "--artifact", "/out:all", "--artifact", "/out/linked/file:some",
                "--artifact", "/out/run/*:some",
            ]
            let outcome = try apus.startShell(
                "exec $APUS run --rm \(flags.joined(separator: " ")) --rootfs \(apus.root):O sh -c '\(script)'"
            ).wait()
            #expect(outcome.status == 0, "\(outcome)")
            #expect(try files(apus, "all") == ["./out/ok", "./out/sub/back", "./out/sub/x"])
            #expect(try files(apus, "some") == [])
            for name in ["out/abs", "out/up", "out/fifo", "out/linked", "out/run"] {
                #expect(outcome.errors.contains("/out: \(name): "), "\(outcome)")
            }
            #expect(outcome.errors.contains("artifact /out/linked/file: nothing matches"), "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `a job that is stopped at its time limit leaves its artifacts`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outcome = try apus.shell(
                ["--timeout", "300ms", "--artifact", "/log:\(apus.directory)/out"], root: "\(apus.root):O",
                "echo begun >/log; sleep 1000")
            #expect(outcome.status == 124, "\(outcome)")
            #expect(try content(apus, "out/log") == "begun\n")
        }
    }

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `so does one that ran out of memory`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outcome = try apus.shell(
                ["--memory", "16m", "--artifact", "/log:\(apus.directory)/out"], root: "\(apus.root):O",
                "echo begun >/log; \(Script.eatMemory)")
            #expect(outcome.status == 137, "\(outcome)")
            #expect(try content(apus, "out/log") == "begun\n")
        }
    }

    @Test(arguments: Caller.available)
    func `too much is refused, and a success without its artifacts is none`(caller: Caller) throws {
        try withApus(caller) { apus in
            let flags = ["--artifact-limit", "1k", "--artifact", "/log:\(apus.directory)/out"]
            let outcome = try apus.shell(flags, root: "\(apus.root):O", "head -c 1025 /dev/zero >/log")
            #expect(outcome.status == 125 && outcome.isOneLineNaming("more than 1024 bytes"), "\(outcome)")
            let failed = try apus.shell(flags, root: "\(apus.root):O", "head -c 1025 /dev/zero >/log; exit 4")
            #expect(failed.status == 4, "\(failed)")
            let good = try apus.shell(flags, root: "\(apus.root):O", "head -c 1024 /dev/zero >/log")
            #expect(good == .printed(""))
        }
    }

    @Test(arguments: Caller.available)
    func `a container in the background leaves them too`(caller: Caller) throws {
        try withApus(caller) { apus in
            let id = try apus.detached(
                "job", ["--artifact", "/log:\(apus.directory)/out"], command: ["sh", "-c", "echo done >/log"])
            #expect(try apus.succeed("wait", id) == "0")
            #expect(try content(apus, "out/log") == "done\n")
        }
    }

    @Test(arguments: [("/x", "not an artifact"), ("../x:out", "'..' in a path"), ("/:out", "all of the root")])
    func `an artifact that cannot be is refused`(text: String, reason: String) throws {
        try withApus(.own) { apus in
            let outcome = try apus.run(["--artifact", text], "true")
            #expect(outcome.status == 125 && outcome.isOneLineNaming(reason), "\(outcome)")
        }
    }
}
