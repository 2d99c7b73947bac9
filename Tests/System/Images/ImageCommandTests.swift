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
        (["load", "-i", "/etc/passwd"], "load: /etc/passwd: "),
        (["import", "/etc/passwd", "x"], "import: /etc/passwd: "),
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

    @Test(arguments: Caller.available)
    func `an archive that ends early is refused by its name, packed or not`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("app")
            try apus.succeed("save", "-o", "\(apus.directory)/whole", "app")
            let cut = "head -c 2000 whole >cut; gzip -c whole | head -c 2000 >packed; head -c 30 whole >start"
            try #require(try apus.startShell("cd '\(apus.directory)'; \(cut)").wait().status == 0)
            for name in ["cut", "packed", "start"] {
                let path = "\(apus.directory)/\(name)"
                for words in [["load", "-i", path], ["import", path, "x"]] {
                    let outcome = try apus(words)
                    #expect(outcome.status == 125 && outcome.isOneLineNaming("\(words[0]): \(path): "), "\(outcome)")
                }
            }
            expectOutput(try apus("load", "-q", "-i", "\(apus.directory)/whole"), "Loaded image: app:latest")
        }
    }

    @Test(arguments: Caller.available)
    func `a prune of the system takes what was never started, and says first what goes`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("app")
            let made = try apus.succeed("create", "--name", "made", "--label", "keep=no", "app", "true")
            try apus.succeed("create", "--name", "kept", "--label", "keep=yes", "app", "true")
            try apus.succeed("run", "-d", "--name", "up", "app", "sleep", "1000")
            let asked = try apus("system", "prune", "--volumes", "--filter", "label!=keep=yes", input: "n\n")
            #expect(
                asked.output == """
                    WARNING! This will remove:
                      - all stopped containers
                      - all networks not used by at least one container
                      - all anonymous volumes not used by at least one container
                      - all dangling images

                      Items to be pruned will be filtered with:
                      - label!=keep=yes

                    Are you sure you want to continue? [y/N]\u{20}
                    """)
            expectOutput(try apus("ps", "-q", "--no-trunc", "--filter", "name=made", "-a"), made)
            for filter in ["label=keep=maybe", "until=1h"] {
                let none = try apus.succeed("system", "prune", "--force", "--filter", filter)
                #expect(none == "Total reclaimed space: 0B")
            }
            let pruned = try apus("system", "prune", "--volumes", "--filter", "label!=keep=yes", input: "y\n")
            #expect(pruned.output.contains("Deleted Containers:\n\(made)\n\n"), "\(pruned)")
            let left = try apus.succeed("ps", "-a", "--format", "{{.Names}}").split(separator: "\n").sorted()
            #expect(left == ["kept", "up"])
            let wrong = try apus("system", "prune", "--force", "--filter", "size=1")
            #expect(wrong.status == 125 && wrong.isOneLineNaming("size=1"), "\(wrong)")
        }
    }

    @Test func `an image for another platform than is asked for is refused`() throws {
        try withApus(.own) { apus in
            try apus.importImage("app", flags: ["--platform", "linux/s390x"])
            let commands = [
                ["history"], ["image", "inspect"], ["save", "-o", "\(apus.directory)/a"], ["push"],
                ["rmi", "--no-prune"],
            ]
            for words in commands {
                let refused = try apus(words + ["--platform", "linux/arm64", "app"])
                #expect(
                    refused.status != 0 && refused.isOneLineNaming("linux/s390x, not for linux/arm64"), "\(refused)")
            }
            try apus.succeed("save", "--platform", "linux/s390x", "-o", "\(apus.directory)/a", "app")
            try apus.succeed("rmi", "--platform", "linux/s390x", "app")
        }
    }

    @Test(arguments: Caller.available)
    func `a prune of images heeds labels and whether they have names`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("one", ["LABEL kind=a"])
            try apus.importImage("two", ["LABEL kind=b"])
            let prune = ["image", "prune", "--force", "--filter"]
            #expect(try apus.succeed(prune + ["dangling=true"]) == "Total reclaimed space: 0B")
            let pruned = try apus.succeed(prune + ["dangling=false", "--filter", "label!=kind=b"])
            #expect(pruned.contains("untagged: one:latest") && !pruned.contains("two"), "\(pruned)")
            expectOutput(try apus("images", "--filter", "label!=kind=a", "--format", "{{.Repository}}"), "two")
        }
    }
}
