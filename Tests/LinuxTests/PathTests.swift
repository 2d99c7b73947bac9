import Glibc
import Linux
import SystemPackage
import Testing

/// A combining accent behind a separator makes one character of both; paths are bytes.
@Suite struct `paths as text` {
    private let accented = "/\u{301}a/\u{301}b"

    @Test func `they are parted at bytes`() {
        #expect(accented.isAbsolutePath && !"a/b".isAbsolutePath && !"".isAbsolutePath)
        #expect(accented.parts(between: "/") == ["", "\u{301}a", "\u{301}b"])
        #expect("a:\u{301}:c".parts(between: ":", maxSplits: 1) == ["a", "\u{301}:c"])
        let sides = accented.sides(ofLast: "/")
        #expect(sides?.before == "/\u{301}a" && sides?.behind == "\u{301}b")
        #expect("a".sides(ofLast: "/") == nil)
        #expect(accented.hasBytes(ofPrefix: "/") && !"a".hasBytes(ofPrefix: "ab"))
    }

    @Test func `bytes are replaced wherever they stand`() {
        #expect(accented.replacing(bytes: "/", with: "%2F") == "%2F\u{301}a%2F\u{301}b")
        #expect("%2F\u{301}a%".replacing(bytes: "%2F", with: "/") == "/\u{301}a%")
    }

    @Test func `missing directories are made one below the other`() throws {
        var template = Array("/tmp/apus-paths.XXXXXX".utf8CString)
        let made = try #require(mkdtemp(&template).map { String(cString: $0) })
        let top = try FileDescriptor.workingDirectory.open(made, O_RDONLY | O_DIRECTORY)
        defer {
            top.closeQuietly()
            #expect(throws: Never.self) { try FileDescriptor.workingDirectory.removeTree(made) }
        }
        try top.makeDirectories("\u{301}a/\u{301}b/c")
        #expect(top.has("\u{301}a/\u{301}b/c"))
    }
}
