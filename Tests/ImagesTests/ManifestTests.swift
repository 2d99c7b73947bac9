import Images
import Linux
import OCI
import Testing

@Suite struct `manifests` {
    private static let digest = "sha256:" + String(repeating: "ab", count: 32)

    private static func manifest(_ fields: String = "", size: String = "7") -> [UInt8] {
        Array(
            """
            {"schemaVersion":2,\(fields)"config":{"mediaType":"application/vnd.oci.image.config.v1+json",\
            "digest":"\(digest)","size":\(size)},"layers":[]}
            """.utf8)
    }

    @Test func `one is read, and written as it was`() throws {
        let json = Self.manifest(#""mediaType":"application/vnd.oci.image.manifest.v1+json","#)
        let manifest = try Manifest(json: json, as: .ociManifest, of: "a")
        #expect(manifest.config.size == 7 && manifest.layers.isEmpty)
        #expect(manifest.json() == json)
    }

    @Test(arguments: [
        (manifest(), MediaType.ociLayer, "media type 'application/vnd.oci.image.layer.v1.tar' is not an image's"),
        (
            manifest(#""mediaType":"application/vnd.oci.image.index.v1+json","#), .ociManifest,
            "it says that it is 'application/vnd.oci.image.index.v1+json', and is named as"
        ),
        (manifest(size: "-1"), .ociManifest, "config.size: expected at least 0"),
        (manifest(size: "99999999999999999999"), .ociManifest, "config.size: expected an integer"),
        (Array(#"{"schemaVersion":1}"#.utf8), .ociManifest, "schemaVersion: expected 2"),
        (Array("{}".utf8), .ociManifest, "schemaVersion: missing"),
        (Array("[".utf8), .ociManifest, "not valid JSON"),
    ])
    func `a wrong one is refused with the image's name and the reason`(
        json: [UInt8], type: MediaType, reason: String
    ) throws {
        let failure = #expect(throws: Failure.self) { try Manifest(json: json, as: type, of: "alpine:latest") }
        #expect(failure?.subject == "alpine:latest")
        #expect(failure?.description.contains(reason) == true, "\(failure?.description ?? "")")
    }

    @Test func `one of more than 4 MiB is not read`() {
        let json = [UInt8](repeating: 0x20, count: 5 << 20)
        let failure = #expect(throws: Failure.self) { try Manifest(json: json, as: .ociManifest, of: "a") }
        #expect(failure?.reason == "has 5242880 bytes; at most 4194304 are read")
    }

    @Test func `a digest is checked where it is read`() {
        let json = Array(
            #"{"schemaVersion":2,"manifests":[{"mediaType":"a","digest":"sha256:../../x","size":1}]}"#.utf8)
        let failure = #expect(throws: Failure.self) { try ImageIndex(json: json, as: .ociIndex, of: "a") }
        #expect(failure?.reason.contains("manifests[0].digest: expected a digest") == true)
    }
}

@Suite struct `image configurations` {
    @Test func `one of Docker's is read`() throws {
        let json = """
            {"architecture":"amd64","os":"linux","config":{"Env":["A=b"],"Cmd":["sh"],"Entrypoint":null,\
            "ExposedPorts":{"80/tcp":{},"443/tcp":{}},"Volumes":{"/data":{}},"Healthcheck":{"Test":["CMD","true"],\
            "Interval":5000000000},"OnBuild":null,"Labels":null},"container_config":{"Hostname":"x"},\
            "rootfs":{"type":"layers","diff_ids":null},"history":[{"created_by":"x","empty_layer":true}]}
            """
        let config = try ImageConfig(json: Array(json.utf8), of: "a")
        #expect(config.config?.ports == ["443/tcp", "80/tcp"])
        #expect(config.config?.volumePaths == ["/data"])
        #expect(config.config?.healthcheck?.interval == 5_000_000_000)
        #expect(config.history?.first?.emptyLayer == true)
        #expect(try ImageConfig(json: config.json(), of: "a") == config)
    }

    @Test func `chain IDs are those of the specification`() throws {
        let one = try Digest("sha256:" + String(repeating: "1", count: 64))
        let two = try Digest("sha256:" + String(repeating: "2", count: 64))
        let chains = ImageConfig.RootFS(diffIDs: [one, two]).chainIDs
        #expect(chains == [one, Digest.of(Array("\(one) \(two)".utf8))])
    }
}
