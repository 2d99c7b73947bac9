import Formats
import Linux
import Testing

@Suite struct TemplateTests {
    private static let value: Value = [
        "Name": "/web", "Count": 3,
        "State": ["Running": true, "Health": nil],
        "Labels": .strings(["a": "1", "b c": "2"]), "Args": ["-c", "echo \"hi\""], "Empty": [],
        "Label": .lookup(["a": "1"]),
    ]

    @Test(arguments: [
        ("{{.Name}}", "/web"),
        ("{{ .State.Running }} {{.Count}}", "true 3"),
        ("{{json .Args}}", #"["-c","echo \"hi\""]"#),
        ("{{json .State}}", #"{"Running":true,"Health":null}"#),
        ("{{index .Labels \"b c\"}}", "2"),
        ("{{.Labels.a}}{{.Labels.none}}", "1<no value>"),
        ("{{.Label \"a\"}}", "1"),
        ("{{len .Args}} {{join .Args \", \"}}", "2 -c, echo \"hi\""),
        ("{{upper .Name}} {{.Name | lower | printf \"<%s>\"}}", "/WEB </web>"),
        ("{{range .Args}}[{{.}}]{{end}}", "[-c][echo \"hi\"]"),
        ("{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}", "a=1;b c=2;"),
        ("{{range .Empty}}x{{else}}none{{end}}", "none"),
        ("{{if .State.Running}}up{{else}}down{{end}}", "up"),
        ("{{if eq .Count 2}}two{{else if eq .Count 3}}three{{end}}", "three"),
        ("{{if and .State.Running (not .State.Health)}}yes{{end}}", "yes"),
        ("{{with .State}}{{.Running}} {{$.Name}}{{end}}", "true /web"),
        ("{{$x := .Count}}{{$x}}", "3"),
        ("a {{- \" b \" -}} c", "a b c"),
        ("{{/* nothing */}}{{println .Count}}", "3\n"),
        (#"{{.Name}}\t{{.Count}}"#, "/web\t3"),
        ("{{or .State.Health \"none\"}} {{ne .Count 4}} {{lt .Count 4}}", "none true true"),
        ("{{printf \"%-6s|%3d|%q\" .Name .Count .Name}}", "/web  |  3|\"/web\""),
        ("{{index .Args 0}} {{split \"a,b\" \",\"}} {{truncate .Name 2}}", "-c [a b] /w"),
    ])
    func `a template shows what Go's would`(template: String, expected: String) throws {
        #expect(try Template(template).render(Self.value) == expected)
    }

    @Test(arguments: [
        ("{{.Nam}}", "no field 'Nam'"),
        ("{{.Name.X}}", "no field 'X' in '/web'"),
        ("{{frob .Name}}", "no function 'frob'"),
        ("{{.Name", "'{{' without '}}'"),
        ("{{if .Name}}", "a block has no 'end'"),
        ("{{end}}", "'end' without a beginning"),
        ("{{$x}}", "no variable '$x'"),
        ("{{index .Args 9}}", "index 9 is out of range"),
        ("{{}}", "an action is empty"),
    ])
    func `a mistake in a template is named`(template: String, reason: String) {
        #expect {
            _ = try Template(template).render(Self.value)
        } throws: {
            ($0 as? Failure)?.reason == reason
        }
    }

    @Test func `a table has a header and columns as wide as their widest cell`() throws {
        let listing = Listing(titles: ["A": "FIRST", "B": "SECOND"], columns: ["A", "B"])
        let rows: [Value] = [["A": "1", "B": "x"], ["A": "longer", "B": "y\n"]]
        #expect(try listing.render(rows, format: nil) == "FIRST    SECOND\n1        x\nlonger   y?\n")
        #expect(
            try listing.render(rows, format: #"table {{.B}}\t{{.A}}"#)
                == "SECOND   FIRST\nx        1\ny?       longer\n")
        #expect(try listing.render([["A": "1"]], format: "json") == "{\"A\":\"1\"}\n")
    }

    @Test func `JSON has its keys in order and its text escaped`() {
        let value: Value = ["b": [1, .number(2.5), "\u{1}\"\\é"], "a": [:], "m": .strings(["z": "1", "y": "2"])]
        #expect(value.json() == #"{"b":[1,2.5,"\u0001\"\\é"],"a":{},"m":{"y":"2","z":"1"}}"#)
        #expect((["a": [1]] as Value).json(indent: 4) == "{\n    \"a\": [\n        1\n    ]\n}")
    }
}
