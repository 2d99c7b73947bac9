import Dockerfiles
import Testing

@Suite struct `Patterns of paths` {
    @Test(
        arguments: [
            ("a", "a", true), ("a", "b", false), ("a", "a/b", false), ("a", "ab", false), ("", "", true),
            ("*", "a", true), ("*", "a/b", false), ("*", "", true), ("*.go", "a.go", true), ("*.go", "d/a.go", false),
            ("*/*.go", "d/a.go", true), ("a*c", "abbc", true), ("a*c", "ab/c", false), ("?", "a", true),
            ("?", "/", false),
            ("?", "ä", true), ("a?c", "abc", true), ("a?c", "ac", false), ("***", "a/b", true),
            ("[a-c]x", "bx", true), ("[a-c]x", "dx", false), ("[^a-c]x", "dx", true), ("[^a-c]x", "bx", false),
            ("[^a]", "/", false), ("[abc-]", "x", nil), ("[]a]", "a", nil), ("[a", "a", nil), ("[", "a", nil),
            ("[^]", "a", nil),
            ("[a-]", "a", nil), ("[\\]]", "]", true), ("[z-a]", "b", false), ("[ä-ü]", "ö", true), ("a]", "a]", true),
            ("\\*", "*", true), ("\\*", "a", false), ("a\\", "a\\", true), ("\\[a", "[a", true),
            ("**", "a/b/c", true), ("**", "", true), ("**/a", "a", true), ("**/a", "b/c/a", true),
            ("**/a", "ba", false),
            ("a/**", "a/b/c", true), ("a/**", "a", false), ("a/**/b", "a/b", true), ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "a/xb", false), ("**/*.go", "a.go", true), ("**/*.go", "x/y/a.go", true), ("a**b", "ab", true),
            ("a**b", "axb", false), ("a**b", "ax/b", true), ("a**", "abc/d", true), ("**/x**/b", "x/xb", true),
            ("**/**/a", "a", true), ("**/a/**", "x/a/y", true), ("a.b", "axb", false), ("a+(b)", "a+(b)", true),
        ] as [(String, String, Bool?)])
    func `match whole paths, name by name`(pattern: String, path: String, expected: Bool?) throws {
        guard let expected else {
            #expect(throws: SyntaxError.self) { try PathPattern(pattern) }
            return
        }
        #expect(try PathPattern(pattern).matches(path) == expected)
    }

    @Test(arguments: [
        ("a", "a/b", true), ("a", "ab/c", false), ("*/x", "a/x/y", true), ("**/x", "a/x/y/z", true),
        ("a?", "ab/c", true),
        ("a/b", "a", false),
    ])
    func `match what lies below`(pattern: String, path: String, expected: Bool) throws {
        #expect(try PathPattern(pattern).matchesPathOrParent(path) == expected)
    }

    @Test(arguments: [
        ("a/b", "a", true), ("a/b", "b", false), ("a", "a", false), ("**/x", "a/b", true), ("*/b/c", "a/b", true),
        ("*/b/c", "a/c", false), ("a*/c", "ab", true), ("*", "a", false), ("a/**", "a/b", true),
    ])
    func `tell where something may match`(pattern: String, directory: String, expected: Bool) throws {
        #expect(try PathPattern(pattern).mayMatch(below: directory) == expected)
    }

    @Test func `that are hostile take bounded time`() throws {
        let path = String(repeating: "a", count: 4000)
        #expect(try !PathPattern(String(repeating: "a*", count: 300) + "b").matches(path))
        #expect(
            try !PathPattern(String(repeating: "**/", count: 1000) + "b").matches(String(repeating: "a/", count: 2000)))
        #expect(throws: SyntaxError.self) { try PathPattern(String(repeating: "a", count: 4097)) }
    }

    @Test(arguments: [("a/b", true), (#"a\*"#, true), ("a*", false), ("[a]", false)])
    func `know whether they are one path`(pattern: String, expected: Bool) throws {
        #expect(try PathPattern(pattern).isLiteral == expected)
    }
}

@Suite struct `Rules of .dockerignore` {
    private func rules(_ text: String) throws -> IgnoreRules { try IgnoreRules(Array(text.utf8)) }

    @Test(arguments: [
        ("", "a", false), ("a", "a", true), ("a", "a/b", true), ("a", "b/a", false), ("/a", "a", true),
        ("a/", "a", true),
        ("./a", "a", true), ("b/../a", "a", true), ("//a//b/", "a/b", true), ("/../a", "a", true), ("  a  ", "a", true),
        ("# a\n#b", "a", false), (" #a", "#a", true), ("\\#a", "#a", true), ("\u{FEFF}a", "a", true),
        ("a\r\nb\r\n", "a", true),
        ("*", "a/b", true), ("*\n!a", "a", false), ("*\n!a", "a/b", false), ("*\n!a/b", "a/b", false),
        ("*\n!a/b", "a/c", true),
        ("!a\n*", "a", true), ("*.md\n!README*.md\nREADME-secret.md", "README-x.md", false),
        ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true), ("! a", "a", false), ("a\n! a", "a", false),
        ("**/*.log", "x/y/z.log", true), ("**/*.log", "z.log", true), ("**/node_modules", "a/node_modules/b", true),
        ("temp?", "tempa", true), ("*/temp*", "a/temporary.txt", true), ("*/*/temp*", "a/temp", false),
        (".", "a", false),
        ("**", "a/b", true), ("a/**\n!a/b", "a/b", false),
    ])
    func `count from the last that matches`(text: String, path: String, expected: Bool) throws {
        #expect(try rules(text).matches(path: path) == expected)
    }

    @Test(arguments: [
        ("*", "a", false), ("*\n!a/b", "a", true), ("*\n!a/b", "b", false), ("*\n!**/x", "b", true),
        ("*\n!a", "a", false),
        ("*\n!*.c", "a", false),
    ])
    func `tell which directories need not be walked`(text: String, directory: String, expected: Bool) throws {
        #expect(try rules(text).mayInclude(below: directory) == expected)
    }

    @Test(arguments: [
        ("a\n!", ".dockerignore:2: a '!' without a pattern; give '!PATTERN'"),
        ("[", ".dockerignore:1: a malformed set in a pattern; give one such as [a-z], or '\\[' for a bracket"),
    ])
    func `that cannot be are refused`(text: String, expected: String) {
        #expect {
            try rules(text)
        } throws: {
            ($0 as? DockerfileError)?.headline == expected
        }
    }

    @Test func `match names that are no UTF-8`() throws {
        #expect(try rules("a?").matches(path: [0x61, 0xFF]))
        #expect(try !rules("a").matches(path: [0x61, 0xFF]))
    }
}
