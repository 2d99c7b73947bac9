import Dockerfiles
import Testing

@Suite struct `Expansion of words` {
    private static let variables = [
        "PWD": "/home", "NULL": "", "SHELL": "bash", "한": "국", "s": " a  b ", "f": "foo.tar.gz", "p": "a/b/a",
        "q": "'x y'", "aab": "aaaXb",
    ]

    private func expand(_ word: String, escape: Character = "\\") throws -> String {
        try Expansion(escape: escape, Self.variables).expand(word).text
    }

    @Test(arguments: [
        ("hello", "hello"), ("he'll'o", "hello"), (#"he\'llo"#, "he'llo"), (#"abc\tdef"#, "abctdef"),
        (#""abc\tdef""#, #"abc\tdef"#), (#""abc\\tdef""#, #"abc\tdef"#), (#"'abc\tdef'"#, #"abc\tdef"#),
        (#"hello\"#, "hello"), (#"hello\\"#, #"hello\"#), (#""hel'lo""#, "hel'lo"), (#"'hello\'"#, #"hello\"#),
        ("$.", "$."), ("he$1x", "hex"), ("he$.x", "he$.x"), ("he$PWD.", "he/home."), (#"he\$PWD"#, "he$PWD"),
        (#"he\\$PWD"#, #"he\/home"#), (#""he\$PWD""#, "he$PWD"), (#"\${}"#, "${}"), ("he${hi}xx", "hexx"),
        ("${PWD}", "/home"), ("'he${XX}'", "he${XX}"), (#""he'$PWD'""#, "he'/home'"), (#"'"hello"'"#, #""hello""#),
        ("${aaa}}", "}"), ("$999aaa", "aaa"), ("$@aaa", "aaa"), ("$$", ""), ("$한.", "국."), ("${한}", "국"), ("$", "$"),
        (#""hello\""#, "error"), (#""a\"#, "error"), ("a  b", "a  b"), ("$q", "'x y'"),
        // Instead
        ("${XXX:-000}", "000"), ("${PWD:-000}", "/home"), ("${NULL:-x}", "x"), ("${NULL-x}", ""), ("${XXX-x}", "x"),
        ("${XXX:-$PWD}", "/home"), ("${XXX:-${YYY:-yyy}}", "yyy"), (#"${XXX:-\$PWD:}"#, "$PWD:"),
        (#"${XXX:-\${PWD}z}"#, "${PWDz}"), ("${XXX:-'a }b'}", "a }b"), ("${1:-b}", "b"), ("${@:-b}", "b"),
        ("${aaa:-bbb {foo}", "bbb {foo"), ("${PWD:-${B:?no}}", "/home"),
        // If there is one
        ("${XXX:+000}", ""), ("${PWD:+000}", "000"), ("${NULL:+x}", ""), ("${NULL+x}", "x"), ("${XXX+x}", ""),
        ("${PWD:+${PWD}:}", "/home:"), ("${XXX:+${B:?no}}", ""),
        // Fails
        ("${PWD:?}", "/home"), ("${NULL?}", ""),
        // Patterns
        ("${f#*.}", "tar.gz"), ("${f##*.}", "gz"), ("${f%.*}", "foo.tar"), ("${f%%.*}", "foo"), ("${f#foo}", ".tar.gz"),
        ("${f#x}", "foo.tar.gz"), ("${f#fo?}", ".tar.gz"), ("${f%?z}", "foo.tar."), ("${f##*}", ""),
        ("${f#*}", "foo.tar.gz"),
        ("${f#}", "foo.tar.gz"), ("${XXX#a}", ""), ("${f%${XXX:-.gz}}", "foo.tar"), (#"${p#a\/}"#, "b/a"),
        ("${p/a/x}", "x/b/a"), ("${p//a/x}", "x/b/x"), (#"${p//\//-}"#, "a-b-a"), ("${p/a*/x}", "x"),
        ("${p//?/x}", "xxxxx"),
        ("${p//z/x}", "a/b/a"), ("${p///x}", "a/b/a"), ("${p//a/}", "/b/"), ("${p/a/$PWD}", "/home/b/a"),
        ("${aab/a*b/x}", "x"), ("${aab//aa/y}", "yaXb"), ("${f/./\\}}", "foo}tar.gz"), ("${XXX/a/b}", ""),
    ])
    func `replaces variables and takes quotes away`(word: String, expected: String) throws {
        guard expected != "error" else {
            #expect(throws: SyntaxError.self) { try expand(word) }
            return
        }
        #expect(try expand(word) == expected)
    }

    @Test(arguments: [
        ("he'llo", "nothing closes a single quote"), (#""hello"#, "nothing closes a double quote"),
        (#"he\\'llo"#, "nothing closes a single quote"),
        ("${}", "'${}' is no substitution"), ("${.}", "'${.' is no substitution"),
        ("${XXX:YYY}", "'${XXX:YY' is no substitution"),
        ("${PWD:=0}", "'${PWD:=0' is no substitution"), ("${PWD^^}", "'${PWD^^' is no substitution"),
        ("${{aaa}", "'${{' is no substitution"), ("${:-b}", "'${:' is no substitution"),
        ("${PWD", "no '}' ends '${PWD'"), ("${a:-b", "no '}' ends a substitution"),
        ("${p/a}", "no '/' ends a substitution"),
        ("${p/a/b", "no '}' ends a substitution"),
        ("${XXX?}", "the variable 'XXX' is not set"), ("${NULL:?}", "the variable 'NULL' is empty"),
        ("${XXX:?give it}", "XXX: give it"), (#"${f#\a}"#, #"the pattern '\a' escapes what needs no escape"#),
    ])
    func `refuses what cannot be`(word: String, expected: String) {
        #expect {
            try expand(word)
        } throws: {
            ($0 as? SyntaxError)?.what == expected
        }
    }

    @Test(arguments: [
        ("hello", ["hello"]), ("hello there", ["hello", "there"]), ("a${hi}b", ["ab"]),
        ("x${s}y", ["x", "a", "b", "y"]),
        (#"x"${s}"y"#, ["x a  b y"]), (#"a "${s}"b"#, ["a", " a  b b"]), (#"hello\ there"#, ["hello there"]),
        (#"hello" there  ""#, ["hello there  "]), ("", []), ("  ", []), ("''", []), ("${XXX:-a b}", ["a", "b"]),
        ("a${XXX:-b}", ["ab"]), ("'a b' c", ["a b", "c"]),
    ])
    func `splits at blanks that are not quoted`(word: String, expected: [String]) throws {
        #expect(try Expansion(Self.variables).expand(word).words == expected)
    }

    @Test func `takes a backtick where that is the escape character`() throws {
        #expect(try expand("a`$b\\c`\\", escape: "`") == "a$b\\c\\")
    }

    @Test func `leaves quotes in a text alone`() throws {
        #expect(try Expansion(Self.variables).expandText(#"it's "$PWD" \$PWD"#).text == #"it's "/home" $PWD"#)
    }

    @Test func `tells which variables it took and which are not there`() throws {
        let result = try Expansion(Self.variables).expand("$PWD ${NULL:-$SHELL} ${XXX:-$YYY} $ZZZ ${PWD:-$NO}")
        #expect(result.used == ["PWD", "NULL", "SHELL"])
        #expect(result.undefined == ["YYY", "ZZZ"])
    }

    // MARK: Hostile words

    @Test func `refuses substitutions too deep in each other`() {
        let word = String(repeating: "${a:-", count: 10_000) + String(repeating: "}", count: 10_000)
        #expect(throws: SyntaxError.self) { try expand(word) }
        let fine = String(repeating: "${a:-", count: 60) + "x" + String(repeating: "}", count: 60)
        #expect((try? expand(fine)) == "x")
    }

    @Test func `refuses what grows too long`() {
        let long = String(repeating: "a", count: 1 << 17)
        let expansion = Expansion(["a": long])
        #expect(throws: SyntaxError.self) { try expansion.expand(String(repeating: "$a", count: 9)) }
        #expect(throws: SyntaxError.self) { try expansion.expand("${a//a/bbbbbbbbb}") }
        #expect(throws: SyntaxError.self) { try expansion.expand("${b:-$a$a$a$a$a}${b:-$a$a$a$a$a}") }
    }

    @Test func `compares hostile patterns in bounded time`() throws {
        let expansion = Expansion(["a": String(repeating: "a", count: 2000)])
        let pattern = String(repeating: "a*", count: 500) + "b"
        #expect(try expansion.expand("${a//\(pattern)/x}").text.count == 2000)
        #expect(try expansion.expand("${a##\(pattern)}").text.count == 2000)
        let endless = Expansion(["a": String(repeating: "a", count: 1 << 20)])
        #expect(throws: SyntaxError.self) { try endless.expand("${a%%\(pattern)}") }
    }
}
