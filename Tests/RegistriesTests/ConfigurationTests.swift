import Images
import Linux
import Registries
import SystemPackage
import Testing

/// `registries.conf` and what overrides it.
struct ConfigurationTests {
    private func configuration(_ files: String...) throws -> RegistriesConfiguration {
        let scene = try Scene()
        for (number, text) in files.enumerated() { try scene.write(text, to: "\(number).conf") }
        return try RegistriesConfiguration(paths: files.indices.map { "\(scene.directory)/\($0).conf" })
    }

    private func names(_ text: String, _ configuration: RegistriesConfiguration) throws -> [String] {
        try configuration.candidates(for: text).map(\.canonical)
    }

    private func places(_ text: String, _ configuration: RegistriesConfiguration) throws -> [String] {
        try configuration.pullPlaces(of: try ImageReference(text)).map {
            "\($0.host)/\($0.repository)" + ($0.isInsecure ? " insecure" : "")
        }
    }

    @Test func `without any a short name is Docker's`() throws {
        let none = try configuration()
        #expect(try names("alpine", none) == ["docker.io/library/alpine:latest"])
        #expect(try names("localhost/a:1", none) == ["localhost/a:1"])
    }

    @Test func `what cannot be read is refused, since it may block registries`() throws {
        let scene = try Scene()
        let home = "\(scene.directory)/home"
        let variables = ["HOME": home]
        _ = try RegistriesConfiguration.paths { variables[$0] }
        try FileDescriptor.workingDirectory.makeDirectories("\(home)/.config/containers")
        try scene.write("no directory", to: "home/.config/containers/registries.conf.d")
        do throws(Failure) {
            _ = try RegistriesConfiguration.paths { variables[$0] }
            Issue.record("read")
        } catch {
            #expect(error.description.contains("registries.conf.d"))
        }
    }

    @Test func `a short name is its alias, or is searched for in the order that is given`() throws {
        let own = try configuration(
            """
            unqualified-search-registries = [ # several lines
                "one.example", 'two.example:5000',
            ]
            [aliases]
            "fedora" = "registry.example/fedora"
            "team/app" = "a.example/b"
            gone = "registry.example/gone"
            """,
            """
            [aliases]
            gone = ""
            """)
        #expect(try names("fedora:40", own) == ["registry.example/fedora:40"])
        #expect(try names("team/app", own) == ["a.example/b:latest"])
        #expect(try names("gone", own) == ["one.example/gone:latest", "two.example:5000/gone:latest"])
        #expect(try names("docker.io/fedora", own) == ["docker.io/library/fedora:latest"])
    }

    @Test func `where short names are enforced one that may be in several registries is refused`() throws {
        let text = "unqualified-search-registries = ['a.example', 'b.example']\nshort-name-mode = 'enforcing'"
        let own = try configuration(text)
        #expect { try names("app", own) } throws: { "\($0)".contains("a.example, b.example") }
    }

    @Test func `what a user has answered comes before all aliases, and is kept beside what is there`() throws {
        let scene = try Scene()
        try scene.write("[aliases]\na = 'a.example/a'\nb = 'a.example/b'", to: "0.conf")
        let (path, kept) = ("\(scene.directory)/0.conf", "\(scene.directory)/cache/aliases.conf")
        func configuration() throws -> RegistriesConfiguration {
            try RegistriesConfiguration(paths: [path], remembered: kept)
        }
        #expect(try names("a", configuration()) == ["a.example/a:latest"])
        try configuration().remember("a:1", as: try ImageReference("b.example/x/a:1"))
        try configuration().remember("c", as: try ImageReference("docker.io/library/c"))
        #expect(try names("a:2", configuration()) == ["b.example/x/a:2"])
        #expect(try names("b", configuration()) == ["a.example/b:latest"])
        #expect(
            try scene.contents("cache/aliases.conf")
                == "[aliases]\n  \"a\" = \"b.example/x/a\"\n  \"c\" = \"docker.io/library/c\"\n")
    }

    @Test(arguments: [
        ([:], true, "/var/cache/containers/short-name-aliases.conf"),
        (["HOME": "/h"], false, "/h/.cache/containers/short-name-aliases.conf"),
        (["HOME": "/h", "XDG_CACHE_HOME": "/c"], false, "/c/containers/short-name-aliases.conf"), ([:], false, nil),
    ])
    func `answers are kept where podman keeps them`(variables: [String: String], isRoot: Bool, path: String?) {
        #expect(RegistriesConfiguration.rememberedPath({ variables[$0] }, isMachineRoot: isRoot) == path)
    }

    @Test func `the longest prefix counts, and only whole parts match`() throws {
        let own = try configuration(
            """
            [[registry]]
            location = "a.example"
            insecure = true
            [[registry]]
            prefix = "a.example/team"
            location = "b.example:5000/x"
            """)
        #expect(try places("a.example/other/i", own) == ["a.example/other/i insecure"])
        #expect(try places("a.example/team/i:1", own) == ["b.example:5000/x/i"])
        #expect(try places("a.example/teams/i", own) == ["a.example/teams/i insecure"])
        #expect(try places("a.example.org/i", own) == ["a.example.org/i"])
    }

    @Test func `a wildcard matches hosts below a domain`() throws {
        let own = try configuration("[[registry]]\nprefix = '*.a.example'\ninsecure = true")
        #expect(try places("x.y.a.example:5000/i", own) == ["x.y.a.example:5000/i insecure"])
        #expect(try places("a.example/i", own) == ["a.example/i"])
        #expect(try places("xa.example/i", own) == ["xa.example/i"])
    }

    @Test func `mirrors come first, each for the pulls that it is for`() throws {
        let own = try configuration(
            """
            [[registry]]
            prefix = "a.example"
            [[registry.mirror]]
            location = "m1.example/a"
            pull-from-mirror = "digest-only"
            [[registry.mirror]]
            location = "m2.example"
            insecure = true
            pull-from-mirror = "tag-only"
            """)
        let digest = "sha256:" + String(repeating: "0", count: 64)
        #expect(try places("a.example/i:1", own) == ["m2.example/i insecure", "a.example/i"])
        #expect(try places("a.example/i@\(digest)", own) == ["m1.example/a/i", "a.example/i"])
    }

    @Test func `a blocked registry is not asked`() throws {
        let own = try configuration("[[registry]]\nlocation = 'a.example'\nblocked = true")
        #expect { try places("a.example/i", own) } throws: { "\($0)".contains("a.example/i:latest: it is blocked") }
    }

    @Test func `a later file replaces what an earlier one says of a prefix`() throws {
        let own = try configuration(
            "[[registry]]\nlocation = 'a.example'\nblocked = true", "[[registry]]\nlocation = 'a.example'")
        #expect(try places("a.example/i", own) == ["a.example/i"])
    }

    @Test(arguments: [
        ("[[registry]]\nlocation = a.example", "line 2: 'a.example' is no value"),
        ("short-name-mode = 'lax'", "expected enforcing, permissive or disabled"),
        ("[[registry]]\ninsecure = true", "neither 'prefix' nor 'location'"),
        ("[[registry]]\nprefix = 'a'\n[[registry]]\nlocation = 5", "expected a string, got 5"),
        ("[registries.search]\nregistries = ['a']", "version 1"),
        ("[aliases]\na = 'b'\na = 'c'", "line 3: 'a' a second time"),
        ("a = 'b", "line 1: a string without an end"),
        ("a = [[[[[[[[[[[[[[[[[[[[[[", "lists in lists"),
        ("[[registry]]\nlocation = 'https://a.example'", "a location has no scheme"),
    ])
    func `what is wrong in a file is told with its place`(text: String, word: String) {
        #expect { _ = try configuration(text) } throws: { "\($0)".contains("0.conf: ") && "\($0)".contains(word) }
    }

    @Test func `the machine's own files can be read`() throws { _ = try RegistriesConfiguration() }
}
