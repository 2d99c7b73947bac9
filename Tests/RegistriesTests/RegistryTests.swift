import Images
import Registries
import Testing

/// Against Debian's docker-registry.
struct RegistryTests {
    /// An image in the store of `scene` that was never in a registry, by a name.
    private func store(_ image: TestImage, as name: String, in scene: Scene) throws -> ImageRecord {
        let assembly = try ImageAssembly(
            in: scene.store, image: name, manifest: image.manifest, as: .ociManifest, config: image.config)
        for layer in assembly.missing {
            let ingest = try scene.store.ingest(layer)
            let bytes = try #require(image.layers.first { Digest.of($0) == layer.digest })
            try bytes.withUnsafeBytes { try ingest.append($0) }
            assembly.hold(try ingest.finish())
        }
        return try assembly.finish(as: [try ImageReference(name)])
    }

    private func push(_ name: String, _ record: ImageRecord, _ scene: Scene, _ log: Log = Log()) throws -> PushResult {
        var options = PushOptions()
        options.registry = scene.options
        return try Push.run(try ImageReference(name), record, options: options, store: scene.store, progress: log)
    }

    @Test func `what is pushed is pulled as it was, and the second push sends no layer`() throws {
        let (from, to) = (try Scene(), try Scene())
        let registry = try DockerRegistry(.plain, in: from)
        let image = TestImage(["one", String(repeating: "two", count: 100_000)])
        let record = try store(image, as: "here:1", in: from)
        let result = try push("\(registry.host)/a/b:1", record, from)
        #expect(result.digest == Digest.of(image.manifest))
        let again = Log()
        _ = try push("\(registry.host)/a/b:1", record, from, again)
        #expect(again.states.values.allSatisfy { $0 == .alreadyExists })
        let pulled = try to.pull("\(registry.host)/a/b:1")
        #expect(pulled.digest == result.digest)
        #expect(pulled.record.repoDigests == ["\(registry.host)/a/b@\(result.digest)"])
        #expect(try to.store.contents(of: Digest.of(image.layers[1]), limit: 1 << 20) == image.layers[1])
        #expect(try to.pull("\(registry.host)/a/b:1").isUpToDate)
        #expect(try to.pull("\(registry.host)/a/b@\(result.digest)").record.id == pulled.record.id)
    }

    @Test func `layers of another repository of the registry are mounted instead of sent`() throws {
        let scene = try Scene()
        let registry = try DockerRegistry(.plain, in: scene)
        _ = try push("\(registry.host)/a:1", try store(TestImage(), as: "here:1", in: scene), scene)
        let pulled = try scene.pull("\(registry.host)/a:1")
        let log = Log()
        _ = try push("\(registry.host)/b:1", pulled.record, scene, log)
        #expect(log.states.count == 2)
        #expect(log.states.values.allSatisfy { $0 == .mounted(from: "a") })
        #expect(try Scene().pull("\(registry.host)/b:1").digest == pulled.digest)
    }

    @Test func `all tags of a repository are listed`() throws {
        let scene = try Scene()
        let registry = try DockerRegistry(.plain, in: scene)
        let record = try store(TestImage(), as: "here:1", in: scene)
        for tag in ["1", "2", "x.y"] { _ = try push("\(registry.host)/a:\(tag)", record, scene) }
        // A registry lists them as it likes.
        let tags = try Pull.tags(of: try ImageReference("\(registry.host)/a"), options: scene.options)
        #expect(tags.sorted() == ["1", "2", "x.y"])
    }

    @Test func `a registry that cannot search has its repositories' names searched`() throws {
        let scene = try Scene()
        let registry = try DockerRegistry(.plain, in: scene)
        let record = try store(TestImage(), as: "here:1", in: scene)
        for name in ["tools/hammer", "tools/saw", "hammock"] {
            _ = try push("\(registry.host)/\(name):1", record, scene)
        }
        let found = try Search.run("\(registry.host)/ham", limit: 25, options: scene.options)
        #expect(found.map(\.isFromCatalog) == [true])
        #expect(found[0].results.map(\.name) == ["\(registry.host)/hammock", "\(registry.host)/tools/hammer"])
    }

    @Test func `an image that is not there is told in one line`() throws {
        let scene = try Scene()
        let registry = try DockerRegistry(.plain, in: scene)
        let text = scene.failure(pulling: "\(registry.host)/none:1")
        #expect(text.contains("pull: \(registry.host)/none:1: manifest from \(registry.host): manifest unknown"))
        try scene.expectNothingBroken()
    }

    @Test func `with TLS and a password it takes the CA and the login, and neither alone`() throws {
        let scene = try Scene()
        let registry = try DockerRegistry(.tlsWithPassword, in: scene)
        let record = try store(TestImage(), as: "here:1", in: scene)
        let name = "\(registry.host)/a:1"
        #expect(scene.failure(pulling: name).contains("certificate is not trusted"))
        try scene.write(registry.authority, to: "certs.d/\(registry.host)/ca.crt")
        let denied = scene.failure(pulling: name)
        #expect(denied.contains("wants a user and a password"))
        #expect(denied.contains("apus login \(registry.host)"))
        #expect {
            try Login.run(registry.host, user: "user", password: "wrong", options: scene.options)
        } throws: {
            "\($0)".contains("refuses the user or the password")
        }
        try Login.run(registry.host, user: "user", password: "secret", options: scene.options)
        #expect(try Login.user(of: registry.host, options: scene.options) == "user")
        let result = try push(name, record, scene)
        #expect(try scene.pull(name).digest == result.digest)
        #expect(try Login.forget(registry.host, options: scene.options))
        #expect(try !Login.forget(registry.host, options: scene.options))
        #expect(scene.failure(pulling: "\(registry.host)/a:2").contains("wants a user and a password"))
    }

    @Test func `a mirror is asked first, and the registry where it has not got the image`() throws {
        let scene = try Scene()
        let registry = try DockerRegistry(.plain, in: scene)
        let mirror = try DockerRegistry(.plain, in: try Scene())
        let record = try store(TestImage(), as: "here:1", in: scene)
        _ = try push("\(registry.host)/team/a:1", record, scene)
        _ = try push("\(mirror.host)/copy/b:1", record, scene)
        try scene.write(
            """
            [[registry]]
            prefix = "example.com/team"
            location = "\(registry.host)/team"
            [[registry.mirror]]
            location = "\(mirror.host)/copy"
            """, to: "registries.conf")
        #expect(try scene.pull("example.com/team/a:1").record.name == "example.com/team/a:1")
        #expect(try scene.pull("example.com/team/b:1").record.name == "example.com/team/b:1")
        #expect(scene.failure(pulling: "example.com/team/c:1").contains("manifest from \(registry.host)"))
    }

    @Test func `several pulls of one image at once all end right`() async throws {
        let scene = try Scene()
        let registry = try DockerRegistry(.plain, in: scene)
        let image = TestImage((0..<6).map { String(repeating: "\($0)", count: 200_000) })
        _ = try push("\(registry.host)/a:1", try store(image, as: "here:1", in: scene), scene)
        let to = try Scene()
        let (store, options) = (to.store, to.options)
        let name = try ImageReference("\(registry.host)/a:1")
        let digests = try await withThrowingTaskGroup(of: Digest.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    var pull = PullOptions()
                    pull.registry = options
                    return try Pull.run(name, options: pull, store: store, progress: SilentProgress()).digest
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(digests) == [Digest.of(image.manifest)])
        #expect(try to.store.list().count == 1)
    }
}
