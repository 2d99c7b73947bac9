import FoundationEssentials
import Glibc
import Testing

/// `pull`, `run --pull` and `push`, against Debian's docker-registry.
@Suite(.serialized, Requirement.registry) struct PullTests {
    /// An image of several layers, each with a file of random bytes, in `registry` alone.
    private func pushLayers(_ apus: Apus, _ name: String) throws {
        try apus.importImage("built", prepare: "head -c 3000000 /dev/urandom >one")
        for file in ["two", "three"] {
            let script = "dd if=/dev/urandom of=/\(file) bs=1000000 count=4; sha256sum /one /t[wh]* >/sums"
            let made = try apus("run", "--name", "step", "built", "sh", "-c", script)
            try #require(made.status == 0, "\(made)")
            try apus.succeed("commit", "step", "built")
            try apus.succeed("rm", "step")
        }
        try apus.succeed("tag", "built", name)
        try apus.succeed("push", "-q", name)
        try apus.succeed("image", "prune", "--all", "--force")
    }

    /// Whether each blob is what its name says, and each image that has a name works.
    private func expectWholeStore(_ apus: Apus, _ name: String) throws {
        let script =
            "cd '\(apus.data)/images/blobs/sha256' && for f in *; do echo \"$f  $f\"; done | sha256sum -c --quiet"
        let blobs = try FileManager.default.contentsOfDirectory(atPath: "\(apus.data)/images/blobs/sha256")
        if !blobs.isEmpty {
            let checked = try apus.startShell(script).wait()
            #expect(checked.status == 0, "\(checked)")
        }
        let images = try apus("images", "-q")
        #expect(images.status == 0 && images.errors.isEmpty, "\(images)")
        if !images.text.isEmpty { try expectImageWorks(apus, name) }
    }

    private func expectImageWorks(_ apus: Apus, _ name: String) throws {
        let outcome = try apus("run", "--rm", "--pull", "never", name, "sha256sum", "-c", "/sums")
        #expect(outcome.status == 0 && outcome.lines.count == 3, "\(outcome)")
    }

    @Test(arguments: Caller.available)
    func `a pull that is ended at any moment leaves nothing broken, and the next one ends right`(
        caller: Caller
    ) throws {
        let registry = try LocalRegistry()
        try withApus(caller) { apus in
            let name = "\(registry.host)/app:1"
            try pushLayers(apus, name)
            let clock = ContinuousClock()
            let whole = try clock.measure { try apus.succeed("pull", "-q", name) }
            let longest = UInt32(whole / .microseconds(1) * 1.1)
            try apus.succeed("rmi", name)
            for round in 0..<50 {
                let running = try apus.start(["pull", "-q", name])
                usleep(.random(in: 0...longest))
                try running.sendToGroup(round.isMultiple(of: 2) ? SIGKILL : SIGINT)
                _ = try running.wait()
                try expectWholeStore(apus, name)
                // Every other one goes on with what two have left.
                guard round % 4 > 1 else { continue }
                expectOutput(try apus("pull", "-q", name), name)
                try expectImageWorks(apus, name)
                try apus.succeed("rmi", name)
            }
            try apus.succeed("image", "prune", "--all", "--force")
            for folder in ["blobs/sha256", "layers", "ingest"] {
                let left = try FileManager.default.contentsOfDirectory(atPath: "\(apus.data)/images/\(folder)")
                #expect(left == [], "\(folder)")
            }
        }
    }

    @Test func `no layer and no name counts before it is on the disk`() throws {
        let registry = try LocalRegistry()
        try withApus(.own) { apus in
            let name = "\(registry.host)/app:1"
            try pushLayers(apus, name)
            let calls = "\(apus.directory)/calls"
            let words = ["strace", "-f", "-qq", "-e", "trace=fsync,syncfs,rename,renameat,renameat2", "-o", calls]
            let traced = try apus.startProgram(["/usr/bin/env"] + words + [Machine.apus, "pull", "-q", name]).wait()
            try #require(traced.status == 0, "\(traced)")
            let lines = try String(contentsOfFile: calls, encoding: .utf8).split(separator: "\n")
            let synchronised = try #require(lines.lastIndex { $0.contains("syncfs(") })
            let layers = lines.indices.filter { lines[$0].contains("\"layers/") }
            let named = try #require(lines.firstIndex { $0.contains("\"app:1.json\"") })
            #expect(layers.count == 3 && layers.allSatisfy { synchronised < $0 && $0 < named })
            let blobs = lines.indices.filter { lines[$0].contains("\"blobs/") }
            #expect(blobs.count == 5 && blobs.allSatisfy { $0 < synchronised })
            for blob in blobs {
                let thread = lines[blob].prefix { $0 != " " }
                let before = lines[..<blob].last { $0.hasPrefix("\(thread) ") }
                #expect(before?.contains("fsync") == true, "\(lines[blob])")
            }
        }
    }

    @Test(arguments: Caller.available)
    func `run pulls when it is told to`(caller: Caller) throws {
        let registry = try LocalRegistry()
        try withApus(caller) { maker in
            try withApus(caller) { apus in
                let name = "\(registry.host)/app:1"
                func publish(_ text: String) throws {
                    try maker.importImage(name, ["CMD [\"echo\", \"\(text)\"]"])
                    try maker.succeed("push", "-q", name)
                }
                try publish("first")
                let missing = try apus("run", "--rm", name)
                #expect(missing.status == 0 && missing.text == "first", "\(missing)")
                #expect(missing.errors.contains("Unable to find image '\(name)' locally"), "\(missing)")
                try publish("second")
                expectOutput(try apus("run", "--rm", name), "first")
                expectOutput(try apus("run", "--rm", "--pull", "never", name), "first")
                let newer = try apus("run", "--rm", "--pull", "newer", name)
                #expect(newer.status == 0 && newer.text == "second", "\(newer)")
                try publish("third")
                let always = try apus("run", "--rm", "--pull", "always", "--quiet", name)
                #expect(always.status == 0 && always.text == "third", "\(always)")
                registry.stop()
                let refused = try apus("run", "--rm", "--pull", "always", name)
                #expect(refused.status == 125 && refused.errors.contains(name), "\(refused)")
                let old = try apus("run", "--rm", "--pull", "newer", name)
                #expect(old.status == 0 && old.text == "third", "\(old)")
                #expect(old.errors.contains("is run as it is here"), "\(old)")
                expectOutput(try apus("run", "--rm", "--pull", "missing", name), "third")
                let bad = try apus("run", "--rm", "--pull", "sometimes", name)
                #expect(bad.status == 125 && bad.errors.contains("sometimes"), "\(bad)")
            }
        }
    }

    @Test func `an index has an image for each platform that is asked for`() throws {
        let registry = try LocalRegistry()
        try withApus(.own) { apus in
            let repository = "\(registry.host)/team/app"
            let (here, other) = Self.architectures
            try publishIndex(apus, repository)
            expectOutput(try apus("pull", "-q", repository), "\(repository):latest")
            expectOutput(try apus("run", "--rm", repository), here)
            expectOutput(try apus("pull", "-q", "--platform", "linux/\(other)", repository), "\(repository):latest")
            expectOutput(
                try apus("image", "inspect", "--format", "{{.Os}}/{{.Architecture}}", repository), "linux/\(other)")
            let again = try apus("run", "--rm", "--platform", "linux/\(here)", "--quiet", repository)
            #expect(again.status == 0 && again.text == here, "\(again)")
            let none = try apus("pull", "-q", "--platform", "linux/s390x", repository)
            #expect(none.status == 125 && none.isOneLineNaming("linux/s390x"), "\(none)")
            let never = try apus("run", "--rm", "--pull", "never", "--platform", "linux/s390x", repository)
            #expect(never.status == 125 && never.isOneLineNaming(repository), "\(never)")
        }
    }

    #if arch(x86_64)
        private static let architectures = (here: "amd64", other: "arm64")
    #else
        private static let architectures = (here: "arm64", other: "amd64")
    #endif

    /// As `docker buildx` leaves it: `latest` is an index of two images, whose names only the machine is to know.
    private func publishIndex(_ apus: Apus, _ repository: String) throws {
        var entries: [String] = []
        for architecture in [Self.architectures.here, Self.architectures.other] {
            let name = "\(repository):\(architecture)"
            try apus.importImage(
                name, ["CMD [\"echo\", \"\(architecture)\"]"], flags: ["--platform", "linux/\(architecture)"])
            try apus.succeed("push", "-q", name)
            let digest =
                try apus.succeed("image", "inspect", "--format", "{{index .RepoDigests 0}}", name)
                .split(separator: "@").last ?? ""
            let manifest = try apus.startShell(
                "curl -sf -H 'Accept: application/vnd.oci.image.manifest.v1+json' "
                    + "http://\(registry(of: repository))/v2/team/app/manifests/\(digest) | wc -c"
            ).wait()
            entries.append(
                #"{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"\#(digest)","#
                    + #""size":\#(manifest.text),"platform":{"os":"linux","architecture":"\#(architecture)"}}"#)
        }
        let type = "application/vnd.oci.image.index.v1+json"
        let index = try apus.file(
            "index", #"{"schemaVersion":2,"mediaType":"\#(type)","manifests":[\#(entries.joined(separator: ","))]}"#)
        let put = try apus.startShell(
            "curl -sf -X PUT -H 'Content-Type: \(type)' --data-binary @\(index) "
                + "http://\(registry(of: repository))/v2/team/app/manifests/latest"
        ).wait()
        try #require(put.status == 0, "\(put)")
        try apus.succeed("image", "prune", "--all", "--force")
    }

    private func registry(of repository: String) -> Substring { repository.prefix { $0 != "/" } }

    @Test func `all tags of a repository come at once, and lines tell of it`() throws {
        let registry = try LocalRegistry()
        try withApus(.own) { apus in
            let repository = "\(registry.host)/team/app"
            try apus.importImage("app")
            for tag in ["1", "2", "latest"] {
                try apus.succeed("tag", "app", "\(repository):\(tag)")
                try apus.succeed("push", "-q", "\(repository):\(tag)")
            }
            try apus.succeed("image", "prune", "--all", "--force")
            let names = try apus.succeed("pull", "--all-tags", "--quiet", repository).split(separator: "\n").sorted()
            #expect(names.map { String($0) } == ["1", "2", "latest"].map { "\(repository):\($0)" })
            let listed = try apus.succeed("images", "--format", "{{.Tag}}", repository).split(separator: "\n").sorted()
            #expect(listed == ["1", "2", "latest"])
            let told = try apus.succeed("pull", repository)
            #expect(told.contains("Using default tag: latest\nlatest: Pulling from team/app\n"), "\(told)")
            #expect(told.contains("Status: Image is up to date for \(repository):latest"), "\(told)")
            try apus.succeed("image", "prune", "--all", "--force")
            #expect(
                try apus.succeed("pull", repository).contains(
                    "Status: Downloaded newer image for \(repository):latest"))
            let refused = try apus("pull", "--all-tags", "\(repository):1")
            #expect(refused.status == 125 && refused.errors.contains("--all-tags"), "\(refused)")
        }
    }

    @Test func `a proxy is asked, but not for what the environment leaves out`() throws {
        let registry = try LocalRegistry()
        try withApus(.own) { apus in
            // No name server knows it, and what is asked here is no proxy.
            let name = "registry.invalid/team/app"
            apus.environment["https_proxy"] = "http://\(registry.host)"
            apus.environment["no_proxy"] = "example.com,.registry.invalid"
            let asked = try apus("pull", "-q", name)
            #expect(asked.status == 125 && asked.isOneLineNaming("the proxy did not make the connection"), "\(asked)")
            apus.environment["no_proxy"] = "example.com,registry.invalid"
            let direct = try apus("pull", "-q", name)
            #expect(direct.status == 125 && direct.isOneLineNaming("no such host"), "\(direct)")
        }
    }

    @Test func `credentials are kept in the file that is given`() throws {
        let registry = try LocalRegistry()
        try withApus(.own) { apus in
            let file = ["--authfile", "\(apus.directory)/auth.json"]
            let login = ["login"] + file + ["-u", "ann", "--password-stdin", registry.host]
            expectOutput(try apus(login, input: "secret\n"), "Login Succeeded")
            expectOutput(try apus(["login"] + file + ["--get-login", registry.host]), "ann")
            #expect(try apus(["logout"] + file + [registry.host]).status == 0)
            #expect(try apus(["login"] + file + ["--get-login", registry.host]).status == 125)
        }
    }

    @Test func `containers and prunes beside pulls break nothing`() throws {
        let registry = try LocalRegistry()
        try withApus(.own) { apus in
            let name = "\(registry.host)/app:1"
            try pushLayers(apus, name)
            let script = """
                for i in 1 2 3 4 5 6 7 8 9 10; do "$APUS" image prune --all --force >/dev/null || exit 1; done
                """
            let pruner = try apus.startShell(script)
            for _ in 0..<10 {
                let outcome = try apus("run", "--rm", "--quiet", name, "sha256sum", "-c", "/sums")
                // A prune may come between the pull and the start: then its layers are gone, and the run says so.
                let isPruned = outcome.status == 125 && outcome.errors.contains("pull it")
                #expect(outcome.lines.count == 3 || isPruned, "\(outcome)")
            }
            let pruned = try pruner.wait()
            #expect(pruned.status == 0, "\(pruned)")
            try expectWholeStore(apus, name)
            expectOutput(try apus("pull", "-q", name), name)
            try expectImageWorks(apus, name)
        }
    }
}
