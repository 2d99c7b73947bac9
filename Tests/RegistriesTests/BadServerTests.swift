import Images
import Registries
import Synchronization
import Testing

/// A registry that lies, stalls or breaks off: each pull ends with one line that says what was wrong, and the store is
/// as it was.
struct BadServerTests {
    /// One that has `image`, and where `change` gives something else for a request does that.
    private func serve(
        _ image: TestImage, _ change: @escaping @Sendable (OwnServer.Request) -> [OwnServer.Step]? = { _ in nil }
    ) -> OwnServer {
        let paths = image.paths
        return OwnServer { request in
            if let steps = change(request) { return steps }
            guard let (type, bytes) = paths[request.path] else { return .answer(404) }
            return .answer(
                200, ["Content-Type": type, "Docker-Content-Digest": "\(Digest.of(bytes))"], bytes,
                isHead: request.method == "HEAD")
        }
    }

    /// What a pull of `image` from a server that is changed so fails with.
    private func failure(
        _ image: TestImage = TestImage(), isHurried: Bool = false, sourceLocation: SourceLocation = #_sourceLocation,
        _ change: @escaping @Sendable (OwnServer.Request) -> [OwnServer.Step]?
    ) throws -> String {
        let scene = try Scene()
        scene.isHurried = isHurried
        let server = serve(image, change)
        defer { server.stop() }
        let text = scene.failure(pulling: "\(server.host)/a")
        #expect(text.contains("\(server.host)/a:latest"), sourceLocation: sourceLocation)
        #expect(!text.contains("\n"), sourceLocation: sourceLocation)
        try scene.expectNothingBroken(sourceLocation: sourceLocation)
        return text
    }

    private static let image = TestImage()
    private static let layer = Digest.of(image.layers[1])

    private static func isLayer(_ request: OwnServer.Request) -> Bool { request.path.hasSuffix("blobs/\(layer)") }

    private static let layerName = "layer 2 of 2 (\(layer.short))"

    @Test func `an image from a server as it should be is pulled, and the second time by one request`() throws {
        let scene = try Scene()
        let server = serve(Self.image)
        defer { server.stop() }
        let first = try scene.pull("\(server.host)/a")
        #expect(!first.isUpToDate)
        #expect(first.record.layers.count == 2)
        let count = server.requests.count
        let second = try scene.pull("\(server.host)/a")
        #expect(second.isUpToDate)
        #expect(second.record == first.record)
        #expect(server.requests[count...].map(\.method) == ["HEAD"])
    }

    @Test func `a layer with another content is refused`() throws {
        let text = try failure { request in
            var bytes = Self.image.layers[1]
            bytes[600] ^= 1
            return Self.isLayer(request) ? .answer(200, [:], bytes) : nil
        }
        #expect(text.contains("\(Self.layerName): what came has the digest"))
    }

    @Test func `a layer of another size than the manifest says is refused`() throws {
        let text = try failure { Self.isLayer($0) ? .answer(200, [:], Self.image.layers[1] + [0]) : nil }
        #expect(text.contains(Self.layerName))
        #expect(text.contains("announces \(Self.image.layers[1].count + 1) bytes"))
    }

    @Test func `a layer without a length that does not end is cut off at its size`() throws {
        let text = try failure { request in
            guard Self.isLayer(request) else { return nil }
            return [.send([OwnServer.Step].head(200, ["Connection": "close"]))]
                + [OwnServer.Step](repeating: .send([UInt8](repeating: 7, count: 4096)), count: 4) + [.close]
        }
        #expect(text.contains("more than the \(Self.image.layers[1].count) bytes"))
    }

    @Test func `a layer that is always cut off fails after some attempts`() throws {
        let text = try failure { request in
            guard Self.isLayer(request) else { return nil }
            let bytes = Self.image.layers[1]
            return [.send([OwnServer.Step].head(200, ["Content-Length": "\(bytes.count)"]) + bytes[..<100]), .close]
        }
        #expect(text.contains(Self.layerName))
        #expect(text.contains("cut"))
    }

    @Test func `a layer that is cut off goes on by a range, and what came before does not come again`() throws {
        let scene = try Scene()
        let bytes = Self.image.layers[1]
        let server = serve(Self.image) { request in
            guard Self.isLayer(request) else { return nil }
            guard let range = request.headers["range"] else {
                return [
                    .send([OwnServer.Step].head(200, ["Content-Length": "\(bytes.count)"]) + bytes[..<700]), .close,
                ]
            }
            let start = Int(range.split(separator: "=")[1].dropLast())!
            return .answer(
                206, ["Content-Range": "bytes \(start)-\(bytes.count - 1)/\(bytes.count)"], Array(bytes[start...]))
        }
        defer { server.stop() }
        try scene.pull("\(server.host)/a")
        #expect(server.requests.filter(Self.isLayer).compactMap { $0.headers["range"] } == ["bytes=700-"])
    }

    @Test func `a server that ignores ranges gives a layer that was cut off all the same`() throws {
        let scene = try Scene()
        let bytes = Self.image.layers[1]
        let server = serve(Self.image) { request in
            guard Self.isLayer(request), request.headers["range"] == nil else { return nil }
            return [.send([OwnServer.Step].head(200, ["Content-Length": "\(bytes.count)"]) + bytes[..<700]), .close]
        }
        defer { server.stop() }
        #expect(try scene.pull("\(server.host)/a").record.layers.count == 2)
    }

    @Test func `a range that begins elsewhere is refused`() throws {
        let text = try failure { request in
            guard Self.isLayer(request) else { return nil }
            let bytes = Self.image.layers[1]
            guard request.headers["range"] != nil else {
                return [
                    .send([OwnServer.Step].head(200, ["Content-Length": "\(bytes.count)"]) + bytes[..<700]), .close,
                ]
            }
            return .answer(206, ["Content-Range": "bytes 0-\(bytes.count - 1)/\(bytes.count)"], bytes)
        }
        #expect(text.contains("asked for byte 700 on"))
    }

    @Test func `what an interrupted pull has left goes on in the next one, also when it is damaged`() throws {
        let scene = try Scene()
        let bytes = Self.image.layers[1]
        let isBroken = Mutex(true)
        var damaged = bytes
        damaged[600] ^= 1
        let first = damaged
        let server = serve(Self.image) { request in
            guard Self.isLayer(request), isBroken.withLock({ $0 }) else { return nil }
            return [.send([OwnServer.Step].head(200, ["Content-Length": "\(bytes.count)"]) + first[..<700]), .close]
        }
        defer { server.stop() }
        #expect(scene.failure(pulling: "\(server.host)/a").contains(Self.layerName))
        isBroken.withLock { $0 = false }
        #expect(try scene.pull("\(server.host)/a").record.layers.count == 2)
    }

    @Test func `a server that stalls in a layer is given up`() throws {
        let text = try failure(isHurried: true) { request in
            guard Self.isLayer(request) else { return nil }
            let bytes = Self.image.layers[1]
            return [.send([OwnServer.Step].head(200, ["Content-Length": "\(bytes.count)"]) + bytes[..<100]), .stall]
        }
        #expect(text.contains("\(Self.layerName) from"))
        #expect(text.contains("stalled"))
    }

    @Test(arguments: ["blobs/\(layer)", "manifests/latest"])
    func `a server that drips is given up`(path: String) throws {
        let text = try failure(isHurried: true) { request in
            guard request.path.hasSuffix(path), request.method == "GET" else { return nil }
            let bytes = Self.image.layers[1]
            return [.send([OwnServer.Step].head(200, ["Content-Length": "\(bytes.count)"]))]
                + bytes.prefix(200).flatMap { [.send([$0]), .pause(milliseconds: 50)] }
        }
        #expect(text.contains("stalled: but"))
    }

    @Test func `a server that does not answer at all is given up`() throws {
        let text = try failure(isHurried: true) { _ in [.stall] }
        #expect(text.contains("manifest from"))
    }

    @Test(arguments: [429, 500, 502, 503, 504])
    func `an answer that may pass is asked for again`(status: Int) throws {
        let scene = try Scene()
        let left = Mutex(2)
        let server = serve(Self.image) { request in
            guard Self.isLayer(request) else { return nil }
            return left.withLock { left in
                left -= 1
                return left >= 0 ? .answer(status, ["Retry-After": "0"]) : nil
            }
        }
        defer { server.stop() }
        #expect(try scene.pull("\(server.host)/a").record.layers.count == 2)
    }

    @Test(arguments: [(429, "too many requests"), (500, "answers 500"), (403, "denies access"), (404, "not found")])
    func `an answer that does not pass is told`(status: Int, word: String) throws {
        let text = try failure { Self.isLayer($0) ? .answer(status) : nil }
        #expect(text.contains("\(Self.layerName) from"))
        #expect(text.contains(word))
    }

    @Test func `redirects in a circle are refused`() throws {
        let text = try failure { request in
            request.path.hasSuffix("/1")
                ? .answer(307, ["Location": "/v2/2"])
                : request.path.hasSuffix("/2") || Self.isLayer(request) ? .answer(307, ["Location": "/v2/1"]) : nil
        }
        #expect(text.contains("in a circle"))
    }

    @Test func `redirects without an end are refused`() throws {
        let text = try failure { request in
            let number = request.path.split(separator: "/").last.flatMap { Int($0) } ?? 0
            return Self.isLayer(request) || number > 0 ? .answer(307, ["Location": "/r/\(number + 1)"]) : nil
        }
        #expect(text.contains("redirects more than"))
    }

    @Test func `a redirect to what is no address of HTTP is refused`() throws {
        let text = try failure { Self.isLayer($0) ? .answer(307, ["Location": "file:///etc/passwd"]) : nil }
        #expect(text.contains("no address of HTTP"))
    }

    @Test func `a manifest of 100 MB is not read`() throws {
        let text = try failure { request in
            guard request.path.contains("/manifests/"), request.method == "GET" else { return nil }
            return [.send([OwnServer.Step].head(200, ["Content-Length": "104857600"])), .stall]
        }
        #expect(text.contains("104857600 bytes"))
    }

    @Test func `a manifest without a length and without an end is not read`() throws {
        let text = try failure { request in
            guard request.path.contains("/manifests/"), request.method == "GET" else { return nil }
            let piece = [UInt8](repeating: 0x20, count: 1 << 20)
            return [.send([OwnServer.Step].head(200, ["Connection": "close"]))]
                + [OwnServer.Step](repeating: .send(piece), count: 100)
        }
        #expect(text.contains("more than 4194304 bytes"))
    }

    @Test func `a manifest of another digest than the header says is refused`() throws {
        let text = try failure { request in
            guard request.path.contains("/manifests/") else { return nil }
            return .answer(
                200, ["Content-Type": "\(MediaType.ociManifest)", "Docker-Content-Digest": "\(Self.layer)"],
                Self.image.manifest, isHead: request.method == "HEAD")
        }
        #expect(text.contains("digest is \(Digest.of(Self.image.manifest)) instead of \(Self.layer)"))
    }

    @Test(arguments: ["", "{", "[]", #"{"schemaVersion":2}"#, #"{"schemaVersion":1,"config":{},"layers":[]}"#])
    func `a manifest that is none is refused`(json: String) throws {
        let text = try failure { request in
            guard request.path.contains("/manifests/"), request.method == "GET" else { return nil }
            return .answer(200, ["Content-Type": "\(MediaType.ociManifest)"], Array(json.utf8))
        }
        #expect(text.contains("read manifest"))
    }

    @Test func `a page for people in a manifest's place is refused`() throws {
        let text = try failure { request in
            request.path.contains("/manifests/")
                ? .answer(200, ["Content-Type": "text/html; charset=utf-8"], Array("<html>".utf8)) : nil
        }
        #expect(text.contains("'text/html' in a manifest's place"))
    }

    @Test func `an index that leads back to itself is refused`() throws {
        // By its digest none can: a server must lie, and is then caught at the digest.
        let text = try failure { request in
            guard request.path.contains("/manifests/") else { return nil }
            let entry = TestImage.descriptor(Self.image.manifest, "\(MediaType.ociIndex)")
            return .answer(
                200, ["Content-Type": "\(MediaType.ociIndex)"], TestImage.index([entry]),
                isHead: request.method == "HEAD")
        }
        #expect(text.contains("instead of"))
    }

    @Test func `indexes that lead to ever more indexes are refused`() throws {
        var chain: [String: [UInt8]] = [:]
        var top = Self.image.manifest
        var type = "\(MediaType.ociManifest)"
        for _ in 0..<8 {
            let index = TestImage.index([TestImage.descriptor(top, type)])
            chain["/v2/a/manifests/\(Digest.of(index))"] = index
            (top, type) = (index, "\(MediaType.ociIndex)")
        }
        chain["/v2/a/manifests/latest"] = top
        let indexes = chain
        let text = try failure { request in
            indexes[request.path].map {
                .answer(200, ["Content-Type": "\(MediaType.ociIndex)"], $0, isHead: request.method == "HEAD")
            }
        }
        #expect(text.contains("in a row"))
    }

    @Test func `an index without an image for this platform names those that it has`() throws {
        let entry = TestImage.descriptor(
            Self.image.manifest, "\(MediaType.ociManifest)", #","platform":{"os":"linux","architecture":"s390x"}"#)
        let text = try failure { request in
            request.path.contains("/manifests/")
                ? .answer(
                    200, ["Content-Type": "\(MediaType.ociIndex)"], TestImage.index([entry]),
                    isHead: request.method == "HEAD")
                : nil
        }
        #expect(text.contains("no image for platform linux/"))
        #expect(text.contains("linux/s390x"))
    }

    @Test(arguments: [
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "elsewhere"),
        ("application/octet-stream", "no layer"),
    ])
    func `a layer that is none, or is kept elsewhere, is refused`(type: String, word: String) throws {
        let text = try failure(TestImage(layerType: type)) { _ in nil }
        #expect(text.contains("layer"))
        #expect(text.contains(word))
    }

    @Test func `a configuration with another content is refused`() throws {
        let text = try failure { request in
            request.path.hasSuffix("blobs/\(Digest.of(Self.image.config))")
                ? .answer(200, [:], [UInt8](repeating: 0x20, count: Self.image.config.count)) : nil
        }
        #expect(text.contains("configuration \(Digest.of(Self.image.config).short) from"))
    }

    @Test func `a server that refuses every token is asked no more than twice for each thing`() throws {
        let scene = try Scene()
        let port = Mutex<UInt16>(0)
        let server = OwnServer { request in
            if request.path.hasPrefix("/token") { return .answer(200, [:], Array(#"{"token":"x"}"#.utf8)) }
            let realm = "http://127.0.0.1:\(port.withLock { $0 })/token"
            return .answer(401, ["WWW-Authenticate": "Bearer realm=\"\(realm)\",service=\"s\""])
        }
        defer { server.stop() }
        port.withLock { $0 = server.port }
        let text = scene.failure(pulling: "\(server.host)/a")
        #expect(text.contains("wants a user and a password"))
        #expect(text.contains("apus login \(server.host)"))
        #expect(server.requests.count == 3)
        #expect(server.requests.last?.headers["authorization"] == "Bearer x")
        try scene.expectNothingBroken()
    }

    @Test func `credentials do not follow a redirect to another server`() throws {
        let scene = try Scene()
        let other = OwnServer { request in .answer(200, [:], Self.image.layers[1]) }
        let server = serve(Self.image) { request in
            guard request.headers["authorization"] != nil else {
                return .answer(401, ["WWW-Authenticate": "Basic realm=\"r\""])
            }
            return Self.isLayer(request) ? .answer(307, ["Location": "http://\(other.host)/layer"]) : nil
        }
        defer {
            server.stop()
            other.stop()
        }
        try scene.write(#"{"auths":{"\#(server.host)":{"auth":"dXNlcjpzZWNyZXQ="}}}"#, to: "auth.json")
        try scene.pull("\(server.host)/a")
        #expect(server.requests.contains { $0.headers["authorization"] == "Basic dXNlcjpzZWNyZXQ=" })
        #expect(other.requests.count == 1)
        #expect(other.requests.first?.headers["authorization"] == nil)
    }
}
