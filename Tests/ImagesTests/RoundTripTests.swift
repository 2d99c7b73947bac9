import CLinux
import Glibc
import Images
import Linux
import OCI
import SystemPackage
import Testing

@Suite struct `layers that are written` {
    /// Makes files of every kind that this user can make.
    private func makeTree(_ path: String) throws {
        let here = FileDescriptor.workingDirectory
        try here.makeDirectories("\(path)/d/e")
        func write(_ name: String, _ content: String) throws {
            let file = try here.open("\(path)/\(name)", O_WRONLY | O_CREAT, mode: 0o644)
            defer { file.closeQuietly() }
            try file.writeFully(content.utf8)
        }
        try write("d/file", "content")
        try write("d/setuid", "x")
        chmod("\(path)/d/setuid", 0o4755)
        try write("empty", "")
        link("\(path)/d/file", "\(path)/z-link")
        symlink("/does/not/exist", "\(path)/soft")
        mkfifo("\(path)/fifo", 0o640)
        let sparse = try here.open("\(path)/sparse", O_WRONLY | O_CREAT, mode: 0o600)
        defer { sparse.closeQuietly() }
        Glibc.pwrite(sparse.rawValue, "end", 3, 1 << 20)
        ftruncate(sparse.rawValue, 2 << 20)
        setxattr("\(path)/d/file", "user.note", "a\u{0}b", 3, 0)
        setxattr("\(path)/d", "user.dir", "1", 1, 0)
        let raw: [CChar] = path.utf8CString.dropLast() + [0x2F, 0x62, -1, -2, 0]
        close(open(raw, O_WRONLY | O_CREAT, 0o644))
        try write(String(repeating: "n", count: 120), "long")
        if geteuid() == 0 {
            chown("\(path)/d/file", 1000, 70_000)
            lchown("\(path)/soft", 5, 6)
            mknod("\(path)/null", S_IFCHR | 0o666, 0x103)
            let capability: [UInt8] = [1, 0, 0, 2, 0, 4, 0, 0] + [UInt8](repeating: 0, count: 12)
            setxattr("\(path)/empty", "security.capability", capability, capability.count, 0)
        }
        var times = [
            timespec(tv_sec: 1_500_000_000, tv_nsec: 123_456_789),
            timespec(tv_sec: 1_500_000_000, tv_nsec: 987_654_321),
        ]
        for name in ["d/file", "soft", "d/e", "d", "fifo", ""] {
            utimensat(AT_FDCWD, "\(path)/\(name)", &times, AT_SYMLINK_NOFOLLOW)
        }
    }

    private func withTree(_ body: (String) throws -> Void) throws {
        let path = TestStore.temporaryPath("tree")
        defer { try? FileDescriptor.workingDirectory.removeTree(path) }
        try makeTree(path)
        try body(path)
    }

    private func layer(_ store: ImageStore, _ path: String, _ compression: LayerCompression = .gzip) throws -> NewLayer
    {
        let directory = try FileDescriptor.workingDirectory.open(path, O_RDONLY | O_DIRECTORY)
        defer { directory.closeQuietly() }
        return try store.makeLayer(ofUpper: directory, compression: compression)
    }

    private static let step = ImageConfig.History(created: "2024-02-03T04:05:06Z", createdBy: "test")

    @Test(arguments: LayerCompression.allCases)
    func `every kind of file comes back as it was`(compression: LayerCompression) throws {
        try withTree { path in
            let test = try TestStore()
            let record = try test.store.makeImage(
                from: nil, adding: layer(test.store, path, compression), step: Self.step, as: [ImageReference("a")])
            let expected = try listing(of: path)
            #expect(expected.count > 10)
            #expect(try listing(of: test.diff(record)) == expected)
        }
    }

    @Test func `the same files always make the same layer`() throws {
        try withTree { path in
            let one = try TestStore()
            let other = try TestStore()
            for compression in LayerCompression.allCases {
                #expect(
                    try layer(one.store, path, compression).descriptor
                        == layer(other.store, path, compression).descriptor)
            }
        }
    }

    @Test(.enabled(if: geteuid() == 0, "needs root: marks of overlays"))
    func `what a container has removed becomes the marks of layers, and these the marks of overlays`() throws {
        let path = TestStore.temporaryPath("upper")
        defer { try? FileDescriptor.workingDirectory.removeTree(path) }
        try FileDescriptor.workingDirectory.makeDirectories("\(path)/opaque")
        mknod("\(path)/gone", S_IFCHR, 0)
        setxattr("\(path)/opaque", "trusted.overlay.opaque", "y", 1, 0)
        let test = try TestStore()
        var lower = TarBuilder()
        lower.add("gone", data: [1])
        lower.add("opaque/f", data: [1])
        let base = try test.add("base", [lower.finished()])
        let record = try test.store.makeImage(
            from: base, adding: layer(test.store, path), step: Self.step, as: [ImageReference("a")])
        let diff = test.diff(record, 1)
        let gone = try FileDescriptor.workingDirectory.status(of: "\(diff)/gone")
        #expect(gone.st_mode & S_IFMT == S_IFCHR && gone.st_rdev == 0)
        #expect(attributes(of: "\(diff)/opaque").contains("trusted.overlay.opaque=79"))
        let again = try layer(test.store, diff)
        #expect(try again.diffID == test.store.config(of: record).rootfs.diffIDs[1])
    }

    @Test func `owners can be mapped, and files left out`() throws {
        try withTree { path in
            let test = try TestStore()
            let directory = try FileDescriptor.workingDirectory.open(path, O_RDONLY | O_DIRECTORY)
            defer { directory.closeQuietly() }
            let owner = geteuid()
            let layer = try test.store.makeLayer(
                ofUpper: directory, owners: { uid, gid in (uid == owner ? owner : 0, gid == 70_000 ? 0 : gid) },
                leavesOut: { $0 == "/d/e" || $0 == "/soft" })
            let record = try test.store.makeImage(from: nil, adding: layer, step: Self.step, as: [])
            let files = try listing(of: test.diff(record))
            #expect(!files.contains { $0.hasPrefix("/d/e ") || $0.hasPrefix("/soft ") })
            #expect(!files.contains { $0.contains(":70000") })
        }
    }
}

@Suite struct `saved images` {
    private func layer(_ name: String) -> [UInt8] {
        var tar = TarBuilder()
        tar.add(name, data: Array(name.utf8))
        return tar.finished()
    }

    private func save(_ store: ImageStore, _ names: [String], _ format: SaveFormat) throws -> [UInt8] {
        var images: [SavedImage] = []
        for name in names {
            images.append(SavedImage(try #require(try store.find(name)), as: [try ImageReference(name)]))
        }
        var bytes: [UInt8] = []
        try store.save(images, format) { bytes += $0 }
        return bytes
    }

    private func load(_ bytes: [UInt8], into store: ImageStore) throws -> [LoadedImage] {
        let path = TestStore.temporaryPath("archive")
        defer { unlink(path) }
        let file = try FileDescriptor.workingDirectory.open(path, O_RDWR | O_CREAT)
        defer { file.closeQuietly() }
        try file.writeFully(bytes)
        lseek(file.rawValue, 0, SEEK_SET)
        return try store.load(from: file, named: "archive")
    }

    @Test(arguments: [SaveFormat.docker, .oci])
    func `several are loaded as they were, with their names`(format: SaveFormat) throws {
        let one = try TestStore()
        let first = try one.add("a:1", [layer("base"), layer("x")])
        let second = try one.add("localhost/b:2", [layer("base"), layer("y")])
        let bytes = try save(one.store, ["a:1", "localhost/b:2"], format)
        let other = try TestStore()
        let loaded = try load(bytes, into: other.store)
        #expect(loaded.map(\.record.id) == [first.id, second.id])
        #expect(try other.store.list().map(\.name) == ["docker.io/library/a:1", "localhost/b:2"])
        #expect(try other.leftovers.isEmpty)
        #expect(try save(other.store, ["a:1", "localhost/b:2"], format) == bytes)
    }

    @Test func `an archive of Docker's older form is loaded, with layers that are links`() throws {
        let config = ImageConfig(diffIDs: [.of(layer("base")), .of(layer("base"))]).json()
        let id = Digest.of(config).hex
        var tar = TarBuilder()
        tar.add("1/VERSION", data: Array("1.0".utf8))
        tar.add("1/json", data: Array("{}".utf8))
        tar.add("1/layer.tar", data: layer("base"))
        tar.add("2/layer.tar", .symlink, link: "../1/layer.tar")
        tar.add("\(id).json", data: config)
        tar.add(
            "manifest.json",
            data: Array(#"[{"Config":"\#(id).json","RepoTags":["old:1"],"Layers":["1/layer.tar","2/layer.tar"]}]"#.utf8)
        )
        let test = try TestStore()
        let loaded = try load(tar.finished(), into: test.store)
        #expect(loaded.map(\.record.id.hex) == [id])
        #expect(try test.store.find("old:1")?.layers.count == 2)
    }

    @Test(arguments: [
        (#"[{"Config":"c.json","RepoTags":["a"],"Layers":[]}]"#, "'c.json' is missing"),
        (#"[{"Config":"../c.json","RepoTags":["a"],"Layers":[]}]"#, "'../c.json' is missing"),
        ("{}", "images: expected a list"), ("[]", "has no image"), (#"[{"Config":7}]"#, "images[0].Config"),
    ])
    func `a wrong list of images is refused, and leaves nothing`(json: String, reason: String) throws {
        var tar = TarBuilder()
        tar.add("manifest.json", data: Array(json.utf8))
        tar.add("some.tar", data: layer("x"))
        let test = try TestStore()
        let failure = #expect(throws: Failure.self) { try load(tar.finished(), into: test.store) }
        #expect(failure?.description.contains(reason) == true, "\(failure?.description ?? "")")
        #expect(!test.store.has(blob: .of(layer("x"))))
        #expect(try test.leftovers.isEmpty)
    }

    @Test func `what is no archive of images is refused`() throws {
        let test = try TestStore()
        #expect(throws: Failure.self) { try load(layer("x"), into: test.store) }
        #expect(throws: Failure.self) { try load([], into: test.store) }
        #expect(throws: Failure.self) { try load([UInt8](repeating: 1, count: 3000), into: test.store) }
    }

    @Test func `the root of a machine is imported from a tar`() throws {
        let test = try TestStore()
        let archive = layer("root")
        var offset = 0
        let new = try test.store.makeLayer(ofArchive: { (buffer) throws(Failure) in
            let count = min(buffer.count, archive.count - offset)
            buffer.copyBytes(from: archive[offset..<offset + count])
            offset += count
            return count
        })
        let record = try test.store.makeImage(
            from: nil, adding: new, step: .init(comment: "imported"), as: [ImageReference("imported")])
        #expect(try listing(of: test.diff(record)).count == 1)
    }
}
