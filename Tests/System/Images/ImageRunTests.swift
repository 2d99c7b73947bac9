import FoundationEssentials
import Glibc
import Testing

/// `run IMAGE` and `create IMAGE`.
@Suite struct ImageRunTests {
    private static let changes = [
        #"ENTRYPOINT ["sh", "-c"]"#, #"CMD ["echo $A $B $PWD $(id -u); cat /proc/self/mounts | grep -c ' /data '"]"#,
        "ENV A=one B=two", "USER 1000", "WORKDIR /made/here", "VOLUME /data", "LABEL from=image kind=test",
        "STOPSIGNAL SIGQUIT", "EXPOSE 80 53/udp",
    ]

    @Test(arguments: [Caller.root, .ordinary].filter(Caller.all.contains))
    func `a container does what its image says`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("app", Self.changes)
            expectOutput(try apus("run", "--rm", "app"), "one two /made/here 1000\n1")
            let id = try apus.succeed("create", "--name", "made", "app")
            let fields =
                "{{.Config.StopSignal}} {{.Config.Labels.from}} {{json .Config.ExposedPorts}} {{.Config.Image}}"
            expectOutput(
                try apus("inspect", "--format", fields, "made"), #"SIGQUIT image {"53/udp":{},"80/tcp":{}} app"#)
            let image = try apus.succeed("image", "inspect", "--format", "{{.Id}}", "app")
            expectOutput(try apus("inspect", "--format", "{{.Image}}", id), image)
        }
    }

    @Test(arguments: [Caller.root, .ordinary].filter(Caller.all.contains))
    func `flags come before what the image says`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("app", Self.changes)
            let flags = ["-e", "A=mine", "-e", "C=3", "-u", "0", "-w", "/other", "-v", "/data2"]
            expectOutput(
                try apus(["run", "--rm"] + flags + ["app", "echo $A $B $C $PWD $(id -u)"]), "mine two 3 /other 0")
            expectOutput(try apus("run", "--rm", "--entrypoint", "echo", "app", "said"), "said")
            expectOutput(try apus("run", "--rm", "--entrypoint", "", "app", "echo", "said"), "said")
            let refused = try apus("run", "--rm", "--entrypoint", "", "app")
            #expect(refused.status == 125 && refused.isOneLineNaming("no command given"), "\(refused)")
        }
    }

    @Test(arguments: Caller.all)
    func `layers lie over each other, and what one removes is gone`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("base", ["CMD sh"], prepare: "mkdir -p data/old; echo low >data/f; echo x >gone")
            let script = "rm /gone; rm -r /data; mkdir /data; echo new >/data/g; echo made >/made"
            expectOutput(try apus("run", "--name", "one", "base", "sh", "-c", script), "")
            try apus.succeed("commit", "one", "second")
            for storage in ["overlay", "copy"] {
                let outcome = try apus(
                    "run", "--name", "two-\(storage)", "--storage", storage, "second", "sh", "-c",
                    "ls -A /data; cat /data/g /made; test ! -e /gone && echo hidden; rm /made; echo x >/mine")
                expectOutput(outcome, "g\nnew\nmade\nhidden")
                expectOutput(try apus("diff", "two-\(storage)"), "D /made\nA /mine")
                let again = try apus("start", "-a", "two-\(storage)")
                #expect(again.text == "g\nnew\nhidden", "\(again)")
            }
            let layers = try apus.succeed("image", "inspect", "--format", "{{len .RootFS.Layers}}", "second")
            #expect(layers == "2")
        }
    }

    @Test(arguments: Caller.available)
    func `a volume begins with what the image has there`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("filled", ["VOLUME /sown"], prepare: "mkdir -m 750 sown; echo seed >sown/f")
            expectOutput(
                try apus("run", "--rm", "filled", "sh", "-c", "cat /sown/f; stat -c %a /sown; echo >/sown/f"),
                "seed\n750")
            expectOutput(try apus("run", "--rm", "filled", "cat", "/sown/f"), "seed")
            expectOutput(try apus("run", "--rm", "-v", "kept:/sown", "filled", "sh", "-c", "echo more >/sown/f"), "")
            expectOutput(try apus("run", "--rm", "-v", "kept:/sown", "filled", "cat", "/sown/f"), "more")
        }
    }

    @Test(arguments: Caller.all)
    func `an image that is not here is refused when it may not be pulled`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outcome = try apus("run", "--rm", "--pull", "never", "missing:1", "true")
            #expect(outcome.status == 125 && outcome.isOneLineNaming("missing:1"), "\(outcome)")
        }
    }

    @Test func `an automatic user namespace shows the owners that the image has`() throws {
        guard Caller.available.contains(.root) else { return }
        try withApus(.root) { apus in
            try apus.importImage("app", prepare: "echo x >owned; echo y >gone")
            try apus.succeed("run", "--name", "one", "app", "sh", "-c", "rm /gone; chown 1000:1000 /owned")
            try apus.succeed("commit", "one", "second")
            let script =
                "stat -c %u:%g /owned /bin; test ! -e /gone && cat /owned; echo z >/owned; awk '{print $3}' /proc/self/uid_map"
            let outcome = try apus("run", "--name", "auto", "--userns", "auto", "second", "sh", "-c", script)
            expectOutput(outcome, "1000:1000\n0:0\nx\n65536")
            try apus.succeed("commit", "auto", "third")
            expectOutput(
                try apus("run", "--rm", "third", "sh", "-c", "stat -c %u:%g /owned; cat /owned"), "1000:1000\nz")
        }
    }

    @Test(Requirement.ordinaryCaller, arguments: Caller.unprivileged)
    func `a user namespace in which a user's own files are nobody's is refused`(caller: Caller) throws {
        guard caller == .ordinary else { return }
        try withApus(caller) { apus in
            try apus.importImage("app")
            let refused = try apus("run", "--rm", "--userns", "auto", "app", "true")
            #expect(refused.status == 125 && refused.isOneLineNaming("--userns keep-id"), "\(refused)")
            try apus.succeed("run", "--name", "one", "--userns", "keep-id", "app", "touch", "/tmp/new")
            try apus.succeed("commit", "one", "second")
            // The user's own files are root's in the image, and the user's where IDs are kept.
            let stat = ["second", "stat", "-c", "%u:%g", "/tmp/new"]
            expectOutput(try apus(["run", "--rm"] + stat), "0:0")
            expectOutput(
                try apus(["run", "--rm", "--userns", "keep-id"] + stat), "\(apus.account.uid):\(apus.account.gid)")
        }
    }

    @Test(arguments: Caller.available)
    func `ps shows images and finds containers by them`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("app:1", ["CMD true"])
            try apus.succeed("tag", "app:1", "other")
            try apus.succeed("create", "--name", "made", "app:1")
            let id = try apus.succeed("images", "-q", "app:1")
            for name in ["app:1", "other", id] {
                expectOutput(
                    try apus("ps", "-a", "--filter", "ancestor=\(name)", "--format", "{{.Names}} {{.Image}}"),
                    "made app:1")
            }
            expectOutput(try apus("ps", "-aq", "--filter", "ancestor=none"), "")
        }
    }

    @Test(arguments: Caller.available)
    func `an image in use is not removed, and a prune leaves what runs alone`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("app")
            try apus.succeed("run", "-d", "--name", "up", "app", "sleep", "1000")
            let refused = try apus("rmi", "app")
            #expect(refused.status == 1 && refused.isOneLineNaming("app"), "\(refused)")
            try apus.succeed("image", "prune", "--all", "--force")
            expectOutput(try apus("run", "--rm", "app", "echo", "still"), "still")
            expectOutput(try apus("exec", "up", "ls", "/bin/sh"), "/bin/sh")
            try apus.succeed("rm", "-f", "up")
            try apus.succeed("create", "--name", "made", "app", "ls", "/bin/sh")
            #expect(try apus("rmi", "app").status == 1)
            try apus.succeed("rmi", "--force", "app")
            expectOutput(try apus("start", "-a", "made"), "/bin/sh")
            try apus.succeed("rm", "made")
            try apus.succeed("image", "prune", "--all", "--force")
            let left = try FileManager.default.contentsOfDirectory(atPath: "\(apus.data)/images/layers")
            #expect(left == [])
        }
    }

    @Test(arguments: Caller.all)
    func `an image may have more layers than a page holds paths of`(caller: Caller) throws {
        try withApus(caller) { apus in
            let source = caller == .withoutIDs ? try apus.makeRoot("own") : apus.root
            // As `docker save` wrote it once: each layer a file, the later ones over the earlier.
            let script = """
                set -e; mkdir -p archive t/layers; cd archive; layers=; ids=
                for i in $(seq 0 129); do
                    echo $i >../t/layers/$i; echo $i >../t/top; tree=../t; files="layers/$i top"
                    [ $i -gt 0 ] || { tree='\(source)'; files=.; }
                    tar -cf $i.tar --numeric-owner --owner 0 --group 0 -C "$tree" $files
                    layers="$layers,\\"$i.tar\\""
                done
                for sum in $(sha256sum $(seq -f %g.tar 0 129) | cut -c1-64); do ids="$ids,\\"sha256:$sum\\""; done
                echo '{"architecture":"'$(dpkg --print-architecture)'","os":"linux","rootfs":{"type":"layers","diff_ids":['${ids#,}']}}' >config.json
                echo '[{"Config":"config.json","RepoTags":["many:1"],"Layers":['${layers#,}']}]' >manifest.json
                tar -cf ../many.tar *.json *.tar
                """
            let packed = try apus.startShell(script).wait(seconds: 300)
            try #require(packed.status == 0, "\(packed)")
            #expect(try apus.succeed("load", "-i", "\(apus.directory)/many.tar").contains("Loaded image: many:1"))
            for storage in ["overlay", "copy"] {
                let words = ["run", "--rm", "--storage", storage, "many:1", "sh", "-c", "cat /top; ls /layers | wc -l"]
                expectOutput(try apus(words), "129\n129")
            }
        }
    }

    @Test(Requirement.ordinaryCaller)
    func `a user without subordinate IDs is told once that all files are theirs`() throws {
        guard Caller.unprivileged.contains(.withoutIDs) else { return }
        try withApus(.withoutIDs) { apus in
            let root = try apus.makeRoot("own")
            let script = "tar -C '\(root)' --numeric-owner --owner 7 --group 8 -cf root.tar ."
            try #require(try apus.startShell(script).wait().status == 0)
            let first = try apus("import", "\(apus.directory)/root.tar", "app")
            #expect(first.status == 0 && first.errors.contains("subordinate IDs"), "\(first)")
            #expect(first.errors.split(separator: "\n").count == 1, "\(first)")
            expectOutput(try apus("run", "--rm", "app", "stat", "-c", "%u:%g", "/bin/busybox"), "0:0")
        }
    }
}
