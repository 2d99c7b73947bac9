import Glibc
import Linux
import Registries
import SystemPackage
import Testing

/// `auth.json`, Docker's file, and helpers.
struct CredentialTests {
    private func credentials(_ text: String, for name: String) throws -> Credentials? {
        let scene = try Scene()
        try scene.write(text, to: "auth.json")
        return try CredentialFiles(authFile: "\(scene.directory)/auth.json").credentials(for: name)
    }

    // ann:one, ben:t:wo
    private static let file = """
        {"auths":{"a.example":{"auth":"YW5uOm9uZQ=="},"a.example/team":{"auth":"YmVuOnQ6d28"},
         "https://index.docker.io/v1/":{"auth":"YW5uOm9uZQ=="},"b.example":{"identitytoken":"tok"},"c.example":{}}}
        """

    @Test(arguments: [
        ("a.example", Credentials.password(user: "ann", password: "one")),
        ("a.example/other/x", .password(user: "ann", password: "one")),
        ("a.example/team/x", .password(user: "ben", password: "t:wo")),
        ("docker.io/library/alpine", .password(user: "ann", password: "one")),
        ("b.example/x", .identityToken("tok")), ("c.example", nil), ("d.example", nil),
    ])
    func `the longest part of a name that the file knows has its credentials`(
        name: String, expected: Credentials?
    ) throws {
        #expect(try credentials(Self.file, for: name) == expected)
    }

    @Test(arguments: [
        ("{", "auth.json: "), (#"{"auths":{"a.example":{"auth":"YW5u"}}}"#, "not USER:PASSWORD in base 64"),
        (#"{"auths":{"a.example":{"auth":"*"}}}"#, "not USER:PASSWORD in base 64"),
        (#"{"credsStore":"no-such-helper"}"#, "docker-credential-no-such-helper: there is no such program"),
        (#"{"credsStore":"../../bin/sh"}"#, "not a program's name"),
    ])
    func `what is wrong with a file is told`(text: String, word: String) {
        #expect { try credentials(text, for: "a.example") } throws: { "\($0)".contains(word) }
    }

    @Test func `a login keeps what else is in the file, and only its owner reads it`() throws {
        let scene = try Scene()
        let registry = try DockerRegistry(.plain, in: scene)
        try scene.write(#"{"auths":{"x.example":{"auth":"YTpi","email":"e"}},"detachKeys":"ctrl-x"}"#, to: "auth.json")
        try Login.run(registry.host, user: "ann", password: "one", options: scene.options)
        let text = try scene.contents("auth.json")
        #expect(text.contains(#""detachKeys":"ctrl-x""#))
        #expect(text.contains(#""x.example":{"auth":"YTpi","email":"e"}"#))
        #expect(text.contains(#""\#(registry.host)":{"auth":"YW5uOm9uZQ=="}"#))
        let mode = try FileDescriptor.workingDirectory.status(of: "\(scene.directory)/auth.json").st_mode
        #expect(mode & 0o777 == 0o600)
        try Login.forgetAll(options: scene.options)
        #expect(try scene.contents("auth.json") == #"{"auths":{},"detachKeys":"ctrl-x"}"#)
    }

    @Test func `a helper is asked, told and made to forget`() throws {
        let scene = try Scene()
        let program = "docker-credential-apus-test-\(getpid())"
        let path = "/usr/local/bin/\(program)"
        try #require(geteuid() == 0, "the helper must be in PATH")
        try scene.write(
            """
            #!/bin/sh
            case "$1" in
            get) read server; if [ -e "\(scene.directory)/kept" ]; then cat "\(scene.directory)/kept"
                 else echo "credentials not found in native keychain"; exit 1; fi ;;
            store) cat >"\(scene.directory)/kept" ;;
            erase) rm "\(scene.directory)/kept" ;;
            esac
            """, to: "helper")
        try DockerRegistry.run(["install", "-m", "755", "\(scene.directory)/helper", path])
        defer { unlink(path) }
        let registry = try DockerRegistry(.plain, in: scene)
        try scene.write(
            #"{"credHelpers":{"\#(registry.host)":"\#(program.dropFirst("docker-credential-".count))"}}"#,
            to: "auth.json")
        #expect(try Login.user(of: registry.host, options: scene.options) == nil)
        try Login.run(registry.host, user: "ann", password: "one", options: scene.options)
        #expect(try Login.user(of: registry.host, options: scene.options) == "ann")
        #expect(try !scene.contents("auth.json").contains("auths"))
        #expect(try Login.forget(registry.host, options: scene.options))
        #expect(try Login.user(of: registry.host, options: scene.options) == nil)
    }
}
