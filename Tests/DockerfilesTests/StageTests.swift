import Dockerfiles
import Testing

@Suite struct `Stages` {
    private func needed(_ text: String, for target: String? = nil, contexts: Set<String> = []) throws -> [Int] {
        try parse(text).stages(neededFor: target, contexts: contexts)
    }

    private let chain = """
        FROM x AS a
        FROM y AS b
        RUN --mount=from=a,target=/a true
        FROM z AS c
        COPY --from=b /b /b
        FROM c AS d
        FROM scratch
        COPY --from=0 / /
        """

    @Test(arguments: [
        (nil, [0, 4]), ("d", [0, 1, 2, 3]), ("C", [0, 1, 2]), ("b", [0, 1]), ("a", [0]), ("3", [0, 1, 2, 3]),
    ])
    func `that a target needs are found`(target: String?, expected: [Int]) throws {
        #expect(try needed(chain, for: target) == expected)
    }

    @Test func `of which two have a name are the nearest before, or the last as a target`() throws {
        let text = "FROM x AS a\nFROM a AS a\nFROM a\nCOPY --from=a / /"
        #expect(try needed(text) == [0, 1, 2])
        #expect(try needed(text, for: "a") == [0, 1])
    }

    @Test func `may have their base by a variable`() throws {
        let text = "ARG base=a\nFROM x AS a\nFROM y AS b\nFROM $base"
        #expect(try needed(text) == [0, 2])
        let dockerfile = try parse(text)
        #expect(try dockerfile.stages(neededFor: nil, in: dockerfile.globalScope(given: ["base": "b"])) == [1, 2])
    }

    @Test func `that a context stands for are not needed, nor what they need`() throws {
        #expect(try needed(chain, for: "d", contexts: ["b"]) == [2, 3])
        #expect(try needed(chain, for: "b", contexts: ["b"]) == [1])
    }

    @Test func `are not needed for images by similar names`() throws {
        #expect(try needed("FROM x AS a\nFROM b\nCOPY --from=a:1 / /\nCOPY --from=alpine / /") == [1])
    }

    @Test(
        arguments: [
            (
                "FROM x AS builder\nFROM y", "biulder",
                "Dockerfile: no stage is named 'biulder'; did you mean 'builder'?"
            ),
            ("FROM x AS a\nFROM y AS b", "xyz", "Dockerfile: no stage is named 'xyz'; there are a, b"),
            ("FROM x", "a", "Dockerfile: no stage is named 'a'; name one by 'FROM IMAGE AS a'"),
            ("FROM x", "1", "Dockerfile: no stage is named '1'; name one by 'FROM IMAGE AS 1'"),
            (
                "FROM x\nCOPY --from=b / /\nFROM y AS b", "0",
                "Dockerfile:2: the stage 'b' comes later; move it before this one"
            ),
            (
                "FROM x AS a\nCOPY --from=b / /\nFROM y AS b\nCOPY --from=a / /", "b",
                "Dockerfile:2: the stages 'a' and 'b' need each other; put what both need into a third"
            ),
            (
                "FROM x AS a\nCOPY --from=a / /", nil,
                "Dockerfile:2: the stage 'a' takes from itself; name an earlier stage"
            ),
            ("FROM x\nCOPY --from=7 / /", nil, "Dockerfile:2: there is no stage 7; the first is 0, the last 0"),
            ("FROM $x", nil, "Dockerfile:1: the image '$x' is empty; put 'ARG x=…' before the first FROM"),
            ("ARG name=a\nFROM $nmae", nil, "Dockerfile:2: the image '$nmae' is empty; did you mean '$name'?"),
            ("ARG a=${b\nFROM x", nil, "Dockerfile:1: no '}' ends '${b'; write '\\$' for a '$' that is no variable's"),
        ] as [(String, String?, String)])
    func `that cannot be are refused`(text: String, target: String?, expected: String) {
        #expect {
            try needed(text, for: target)
        } throws: {
            ($0 as? DockerfileError)?.headline == expected
        }
    }

    @Test func `of which thousands need each other are sorted out`() throws {
        let text = (0..<3000).map { "FROM \($0 == 0 ? "x" : "s\($0 - 1)") AS s\($0)" }.joined(separator: "\n")
        #expect(try needed(text).count == 3000)
    }
}

@Suite struct `Variables of a stage` {
    /// The instructions of the last stage, expanded one after the other, and the variables at its end.
    private func run(
        _ text: String, given: [String: String] = [:], environment: [Assignment] = []
    ) throws -> ([ExpandedInstruction], Variables) {
        let dockerfile = try parse(text)
        let predefined = GlobalScope.predefined(
            build: GlobalScope.Platform(os: "linux", architecture: "amd64"),
            target: GlobalScope.Platform(os: "linux", architecture: "arm", variant: "v7"), stage: nil)
        let scope = try dockerfile.globalScope(given: given, predefined: predefined)
        var variables = Variables(scope: scope, environment: environment)
        var result: [ExpandedInstruction] = []
        for statement in dockerfile.stages[dockerfile.stages.count - 1].statements {
            let expanded = try dockerfile.expanded(statement, in: variables)
            variables.apply(expanded.instruction)
            result.append(expanded)
        }
        return (result, variables)
    }

    @Test(
        arguments: [
            ("FROM a\nARG x=1", [:], "1"), ("FROM a\nARG x=1", ["x": "2"], "2"), ("FROM a\nARG x", [:], nil),
            ("FROM a\nARG x", ["x": "2"], "2"), ("FROM a", ["x": "2"], nil),
            ("ARG x=3\nFROM a", [:], nil), ("ARG x=3\nFROM a\nARG x", [:], "3"), ("ARG x=3\nFROM a\nARG x=4", [:], "4"),
            ("ARG x=3\nFROM a\nARG x", ["x": "2"], "2"), ("ARG y=5\nARG x=$y\nFROM a\nARG x", [:], "5"),
            ("FROM a\nARG y=1 x=$y$y", [:], "11"), ("FROM a\nARG x=1\nENV x=2", [:], "2"),
            ("FROM a\nENV x=2\nARG x=1", [:], "1"),
            ("FROM a\nENV x=2\nARG x", [:], "2"), ("FROM a\nARG x=${y:?}", ["x": "2"], "2"),
            ("FROM a\nARG x='a b'", [:], "a b"),
            ("FROM a\nENV y=1\nENV y=2 x=$y", [:], "1"), ("FROM a\nENV x=1\nENV x=$x:2", [:], "1:2"),
            ("FROM a\nARG TARGETARCH\nENV x=$TARGETARCH", [:], "arm"), ("FROM a\nENV x=$TARGETARCH", [:], ""),
            (
                "FROM a\nARG TARGETPLATFORM BUILDPLATFORM TARGETSTAGE\nENV x=$TARGETPLATFORM-$BUILDPLATFORM-$TARGETSTAGE",
                [:], "linux/arm/v7-linux/amd64-default"
            ),
            ("FROM a\nARG TARGETOS\nENV x=$TARGETOS", ["TARGETOS": "plan9"], "plan9"),
        ] as [(String, [String: String], String?)])
    func `come from arguments and environment`(text: String, given: [String: String], expected: String?) throws {
        #expect(try run(text, given: given).1["x"] == expected)
    }

    @Test func `begin with the base image's environment`() throws {
        let (_, variables) = try run(
            "FROM a\nARG b=1\nENV PATH=$PATH:/x c=2", environment: [Assignment(name: "PATH", value: "/bin")])
        let environment = [Assignment(name: "PATH", value: "/bin:/x"), Assignment(name: "c", value: "2")]
        #expect(variables.environment == environment)
        #expect(variables.arguments == ["b"])
        #expect(
            variables.stepEnvironment
                == [environment[0], Assignment(name: "b", value: "1"), environment[1]])
    }

    @Test(
        arguments: [
            (
                "COPY $v/a '$v' $w /$v",
                .copy(CopyInstruction(sources: [.path("V/a"), .path("$v"), .path("")], destination: "/V"))
            ),
            (
                "COPY --chown=$v:$v --chmod=$v --exclude=$v a b",
                .copy(
                    CopyInstruction(sources: [.path("a")], destination: "b", chown: "V:V", chmod: "V", exclude: ["$v"]))
            ),
            (#"COPY ["$v b", "c"]"#, .copy(CopyInstruction(sources: [.path("V b")], destination: "c"))),
            ("ADD --checksum=$v a b", .add(CopyInstruction(sources: [.path("a")], destination: "b", checksum: "V"))),
            (
                "COPY <<E /a\n$v '$v' \\$v\nE",
                .copy(
                    CopyInstruction(
                        sources: [.heredoc(Heredoc(name: "E", text: "V 'V' $v\n", expands: true))], destination: "/a"))
            ),
            (
                "COPY <<'E' /a\n$v\nE",
                .copy(
                    CopyInstruction(
                        sources: [.heredoc(Heredoc(name: "E", text: "$v\n", expands: false))], destination: "/a"))
            ),
            (
                "ENV $v=\"$v b\" c='$v' d=\\$v",
                .env([
                    Assignment(name: "V", value: "V b"), Assignment(name: "c", value: "$v"),
                    Assignment(name: "d", value: "$v"),
                ])
            ),
            ("ENV a $v  \"b\"", .env([Assignment(name: "a", value: "V  b")])),
            ("LABEL \"$v.x\"=$v", .label([Assignment(name: "V.x", value: "V")])),
            ("EXPOSE $ports ${v:+1}", .expose(["80", "81/udp", "1"])),
            ("USER $v:\"x\"", .user("V:x")), ("WORKDIR /$v", .workdir("/V")),
            ("VOLUME /$v \"/b\"", .volume(["/V", "/b"])),
            ("STOPSIGNAL $v", .stopsignal("V")), ("CMD $v", .cmd(.shell("$v"))),
            ("ENTRYPOINT [\"$v\"]", .entrypoint(.exec(["$v"]))),
            ("HEALTHCHECK CMD $v", .healthcheck(HealthcheckInstruction(command: .shell("$v")))),
            ("SHELL [\"$v\"]", .shell(["$v"])),
            ("MAINTAINER $v", .maintainer("$v")), ("ONBUILD USER $v", .onbuild(text: "USER $v", .user("$v"))),
            (
                "RUN --mount=type=$kind,target=/$v,id='$v',ro=${v:+true} $v",
                .run(
                    RunInstruction(
                        command: .shell("$v"), mounts: [RunMount(kind: .cache, id: "V", target: "/V", readOnly: true)],
                        mountTexts: ["type=$kind,target=/$v,id=$v,ro=${v:+true}"]))
            ),
        ] as [(String, Instruction)])
    func `stand for their values where BuildKit has it`(text: String, expected: Instruction) throws {
        let setup = "FROM a\nENV v=V ports=\"80 81/udp\" kind=cache\n"
        #expect(try run(setup + text).0.last?.instruction == expected)
    }

    @Test func `are told that were used, and that are not there`() throws {
        let expanded = try run("FROM a\nARG b=1 c\nUSER $b$c$d${e:-}").0[1]
        #expect(expanded.used == ["b"])
        #expect(expanded.undefined == ["d"])
    }

    @Test(arguments: [
        ("FROM a\nENV b=c \\\n d=\"${e:?no e}\"", "Dockerfile:3: e: no e\n   d=\"${e:?no e}\"\n     ^"),
        ("FROM a\nUSER 'b", "Dockerfile:2: nothing closes a single quote\n  USER 'b\n       ^"),
        (
            "FROM a\nRUN --mount=type=$x,target=/a b",
            "Dockerfile:2: 'type' of --mount cannot be ''; give bind, cache, tmpfs, secret, ssh\n  RUN --mount=type=$x,target=/a b\n              ^"
        ),
        ("FROM a\nENV $x=1", "Dockerfile:2: '$x' is no name\n  ENV $x=1\n      ^"),
    ])
    func `that cannot be expanded are refused with their place`(text: String, expected: String) {
        #expect {
            try run(text)
        } throws: {
            ($0 as? DockerfileError)?.description == expected
        }
    }

    @Test func `that cannot be expanded in long lines are refused in bounded time`() {
        let (line, word) = (String(repeating: "a", count: 900_000), String(repeating: "a", count: 4000))
        #expect {
            try run("FROM a\nENV c=\(line) b=\(word)\\\nb${x:?}")
        } throws: {
            ($0 as? DockerfileError)?.headline == "Dockerfile:2: the variable 'x' is not set"
        }
    }

    @Test func `for proxies need no ARG`() throws {
        let scope = try parse("FROM a").globalScope(given: ["HTTP_PROXY": "x", "no_proxy": "y", "z": "1"])
        #expect(
            scope.proxies == [
                Assignment(name: "HTTP_PROXY", value: "x"), Assignment(name: "http_proxy", value: "x"),
                Assignment(name: "NO_PROXY", value: "y"), Assignment(name: "no_proxy", value: "y"),
            ])
    }

    @Test func `that are given and nobody takes are told`() throws {
        let dockerfile = try parse("ARG a\nFROM x\nARG b\nONBUILD ARG c\n")
        #expect(
            dockerfile.unusedArguments(among: ["z", "a", "b", "c", "HTTPS_PROXY", "d", "SOURCE_DATE_EPOCH"]) == [
                "d", "z",
            ])
    }

    @Test(
        arguments: [
            ("FROM a", [:], nil), ("FROM a", ["SOURCE_DATE_EPOCH": "7"], 7),
            ("ARG SOURCE_DATE_EPOCH=8\nFROM a", [:], 8),
            ("ARG SOURCE_DATE_EPOCH=8\nFROM a", ["SOURCE_DATE_EPOCH": ""], nil),
            ("FROM a", ["SOURCE_DATE_EPOCH": "x"], -1),
        ] as [(String, [String: String], Int64?)])
    func `SOURCE_DATE_EPOCH is a time`(text: String, given: [String: String], expected: Int64?) throws {
        let dockerfile = try parse(text)
        let scope = try dockerfile.globalScope(given: given)
        if expected == -1 {
            #expect(throws: DockerfileError.self) { try dockerfile.sourceDateEpoch(in: scope) }
        } else {
            #expect(try dockerfile.sourceDateEpoch(in: scope) == expected)
        }
    }

    @Test func `of FROM are the global ones`() throws {
        let dockerfile = try parse("ARG v=1\nARG p=linux/amd64\nFROM --platform=$p a:${v%.*}-$BUILDARCH")
        let base = try dockerfile.base(
            of: dockerfile.stages[0], in: dockerfile.globalScope(given: ["v": "2.3"], predefined: ["BUILDARCH": "x"]))
        #expect(
            base == ExpandedBase(name: "a:2-x", platform: "linux/amd64", used: ["v", "p", "BUILDARCH"], undefined: []))
    }
}
