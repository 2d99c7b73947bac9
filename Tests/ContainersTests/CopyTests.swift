import Archives
import Testing

@testable import Containers

@Suite struct `places and names of cp` {
    @Test(
        arguments: [
            ("web:/etc", .container(reference: "web", path: "/etc")), ("web:", .container(reference: "web", path: "")),
            ("web:a:b", .container(reference: "web", path: "a:b")), ("/tmp/a:b", .host(path: "/tmp/a:b")),
            ("./a:b", .host(path: "./a:b")), (":a", .host(path: ":a")), ("/\u{301}a:b", .host(path: "/\u{301}a:b")),
            ("file", .host(path: "file")), ("-", .stream),
        ] as [(String, CopyPlace)])
    func `a colon names a container unless the word is a path`(text: String, place: CopyPlace) {
        #expect(CopyPlace(text) == place)
    }

    @Test(
        arguments: [
            ("a/b", ".", "a", "b", false), ("a/b/", ".", "a", "b", true), ("b", ".", ".", "b", false),
            ("/b", "/", "/", "b", false), ("a/.", ".", "a", ".", false), (".", ".", ".", ".", false),
            ("/", "/", "/", ".", false), ("a/..", ".", "a/..", ".", false), ("a//b", ".", "a", "b", false),
            ("", ".", ".", ".", false), ("a/./", ".", "a", ".", true),
            ("/\u{301}a/\u{301}b", "/", "/\u{301}a", "\u{301}b", false),
        ])
    func `the last component decides what is copied`(
        path: String, _: String, parent: String, name: String, mustBeDirectory: Bool
    ) {
        let parsed = CopyPath(path, inContainer: false)
        #expect(parsed.parent == parent)
        #expect(parsed.name == name)
        #expect(parsed.mustBeDirectory == mustBeDirectory)
    }

    @Test func `a relative path in a container begins at its root`() {
        #expect(CopyPath("etc/passwd", inContainer: true).parent == "/etc")
    }

    @Test(
        arguments: [
            ("dir", "new", "dir", "new"), ("dir", "new", "dir/a/b", "new/a/b"), ("dir/", "new", "dir/a", "new/a"),
            (".", "new", "./a", "new/a"), (".", "new", ".", "new"), ("dir", "new", "dirty", "dirty"),
            ("/dir", "new", "/dir/a", "new/a"),
        ])
    func `names below the first one follow its change`(old: String, new: String, name: String, result: String) {
        let change = NameChange(from: Array(old.utf8), to: new)
        #expect(String(decoding: change.apply(Array(name.utf8)), as: UTF8.self) == result)
    }

    @Test func `a name without a change is never absolute, and keeps bytes that are no text`() {
        #expect(NameChange.none.apply([0x2f, 0x2f, 0xff, 0x2f]) == [0xff])
    }
}
