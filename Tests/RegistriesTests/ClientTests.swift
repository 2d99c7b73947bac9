import Dispatch
import Images
import Registries
import Synchronization
import Testing

/// What a client says and how it goes on, against a server of the tests' own.
struct ClientTests {
    private static let image = TestImage()

    private func push(_ record: ImageRecord, to name: String, _ scene: Scene) throws -> PushResult {
        var options = PushOptions()
        options.registry = scene.options
        return try Push.run(
            try ImageReference(name), record, options: options, store: scene.store, progress: SilentProgress())
    }

    /// Pushes the image to a registry that answers as `change` says, where that says something.
    ///
    /// - Returns: All requests.
    private func pushed(
        _ image: TestImage = Self.image, _ change: @escaping @Sendable (OwnServer.Request) -> [OwnServer.Step]?
    ) async throws -> [OwnServer.Request] {
        // A file is sent by a task on Swift's own threads, of which this one may be the last.
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(with: Result { try self.pushedFromHere(image, change) })
            }
        }
    }

    private func pushedFromHere(
        _ image: TestImage, _ change: @escaping @Sendable (OwnServer.Request) -> [OwnServer.Step]?
    ) throws -> [OwnServer.Request] {
        let scene = try Scene()
        let registry = OwnRegistry(image)
        let server = OwnServer { change($0) ?? registry.answer($0) }
        defer { server.stop() }
        let record = try scene.pull("\(server.host)/a").record
        // Its own repository of another registry: nothing can be mounted.
        let other = OwnRegistry(TestImage([]))
        let target = OwnServer { change($0) ?? other.answer($0) }
        defer { target.stop() }
        #expect(try push(record, to: "\(target.host)/b:1", scene).digest == Digest.of(image.manifest))
        for layer in image.layers { #expect(other.stored["\(Digest.of(layer))"] == layer) }
        #expect(other.stored["/v2/b/manifests/1"] == image.manifest)
        return target.requests
    }

    @Test func `a blob goes by one request, and in pieces after it was too large`() async throws {
        let whole = try await pushed { _ in nil }
        #expect(!whole.contains { $0.method == "PATCH" })
        let pieces = try await pushed { request in
            request.method == "PUT" && !request.path.contains("/manifests/") && !request.body.isEmpty
                ? .answer(413) : nil
        }
        #expect(pieces.count { $0.method == "PATCH" } == 3)
    }

    @Test func `an upload in pieces goes on where it was cut off`() async throws {
        let isCut = Mutex(false)
        // Two pieces of 16 MiB and a rest.
        let image = TestImage([String(repeating: "0123456789abcdef", count: (33 << 20) / 16)])
        let requests = try await pushed(image) { request in
            if request.method == "PUT", request.body.count > 1 << 20, !request.path.contains("/manifests/") {
                return .answer(413)
            }
            let begins = request.headers["content-range"]?.hasPrefix("16777216-") == true
            guard request.method == "PATCH", begins,
                isCut.withLock({ cut in
                    defer { cut = true }
                    return !cut
                })
            else {
                return nil
            }
            return .answer(503)
        }
        let ranges = requests.filter { $0.method == "PATCH" }.compactMap { $0.headers["content-range"] }
        #expect(ranges.count { $0.hasPrefix("0-") } == 1)
        #expect(ranges.count { $0.hasPrefix("16777216-") } == 2)
    }

    @Test func `an identity token is given for one that opens a repository`() throws {
        let scene = try Scene()
        let registry = OwnRegistry(Self.image)
        let port = Mutex<UInt16>(0)
        let server = OwnServer { request in
            if request.path == "/token" { return .answer(200, [:], Array(#"{"access_token":"short"}"#.utf8)) }
            guard request.headers["authorization"] == "Bearer short" else {
                let realm = "http://127.0.0.1:\(port.withLock { $0 })/token"
                return .answer(401, ["WWW-Authenticate": "Bearer realm=\"\(realm)\",service=\"s\""])
            }
            return registry.answer(request)
        }
        defer { server.stop() }
        port.withLock { $0 = server.port }
        try scene.write(#"{"auths":{"\#(server.host)":{"identitytoken":"long/lived"}}}"#, to: "auth.json")
        try scene.pull("\(server.host)/a")
        let asked = try #require(server.requests.first { $0.path == "/token" })
        #expect(asked.method == "POST")
        #expect(
            String(decoding: asked.body, as: UTF8.self)
                == "grant_type=refresh_token&refresh_token=long%2Flived&client_id=apus&service=s"
                + "&scope=repository%3Aa%3Apull")
        #expect(server.requests.count { $0.path == "/token" } == 1)
    }

    @Test func `a registry that wants a client's certificate gets the one that is set up for it`() throws {
        let scene = try Scene()
        let registry = try DockerRegistry(.tlsWithClientCertificate, in: scene)
        let certificates = "certs.d/\(registry.host)"
        try scene.write(registry.authority, to: "\(certificates)/ca.crt")
        #expect(scene.failure(pulling: "\(registry.host)/a:1").contains("TLS"))
        try scene.write(registry.authority, to: "\(certificates)/client.cert")
        #expect(scene.failure(pulling: "\(registry.host)/a:1").contains("has no key beside it"))
        try scene.write(try scene.contents("key.pem"), to: "\(certificates)/client.key")
        #expect(scene.failure(pulling: "\(registry.host)/a:1").contains("manifest unknown"))
    }

    @Test func `what is tried again waits twice as long each time, or as long as the server asks`() throws {
        let scene = try Scene()
        let times = Mutex<[ContinuousClock.Instant]>([])
        let registry = OwnRegistry(Self.image)
        let server = OwnServer { request in
            guard request.path.contains("/blobs/\(Digest.of(Self.image.layers[0]))") else {
                return registry.answer(request)
            }
            let count = times.withLock { times in
                times.append(.now)
                return times.count
            }
            return count < 4 ? .answer(503, count == 3 ? ["Retry-After": "1"] : [:]) : registry.answer(request)
        }
        defer { server.stop() }
        try scene.pull("\(server.host)/a") { options in
            options.registry.retries.attempts = 6
            options.registry.retries.firstWait = .milliseconds(100)
            options.registry.retries.longestWait = .seconds(2)
        }
        let waits = times.withLock { times in zip(times.dropFirst(), times).map { $0 - $1 } }
        // Half of each wait is by chance.
        #expect(waits.count == 3)
        #expect(waits[0] >= .milliseconds(50) && waits[1] >= .milliseconds(100) && waits[2] >= .seconds(1), "\(waits)")
    }

    private static let subject = Digest.of(image.manifest)

    private static func referrers(_ kinds: [String]) -> [UInt8] {
        TestImage.index(
            kinds.map {
                TestImage.descriptor(Array($0.utf8), "\(MediaType.ociManifest)", #","artifactType":"\#($0)""#)
            })
    }

    @Test func `what refers to an image is listed page by page, and by its kind`() throws {
        let scene = try Scene()
        let server = OwnServer { request in
            let path = "/v2/a/referrers/\(Self.subject)"
            guard request.path.hasPrefix(path) else { return .answer(404) }
            // One that leaves the filtering to whoever asks.
            return request.path.contains("last=1")
                ? .answer(200, [:], Self.referrers(["example/sbom"]))
                : .answer(
                    200, ["Link": "<\(path)?last=1>; rel=\"next\""],
                    Self.referrers(["example/signature", "example/sbom"]))
        }
        defer { server.stop() }
        let name = try ImageReference("\(server.host)/a@\(Self.subject)")
        let all = try Pull.referrers(to: name, artifactType: nil, options: scene.options)
        #expect(all.map(\.artifactType) == ["example/signature", "example/sbom", "example/sbom"])
        let some = try Pull.referrers(to: name, artifactType: "example/signature", options: scene.options)
        #expect(some.map(\.artifactType) == ["example/signature"])
        #expect(server.requests.contains { $0.path.hasSuffix("?artifactType=example%2Fsignature") })
    }

    @Test func `a registry without a list of what refers to an image has it by a tag, or has nothing`() throws {
        let scene = try Scene()
        let registry = OwnRegistry(Self.image)
        let tag = "/v2/a/manifests/sha256-\(Self.subject.hex)"
        let server = OwnServer { request in
            request.path == tag
                ? .answer(200, ["Content-Type": "\(MediaType.ociIndex)"], Self.referrers(["example/sbom"]))
                : registry.answer(request)
        }
        defer { server.stop() }
        let found = try Pull.referrers(
            to: try ImageReference("\(server.host)/a"), artifactType: nil, options: scene.options)
        #expect(found.map(\.artifactType) == ["example/sbom"])
        let none = OwnServer { registry.answer($0) }
        defer { none.stop() }
        #expect(
            try Pull.referrers(to: try ImageReference("\(none.host)/a"), artifactType: nil, options: scene.options)
                == [])
    }

    @Test func `a proxy is told which server is meant, and who asks`() throws {
        let scene = try Scene()
        try scene.write("[[registry]]\nlocation = 'registry.invalid'\ninsecure = true", to: "registries.conf")
        let paths = Self.image.paths
        let proxy = OwnServer { request in
            guard request.path.hasPrefix("http://registry.invalid/"),
                let (type, bytes) = paths[String(request.path.dropFirst("http://registry.invalid".count))]
            else { return .answer(404) }
            return .answer(200, ["Content-Type": type], bytes, isHead: request.method == "HEAD")
        }
        defer { proxy.stop() }
        try scene.pull("registry.invalid/a") {
            $0.registry.environment = ["http_proxy": "http://ann:p%40ss@\(proxy.host)"]
        }
        #expect(proxy.requests.count == 4)
        for request in proxy.requests {
            #expect(request.headers["host"] == "registry.invalid")
            #expect(request.headers["proxy-authorization"] == "Basic YW5uOnBAc3M=")
        }
    }

    @Test func `a proxy that wants a password says so`() throws {
        let scene = try Scene()
        try scene.write("[[registry]]\nlocation = 'registry.invalid'\ninsecure = true", to: "registries.conf")
        let proxy = OwnServer { _ in .answer(407) }
        defer { proxy.stop() }
        let text = scene.failure(pulling: "registry.invalid/a") {
            $0.registry.environment = ["http_proxy": "http://\(proxy.host)"]
        }
        #expect(text.contains("the proxy wants another user or password"))
    }
}
