import FoundationEssentials
import Glibc
import Linux
import Testing

/// `cp` and `diff`: files of containers, running or not, as root and as ordinary users.
@Suite struct FilesTests {
    private static let cases: [(Caller, Bool)] = Caller.all.flatMap { [($0, true), ($0, false)] }

    /// A container named `box` on a root of the caller's own.
    private func makeBox(_ apus: Apus, running: Bool) throws {
        let root = try apus.makeRoot()
        let words = ["--name", "box", "--rootfs", "\(root):O", "--", "sleep", "1000"]
        try apus.succeed((running ? ["run", "-d"] : ["create"]) + words)
    }

    @Test(arguments: cases)
    func `a tree comes back from a container as it went in`(caller: Caller, running: Bool) throws {
        try withApus(caller) { apus in
            try makeBox(apus, running: running)
            let tree = try apus.makeDirectory("tree")
            let program = try apus.file("tree/run", "#!/bin/sh\n")
            #expect(chmod(program, 0o4750) == 0)
            try apus.file("tree/nämé", "x")
            #expect(symlink("/etc/passwd", "\(tree)/absolute") == 0)
            #expect(link("\(tree)/run", "\(tree)/hard") == 0)
            let back = "\(apus.directory)/back"
            try apus.succeed("cp", tree, "box:/tree")
            try apus.succeed("cp", "box:/tree", back)
            let compared = try RunningProcess(
                ["/usr/bin/diff", "-r", "--no-dereference", tree, back], environment: [:], directory: "/"
            ).wait()
            #expect(compared == .printed(""))
            var first = stat()
            var second = stat()
            #expect(lstat("\(back)/run", &first) == 0 && lstat("\(back)/hard", &second) == 0)
            #expect(first.st_ino == second.st_ino)
            #expect(first.st_mode & 0o7777 == 0o4750)
            #expect(first.st_uid == apus.account.uid)
        }
    }

    @Test(arguments: cases)
    func `what is there decides where a copy goes`(caller: Caller, running: Bool) throws {
        try withApus(caller) { apus in
            try makeBox(apus, running: running)
            let tree = try apus.makeDirectory("tree")
            let file = try apus.file("tree/file", "content")
            try apus.succeed("cp", tree, "box:/new")  // becomes /new
            try apus.succeed("cp", tree, "box:/new")  // goes into /new
            try apus.succeed("cp", "\(tree)/.", "box:/tmp")  // its content goes into /tmp
            try apus.succeed("cp", file, "box:/new/other")
            for path in ["/new/file", "/new/tree/file", "/tmp/file", "/new/other"] {
                let copy = "\(apus.directory)/copy"
                try apus.succeed("cp", "box:\(path)", copy)
                #expect(try String(contentsOfFile: copy, encoding: .utf8) == "content", "\(path)")
            }
            for words in [
                [file, "box:/missing/"], [file, "box:/missing/x"], [tree, "box:/new/file"], ["\(file)/", "box:/"],
                ["box:/missing", apus.directory], ["\(tree)/missing", "box:/"], [file, tree], ["box:/a", "box:/b"],
            ] {
                let outcome = try apus(["cp"] + words)
                #expect(outcome.status != 0, "\(words)")
                #expect(outcome.isOneLineNaming(""), "\(words): \(outcome)")
            }
        }
    }

    @Test(arguments: Caller.available)
    func `no link in a container leads a copy out of it`(caller: Caller) throws {
        try withApus(caller) { apus in
            let root = try apus.makeRoot()
            try apus.succeed(
                "run", "-d", "--name", "box", "--pid", "host", "--rootfs", "\(root):O", "--", "sleep", "1000")
            try apus.succeed("exec", "box", "ln", "-s", apus.directory, "/absolute")
            try apus.succeed("exec", "box", "ln", "-s", "/proc/\(getpid())/root\(apus.directory)", "/magic")
            try apus.succeed("exec", "box", "mkdir", "-p", apus.directory)
            let file = try apus.file("evil", "evil")
            try apus.succeed("cp", file, "box:/absolute/escaped")
            #expect(access("\(apus.directory)/escaped", F_OK) != 0)
            #expect(try apus("exec", "box", "cat", "\(apus.directory)/escaped").output == "evil")
            #expect(try apus("cp", file, "box:/magic/escaped").status != 0)
            #expect(try apus("cp", "box:/magic/evil", "\(apus.directory)/read").status != 0)
            #expect(access("\(apus.directory)/escaped", F_OK) != 0)
        }
    }

    @Test(arguments: Caller.available)
    func `a tar stream goes out and in`(caller: Caller) throws {
        try withApus(caller) { apus in
            try makeBox(apus, running: true)
            let file = try apus.file("file", "content")
            try apus.succeed("cp", file, "box:/file")
            let piped = try apus.startShell("\"$APUS\" cp box:/file - | gzip | \"$APUS\" cp - box:/tmp").wait()
            #expect(piped.status == 0, "\(piped)")
            #expect(try apus("exec", "box", "cat", "/tmp/file").output == "content")
        }
    }

    @Test(arguments: Caller.available)
    func `diff lists what was added, changed and deleted`(caller: Caller) throws {
        try withApus(caller) { apus in
            let root = try apus.makeRoot()
            let script =
                "mkdir /new; echo > /new/file; rm -r /home; echo >> /etc/passwd; rm /bin/awk; touch '/b\u{e4}d'"
            for storage in ["overlay", "copy"] {
                try apus.succeed(
                    "run", "--name", storage, "--storage", storage, "--rootfs", "\(root):O", "--", "sh", "-c", script)
                #expect(
                    try apus("diff", storage).output == """
                        C /bin
                        D /bin/awk
                        A /b\u{e4}d
                        C /etc
                        C /etc/passwd
                        D /home
                        A /new
                        A /new/file

                        """, "\(storage)")
            }
            try apus.succeed("create", "--name", "plain", "--rootfs", root, "true")
            #expect(try apus("diff", "plain").isOneLineNaming("used as it is"))
        }
    }

    @Test(arguments: Caller.available)
    func `a container with a name that is no text is removed`(caller: Caller) throws {
        try withApus(caller) { apus in
            let root = try apus.makeRoot()
            let script = "touch \"/$(printf 'b\\377')\"; mkdir -m 700 /own; touch /own/file; chown -R 5:5 /own"
            try apus.succeed("run", "--name", "box", "--rootfs", "\(root):O", "--", "sh", "-c", script)
            #expect(try apus("rm", "box").status == 0)
            #expect(try apus.leftovers().isEmpty)
        }
    }
}
