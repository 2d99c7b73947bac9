import FoundationEssentials
import Glibc
import Testing

/// How registries are found and reached: short names, proxies, credential helpers, and servers that are not there.
@Suite(.serialized, Requirement.registry) struct RegistryAccessTests {
    private func configure(_ apus: Apus, _ text: String) throws {
        apus.environment["CONTAINERS_REGISTRIES_CONF"] = try apus.file("registries.conf", text)
    }

    /// Puts an image into `registry`, and into no store.
    private func publish(_ apus: Apus, _ name: String) throws {
        try apus.importImage(name)
        try apus.succeed("push", "-q", name)
        try apus.succeed("image", "prune", "--all", "--force")
    }

    // Not root, whose answers are kept for the whole machine.
    @Test(arguments: Caller.unprivileged)
    func `whoever sits at a terminal is asked what a short name means, once`(caller: Caller) throws {
        let registry = try LocalRegistry()
        try withApus(caller) { apus in
            try publish(apus, "\(registry.host)/app")
            apus.environment["XDG_CACHE_HOME"] = "\(apus.directory)/cache"
            let search = "unqualified-search-registries = ['127.0.0.1:1', '\(registry.host)']\n"
            try configure(apus, search + "short-name-mode = 'enforcing'")
            let refused = try apus("pull", "app")
            #expect(refused.status == 125 && refused.isOneLineNaming("127.0.0.1:1, \(registry.host)"), "\(refused)")
            let asking = try apus.start(["run", "--rm", "app", "echo", "said"], onTerminal: true)
            try asking.waitForOutput("2) \(registry.host)/app:latest")
            try asking.waitForOutput("Number: ")
            try asking.write("3\n")
            try asking.waitForOutput("Give a number from 1 to 2.")
            try asking.write("2\n")
            let answered = try asking.wait()
            #expect(answered.status == 0 && answered.output.contains("said"), "\(answered)")
            let kept = try String(
                contentsOfFile: "\(apus.directory)/cache/containers/short-name-aliases.conf", encoding: .utf8)
            #expect(kept == "[aliases]\n  \"app\" = \"\(registry.host)/app\"\n")
            expectOutput(try apus("run", "--rm", "app", "echo", "again"), "again")
            try apus.succeed("rmi", "\(registry.host)/app")
            try expectPull(apus, "app", "\(registry.host)/app:latest")
        }
    }

    /// A user without subordinate IDs is told on standard error who has the files.
    private func expectPull(_ apus: Apus, _ name: String, _ found: String) throws {
        let outcome = try apus("pull", "-q", name)
        #expect(outcome.status == 0 && outcome.text == found, "\(outcome)")
    }

    @Test(arguments: Caller.unprivileged)
    func `registries are tried in their order where nobody is to be asked, or nobody answers`(caller: Caller) throws {
        let registry = try LocalRegistry()
        try withApus(caller) { apus in
            try publish(apus, "\(registry.host)/app")
            apus.environment["XDG_CACHE_HOME"] = "\(apus.directory)/cache"
            let search = "unqualified-search-registries = ['127.0.0.1:1', '\(registry.host)']\n"
            try configure(apus, search)
            try expectPull(apus, "app", "\(registry.host)/app:latest")
            let asking = try apus.start(["pull", "-q", "app"], onTerminal: true)
            try asking.waitForOutput("Number: ")
            try asking.write("\u{4}")
            let unanswered = try asking.wait()
            #expect(unanswered.status == 125 && unanswered.output.contains("no image was chosen"), "\(unanswered)")
            try configure(apus, search + "short-name-mode = 'disabled'")
            let pulled = try apus.start(["pull", "-q", "app"], onTerminal: true).wait()
            #expect(pulled.status == 0 && !pulled.output.contains("Number"), "\(pulled)")
        }
    }

    @Test func `a registry without TLS is asked through a proxy by whole addresses`() throws {
        // docker-registry answers such requests, and makes no tunnels.
        let registry = try LocalRegistry()
        try withApus(.own) { apus in
            try configure(apus, "[[registry]]\nlocation = 'registry.invalid'\ninsecure = true\n")
            apus.environment["http_proxy"] = "http://\(registry.host)"
            let name = "registry.invalid/team/app:1"
            try publish(apus, name)
            expectOutput(try apus("pull", "-q", name), name)
            apus.environment["no_proxy"] = ".invalid"
            let direct = try apus("pull", "-q", name)
            #expect(direct.status == 125 && direct.isOneLineNaming("no such host"), "\(direct)")
        }
    }

    @Test func `a registry that is not there is not waited for`() throws {
        let registry = try LocalRegistry()
        registry.stop()
        let port = registry.host.split(separator: ":")[1]
        try withApus(.own) { apus in
            let calls = "\(apus.directory)/calls"
            let words = ["strace", "-f", "-qq", "-e", "trace=connect", "-o", calls]
            let name = "\(registry.host)/app"
            let refused = try apus.startProgram(["/usr/bin/env"] + words + [Machine.apus, "pull", "-q", name]).wait()
            #expect(refused.status == 125 && refused.isOneLineNaming("connection refused"), "\(refused)")
            let lines = try String(contentsOfFile: calls, encoding: .utf8).split(separator: "\n")
            // Without TLS and with.
            #expect(lines.count { $0.contains("htons(\(port))") } == 2, "\(lines)")
        }
    }

    // MARK: Credential helpers

    /// Has `docker-credential-box` in PATH, which keeps what it is told in `kept`.
    private func installHelper(_ apus: Apus, _ script: String) throws {
        try #require(try apus.startProgram(["/bin/mkdir", "-p", "\(apus.directory)/bin"]).wait().status == 0)
        try apus.file("bin/docker-credential-box", "#!/bin/sh\ncd '\(apus.directory)'\n\(script)\n", mode: 0o755)
        apus.environment["PATH"] = "\(apus.directory)/bin:\(apus.environment["PATH"] ?? "")"
    }

    @Test(arguments: Caller.available)
    func `a helper keeps what a login gives it, and a logout makes it forget`(caller: Caller) throws {
        let registry = try LocalRegistry()
        try withApus(caller) { apus in
            let script = """
                case $1 in
                store) cat >kept;;
                get) cat >asked; [ -e kept ] && exec cat kept; echo 'credentials not found in native keychain'; exit 1;;
                erase) cat >asked; rm kept;;
                esac
                """
            try installHelper(apus, script)
            let auth = try apus.file("auth.json", #"{"credsStore":"box"}"#, mode: 0o666)
            let file = ["--authfile", auth]
            expectOutput(
                try apus(["login"] + file + ["-u", "ann", "--password-stdin", registry.host], input: "secret\n"),
                "Login Succeeded")
            let kept = try String(contentsOfFile: "\(apus.directory)/kept", encoding: .utf8)
            #expect(kept == #"{"ServerURL":"\#(registry.host)","Username":"ann","Secret":"secret"}"#)
            #expect(try !String(contentsOfFile: auth, encoding: .utf8).contains("auths"))
            expectOutput(try apus(["login"] + file + ["--get-login", registry.host]), "ann")
            let out = try apus.succeed(["logout"] + file + [registry.host])
            #expect(out == "Removing login credentials for \(registry.host)")
            let asked = try String(contentsOfFile: "\(apus.directory)/asked", encoding: .utf8)
            #expect(asked == registry.host)
            #expect(try apus(["login"] + file + ["--get-login", registry.host]).status == 125)
        }
    }

    @Test(arguments: Caller.unprivileged)
    func `a user without a session logs in for as long as the home directory is there`(caller: Caller) throws {
        let registry = try LocalRegistry()
        try withApus(caller) { apus in
            apus.environment["XDG_RUNTIME_DIR"] = nil
            apus.environment["HOME"] = apus.directory
            expectOutput(
                try apus("login", "-u", "ann", "--password-stdin", registry.host, input: "secret"), "Login Succeeded")
            expectOutput(try apus("login", "--get-login", registry.host), "ann")
            let mode = try apus.startProgram(["/bin/stat", "-c", "%a", ".config/containers/auth.json"]).wait()
            #expect(mode.text == "600", "\(mode)")
            expectOutput(try apus("logout", registry.host), "Removing login credentials for \(registry.host)")
        }
    }

    @Test(arguments: [
        ("echo 'the box is locked'; exit 1", "docker-credential-box: the box is locked"),
        ("echo nonsense", "docker-credential-box: its answer: "), ("exit 3", "docker-credential-box: it failed"),
        ("kill -9 $$", "docker-credential-box: it failed"),
    ])
    func `a helper that fails is named, with what it says`(script: String, told: String) throws {
        try withApus(.own) { apus in
            try installHelper(apus, script)
            let auth = try apus.file("auth.json", #"{"credsStore":"box"}"#)
            for words in [
                ["pull", "--authfile", auth, "127.0.0.1:1/app"], ["login", "--authfile", auth, "--get-login"],
            ] {
                let outcome = try apus(words)
                #expect(outcome.status == 125 && outcome.isOneLineNaming(told), "\(outcome)")
            }
        }
    }
}
