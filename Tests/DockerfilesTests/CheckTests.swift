import Dockerfiles
import Testing

@Suite struct `Checks` {
    /// `RULE LINE: message` of each warning. The stages' base images have no environment.
    private func check(_ text: String, ignoring ignored: String = "", known: Bool = true) throws -> [String] {
        let dockerfile = try parse(text)
        let predefined = GlobalScope.predefined(
            build: GlobalScope.Platform(os: "linux", architecture: "amd64"),
            target: GlobalScope.Platform(os: "linux", architecture: "amd64"), stage: nil)
        let environments: [Int: [Assignment]] = Dictionary(
            uniqueKeysWithValues: known ? dockerfile.stages.indices.map { ($0, []) } : [])
        return try dockerfile.warnings(
            in: dockerfile.globalScope(predefined: predefined), environments: environments,
            ignoring: IgnoreRules(Array(ignored.utf8))
        ).map { "\($0.rule.rawValue) \($0.place.lines.lowerBound): \($0.message)" }
    }

    @Test(
        arguments: [
            ("FROM a AS Build", "StageNameCasing 1: Stage name 'Build' should be lowercase"),
            ("FROM a AS build", nil),
            ("FROM a as b", "FromAsCasing 1: 'as' and 'FROM' keywords' casing do not match"),
            ("from a AS b", "FromAsCasing 1: 'AS' and 'from' keywords' casing do not match"),
            ("from a as b", nil),
            ("FROM a\nRUN b \\\n\n c", "NoEmptyContinuation 3: Empty continuation line"),
            ("FROM a\nRUN b \\\n# x\n c", nil),
            (
                "FROM a\nrun b",
                "ConsistentInstructionCasing 2: Command 'run' should match the case of the command majority (uppercase)"
            ),
            (
                "from a\nrun b\nUSER c",
                "ConsistentInstructionCasing 3: Command 'USER' should match the case of the command majority (lowercase)"
            ),
            (
                "FROM a\nRun b",
                "ConsistentInstructionCasing 2: Command 'Run' should match the case of the command majority (uppercase)"
            ),
            ("from a\nrun b", nil),
            (
                "FROM a AS b\nFROM c AS b",
                "DuplicateStageName 2: Duplicate stage name \"b\", stage names should be unique"
            ),
            (
                "FROM a AS scratch",
                "ReservedStageName 1: Stage name should not use the same name as reserved stage \"scratch\""
            ),
            (
                "FROM a AS context",
                "ReservedStageName 1: Stage name should not use the same name as reserved stage \"context\""
            ),
            (
                "FROM a\nCMD b",
                "JSONArgsRecommended 2: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals"
            ),
            (
                "FROM a\nENTRYPOINT b",
                "JSONArgsRecommended 2: JSON arguments recommended for ENTRYPOINT to prevent unintended behavior related to OS signals"
            ),
            ("FROM a\nCMD [\"b\"]", nil),
            ("FROM a\nSHELL [\"b\"]\nCMD c", nil),
            ("FROM a AS x\nSHELL [\"b\"]\nFROM x\nCMD c", nil),
            ("FROM a\nHEALTHCHECK CMD c", nil),
            (
                "FROM a\nMAINTAINER b",
                "MaintainerDeprecated 2: Maintainer instruction is deprecated in favor of using label"
            ),
            (
                "FROM a$b:1",
                "UndefinedArgInFrom 1: FROM argument 'b' is not declared"
            ),
            (
                "ARG version=1\nFROM a:1$versoin",
                "UndefinedArgInFrom 2: FROM argument 'versoin' is not declared (did you mean version?)"
            ),
            ("ARG v\nFROM a:1$v", nil),
            ("FROM a:1$TARGETARCH", nil),
            ("FROM a\nUSER x$b", "UndefinedVar 2: Usage of undefined variable '$b'"),
            (
                "FROM a\nENV foo=1\nUSER x$fooo",
                "UndefinedVar 3: Usage of undefined variable '$fooo' (did you mean $foo?)"
            ),
            ("FROM a\nARG b\nUSER x$b", nil),
            ("FROM a\nUSER ${b:-c}", nil),
            ("FROM a AS x\nARG b=1\nFROM x\nUSER $b", nil),
            ("FROM a\nENV PATH=$PATH:/b", nil),
            ("FROM a\nRUN $b", nil),
            (
                "FROM a\nCMD [\"b\"]\nCMD [\"c\"]",
                "MultipleInstructionsDisallowed 2: Multiple CMD instructions should not be used in the same stage because only the last one will be used"
            ),
            (
                "FROM a\nHEALTHCHECK NONE\nHEALTHCHECK NONE",
                "MultipleInstructionsDisallowed 2: Multiple HEALTHCHECK instructions should not be used in the same stage because only the last one will be used"
            ),
            ("FROM a AS x\nENTRYPOINT [\"b\"]\nFROM x\nENTRYPOINT [\"c\"]", nil),
            (
                "FROM a\nENV b c",
                "LegacyKeyValueFormat 2: \"ENV key=value\" should be used instead of legacy \"ENV key value\" format"
            ),
            (
                "FROM a\nLABEL b c",
                "LegacyKeyValueFormat 2: \"LABEL key=value\" should be used instead of legacy \"LABEL key value\" format"
            ),
            (
                "FROM --platform=$TARGETPLATFORM a",
                "RedundantTargetPlatform 1: Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior"
            ),
            ("FROM --platform=$BUILDPLATFORM a", nil),
            (
                "FROM --platform=linux/amd64 a",
                "FromPlatformFlagConstDisallowed 1: FROM --platform flag should not use constant value \"linux/amd64\""
            ),
            ("FROM --platform=linux/amd64 a AS build-amd64", nil),
            (
                "FROM a\nARG b AWS_secret_x",
                "SecretsUsedInArgOrEnv 2: Do not use ARG or ENV instructions for sensitive data (ARG \"AWS_secret_x\")"
            ),
            (
                "FROM a\nENV AUTH=x",
                "SecretsUsedInArgOrEnv 2: Do not use ARG or ENV instructions for sensitive data (ENV \"AUTH\")"
            ),
            (
                "ARG API_TOKEN\nFROM a",
                "SecretsUsedInArgOrEnv 1: Do not use ARG or ENV instructions for sensitive data (ARG \"API_TOKEN\")"
            ),
            ("FROM a\nENV MONKEY=x PUBLIC_KEY=y TOKEN_FILE=z tokens=1", nil),
            (
                "ARG v\nFROM a:${v}",
                "InvalidDefaultArgInFrom 2: Default value for ARG a:${v} results in empty or invalid base image name"
            ),
            (
                "ARG v=1\nFROM r.io:5000/A/${v}/b@sha256:12",
                "InvalidDefaultArgInFrom 2: Default value for ARG r.io:5000/A/${v}/b@sha256:12 results in empty or invalid base image name"
            ),
            ("ARG v=1\nFROM R.io:5000/a/b-${v}:c", nil),
            (
                "FROM a\nWORKDIR b\nWORKDIR c",
                "WorkdirRelativePath 2: Relative workdir \"b\" can have unexpected results if the base image changes"
            ),
            ("FROM a AS x\nWORKDIR /b\nFROM x\nWORKDIR c", nil),
            (
                "FROM a\nEXPOSE 127.0.0.1:80:80",
                "ExposeInvalidFormat 2: EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:80'"
            ),
            (
                "FROM a\nEXPOSE 80/TCP",
                "ExposeProtoCasing 2: Defined protocol '80/TCP' in EXPOSE instruction should be lowercase"
            ),
            ("FROM a\nEXPOSE 80/udp 1-2", nil),
            (
                "FROM a\nRUN ['b']",
                "InvalidJSONForm 2: The arguments of RUN are no JSON list, so the shell gets them as they are"
            ),
            ("FROM a\nRUN [ -f b ]", nil),
            (
                "# check=experimental=all\n\n# x\nFROM a AS b",
                "InvalidDefinitionDescription 4: Comment for FROM should follow the format: `# b <description>`"
            ),
            (
                "FROM a\n# x\n# check=experimental=InvalidDefinitionDescription\n# y\nARG b c",
                "InvalidDefinitionDescription 5: Comment for ARG should follow the format: `# <arg_key> <description>`"
            ),
            ("# check=experimental=all\n\n# b is\nFROM a AS b", nil),
            ("# check=experimental=all\n\n# x\n\nFROM a AS b", nil),
            ("# check=experimental=all\n\n# x\n#\nFROM a AS b", nil),
            ("# x\nFROM a AS b", nil),
        ] as [(String, String?)])
    func `tell what should be otherwise`(text: String, expected: String?) throws {
        #expect(try check(text) == (expected.map { [$0] } ?? []))
    }

    @Test(
        arguments: [
            ("x", "COPY x/y /", "CopyIgnoredFile 2: Attempting to Copy file \"x/y\" that is excluded by .dockerignore"),
            ("x", "ADD ./x /", "CopyIgnoredFile 2: Attempting to Add file \"x\" that is excluded by .dockerignore"),
            ("*", "COPY . /", "CopyIgnoredFile 2: Attempting to Copy file \".\" that is excluded by .dockerignore"),
            ("x", "COPY . /", nil), ("x", "COPY y /", nil), ("x\n!x/y", "COPY x /", nil),
            ("x", "COPY --from=b x /", nil),
            ("*", "ADD https://a/b /", nil),
        ] as [(String, String, String?)])
    func `tell of files that are kept out`(ignored: String, line: String, expected: String?) throws {
        #expect(try check("FROM a\n\(line)", ignoring: ignored) == (expected.map { [$0] } ?? []))
    }

    @Test func `tell of variables of an unknown image only what is nearly right`() throws {
        #expect(try check("FROM a\nENV foo=1\nUSER $JAVA$fooo", known: false).count == 1)
        #expect(try check("FROM scratch\nUSER $JAVA", known: false).count == 1)
    }

    @Test(arguments: [
        ("# check=skip=LegacyKeyValueFormat\nFROM a\nENV b c\nMAINTAINER d", ["MaintainerDeprecated"]),
        ("# check=skip=all\nFROM a\nENV b c\nMAINTAINER d", []),
        ("FROM a\n# check=skip=LegacyKeyValueFormat,X\nENV b c\nENV d e", ["LegacyKeyValueFormat"]),
        ("# check=error=true\nFROM a\nMAINTAINER d", ["MaintainerDeprecated"]),
    ])
    func `are skipped where the Dockerfile says so`(text: String, expected: [String]) throws {
        #expect(try check(text).map { String($0.prefix { $0 != " " }) } == expected)
    }

    @Test func `come in the order of the lines`() throws {
        let text = "FROM a\nENV TOKEN b\nMAINTAINER c\nCMD d\nWORKDIR e"
        #expect(
            try check(text).map { String($0.prefix { $0 != ":" }) } == [
                "LegacyKeyValueFormat 2", "SecretsUsedInArgOrEnv 2", "MaintainerDeprecated 3", "JSONArgsRecommended 4",
                "WorkdirRelativePath 5",
            ])
    }
}
