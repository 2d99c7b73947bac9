import Images
import Linux
import Testing

@Suite struct `image references` {
    @Test(arguments: [
        ("alpine", "docker.io/library/alpine:latest", "alpine:latest"),
        ("alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20"),
        ("user/app", "docker.io/user/app:latest", "user/app:latest"),
        ("docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest"),
        ("index.docker.io/library/alpine", "docker.io/library/alpine:latest", "alpine:latest"),
        ("docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
        ("localhost:5000/app:v1", "localhost:5000/app:v1", "localhost:5000/app:v1"),
        ("quay.io/a/b/c", "quay.io/a/b/c:latest", "quay.io/a/b/c:latest"),
        ("UPPER/app", "UPPER/app:latest", "UPPER/app:latest"),
        ("[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"),
        ("127.0.0.1:80/a__b", "127.0.0.1:80/a__b:latest", "127.0.0.1:80/a__b:latest"),
        ("a-----b.c_d", "docker.io/library/a-----b.c_d:latest", "a-----b.c_d:latest"),
        ("docker.io/a.b/c", "docker.io/a.b/c:latest", "docker.io/a.b/c:latest"),
        ("alpine:5000", "docker.io/library/alpine:5000", "alpine:5000"),
        ("a:Tag_1.2-x", "docker.io/library/a:Tag_1.2-x", "a:Tag_1.2-x"),
    ])
    func `are read as Docker reads them`(text: String, canonical: String, familiar: String) throws {
        let reference = try ImageReference(text)
        #expect(reference.canonical == canonical)
        #expect(reference.familiar == familiar)
        #expect(try ImageReference(reference.familiar) == reference)
        #expect(try ImageReference(reference.canonical) == reference)
    }

    @Test func `a digest takes the place of the tag, or stands beside it`() throws {
        let digest = "sha256:" + String(repeating: "0f", count: 32)
        let plain = try ImageReference("alpine@\(digest)")
        #expect(plain.tag == nil && plain.digest?.description == digest)
        #expect(plain.familiar == "alpine@\(digest)")
        let both = try ImageReference("localhost:5000/alpine:3@\(digest)")
        #expect(both.tag == "3" && both.canonical == "localhost:5000/alpine:3@\(digest)")
    }

    @Test(arguments: [
        "", ":", "@", "/", "a/", "/a", "a//b", "Alpine", "user/App", "a:", "a:-x", "a:b:c", "a b", "a\n", "-a", "a-",
        "a_",
        "a___b", "a..b", "a._b", "a@sha256:12", "a@md5:00", "http://a/b", "a.b:/c", "a.b:x/c", "[::1/a", "[]/a", "..",
        "../a",
        "a/../b", ".a/b", "ä", String(repeating: "a", count: 256), "a:" + String(repeating: "t", count: 129),
        String(repeating: "0f", count: 32),
    ])
    func `others are refused in one line`(text: String) {
        let failure = #expect(throws: Failure.self) { try ImageReference(text) }
        #expect(failure?.description.hasPrefix("invalid reference format: ") == true)
        #expect(failure?.description.contains("\n") == false)
    }
}

@Suite struct `digests` {
    @Test func `are those of FIPS 180-4`() {
        #expect(
            Digest.of(Array("abc".utf8)).description
                == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        var hasher = Digest.Hasher(.sha512)
        Array("abc".utf8).withUnsafeBytes { hasher.update($0) }
        #expect(hasher.finish().hex.hasPrefix("ddaf35a193617abacc417349ae204131"))
    }

    @Test(arguments: ["", "sha256:", "sha256:AB", "sha1:00", "sha256:" + String(repeating: "g", count: 64)])
    func `others are refused`(text: String) {
        #expect(throws: Failure.self) { try Digest(text) }
    }
}

@Suite struct `platforms` {
    @Test(arguments: [
        ("linux/amd64", "linux/amd64"), ("amd64", "linux/amd64"), ("linux/x86_64", "linux/amd64"),
        ("arm64", "linux/arm64"), ("linux/arm64/v8", "linux/arm64"), ("linux/arm", "linux/arm/v7"),
        ("linux/arm/v6", "linux/arm/v6"), ("Linux/AArch64", "linux/arm64"),
    ])
    func `are read as Docker reads them`(text: String, expected: String) throws {
        #expect(try Platform(text).description == expected)
    }

    @Test(arguments: ["", "/", "a/b/c/d", "linux/", "linux/am d64"])
    func `others are refused`(text: String) {
        #expect(throws: Failure.self) { try Platform(text) }
    }

    @Test func `the newest variant that runs is chosen`() throws {
        func entry(_ platform: String, _ digit: Character) throws -> Descriptor {
            Descriptor(
                mediaType: .ociManifest, digest: try Digest("sha256:" + String(repeating: digit, count: 64)), size: 1,
                platform: try Platform(platform))
        }
        let index = ImageIndex(manifests: [
            try entry("linux/arm/v5", "5"), try entry("linux/arm/v7", "7"), try entry("linux/arm/v6", "6"),
            try entry("linux/amd64", "a"), try entry("windows/amd64", "b"),
        ])
        #expect(index.best(for: try Platform("linux/arm/v6"))?.digest.hex.first == "6")
        #expect(index.best(for: try Platform("linux/arm"))?.digest.hex.first == "7")
        #expect(index.best(for: try Platform("linux/amd64"))?.digest.hex.first == "a")
        #expect(index.best(for: try Platform("linux/riscv64")) == nil)
    }
}
