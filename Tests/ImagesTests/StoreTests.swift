import CLinux
import Glibc
import Images
import Linux
import OCI
import SystemPackage
import Testing

@Suite struct `the store` {
    private func layer(_ name: String, _ content: String = "x") -> [UInt8] {
        var tar = TarBuilder()
        tar.add(name, data: Array(content.utf8))
        return tar.finished()
    }

    private func descriptor(_ bytes: [UInt8], size: Int? = nil) -> Descriptor {
        Descriptor(mediaType: .ociLayer, digest: .of(bytes), size: Int64(size ?? bytes.count))
    }

    private func append(_ bytes: [UInt8], to ingest: BlobIngest) throws {
        try bytes.withUnsafeBytes { try ingest.append($0) }
    }

    // MARK: Blobs

    @Test func `an interrupted blob goes on where it was`() throws {
        let test = try TestStore()
        let bytes = [UInt8](repeating: 7, count: 100_000)
        do {
            let ingest = try test.store.ingest(descriptor(bytes))
            try append(Array(bytes[..<60_000]), to: ingest)
            let failure = #expect(throws: Failure.self) { try ingest.finish() }
            #expect(failure?.reason == "ended after 60000 of 100000 bytes")
        }
        #expect(!test.store.has(blob: .of(bytes)))
        let ingest = try test.store.ingest(descriptor(bytes))
        #expect(ingest.offset == 60_000 && ingest.isResumed)
        try append(Array(bytes[60_000...]), to: ingest)
        _ = try ingest.finish()
        #expect(try test.store.contents(of: .of(bytes), limit: 1 << 20) == bytes)
        #expect(try test.leftovers.isEmpty)
    }

    @Test func `wrong bytes are thrown away`() throws {
        let test = try TestStore()
        let ingest = try test.store.ingest(descriptor([1, 2, 3]))
        try append([1, 2, 4], to: ingest)
        let failure = #expect(throws: Failure.self) { try ingest.finish() }
        #expect(failure?.reason.hasPrefix("what came has the digest sha256:") == true)
        #expect(try !test.store.has(blob: .of([1, 2, 3])) && test.leftovers.isEmpty)
    }

    @Test func `more bytes than announced are refused`() throws {
        let test = try TestStore()
        let ingest = try test.store.ingest(descriptor([1, 2, 3]))
        #expect(throws: Failure.self) { try append([1, 2, 3, 4], to: ingest) }
        #expect(try test.leftovers.isEmpty)
    }

    @Test func `a blob that is there is not stored again, and one of another size is no such blob`() throws {
        let test = try TestStore()
        try test.store.add([1, 2, 3], as: .ociLayer)
        #expect(try test.store.ingest(descriptor([1, 2, 3])).isComplete)
        #expect(throws: Failure.self) { try test.store.ingest(descriptor([1, 2, 3], size: 4)) }
    }

    @Test func `two do not store one blob at a time, and the second finds it`() throws {
        let test = try TestStore()
        let first = try test.store.ingest(descriptor([1, 2, 3]))
        #expect(try test.store.ingest(descriptor([1, 2, 3]), wait: false) == nil)
        try append([1, 2, 3], to: first)
        let held = try first.finish()
        #expect(try test.store.ingest(descriptor([1, 2, 3]), wait: false)?.isComplete == true)
        withExtendedLifetime(held) {}
    }

    @Test func `a damaged blob is not read`() throws {
        let test = try TestStore()
        let (blob, _) = try test.store.add([1, 2, 3], as: .ociConfig)
        let path = "\(test.path)/images/blobs/sha256/\(blob.digest.hex)"
        try FileDescriptor.workingDirectory.write("abc", to: path)
        #expect(throws: Failure.self) { try test.store.contents(of: blob.digest, limit: 10) }
    }

    // MARK: Names

    @Test func `an image is found by name, ID, beginning of the ID and digest`() throws {
        let test = try TestStore()
        let record = try test.add("localhost:5000/a/b:1", [layer("f")])
        #expect(try test.store.find("localhost:5000/a/b:1") == record)
        #expect(try test.store.find(record.id.hex) == record)
        #expect(try test.store.find("\(record.id)") == record)
        #expect(try test.store.find(String(record.id.hex.prefix(7))) == record)
        #expect(try test.store.find("localhost:5000/a/b@\(record.manifest.digest)") == record)
        #expect(try test.store.find("localhost:5000/a/b:1@\(record.manifest.digest)") == record)
        #expect(try test.store.find("localhost:5000/a/b:1@\(Digest.of([1]))") == nil)
        #expect(try test.store.find("localhost:5000/a/b") == nil)
        #expect(try test.store.find("localhost:5000/a") == nil)
    }

    @Test func `a name that another image takes leaves one without a name`() throws {
        let test = try TestStore()
        let old = try test.add("a", [layer("old")])
        let new = try test.add("a", [layer("new")])
        let records = try test.store.list()
        #expect(records.count == 2)
        #expect(try test.store.find("a")?.id == new.id)
        #expect(records.first { $0.name == nil }?.id == old.id)
        // The same image again is no new one.
        try test.add("a", [layer("new")])
        #expect(try test.store.list().count == 2)
    }

    @Test func `tags come and go, and the image with the last`() throws {
        let test = try TestStore()
        let record = try test.add("a", [layer("f")])
        try test.store.tag("a", as: ImageReference("user/b:2"))
        #expect(try test.store.records(of: record.id).count == 2)
        let first = try test.store.remove("a", force: false) { [] }
        #expect(first.steps == [.untagged("a:latest")])
        let last = try test.store.remove("user/b:2", force: false) { [] }
        #expect(last.steps == [.untagged("user/b:2"), .deleted(record.id), .deleted(record.layers[0])])
        #expect(try test.store.list().isEmpty && test.store.allLayers().isEmpty)
        #expect(!test.store.has(blob: record.id) && !test.store.has(blob: record.manifest.digest))
        // Nothing of the name is left.
        #expect(!FileDescriptor.workingDirectory.has("\(test.path)/images/names/docker.io"))
    }

    @Test func `an ID with names in several repositories wants force`() throws {
        let test = try TestStore()
        let record = try test.add("a", [layer("f")])
        try test.store.tag("a", as: ImageReference("b"))
        let failure = #expect(throws: Failure.self) { try test.store.remove(record.id.hex, force: false) { [] } }
        #expect(failure?.description.contains("a:latest, b:latest") == true)
        let removed = try test.store.remove(record.id.hex, force: true) { [] }
        #expect(removed.steps.contains(.deleted(record.id)))
    }

    @Test func `layers are shared and go with the last image that needs them`() throws {
        let test = try TestStore()
        let one = try test.add("one", [layer("base"), layer("one")])
        let two = try test.add("two", [layer("base"), layer("two")])
        #expect(one.layers[0] == two.layers[0])
        #expect(try test.store.allLayers().count == 3)
        _ = try test.store.remove("one", force: false) { [] }
        #expect(try Set(test.store.allLayers().keys) == Set(two.layers))
        #expect(try listing(of: test.diff(two)).count == 1)
    }

    @Test func `index json speaks of every image to other tools`() throws {
        let test = try TestStore()
        let record = try test.add("a:1", [layer("f")])
        let json = try FileDescriptor.workingDirectory.contents(of: "\(test.path)/images/index.json", limit: 1 << 20)
        let index = try ImageIndex(json: json, as: .ociIndex, of: "store")
        #expect(index.manifests.map(\.digest) == [record.manifest.digest])
        #expect(index.manifests[0].annotations?["org.opencontainers.image.ref.name"] == "docker.io/library/a:1")
    }

    // MARK: Removal

    @Test func `prune leaves what is held and what containers need`() throws {
        let test = try TestStore()
        let kept = try test.add("kept", [layer("kept")])
        let used = try test.add("used", [layer("base"), layer("used")])
        let held = try test.add("held", [layer("held")])
        let gone = try test.add("gone", [layer("gone")])
        do {
            let hold = try test.store.open(layer: held.layers[0])
            let partial = try test.store.ingest(descriptor([1, 2, 3]))
            try append([1], to: partial)
            do {
                let abandoned = try test.store.ingest(descriptor([4, 5, 6]))
                try append([4], to: abandoned)
            }
            let removed = try test.store.prune(where: { $0.name != kept.name }, inUse: { [used.layers[1]] })
            #expect(removed.steps.contains(.deleted(gone.layers[0])))
            #expect(removed.bytes > 0)
            #expect(try Set(test.store.allLayers().keys) == Set(kept.layers + used.layers + held.layers))
            #expect(try test.leftovers.count == 1)
            withExtendedLifetime((hold, partial)) {}
        }
        _ = try test.store.prune(where: { _ in false }, inUse: { [] })
        #expect(try Set(test.store.allLayers().keys) == Set(kept.layers))
    }

    @Test func `what a pull has put together so far is safe from prune`() throws {
        let test = try TestStore()
        let layers = [layer("f")]
        let config = ImageConfig(diffIDs: layers.map { Digest.of($0) }).json()
        let manifest = Manifest(
            config: Descriptor(mediaType: .ociConfig, digest: .of(config), size: Int64(config.count)),
            layers: [descriptor(layers[0])])
        let assembly = try ImageAssembly(
            in: test.store, image: "a", manifest: manifest.json(), as: .ociManifest, config: config)
        let ingest = try test.store.ingest(assembly.missing[0])
        try assembly.unpack(ingest)
        try append(layers[0], to: ingest)
        _ = try test.store.prune(where: { _ in true }, inUse: { [] })
        assembly.hold(try ingest.finish())
        _ = try test.store.prune(where: { _ in true }, inUse: { [] })
        let record = try assembly.finish(as: [ImageReference("a")])
        for blob in record.blobs { #expect(test.store.has(blob: blob)) }
        #expect(try listing(of: test.diff(record)).count == 1)
    }

    @Test func `a foreign layer and a layer of no known kind are refused`() throws {
        for (type, reason) in [
            ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "is kept elsewhere"),
            ("application/octet-stream", "is no layer's"),
        ] {
            let test = try TestStore()
            let config = ImageConfig(diffIDs: [.of([1])]).json()
            var foreign = descriptor([1])
            foreign.mediaType = MediaType(rawValue: type)
            let manifest = Manifest(
                config: Descriptor(mediaType: .ociConfig, digest: .of(config), size: Int64(config.count)),
                layers: [foreign])
            let failure = #expect(throws: Failure.self) {
                try ImageAssembly(
                    in: test.store, image: "a", manifest: manifest.json(), as: .ociManifest, config: config)
            }
            #expect(failure?.description.contains(reason) == true)
        }
    }

    @Test func `the history has the sizes of the layers that its steps made`() throws {
        let test = try TestStore()
        let base = try test.add("a", [layer("f", "12345")])
        let record = try test.store.makeImage(
            from: base, adding: nil, step: .init(created: "2024-02-03T04:05:06Z", createdBy: "nothing"),
            as: [ImageReference("b")])
        let history = try test.store.history(of: record)
        #expect(history.map(\.createdBy) == ["nothing", "test"])
        #expect(history.map(\.size) == [0, 5])
        #expect(history[0].id == record.id && history[1].id == nil)
    }
}
