import Linux
import Testing

@Suite struct SubordinateIDTests {
    private let text = Array(
        """
        # comment
        alice:100000:65536
        bob:165536:65536

        alice:300000:10:more
        1000:400000:5
        alice:x:5
        alice:5
        alice:500000:0
        alice:4294967295:1
        alice2:600000:65536
        """.utf8)

    @Test func `a user has the ranges of its name and of its number, in the order of the file`() {
        #expect(
            SubordinateIDs.parse(text, user: "alice", uid: 1000) == [
                IDRange(first: 100_000, count: 65536), IDRange(first: 300_000, count: 10),
                IDRange(first: 400_000, count: 5),
            ])
    }

    @Test func `a user without a line has no ranges`() {
        #expect(SubordinateIDs.parse(text, user: "carol", uid: 7).isEmpty)
        #expect(SubordinateIDs.parse(text, user: "", uid: 7).isEmpty)
    }

    @Test func `a missing file gives nobody anything`() throws {
        #expect(try SubordinateIDs.ranges(in: "/nonexistent/subuid", user: "alice", uid: 1000).isEmpty)
    }

    @Test func `a directory in the file's place is an error`() {
        #expect(throws: Failure.self) { try SubordinateIDs.ranges(in: "/etc", user: "alice", uid: 1000) }
    }
}
