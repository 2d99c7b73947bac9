import Dockerfiles
import Testing

@Suite struct `Instructions of a Dockerfile` {
    static let forms: [(String, Instruction)] = [
        ("CMD a b", .cmd(.shell("a b"))),
        (#"CMD ["a", "b c"]"#, .cmd(.exec(["a", "b c"]))),
        (#"CMD [ "a\t\u0062" ]"#, .cmd(.exec(["a\tb"]))),
        ("CMD []", .cmd(.exec([]))),
        ("CMD", .cmd(.exec([]))),
        ("CMD ['a']", .cmd(.shell("['a']"))),
        (#"CMD ["a",]"#, .cmd(.shell(#"["a",]"#))),
        (#"CMD ["a"] b"#, .cmd(.shell(#"["a"] b"#))),
        ("CMD [ -f a ] && b", .cmd(.shell("[ -f a ] && b"))),
        (#"ENTRYPOINT ["a"]"#, .entrypoint(.exec(["a"]))),
        ("ENTRYPOINT a $b", .entrypoint(.shell("a $b"))),
        ("ENTRYPOINT []", .entrypoint(.exec([]))),
        ("ENV a=b", .env([Assignment(name: "a", value: "b")])),
        ("ENV a b  c", .env([Assignment(name: "a", value: "b  c")])),
        ("ENV a\tb", .env([Assignment(name: "a", value: "b")])),
        (
            #"ENV a="b c" d=e\ f g='h "i' j= k="#,
            .env([
                Assignment(name: "a", value: #""b c""#), Assignment(name: "d", value: #"e\ f"#),
                Assignment(name: "g", value: #"'h "i'"#), Assignment(name: "j", value: ""),
                Assignment(name: "k", value: ""),
            ])
        ),
        ("ENV a=b=c", .env([Assignment(name: "a", value: "b=c")])),
        (
            #"LABEL "a.b"="c" d=e"#,
            .label([Assignment(name: #""a.b""#, value: #""c""#), Assignment(name: "d", value: "e")])
        ),
        ("LABEL a b c", .label([Assignment(name: "a", value: "b c")])),
        ("ARG a", .arg([Argument(name: "a")])),
        (
            #"ARG a= b="c d" e"#,
            .arg([Argument(name: "a", value: ""), Argument(name: "b", value: #""c d""#), Argument(name: "e")])
        ),
        ("EXPOSE 80 443/tcp 8000-8010/udp", .expose(["80", "443/tcp", "8000-8010/udp"])),
        ("VOLUME /a /b", .volume(["/a", "/b"])),
        (#"VOLUME ["/a b", " /c "]"#, .volume(["/a b", "/c"])),
        ("USER a:b", .user("a:b")),
        ("WORKDIR /a b/c", .workdir("/a b/c")),
        ("STOPSIGNAL SIGINT", .stopsignal("SIGINT")),
        ("MAINTAINER A B <c@d>", .maintainer("A B <c@d>")),
        (#"SHELL ["/bin/bash", "-c"]"#, .shell(["/bin/bash", "-c"])),
        ("ONBUILD RUN a  b", .onbuild(text: "RUN a  b", .run(RunInstruction(command: .shell("a  b"))))),
        (
            "onbuild copy a b",
            .onbuild(text: "copy a b", .copy(CopyInstruction(sources: [.path("a")], destination: "b")))
        ),
        ("HEALTHCHECK NONE", .healthcheck(HealthcheckInstruction(command: nil))),
        ("HEALTHCHECK cmd a b", .healthcheck(HealthcheckInstruction(command: .shell("a b")))),
        (
            #"HEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=0 --start-interval=5ms --retries=3 CMD ["a"]"#,
            .healthcheck(
                HealthcheckInstruction(
                    command: .exec(["a"]), interval: 90_000_000_000, timeout: 1_500_000_000, startInterval: 5_000_000,
                    retries: 3))
        ),
        ("RUN a | b > c", .run(RunInstruction(command: .shell("a | b > c")))),
        (#"RUN ["a", "b"]"#, .run(RunInstruction(command: .exec(["a", "b"])))),
        (
            "RUN --network=none --security=insecure a",
            .run(RunInstruction(command: .shell("a"), network: .none, security: .insecure))
        ),
        ("RUN -- --a", .run(RunInstruction(command: .shell("--a")))),
        (
            "COPY a b/ c/",
            .copy(CopyInstruction(sources: [.path("a"), .path("b/")], destination: "c/"))
        ),
        (
            #"COPY ["a b", "c d"]"#,
            .copy(CopyInstruction(sources: [.path("a b")], destination: "c d"))
        ),
        (
            "COPY --from=x --chown=1:2 --chmod=u+x --link --parents=true --exclude=*.o --exclude=b a c",
            .copy(
                CopyInstruction(
                    sources: [.path("a")], destination: "c", from: "x", chown: "1:2", chmod: "u+x", link: true,
                    parents: true, exclude: ["*.o", "b"]))
        ),
        (
            #"COPY --exclude="a b" --link=FALSE a c"#,
            .copy(CopyInstruction(sources: [.path("a")], destination: "c", exclude: ["a b"]))
        ),
        (
            "ADD --checksum=sha256:1 --keep-git-dir=true --unpack=false https://a/b c",
            .add(
                CopyInstruction(
                    sources: [.path("https://a/b")], destination: "c", checksum: "sha256:1", keepsGitDirectory: true,
                    unpack: false))
        ),
    ]

    @Test(arguments: forms)
    func `are read in each of their forms`(text: String, expected: Instruction) throws {
        #expect(try instructions(text) == [expected])
    }

    @Test(arguments: [
        ("ENV", "ENV without arguments; give 'ENV NAME=VALUE'"),
        ("ENV a", "ENV 'a' has no value; give 'a=VALUE'"),
        ("ENV a=b c", "no '=' in 'c'; give NAME=VALUE, and quote values with spaces"),
        ("ENV =b", "ENV without a name before '='"),
        ("ENV --a=b c=d", "ENV has no flag '--a'; put '--' before arguments that begin so"),
        ("ARG", "ARG without arguments; give 'ARG NAME[=DEFAULT]'"),
        ("ARG =a", "an ARG without a name"),
        ("EXPOSE", "EXPOSE without arguments; give 'EXPOSE ARGUMENT…'"),
        ("VOLUME []", "VOLUME without arguments; give 'VOLUME PATH…'"),
        (#"VOLUME [" "]"#, "an empty VOLUME"),
        (
            #"CMD ["a", 1]"#,
            "the JSON list has something else than strings at [1]: expected a string, got 1; put it in quotes"
        ),
        ("SHELL /bin/sh -c", #"SHELL is not a JSON list; give SHELL ["/bin/sh", "-c"]"#),
        ("SHELL []", #"SHELL without arguments; give 'SHELL ["SHELL", "-c"]'"#),
        ("USER", "USER without arguments; give 'USER USER[:GROUP]'"),
        ("RUN", "RUN without a command; give 'RUN COMMAND'"),
        ("RUN --network=host", "RUN without a command; give 'RUN COMMAND'"),
        ("RUN --network=nnoe a", "--network cannot be 'nnoe'; did you mean 'none'?"),
        ("RUN --network=x a", "--network cannot be 'x'; give default, none, host"),
        ("RUN --mount a", "'--mount' has no value; give '--mount=VALUE'"),
        (#"RUN --mount="a b"#, "nothing closes this quote"),
        ("COPY a", "COPY needs a source and a destination; give 'COPY SOURCE… DESTINATION'"),
        (#"ADD ["a"]"#, "ADD needs a source and a destination; give 'ADD SOURCE… DESTINATION'"),
        ("COPY --link=x a b", "'--link' is neither true nor false: 'x'"),
        ("COPY --chown=1 --chown=2 a b", "'--chown' is there twice; remove one"),
        (
            "COPY --checksum=x a b",
            "COPY has no flag '--checksum'; it has '--from', '--chown', '--chmod', '--link', '--parents', '--exclude'"
        ),
        ("COPY --from=$A a b", "--from takes no variables; name a stage: FROM $A AS NAME, then --from=NAME"),
        ("COPY a <<E\nE", "COPY has a heredoc as its destination; give a path after it"),
        ("COPY <<../a b\n../a", "a heredoc of COPY is named '../a', which is no file's name; name it without '/'"),
        ("HEALTHCHECK", "HEALTHCHECK without arguments; give HEALTHCHECK CMD COMMAND or HEALTHCHECK NONE"),
        ("HEALTHCHECK CMD", "HEALTHCHECK CMD without a command; give HEALTHCHECK CMD COMMAND or HEALTHCHECK NONE"),
        ("HEALTHCHECK a", "HEALTHCHECK 'a' is neither CMD nor NONE; give HEALTHCHECK CMD COMMAND or HEALTHCHECK NONE"),
        ("HEALTHCHECK NONE a", "HEALTHCHECK NONE with arguments"),
        ("HEALTHCHECK --intervall=1s CMD a", "HEALTHCHECK has no flag '--intervall'; did you mean '--interval'?"),
        ("HEALTHCHECK --interval=5 CMD a", "'5' is not a duration; give one such as 30s or 1m30s"),
        ("HEALTHCHECK --interval=5us CMD a", "'5us' is less than 1ms"),
        ("HEALTHCHECK --interval=-5s CMD a", "'-5s' is less than 1ms"),
        ("HEALTHCHECK --retries=-1 CMD a", "'-1' is not a number of retries; give 1 or more"),
        ("ONBUILD", "ONBUILD without arguments; give 'ONBUILD INSTRUCTION'"),
        ("ONBUILD FROM a", "ONBUILD takes no FROM"),
        ("ONBUILD onbuild RUN a", "ONBUILD takes no ONBUILD"),
        ("ONBUILD MAINTAINER a", "ONBUILD takes no MAINTAINER"),
        ("ONBUILD RNU a", "unknown instruction 'RNU'; did you mean 'RUN'?"),
        ("FROM", "FROM without an image; give 'FROM IMAGE'"),
        ("FROM a b", "'b' behind the image; give 'FROM IMAGE AS NAME'"),
        ("FROM a AS", "AS without a name; give 'FROM IMAGE AS NAME'"),
        ("FROM a AS b c", "'c' behind the stage's name; give 'FROM IMAGE AS NAME'"),
        (
            "FROM a AS 1b",
            "'1b' is no name for a stage; begin with a letter and go on with letters, digits, '-', '_' and '.'"
        ),
        ("FROM --platfrom=x a", "FROM has no flag '--platfrom'; did you mean '--platform'?"),
    ])
    func `that cannot be are refused`(text: String, expected: String) {
        #expect(headline("FROM a\n\(text)") == "Dockerfile:2: \(expected)")
    }

    @Test func `FROM begins a stage`() throws {
        let dockerfile = try parse(
            "ARG v=1\nFROM --platform=$BUILDPLATFORM a:$v AS Build-1.x\nRUN b\nfrom scratch\nARG c")
        #expect(dockerfile.globalArguments.map(\.instruction) == [.arg([Argument(name: "v", value: "1")])])
        #expect(dockerfile.stages.map(\.base) == ["a:$v", "scratch"])
        #expect(dockerfile.stages.map(\.name) == ["build-1.x", nil])
        #expect(dockerfile.stages.map(\.platform) == ["$BUILDPLATFORM", nil])
        #expect(dockerfile.stages.map(\.statements.count) == [1, 1])
    }

    @Test(
        arguments: [
            ("1h2m3.5s", 3_723_500_000_000), ("1µs", 1000), ("+2ns", 2), (".5s", 500_000_000), ("1.s", 1_000_000_000),
            ("0", 0), ("-0", 0), ("", nil), ("1", nil), ("s", nil), (".s", nil), ("1.2.3s", nil), ("1d", nil),
            ("300000000h", nil), ("1s ", nil),
        ] as [(String, Int64?)])
    func `durations are Go's`(text: String, nanoseconds: Int64?) throws {
        guard nanoseconds ?? 1_000_000 >= 1_000_000 else { return }
        guard !text.isEmpty else { return }
        let line = "FROM a\nHEALTHCHECK --interval=\"\(text)\" CMD a"
        guard let nanoseconds else {
            #expect(headline(line) != nil)
            return
        }
        #expect(
            try parse(line).stages[0].statements[0].instruction
                == .healthcheck(HealthcheckInstruction(command: .shell("a"), interval: nanoseconds)))
    }

    // MARK: Triggers

    @Test(arguments: ["RUN a b", "COPY --from=x a b", "RUN <<E\na\nE", "copy <<A <<\"B\" /c/\n1\nA\n$x\nB"])
    func `a trigger reads back as it is kept`(text: String) throws {
        guard case .onbuild(let kept, let instruction)? = try instructions("ONBUILD \(text)").first else {
            Issue.record("no ONBUILD")
            return
        }
        #expect(kept == text)
        let place = Place(lines: 7...7)
        let statement = try Dockerfile.parseTrigger(kept, name: "ONBUILD of a", place: place)
        #expect(statement.instruction == instruction)
        #expect(statement.place == place)
    }

    @Test(arguments: [
        ("", "o: no instruction in it"), ("RUN a\nRUN b", "o:1: more than one instruction"),
        ("FROM a", "o:1: ONBUILD takes no FROM"), ("# escape=`", "o: no instruction in it"),
    ])
    func `a trigger is one instruction`(text: String, expected: String) {
        #expect {
            try Dockerfile.parseTrigger(text, name: "o", place: Place(lines: 1...1))
        } throws: {
            ($0 as? DockerfileError)?.headline == expected
        }
    }
}
