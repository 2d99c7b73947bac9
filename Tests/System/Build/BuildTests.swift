import FoundationEssentials
import Glibc
import Testing

/// `apus build` of one stage.
@Suite struct BuildTests {
    @Test(arguments: Caller.all)
    func `an image is what its Dockerfile says`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("base", ["ENV FROM_BASE=1", "CMD sh"])
            let dockerfile = """
                ARG BASE=base
                FROM $BASE
                ARG VERSION=3
                ENV A=one B="two $VERSION"
                WORKDIR /work/here
                RUN echo "$A $B $VERSION $FROM_BASE $PWD" >said && mkdir sub
                COPY file.txt ./
                COPY --chmod=750 tree sub/
                LABEL kind=test by="$A"
                EXPOSE 80 53/udp
                VOLUME /data
                STOPSIGNAL SIGQUIT
                HEALTHCHECK --interval=5s --retries=2 CMD true
                USER 1000:1000
                SHELL ["/bin/sh", "-ec"]
                CMD cat said
                """
            try apus.context("c", dockerfile, "echo text >file.txt; mkdir -p tree/deep; echo leaf >tree/deep/leaf")
            let (id, _) = try apus.built("c", "-t", "app:1", "--build-arg", "VERSION=4", "--label", "more=yes")
            #expect(id.hasPrefix("sha256:"))
            // Without subordinate IDs there is no user 1000 to be.
            let user = caller == .withoutIDs ? ["-u", "0"] : []
            expectOutput(try apus(["run", "--rm"] + user + ["app:1"]), "one two 4 4 1 /work/here")
            let script = "cat file.txt sub/deep/leaf; stat -c '%a %u:%g' file.txt sub/deep/leaf; id -u"
            expectOutput(
                try apus("run", "--rm", "-u", "0", "app:1", "sh", "-c", script), "text\nleaf\n644 0:0\n750 0:0\n0")
            let format =
                "{{.Config.User}} {{.Config.WorkingDir}} {{.Config.StopSignal}} {{json .Config.Env}} "
                + "{{json .Config.Cmd}} {{json .Config.Labels}} {{json .Config.ExposedPorts}} {{json .Config.Volumes}}"
            let text = try apus.succeed("image", "inspect", "--format", format, "app:1")
            let expected =
                #"1000:1000 /work/here SIGQUIT ["FROM_BASE=1","A=one","B=two 4"] ["/bin/sh","-ec","cat said"] "#
                + #"{"by":"one","kind":"test","more":"yes"} {"53/udp":{},"80/tcp":{}} {"/data":{}}"#
            #expect(text == expected)
            #expect(try apus.buildLeftovers() == [])
        }
    }

    @Test(arguments: Caller.available)
    func `what was done before is not done again, and what has changed is`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("base")
            let dockerfile = """
                FROM base
                COPY a /a
                RUN head -c 16 /dev/urandom | od -An -tx1 >/first
                ARG N=1
                COPY dir /dir
                RUN echo $N; head -c 16 /dev/urandom | od -An -tx1 >/second
                """
            try apus.context("c", dockerfile, "echo 1 >a; mkdir dir; echo 2 >dir/b")
            let first = try apus.built("c", "-t", "app")
            #expect(!first.steps.contains("(cached)"))
            let again = try apus.built("c", "-t", "app")
            #expect(again.id == first.id)
            #expect(again.steps.split(separator: "\n").filter { $0.hasSuffix("(cached)") }.count == 4, "\(again)")
            /// The random values of both commands, after a change by a script.
            func values(after script: String, _ flags: String...) throws -> [String] {
                let changed = try apus.startShell("cd c; \(script)").wait()
                try #require(changed.status == 0, "\(changed)")
                let outcome = try apus(["build", "-t", "app"] + flags + ["\(apus.directory)/c"])
                try #require(outcome.status == 0, "\(outcome)")
                return try apus.inImage("app", "cat /first /second").split(separator: "\n").map { String($0) }
            }
            let begin = try values(after: "touch a dir dir/b; touch -d 2001-01-01 dir/b")
            let content = try values(after: "echo 3 >dir/b")
            #expect(content[0] == begin[0] && content[1] != begin[1])
            let mode = try values(after: "chmod 600 dir/b")
            #expect(mode[0] == begin[0] && mode[1] != content[1])
            let added = try values(after: "echo >dir/.hidden")
            #expect(added[0] == begin[0] && added[1] != mode[1])
            let link = try values(after: "ln -s b dir/link")
            #expect(link[0] == begin[0] && link[1] != added[1])
            let argument = try values(after: "true", "--build-arg", "N=2")
            #expect(argument[0] == begin[0] && argument[1] != link[1])
            #expect(try values(after: "rm dir/.hidden dir/link; chmod 644 dir/b; echo 2 >dir/b") == begin)
            let anew = try values(after: "true", "--no-cache")
            #expect(anew[0] != begin[0] && anew[1] != begin[1])
        }
    }

    @Test(arguments: Caller.available)
    func `a step that fails is named by its line, and those before it are kept`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("base")
            try apus.context("c", "FROM base\nRUN echo one >/one\n\nRUN echo oh; exit 3\n")
            let outcome = try apus.build("c", "-t", "app")
            #expect(outcome.status == 3 && outcome.output == "", "\(outcome)")
            #expect(outcome.errors.contains("Dockerfile:4: ") && outcome.errors.contains("status 3"), "\(outcome)")
            #expect(outcome.errors.contains("oh\n"), "\(outcome)")
            #expect(try apus.buildLeftovers() == [])
            #expect(try apus("image", "inspect", "app").status != 0)
            try apus.context("c", "FROM base\nRUN echo one >/one\n\nRUN echo two >/two\n")
            let (_, steps) = try apus.built("c", "-t", "app")
            #expect(steps.contains("RUN echo one >/one (cached)"), "\(steps)")
            #expect(try apus.inImage("app", "cat /one /two") == "one\ntwo")
        }
    }

    @Test(arguments: Caller.available)
    func `files are copied as COPY says`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage(
                "base", prepare: "mkdir -p there/in; chmod 700 there; ln -s there via; echo old >there/f")
            let dockerfile = """
                FROM base
                COPY f /file
                COPY f /there
                COPY f /new/dir/
                COPY f g /several/
                COPY *.txt /globbed/
                COPY d? /contents/
                COPY d1 /via/
                COPY link /followed
                COPY dl /kept/
                COPY .dot /dots/
                COPY --chown=user:audio f /owned
                COPY --chown=7 d1 /ownedtree
                COPY --chmod=u=rwx,go=r f /mode
                COPY ["with space", "/with space/"]
                COPY <<EOF /here
                text
                EOF
                COPY --exclude=*.txt . /excluded/
                """
            let script = """
                echo f >f; echo g >g; echo 1 >one.txt; echo 2 >two.txt; mkdir d1 d2 dl; echo 1 >d1/1; echo 2 >d2/2
                mkdir d1/in; echo in >d1/in/x; ln -s f link; ln -s ../f dl/link; ln -s /etc/passwd dl/out; echo dot >.dot
                echo space >'with space'; chmod 755 f; touch -d 2005-05-05T05:05:05Z f
                """
            try apus.context("c", dockerfile, script)
            try apus.built("c", "-t", "app")
            let look = """
                cat /file /there/f /new/dir/f /several/f /several/g /globbed/one.txt /globbed/two.txt
                ls /contents /there; cat /followed; readlink /kept/link; readlink /kept/out; ls -A /dots
                cat '/with space/with space' /here; stat -c '%a %u:%g %n' /there /owned /ownedtree /ownedtree/in/x /mode /new/dir
                stat -c %Y /file; ls /excluded | tr '\\n' ' '
                """
            let expected = """
                f\nf\nf\nf\ng\n1\n2
                /contents:\n1\n2\nin\nlink\nout\n
                /there:\n1\nf\nin
                f\n../f\n/etc/passwd\n.dot
                space\ntext
                700 0:0 /there\n755 1000:29 /owned\n755 7:7 /ownedtree\n644 7:7 /ownedtree/in/x\n744 0:0 /mode\n755 0:0 /new/dir
                1115269505
                Dockerfile d1 d2 dl f g link with space
                """
            #expect(try apus.inImage("app", look) == expected)
        }
    }

    @Test(arguments: Caller.available)
    func `nothing outside of the context can be copied`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("base")
            try apus.file("secret", "outside\n")
            for source in ["../secret", "/../secret", "out", "dir/secret", "\(apus.directory)/secret"] {
                try apus.context("c", "FROM base\nCOPY \(source) /taken\n", "ln -sf ../secret out; ln -sfn .. dir")
                let outcome = try apus.build("c", "-t", "app")
                #expect(outcome.status == 125, "\(source): \(outcome)")
                #expect(outcome.errors.contains("Dockerfile:2: "), "\(outcome)")
            }
            #expect(try apus.buildLeftovers() == [])
        }
    }

    @Test(arguments: Caller.available)
    func `a check says what is amiss, and builds nothing`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.context("c", "FROM nowhere\nMAINTAINER me\nWORKDIR here\n")
            let found = try apus.build("c", "--check")
            #expect(found.status == 1, "\(found)")
            #expect(found.output.contains("Dockerfile:2: MaintainerDeprecated: "), "\(found)")
            #expect(found.output.contains("\n  WORKDIR here\n"), "\(found)")
            #expect(found.output.hasSuffix("2 warnings have been found!\n"), "\(found)")
            try apus.context("c", "# check=skip=all\nFROM nowhere\nMAINTAINER me\n")
            let clean = try apus.build("c", "--check")
            #expect(clean == .printed("Check complete, no warnings found.\n"))
            try apus.context("c", "# check=error=true\nFROM nowhere\nMAINTAINER me\n")
            #expect(try apus.build("c").status == 1)
        }
    }

    @Test(arguments: Caller.available)
    func `.dockerignore keeps files out, and its exceptions in`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("base")
            let script = """
                mkdir -p a/b node_modules; echo 1 >a/one.log; echo 2 >a/b/two.log; echo 3 >a/b/keep.log; echo 4 >a/four
                echo 5 >node_modules/x; printf '# left out\\n**/*.log\\n!a/b/keep.log\\nnode_modules\\n' >.dockerignore
                """
            try apus.context("c", "FROM base\nCOPY . /all/\n", script)
            try apus.built("c", "-t", "app")
            #expect(
                try apus.inImage("app", "cd /all; find . -type f | sort")
                    == "./.dockerignore\n./Dockerfile\n./a/b/keep.log\n./a/four")
            try apus.context("c", "FROM base\nCOPY node_modules/x /x\n")
            let refused = try apus.build("c")
            #expect(refused.status == 125 && refused.errors.contains(".dockerignore"), "\(refused)")
            try apus.file("c/Dockerfile.dockerignore", "a\n")
            try apus.built("c", "-t", "app")
            // What is to keep files out and cannot be read must not let them in.
            try #require(
                try apus.startShell("cd c; rm Dockerfile.dockerignore; mkdir Dockerfile.dockerignore").wait().status
                    == 0)
            expectRefusal(try apus.build("c"), naming: "Dockerfile.dockerignore")
        }
    }

    @Test(arguments: Caller.available)
    func `an image from nothing has what is copied, and can be built upon`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.context("c", "FROM scratch\nCOPY f /a/f\nCMD [\"/a/f\"]\n", "echo x >f")
            try apus.built("c", "-t", "empty")
            try apus.importImage("base")
            try apus.context("d", "FROM empty AS from\nFROM base\nCOPY --from=from / /got/\n")
            try apus.built("d", "-t", "app")
            #expect(try apus.inImage("app", "cat /got/a/f; ls /got") == "x\na")
        }
    }

    @Test(arguments: Caller.available)
    func `ONBUILD is done by whoever builds on the image`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("base")
            try apus.context("c", "FROM base\nONBUILD COPY f /f\nONBUILD RUN cat /f >/seen\n")
            try apus.built("c", "-t", "trigger")
            try apus.context("d", "FROM trigger\nRUN cat /seen >/again\n", "echo x >f")
            try apus.built("d", "-t", "app")
            #expect(try apus.inImage("app", "cat /f /seen /again") == "x\nx\nx")
            #expect(try apus.succeed("image", "inspect", "--format", "{{json .Config.OnBuild}}", "app") == "null")
        }
    }

    @Test(arguments: Caller.available)
    func `a built image can be saved, loaded and committed upon`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("base", prepare: "mkdir gone; echo x >gone/f; mkdir swap; echo y >swap/g")
            let dockerfile =
                "FROM base\nRUN rm -r /gone; rm -r /swap; mkdir /swap; echo z >/swap/h; chown 7:8 /swap/h\n"
            try apus.context("c", dockerfile)
            let (id, _) = try apus.built("c", "-t", "app")
            try apus.succeed("save", "-o", "\(apus.directory)/app.tar", "app")
            try apus.succeed("rmi", "app")
            try apus.succeed("builder", "prune", "--all", "--force")
            try apus.succeed("load", "-i", "\(apus.directory)/app.tar")
            #expect(try apus.succeed("images", "-q", "--no-trunc", "app") == id)
            #expect(
                try apus.inImage("app", "ls /gone 2>&1 | grep -c 'No such'; ls /swap; stat -c %u:%g /swap/h")
                    == "1\nh\n7:8")
        }
    }

    @Test(arguments: Caller.available)
    func `the same inputs and time give the same image, and prune removes its steps`(caller: Caller) throws {
        var ids: Set<String> = []
        for round in 0..<2 {
            try withApus(caller) { apus in
                // The base's own time is part of it.
                try apus.context("b", "FROM scratch\nCOPY root /\n", "cp -a '\(apus.root)' root")
                try apus.built("b", "-t", "base", "--timestamp", "1700000000")
                let dockerfile =
                    "FROM base\nCOPY f /f\nRUN date >/dev/null; echo x >/x; mkdir /d\nWORKDIR /w\nENV A=b\n"
                try apus.context("c", dockerfile, "echo \(round) >/dev/null; echo f >f")
                ids.insert(try apus.built("c", "-t", "app", "--timestamp", "1700000000").id)
                #expect(try apus.inImage("app", "stat -c %Y /x /d /w") == "1700000000\n1700000000\n1700000000")
                try apus.succeed("rmi", "app", "base")
                try apus.succeed("builder", "prune", "--force", "--all")
                try apus.succeed("image", "prune", "--force", "--all")
                #expect(try FileManager.default.contentsOfDirectory(atPath: "\(apus.data)/images/layers") == [])
            }
        }
        #expect(ids.count == 1, "\(ids)")
    }
}
