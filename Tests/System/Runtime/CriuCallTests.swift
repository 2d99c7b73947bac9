import FoundationEssentials
import Glibc
import Linux
import OCI
import Testing

/// What CRIU is asked for, and what becomes of its answers: by a program in its place, since the real one does not get
/// along with every kernel.
@Suite struct CriuCallTests {
    /// Writes down how it was started and what it was asked, and answers as `answers` says, which is a shell script.
    private func standIn(_ runtime: OCIRuntime, answering answers: String) throws -> String {
        let script = #"""
            #!/bin/sh
            directory=${0%/*}
            echo "$@" >"$directory/words"
            for number in 4 5; do readlink /proc/$$/fd/$number; done >"$directory/directories"
            cat /proc/self/cgroup >"$directory/cgroups"
            ask() { dd bs=65536 count=1 <&3 2>/dev/null; }
            say() { printf "$1" >&3; }
            number() { # a varint of three bytes, as octal escapes
                printf '\\%03o\\%03o\\%03o' $(($1 & 127 | 128)) $(($1 >> 7 & 127 | 128)) $(($1 >> 14))
            }
            ask >"$directory/request"

            """#
        return try runtime.apus.file("criu", script + answers + "\n", mode: 0o755)
    }

    private func withContainer(
        answering answers: String, _ body: (OCIRuntime, _ call: ([String]) throws -> Outcome) throws -> Void
    ) throws {
        try withRuntime(.root) { runtime in
            try runtime.configure(["sleep", "1000"]) {
                $0.annotations = ["org.criu.config": "/etc/some.conf"]
                $0.mounts?.append(
                    Spec.Mount(destination: "/data", type: "bind", source: runtime.bundle, options: ["rbind"]))
            }
            try runtime.create(runtime.id())
            expectOutput(try runtime("start", runtime.id()), "")
            let criu = try standIn(runtime, answering: answers)
            try body(runtime) { try runtime(["--criu", criu] + $0) }
        }
    }

    private func text(_ runtime: OCIRuntime, _ name: String) throws -> String {
        let bytes = try Data(contentsOf: URL(filePath: "\(runtime.apus.directory)/\(name)"))
        return String(decoding: bytes, as: UTF8.self)
    }

    /// `criu_resp` of a dump that went well.
    private static let success = #"say '\010\001\020\001'"#

    @Test(Requirement.root) func `a dump is asked for, and the container is gone after it`() throws {
        try withContainer(answering: Self.success) { runtime, call in
            let (images, work) = ("\(runtime.apus.directory)/some/images", "\(runtime.apus.directory)/work")
            let words = ["checkpoint", "--image-path", images, "--work-path", work, "--tcp-established", runtime.id()]
            expectOutput(try call(words), "")
            #expect(try text(runtime, "words") == "swrk 3\n")
            #expect(try text(runtime, "directories") == "\(images)\n\(work)\n")
            let request = try text(runtime, "request")
            for word in ["dump.log", "/etc/some.conf", "/data", Machine.busybox] { #expect(request.contains(word)) }
            #expect(try text(runtime, "some/images/descriptors.json").hasPrefix("[\""))
            runtime.expectFailure(try runtime("state", runtime.id()), naming: "does not exist")
        }
    }

    @Test(Requirement.root, arguments: ["--leave-running", "--pre-dump"])
    func `a container that is to go on is still there`(option: String) throws {
        // Whether the kernel can track memory is asked for by a first run.
        let tracking = #"""
            case $(od -An -tu1 -N2 "$directory/request") in
            *9) say '\010\011\020\001\102\002\010\001' ;;
            *) say '\010\004\020\001' ;;
            esac
            """#
        let answer = option == "--pre-dump" ? tracking : Self.success
        try withContainer(answering: answer) { runtime, call in
            expectOutput(try call(["checkpoint", "--image-path", runtime.apus.directory, option, runtime.id()]), "")
            #expect(try runtime.state(runtime.id()).status == .running)
        }
    }

    @Test(Requirement.root) func `what keeps CRIU from a dump is told, and the container goes on`() throws {
        let log = #"""
            cat >"$(readlink /proc/$$/fd/4)/dump.log" <<'END'
            (00.1) Warn  (criu/kerndat.c:1): something
            (00.2) Error (criu/util.c:642): exited, status=1
            (00.3) Error (criu/mount.c:7): mnt: a mount is odd
            (00.4) Error (criu/cr-dump.c:1): Dumping FAILED.
            END
            say '\010\001\020\000'
            """#
        try withContainer(answering: log) { runtime, call in
            let outcome = try call(["checkpoint", "--image-path", runtime.apus.directory, runtime.id()])
            runtime.expectFailure(outcome, naming: "criu: mnt: a mount is odd; see \(runtime.apus.directory)/dump.log")
            #expect(try runtime.state(runtime.id()).status == .running)
        }
    }

    @Test(Requirement.root) func `a CRIU that ends without an answer is told of`() throws {
        try withContainer(answering: "exit 1") { runtime, call in
            let outcome = try call(["checkpoint", "--image-path", runtime.apus.directory, runtime.id()])
            runtime.expectFailure(outcome, naming: "without an answer")
        }
    }

    @Test(Requirement.root) func `a restored process is recorded, and its namespaces' hooks have run`() throws {
        let answers = #"""
            sleep 1000 3>&- &
            say "\\010\\006\\020\\001\\052\\026\\012\\020setup-namespaces\\020$(number $!)"
            ask >"$directory/first"
            say "\\010\\006\\020\\001\\052\\022\\012\\014post-restore\\020$(number $!)"
            ask >"$directory/second"
            say '\010\002\020\001'
            """#
        try withRuntime(.root) { runtime in
            let directory = runtime.apus.directory
            try runtime.configure(["sleep", "1000"]) {
                let hook = Spec.Hook(path: "/bin/sh", args: ["sh", "-c", "cat >\(directory)/hook"])
                $0.hooks = Spec.Hooks(createRuntime: [hook])
            }
            let criu = try standIn(runtime, answering: answers)
            _ = try runtime.apus.makeDirectory("images")
            try runtime.apus.file("images/descriptors.json", #"["/dev/null","pipe:[42]","file[1a:2b]"]"#)
            let outcome = try runtime.leaving(
                "--criu", criu, "restore", "--detach", "--bundle", runtime.bundle, "--image-path",
                "\(directory)/images",
                "--pid-file", "\(directory)/pid", "--lsm-profile", "apparmor:some", runtime.id())
            try #require(outcome.status == 0, "\(outcome)")
            let request = try text(runtime, "request")
            for word in ["restore.log", "pipe:[42]", "file[1a:2b]", "criu-root", "apparmor:some"] {
                #expect(request.contains(word), "\(word)")
            }
            #expect(!request.contains("/dev/null"))
            // Each notification was acknowledged.
            for name in ["first", "second"] {
                #expect(try Array(text(runtime, name).utf8) == [8, 6, 24, 1])
            }
            let state = try runtime.state(runtime.id())
            let pid = try text(runtime, "pid")
            #expect(state.status == .running && "\(state.pid ?? 0)" == pid)
            #expect(try text(runtime, "hook").contains(runtime.id()))
            // CRIU was in the container's cgroups already.
            #expect(try text(runtime, "cgroups").contains(runtime.id()))
            #expect(access("\(runtime.root)/\(runtime.id())/criu-root", F_OK) != 0)
        }
    }

    @Test(Requirement.root) func `a restore that fails leaves nothing`() throws {
        try withRuntime(.root) { runtime in
            let criu = try standIn(runtime, answering: #"say '\010\002\020\000\112\014out of luck\n'"#)
            _ = try runtime.apus.makeDirectory("images")
            try runtime.apus.file("images/descriptors.json", "[]")
            let outcome = try runtime(
                "--criu", criu, "restore", "--bundle", runtime.bundle, "--image-path",
                "\(runtime.apus.directory)/images", runtime.id())
            runtime.expectFailure(outcome, naming: "criu: out of luck")
            runtime.expectFailure(try runtime("state", runtime.id()), naming: "does not exist")
        }
    }

    // MARK: What is refused before

    @Test(Requirement.root) func `without CRIU the error names it and what to do`() throws {
        try withContainer(answering: "exit 1") { runtime, _ in
            runtime.expectFailure(
                try runtime("--criu", "criu-of-nobody", "restore", "--bundle", runtime.bundle, runtime.id("x")),
                naming: "criu-of-nobody: not found", "install criu")
            runtime.expectFailure(
                try runtime("--criu", "/nowhere/criu", "checkpoint", runtime.id()), naming: "/nowhere/criu: not found")
        }
    }

    @Test(Requirement.ordinaryCaller, arguments: Caller.unprivileged)
    func `who is not root is told that only root can`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            let outcome = try runtime("restore", "--bundle", runtime.bundle, runtime.id())
            runtime.expectFailure(outcome, naming: "run as root")
        }
    }

    @Test(
        Requirement.root,
        arguments: [
            (["--page-server", "nowhere"], "ADDRESS:PORT"), (["--page-server", ":7"], "ADDRESS:PORT"),
            (["--manage-cgroups-mode", "odd"], "soft, full, strict or ignore"), (["--empty-ns", "pid"], "network"),
            (["--status-fd", "77"], "descriptor 77"), (["--parent-path", "/absolute"], "relative"),
            (["--parent-path", "missing"], "--parent-path: missing"),
        ])
    func `what cannot be is refused by its name`(options: [String], words: String) throws {
        try withContainer(answering: Self.success) { runtime, call in
            let images = ["--image-path", "\(runtime.apus.directory)/images"]
            let outcome = try call(["checkpoint"] + images + options + [runtime.id()])
            runtime.expectFailure(outcome, naming: words)
            #expect(try runtime.state(runtime.id()).status == .running)
        }
    }

    @Test(Requirement.root) func `only a running container is saved, and a root is always pivoted to`() throws {
        try withRuntime(.root) { runtime in
            try runtime.create(runtime.id())
            runtime.expectFailure(try runtime("checkpoint", runtime.id()), naming: "created")
            runtime.expectFailure(try runtime("restore", "--no-pivot", runtime.id("x")), naming: "--no-pivot")
        }
    }
}
