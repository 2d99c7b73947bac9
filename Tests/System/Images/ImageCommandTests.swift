import FoundationEssentials
import Glibc
import Testing

/// Commands on images that need no registry.
@Suite struct ImageCommandTests {
    @Test(arguments: Caller.available)
    func `images are listed, named, shown and removed as Docker does`(caller: Caller) throws {
        try withApus(caller) { apus in
            let id = try apus.importImage("app", ["LABEL a=b", "CMD sh"])
            try apus.succeed("tag", "app", "localhost:5000/team/app:2")
            let format = "{{.Repository}} {{.Tag}} {{.ID}}"
            let short = id.dropFirst("sha256:".count).prefix(12)
            let listed = try apus.succeed("image", "ls", "--format", format).split(separator: "\n").sorted()
            #expect(listed == ["app latest \(short)", "localhost:5000/team/app 2 \(short)"])
            expectOutput(try apus("images", "-q", "--no-trunc", "--filter", "label=a=b", "app"), id)
            expectOutput(try apus("images", "-q", "--filter", "label=a=c"), "")
            let header = try apus.succeed("images", "app").split(separator: "\n")[0].split(separator: " ").map {
                String($0)
            }
            #expect(header == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"])
            expectOutput(try apus("inspect", "--format", "{{.Config.Cmd}} {{.Os}}", "app"), "[/bin/sh -c sh] linux")
            let history = try apus.succeed("history", "--no-trunc", "--format", "{{.ID}} {{.Comment}}", "app")
            #expect(history.hasPrefix("\(id) Imported from "))
            expectOutput(try apus("rmi", "app"), "Untagged: app:latest")
            let removed = try apus.succeed("rmi", "localhost:5000/team/app:2")
            #expect(removed.hasPrefix("Untagged: localhost:5000/team/app:2\nDeleted: \(id)"), "\(removed)")
            let missing = try apus("rmi", "app")
            #expect(missing.status == 1 && missing.isOneLineNaming("app"), "\(missing)")
        }
    }

    @Test(arguments: Caller.available)
    func `an archive comes back as the same image`(caller: Caller) throws {
        try withApus(caller) { apus in
            let id = try apus.importImage("app", ["CMD [\"echo\", \"hello\"]"])
            for format in ["docker-archive", "oci-archive"] {
                try apus.succeed("save", "--format", format, "-o", "\(apus.directory)/a.tar", "app")
                try apus.succeed("save", "--format", format, "-o", "\(apus.directory)/b.tar", "app")
                let same = try apus.startProgram(["/usr/bin/cmp", "a.tar", "b.tar"]).wait()
                #expect(same.status == 0, "\(same)")
                try apus.succeed("rmi", "app")
                expectOutput(try apus("load", "-i", "\(apus.directory)/a.tar"), "Loaded image: app:latest")
                expectOutput(try apus("images", "-q", "--no-trunc"), id)
                expectOutput(try apus("run", "--rm", "app"), "hello")
            }
        }
    }

    @Test(arguments: Caller.available)
    func `all files of a container go out and come back as an image`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("app", prepare: "echo old >f")
            let running = try apus.start(
                ["run", "--name", "one", "-i", "app", "sh", "-c", "echo new >/f; echo x >/tmp/x; echo up; cat"])
            try running.waitForOutput("up")
            for state in ["running", "stopped"] {
                let archive = "\(apus.directory)/\(state).tar"
                try apus.succeed("export", "-o", archive, "one")
                try apus.succeed("import", archive, state)
                let script = "cat /f /tmp/x; ls /proc | wc -l; ls -l /bin/busybox | cut -c1-10"
                let outcome = try apus("run", "--rm", state, "sh", "-c", script)
                let lines = outcome.lines
                #expect(
                    lines.first == "new" && lines.dropFirst().first == "x" && lines.last == "-rwxr-xr-x", "\(outcome)")
                running.closeInput()
                if state == "running" { _ = try running.wait() }
            }
        }
    }

    @Test(arguments: Caller.available)
    func `an archive that nobody reads to its end is no error, and none goes to a terminal`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("app", ["CMD true"], prepare: "head -c 3000000 /dev/urandom >large")
            try apus.succeed("create", "--name", "one", "app")
            for words in ["export one", "save app"] {
                let outcome = try apus.startShell("\"$APUS\" \(words) | head -c 1000 | wc -c").wait()
                expectOutput(outcome, "1000")
                let shown = try apus.start(words.split(separator: " ").map { String($0) }, onTerminal: true).wait()
                #expect(shown.status == 125 && shown.output.contains("would go to the terminal"), "\(shown)")
            }
        }
    }

    @Test(arguments: Caller.available)
    func `a commit keeps what its container was told, and says who made it`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("app", ["CMD true", "ENV A=image"])
            try apus.succeed("run", "--name", "one", "-e", "A=mine", "app", "sh", "-c", "echo x >/etc/new")
            try apus.succeed(
                "commit", "-a", "somebody", "-m", "why", "--change", "CMD [\"cat\", \"/etc/new\"]", "one", "second:2")
            expectOutput(try apus("run", "--rm", "second:2"), "x")
            expectOutput(
                try apus(
                    "image", "inspect", "--format", "{{.Author}} {{.Comment}} {{index .Config.Env 0}}", "second:2"),
                "somebody why A=mine")
            // What was only made to mount upon is none of it.
            let files = try apus.succeed("run", "--rm", "--entrypoint", "", "second:2", "ls", "/etc")
            #expect(!files.contains("resolv.conf") || files.contains("new"))
        }
    }

    @Test(arguments: [
        (["tag", "missing", "other"], "missing"), (["history", "missing"], "missing"),
        (["save", "missing"], "missing"),
        (["rmi", "Bad/Name"], "Bad/Name"), (["import", "/nowhere", "x"], "/nowhere"),
        (["import", "--change", "RUN x", "-", "x"], "RUN x"), (["commit", "missing"], "missing"),
        (["load", "-i", "/nowhere"], "/nowhere"), (["image", "inspect", "missing"], "missing"),
    ])
    func `what cannot be is one line that names it`(words: [String], subject: String) throws {
        try withApus(.own) { apus in
            let outcome = try apus(words)
            #expect(outcome.status != 0 && outcome.isOneLineNaming(subject), "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `the disk's use is told, and a prune of the system frees it`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("app")
            try apus.succeed("run", "--name", "ended", "app", "true")
            let rows = try apus.succeed("system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}}")
            #expect(rows.split(separator: "\n").prefix(2) == ["Images 1 1", "Containers 1 0"])
            let pruned = try apus.succeed("system", "prune", "--all", "--force")
            #expect(pruned.contains("Deleted Containers:") && pruned.contains("untagged: app:latest"), "\(pruned)")
            expectOutput(try apus("images", "-q"), "")
            let none = try apus("image", "prune", input: "n\n")
            #expect(none.status == 0 && none.output.contains("[y/N]"), "\(none)")
        }
    }
}
