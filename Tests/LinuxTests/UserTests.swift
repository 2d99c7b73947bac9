import Linux
import Testing

@Suite struct UserTests {
    private let database = UserDatabase(
        passwd: Array(
            """
            root:x:0:0:root:/root:/bin/sh
            broken line
            bad:x:abc:0::/:/bin/sh
            web:x:101:102:web:/srv/web:/bin/false
            1000:x:55:56:a name of digits:/home/digits:/bin/sh
            homeless:x:77:77:::/bin/sh
            minus:x:4294967295:0::/:/bin/sh
            """.utf8),
        group: Array(
            """
            root:x:0:
            web:x:102:
            audio:x:29:root,web
            video:x:44:web
            short:x
            """.utf8))

    @Test func `a name gives its user, group, groups and home`() throws {
        let user = try database.resolve("web")
        #expect(user == ResolvedUser(name: "web", uid: 101, gid: 102, additionalGIDs: [102, 29, 44], home: "/srv/web"))
    }

    @Test func `an empty user is root with its groups`() throws {
        #expect(try database.resolve("").additionalGIDs == [0, 29])
        #expect(try database.resolve(":44").gid == 44)
    }

    @Test func `a number without an entry has group 0 and the home directory of nobody`() throws {
        let user = try database.resolve("4242")
        #expect(user == ResolvedUser(name: "", uid: 4242, gid: 0, additionalGIDs: [0], home: "/"))
    }

    @Test func `a given group replaces the primary group and the listed ones`() throws {
        let user = try database.resolve("web:audio")
        #expect(user.gid == 29)
        #expect(user.additionalGIDs == [29])
        #expect(try database.resolve("7:8").gid == 8)
    }

    @Test func `a user whose name is a number is found by that name`() throws {
        #expect(try database.resolve("1000").uid == 55)
    }

    @Test func `a user without a home directory lives in the root`() throws {
        #expect(try database.resolve("homeless").home == "/")
    }

    @Test func `groups are added by name and number, none twice`() throws {
        let user = try database.resolve("101", additionalGroups: ["video", "29", "5000"])
        #expect(user.additionalGIDs == [102, 29, 44, 5000])
    }

    @Test(arguments: ["nobody", "bad", "minus", "-1", "4294967295", "99999999999", "web:nogroup", "web:-5", " web"])
    func `an unknown or impossible user is refused`(user: String) {
        #expect(throws: Failure.self) { try database.resolve(user) }
    }

    @Test func `an unknown added group is refused`() {
        #expect(throws: Failure.self) { try database.resolve("web", additionalGroups: ["nope"]) }
    }

    @Test func `a root filesystem without users still runs numbers`() throws {
        let none = UserDatabase(passwd: [], group: [])
        #expect(try none.resolve("").uid == 0)
        #expect(throws: Failure.self) { try none.resolve("root") }
    }
}
