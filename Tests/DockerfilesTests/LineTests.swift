import Dockerfiles
import Testing

@Suite struct `Lines of a Dockerfile` {
    @Test(arguments: [
        ("RUN a \\\n  b", "a   b"),
        ("RUN a \\  \t\n  b", "a   b"),
        ("RUN a \\\n# comment\n  # another \\\n  b", "a   b"),
        ("RUN a \\\n\n  b", "a   b"),
        ("RUN a \\\r\n  b\r\n", "a   b"),
        ("RUN a \\\\\nUSER b", "a \\\\"),
        ("RUN a #b", "a #b"),
        ("RUN a \\", "a"),
        ("  \t run a", "a"),
        ("# x\n\n   # y\nRUN\ta", "a"),
    ])
    func `are joined where they are continued, without comments between`(text: String, command: String) throws {
        guard case .run(let run)? = try instructions(text).first else {
            Issue.record("no RUN")
            return
        }
        #expect(run.command == .shell(command))
    }

    @Test func `a backtick continues lines where it is the escape character`() throws {
        let dockerfile = try parse("# escape=`\nFROM a\nRUN a `\n b \\\nUSER c:\\d")
        #expect(dockerfile.directives.escape == "`")
        #expect(
            dockerfile.stages[0].statements.map(\.instruction)
                == [.run(RunInstruction(command: .shell("a  b \\"))), .user("c:\\d")])
    }

    @Test func `a byte order mark is no part of the first line`() throws {
        #expect(try Dockerfile.parse([0xEF, 0xBB, 0xBF] + Array("FROM a".utf8), name: "D").stages[0].base == "a")
    }

    @Test func `places count from the first line to the last, heredocs with them`() throws {
        let dockerfile = try parse("\nFROM a\n\n  RUN <<E \\\n b\nx\nE\nUSER c\n")
        #expect(dockerfile.stages[0].place == Place(lines: 2...2))
        #expect(dockerfile.stages[0].statements.map(\.place) == [Place(lines: 4...7, column: 3), Place(lines: 8...8)])
        #expect(dockerfile.stages[0].statements[0].text == "RUN <<E  b")
        #expect(dockerfile.lines.count == 8 && dockerfile.lines[3] == "  RUN <<E \\")
    }

    // MARK: Directives

    @Test func `directives are read at the top, whatever their case and spaces`() throws {
        let dockerfile = try parse(
            "#Syntax = docker/dockerfile:1\n#  ESCAPE=`\n# check = skip=A, B;error=true;experimental=C\nFROM a")
        #expect(
            dockerfile.directives
                == Directives(
                    syntax: "docker/dockerfile:1", escape: "`", skippedChecks: ["A", "B"], checksAreErrors: true,
                    experimentalChecks: ["C"]))
    }

    @Test(arguments: ["# a comment\n", "# unknown=x\n", "\n", "FROM a\n"])
    func `a directive behind anything else is a comment`(before: String) throws {
        #expect(try parse("\(before)# escape=`\nFROM a").directives == Directives())
    }

    @Test(arguments: [
        ("# escape=\\\n# escape=\\\nFROM a", "Dockerfile:2: the directive 'escape' is there twice; remove one"),
        ("# escape=x\nFROM a", "Dockerfile:1: 'x' cannot be the escape character; give '\\' or '`'"),
        ("# check=skp=A\nFROM a", "Dockerfile:1: unknown option of checks 'skp'; did you mean 'skip'?"),
        ("# check=error=maybe\nFROM a", "Dockerfile:1: 'maybe' is neither true nor false"),
    ])
    func `directives that cannot be are refused`(text: String, expected: String) {
        #expect(headline(text) == expected)
    }

    // MARK: Hostile texts

    @Test func `what is not UTF-8 is refused with its place`() {
        let bytes = Array("FROM a\nRUN ä".utf8) + [0xC3, 0x28]
        #expect {
            try Dockerfile.parse(bytes, name: "D")
        } throws: {
            ($0 as? DockerfileError)?.description
                == "D:2: not UTF-8; save the file in UTF-8\n  RUN ä\u{FFFD}(\n       ^"
        }
    }

    @Test func `a NUL character is refused`() {
        #expect(headline("FROM a\nRUN \0") == "Dockerfile:2: a NUL character; remove it")
    }

    @Test func `more than 16 MiB are refused`() {
        #expect {
            try Dockerfile.parse([UInt8](repeating: 0x20, count: 16 << 20 | 1), name: "D")
        } throws: {
            ($0 as? DockerfileError)?.headline == "D: more than 16 MiB"
        }
    }

    @Test func `more than a million lines are refused`() {
        #expect(headline(String(repeating: "\n", count: 1_000_001)) == "Dockerfile: more than 1000000 lines")
    }

    @Test func `10,000 lines are read, and so are as many that are one`() throws {
        let many = (0..<10_000).map { "ENV A\($0)=\($0)" }.joined(separator: "\n")
        #expect(try instructions(many).count == 10_000)
        let one = "RUN " + (0..<10_000).map { "a\($0)" }.joined(separator: " \\\n")
        #expect(try instructions(one).count == 1)
    }

    // MARK: Errors

    @Test func `an error shows its line and its place`() {
        let error = complaint("FROM a\nRUN x\n  COPY --chwon=a b c")
        #expect(error?.headline == "Dockerfile:3: COPY has no flag '--chwon'; did you mean '--chown'?")
        #expect(
            error?.description
                == "Dockerfile:3: COPY has no flag '--chwon'; did you mean '--chown'?\n    COPY --chwon=a b c\n         ^"
        )
    }

    @Test func `an error in a continued line shows that line`() {
        #expect(complaint("FROM a\nENV a=b \\\n  c")?.line == 3)
        #expect(complaint("FROM a\nENV a=b \\\n  c")?.column == 3)
    }

    @Test func `of a long line an error shows what is around its place`() {
        let lines = complaint("FROM a\nENV a=\(String(repeating: "x", count: 1000)) b")?.description.split(
            separator: "\n")
        #expect(lines?[1].count == 2 + 61)
        #expect(lines?[2].count == 2 + 61)
    }

    @Test func `an error has no characters that move the cursor`() {
        let text = complaint("FROM a\n\u{1B}[2Jx\u{202E}\ty z")?.description ?? ""
        #expect(text.hasPrefix("Dockerfile:2: unknown instruction '?[2Jx?'\n  ?[2Jx? y z\n  ^"))
    }

    @Test(arguments: [
        ("", "Dockerfile: no FROM in it; begin with 'FROM IMAGE' or 'FROM scratch'"),
        ("# x\n\n", "Dockerfile: no FROM in it; begin with 'FROM IMAGE' or 'FROM scratch'"),
        ("ARG a", "Dockerfile: no FROM in it; begin with 'FROM IMAGE' or 'FROM scratch'"),
        ("RUN a", "Dockerfile:1: RUN before the first FROM; begin with 'FROM IMAGE'"),
        ("FROM a\nRNU b", "Dockerfile:2: unknown instruction 'RNU'; did you mean 'RUN'?"),
        ("FROM a\nentrypont b", "Dockerfile:2: unknown instruction 'entrypont'; did you mean 'ENTRYPOINT'?"),
        ("FROM a\n&&", "Dockerfile:2: unknown instruction '&&'"),
    ])
    func `what is no instruction is refused`(text: String, expected: String) {
        #expect(headline(text) == expected)
    }
}
