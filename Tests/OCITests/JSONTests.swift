import OCI
import Testing

@Suite struct `A JSON text` {
    @Test(arguments: [
        ("", "line 1, column 1: expected a value"),
        (" \n ", "line 2, column 2: expected a value"),
        ("{", "line 1, column 2: expected a name in quotes"),
        ("{]", "line 1, column 2: expected a name in quotes"),
        (#"{"a" 1}"#, "line 1, column 6: expected ':'"),
        (#"{"a":1,}"#, "line 1, column 8: expected a name in quotes"),
        (#"{"a":1 "b":2}"#, "line 1, column 8: expected ',' or '}'"),
        ("{\"a\":\n[1,\n2,]}", "line 3, column 3: expected a value"),
        (#"{"a":[1 2]}"#, "line 1, column 9: expected ',' or ']'"),
        (#"{"a":1}}"#, "line 1, column 8: something behind the end"),
        (#"{"a":1}{"a":2}"#, "line 1, column 8: something behind the end"),
        ("{}\u{0}", "line 1, column 3: something behind the end"),
        ("\u{FEFF}{}", "line 1, column 1: expected a value"),
        ("/* a */ {}", "line 1, column 1: expected a value"),
        (#"{"a":'b'}"#, "line 1, column 6: expected a value"),
        (#"{"a":tru}"#, "line 1, column 9: expected 'true'"),
        (#"{"a":NaN}"#, "line 1, column 6: expected a value"),
        (#"{"a":nul"#, "line 1, column 9: expected 'null'"),
        (#"{"a":01}"#, "line 1, column 7: expected ',' or '}'"),
        (#"{"a":+1}"#, "line 1, column 6: expected a value"),
        (#"{"a":-}"#, "line 1, column 7: expected a digit"),
        (#"{"a":1.}"#, "line 1, column 8: expected a digit"),
        (#"{"a":1.5e}"#, "line 1, column 10: expected a digit"),
        (#"{"a":.5}"#, "line 1, column 6: expected a value"),
        (#"{"a":0x1}"#, "line 1, column 7: expected ',' or '}'"),
        ("{\"a", "line 1, column 4: a string without an end"),
        ("{\"a\n\":1}", "line 1, column 4: a control character in a string"),
        ("{\"\u{0}\":1}", "line 1, column 3: a control character in a string"),
        (#"{"\x":1}"#, "line 1, column 4: an unknown escape in a string"),
        ("{\"\\", "line 1, column 4: an unknown escape in a string"),
        (#"{"\u12g4":1}"#, "line 1, column 7: expected a hexadecimal digit"),
        (#"{"\udc00":1}"#, "line 1, column 9: half of a surrogate pair"),
        (#"{"\ud800":1}"#, "line 1, column 9: half of a surrogate pair"),
        (#"{"\ud800\u0041":1}"#, "line 1, column 15: half of a surrogate pair"),
    ])
    func `is refused where it stops being one`(text: String, message: String) {
        expectRefused(Array(text.utf8), "not valid JSON: \(message)")
    }

    @Test(arguments: [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82], [0x80]])
    func `has no invalid UTF-8, not even where nobody looks`(bytes: [UInt8]) {
        let text = Array(#"{"a":""#.utf8) + bytes + Array(#""}"#.utf8)
        expectRefused(
            text, "not valid JSON: line 1, column \(7 + bytes.count): invalid UTF-8 in the string that ends here")
    }

    @Test func `may have any escape`() throws {
        let hook = try Spec.Hook(json: Array(#"{"path":"\"\\\/\b\f\n\r\t\u00e9\uD83D\ude00é😀"}"#.utf8))
        #expect(hook.path == "\"\\/\u{8}\u{C}\n\r\té😀é😀")
        #expect(try Spec.Hook(json: hook.json()) == hook)
    }

    @Test func `shows control characters as escapes`() {
        let written = Spec.Hook(path: "\u{1}\u{1F}\u{8}\t\n\u{C}\r\"\\/\u{7F}é").json()
        #expect(String(decoding: written, as: UTF8.self) == #"{"path":"\u0001\u001f\b\t\n\f\r\"\\/\#u{7F}é"}"#)
    }

    @Test(arguments: ["0", "-0", "1", "10.5", "-1.5e10", "1E+2", "0e-0", "true", "false", "null", "[]", "{}", #""""#])
    func `may hold any value`(value: String) throws {
        _ = try Spec.Hook(
            json: Array(" {\t\"path\" : \"a\",\r\n\"x\" :\(value) , \"y\":[ \(value) ,\(value)]\n} ".utf8))
    }

    @Test func `may have 512 lists in each other and no more`() throws {
        for (depth, isGood) in [(511, true), (512, false), (100_000, false)] {
            let lists = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
            let text = Array(#"{"path":"a","x":\#(lists)}"#.utf8)
            if isGood {
                _ = try Spec.Hook(json: text)
            } else {
                expectRefused(
                    text, "not valid JSON: line 1, column 528: more than 512 lists and objects in each other")
            }
        }
    }

    @Test func `may have 8 MiB and no more`() throws {
        let text = Array(#"{"path":"a"}"#.utf8)
        let space = [UInt8](repeating: 0x20, count: 8 << 20)
        _ = try Spec.Hook(json: text + space.dropFirst(text.count))
        expectRefused(text + space.dropFirst(text.count - 1), "more than 8 MiB")
    }

    private func expectRefused(_ text: [UInt8], _ message: String) {
        let error = #expect(throws: SpecError.self) { try Spec.Hook(json: text) }
        #expect(error?.description == message)
    }
}
