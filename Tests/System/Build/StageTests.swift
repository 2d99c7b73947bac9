import FoundationEssentials
import Glibc
import Testing

/// Several stages, mounts and contexts.
@Suite struct StageTests {
    @Test(arguments: Caller.all)
    func `stages build on each other, and those that nobody needs are not built`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("base")
            let dockerfile = """
                FROM base AS one
                ARG WHO=one
                RUN echo $WHO >/made; chown 1000:1000 /made || test -n "$ONE_OWNER" || true
                FROM base AS unneeded
                RUN exit 1
                FROM base AS two
                RUN echo two >/made
                FROM one
                COPY --from=two /made /two
                COPY --from=0 /made /zero
                RUN echo "$WHO" >/who
                """
            try apus.context("c", dockerfile)
            let (id, steps) = try apus.built("c", "-t", "app")
            #expect(!steps.contains("exit 1"))
            #expect(try apus.inImage("app", "cat /made /two /zero /who") == "one\ntwo\none\none")
            if caller != .withoutIDs { #expect(try apus.inImage("app", "stat -c %u:%g /zero") == "1000:1000") }
            #expect(try apus.built("c", "-t", "app").id == id)
            try apus.built("c", "-t", "second", "--target", "two")
            #expect(try apus.inImage("second", "cat /made") == "two")
            let failed = try apus.build("c", "--target", "unneeded")
            #expect(failed.status == 1 && failed.errors.contains("Dockerfile:5: "), "\(failed)")
            let unknown = try apus.build("c", "--target", "none")
            expectRefusal(unknown, naming: "'none'", "'one'")
            #expect(try apus.buildLeftovers() == [])
        }
    }

    @Test(arguments: Caller.available)
    func `a stage that fails ends the build, and its own status is told`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("base")
            let dockerfile = """
                FROM base AS slow
                RUN sleep 1000
                FROM base AS bad
                RUN exit 7
                FROM base
                COPY --from=slow / /
                COPY --from=bad / /
                """
            try apus.context("c", dockerfile)
            let outcome = try apus.build("c")
            #expect(outcome.status == 7 && outcome.errors.contains("Dockerfile:4: "), "\(outcome)")
            #expect(try apus.buildLeftovers() == [])
        }
    }

    @Test(arguments: Caller.available)
    func `RUN has the mounts that it asks for, and none of them is in the image`(caller: Caller) throws {
        try withApus(caller) { apus in
            // The root that all tests share may have places that others' secrets were mounted upon.
            try apus.importImage("base", prepare: "rm -rf run/secrets")
            try apus.file("password", "tell-nobody")
            let dockerfile = """
                FROM base AS other
                RUN mkdir /from; echo stage >/from/f
                FROM base
                RUN --mount=type=bind,source=dir,target=/bound --mount=type=tmpfs,target=/scratch \
                    cat /bound/f >/out && echo x >/scratch/x && ! echo y 2>/dev/null >/bound/y
                RUN --mount=type=bind,from=other,source=/from,target=/stage,rw cat /stage/f >>/out && echo y >/stage/y
                RUN --mount=type=cache,target=/cached echo a >>/cached/n; wc -l </cached/n >>/out
                RUN --mount=type=cache,target=/cached echo b >>/cached/n; wc -l </cached/n >>/out
                RUN --mount=type=secret,id=pw cat /run/secrets/pw | wc -c >>/out
                RUN --mount=type=secret,id=pw,env=PW echo ${#PW} env >>/out
                RUN --mount=type=secret,id=none test ! -e /run/secrets/none && echo absent >>/out
                RUN --network=none cat /proc/net/dev | grep -c : >>/out
                """
            try apus.context("c", dockerfile, "mkdir dir; echo bound >dir/f")
            try apus.built("c", "-t", "app", "--secret", "id=pw,src=\(apus.directory)/password")
            #expect(try apus.inImage("app", "cat /out") == "bound\nstage\n1\n2\n11\n11 env\nabsent\n1")
            let places = try apus.inImage("app", "ls -d /bound /scratch /stage /cached /run/secrets 2>/dev/null; true")
            #expect(places == "")
            // Neither the image nor anything else that is kept has the secret.
            let search = try apus.startShell("grep -rl tell-nobody '\(apus.data)' | grep -v '/caches/'; true").wait()
            #expect(search.text == "", "\(search)")
            try apus.context("c", "FROM base\nRUN --mount=type=secret,id=pw,required true\n")
            let missing = try apus.build("c")
            #expect(missing.status != 0 && missing.errors.contains("pw"), "\(missing)")
        }
    }

    @Test(arguments: Caller.available)
    func `heredocs are scripts, and named contexts are what they stand for`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("base")
            try apus.context("more", "", "echo named >n")
            let dockerfile = """
                FROM base
                RUN <<EOF
                echo one >/out
                echo two >>/out
                EOF
                RUN cat <<'EOF' >>/out
                $HOME
                EOF
                RUN <<EOF
                #!/bin/busybox ash
                echo script >>/out
                EOF
                COPY --from=extra n /n
                COPY --from=img /bin/busybox /copied
                RUN ["/bin/sh", "-c", "echo exec >>/out"]
                """
            try apus.context("c", dockerfile)
            try apus.built(
                "c", "-t", "app", "--build-context", "extra=\(apus.directory)/more", "--build-context",
                "img=docker-image://base")
            #expect(
                try apus.inImage("app", "cat /out /n; test -x /copied && echo x")
                    == "one\ntwo\n$HOME\nscript\nexec\nnamed\nx")
        }
    }

    @Test(arguments: Caller.available)
    func `a build that is killed leaves nothing but finished steps`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.importImage("base")
            try apus.context(
                "c", "FROM base\nRUN echo one >/one\nCOPY d /d\nRUN echo two >/two; sleep 0.02\n",
                "mkdir d; for i in $(seq 300); do echo $i >d/$i; done")
            for round in 0..<25 {
                let process = try apus.start(["build", "-t", "app", "\(apus.directory)/c", "--build-arg", "X=\(round)"])
                usleep(UInt32.random(in: 0..<120_000))
                try process.send(SIGKILL)
                _ = try process.wait()
                if round % 5 == 4 { try apus.succeed("builder", "prune", "--all", "--force") }
            }
            try apus.built("c", "-t", "app")
            #expect(try apus.inImage("app", "cat /one /two; ls /d | wc -l") == "one\ntwo\n300")
            try apus.succeed("image", "prune", "--force")
            #expect(try apus.buildLeftovers() == [])
        }
    }
}
