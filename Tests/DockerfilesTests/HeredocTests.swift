import Dockerfiles
import Testing

@Suite struct `Heredocs` {
    @Test(
        arguments: [
            ("RUN <<E\na\n b\nE", .shell("a\n b\n"), []),
            ("RUN <<-E\n\ta\n\t\tb\n\tE", .shell("a\nb\n"), []),
            ("RUN << E\na\nE", .shell("a\n"), []),
            ("RUN <<E\r\na\r\nE\r\n", .shell("a\r\n"), []),
            ("RUN <<E\nE", .shell(""), []),
            (
                "RUN cat <<E > /x\na\nE", .shell("cat <<E > /x"), [Heredoc(name: "E", text: "a\n", expands: true)]
            ),
            (
                "RUN cat <<E>/x; b\na\nE", .shell("cat <<E>/x; b"), [Heredoc(name: "E", text: "a\n", expands: true)]
            ),
            (
                "RUN 3<<'E F' cat\n$a\nE F\n", .shell("3<<'E F' cat"),
                [Heredoc(name: "E F", text: "$a\n", expands: false)]
            ),
            (
                "RUN a <<\\E b <<\"F\"\n1\nE\n2\nF", .shell("a <<\\E b <<\"F\""),
                [Heredoc(name: "E", text: "1\n", expands: false), Heredoc(name: "F", text: "2\n", expands: false)]
            ),
            (
                "RUN a <<E \\\n b <<F\n1\nE\n2\\\n# 3\n\nF", .shell("a <<E  b <<F"),
                [
                    Heredoc(name: "E", text: "1\n", expands: true),
                    Heredoc(name: "F", text: "2\\\n# 3\n\n", expands: true),
                ]
            ),
            ("RUN cat <<<E", .shell("cat <<<E"), []),
            ("RUN echo $((1<<2))", .shell("echo $((1<<2))"), []),
            ("RUN echo '<<E'", .shell("echo '<<E'"), []),
            ("RUN echo \"it's <<E", .shell("echo \"it's <<E"), []),
            ("RUN a <<", .shell("a <<"), []),
            (#"RUN ["a", "<<E"]"#, .exec(["a", "<<E"]), []),
        ] as [(String, CommandLine, [Heredoc])])
    func `of RUN are the command or belong to it`(text: String, command: CommandLine, heredocs: [Heredoc]) throws {
        #expect(try instructions(text) == [.run(RunInstruction(command: command, heredocs: heredocs))])
    }

    @Test func `of COPY are files`() throws {
        let expected = CopyInstruction(
            sources: [
                .path("a"), .heredoc(Heredoc(name: "b", text: "1\n", expands: true)),
                .heredoc(Heredoc(name: "c d", text: "2\n", expands: false)), .path("e"),
            ], destination: "/f/", chown: "1")
        #expect(try instructions("COPY --chown=1 a <<b <<'c d' e /f/\n1\nb\n2\nc d") == [.copy(expected)])
        #expect(try instructions("ADD --chown=1 a <<b <<'c d' e /f/\n1\nb\n2\nc d") == [.add(expected)])
    }

    @Test func `stand in no other instruction`() throws {
        #expect(try instructions("CMD cat <<E\nUSER E") == [.cmd(.shell("cat <<E")), .user("E")])
    }

    @Test func `that nothing ends are refused`() {
        let error = complaint("FROM a\nRUN cat <<E\na\n E\n")
        #expect(error?.headline == "Dockerfile:2: nothing ends this heredoc; end it by a line 'E'")
        #expect(error?.column == 9)
    }
}
