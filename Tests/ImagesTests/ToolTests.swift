import CLinux
import Glibc
import Images
import Linux
import SystemPackage
import Testing

/// Images between Apus and other tools, both ways.
@Suite(.enabled(if: geteuid() == 0, "needs root: owners and devices")) struct `other tools` {
    private func run(_ command: String) throws {
        let log = TestStore.temporaryPath("log")
        defer { unlink(log) }
        let status = system("{ \(command); } >\(log) 2>&1")
        let output = try FileDescriptor.workingDirectory.contents(of: log, limit: 1 << 20)
        try #require(status == 0, "\(command): \(String(decoding: output, as: UTF8.self))")
    }

    /// Every kind of file, in two layers, the second of which removes something.
    private func makeImage(_ test: TestStore) throws -> ImageRecord {
        var lower = TarBuilder()
        lower.add("./", .directory, mode: 0o755)
        lower.add("./d/", .directory, mode: 0o1777, uid: 1, gid: 2)
        lower.add(
            "./d/f", data: Array("content".utf8), mode: 0o4755, uid: 1000, gid: 70_000,
            pax: [("mtime", Array("1600000001.123456789".utf8)), ("SCHILY.xattr.user.a", [1, 0, 2])])
        lower.add("./d/hard", .hardLink, link: "./d/f")
        lower.add("./d/soft", .symlink, link: "/nowhere", mode: 0o777)
        lower.add("./fifo", .fifo)
        lower.add("./null", .characterDevice, mode: 0o666, device: (1, 3))
        lower.add("./gone", data: [1])
        lower.add("./old/", .directory, mode: 0o755)
        lower.add("./old/x", data: [1])
        var upper = TarBuilder()
        upper.add(".wh.gone")
        upper.add("old/", .directory, mode: 0o755)
        upper.add("old/.wh..wh..opq")
        upper.add("old/new", data: [2])
        return try test.add("localhost/image:1", [lower.finished(), upper.finished()])
    }

    private func saved(_ record: ImageRecord) throws -> [SavedImage] {
        [SavedImage(record, as: [try ImageReference("localhost/image:1")])]
    }

    @Test func `umoci unpacks a layout as it was`() throws {
        let test = try TestStore()
        try test.store.save(
            saved(try makeImage(test)), to: Transport(.oci, path: "\(test.path)/layout", reference: "x"))
        try run("umoci unpack --image \(test.path)/layout:x \(test.path)/bundle")
        let files = try listing(of: "\(test.path)/bundle/rootfs")
        #expect(
            files.map { String($0.split(separator: " ")[0]) } == [
                "/d", "/d/f", "/d/hard", "/d/soft", "/fifo", "/null", "/old", "/old/new",
            ])
        #expect(files[1].contains(" 104755 1000:70000 1600000001.123456789 user.a=1.0.2 link of itself"))
    }

    @Test func `skopeo reads the store itself`() throws {
        let test = try TestStore()
        _ = try makeImage(test)
        try run("skopeo inspect oci:\(test.path)/images:localhost/image:1")
    }

    @Test(arguments: ["oci", "oci-archive", "docker-archive", "dir"])
    func `skopeo reads what is saved, and what it writes is loaded as the same image`(kind: String) throws {
        let test = try TestStore()
        let record = try makeImage(test)
        let place = try #require(Transport.Kind(rawValue: kind))
        let suffix = place == .oci ? ":x" : place == .dockerArchive ? ":localhost/image:1" : ""
        try test.store.save(
            saved(record), to: Transport(place, path: "\(test.path)/ours", reference: place == .oci ? "x" : nil))
        try run("skopeo copy \(kind):\(test.path)/ours\(suffix) \(kind):\(test.path)/theirs\(suffix)")
        let other = try TestStore()
        let loaded = try other.store.load(
            Transport(place, path: "\(test.path)/theirs"), as: [ImageReference("localhost/image:1")])
        #expect(loaded.count == 1)
        let diffIDs = try test.store.config(of: record).rootfs.diffIDs
        #expect(try other.store.config(of: loaded[0].record).rootfs.diffIDs == diffIDs)
        for index in 0..<2 {
            let (ours, theirs) = (test.diff(record, index), other.diff(loaded[0].record, index))
            #expect(try listing(of: ours) == listing(of: theirs))
        }
    }

    @Test func `podman loads an archive, and writes out what Apus loads`() throws {
        let test = try TestStore()
        let record = try makeImage(test)
        try test.store.save(saved(record), to: Transport(.dockerArchive, path: "\(test.path)/ours.tar"))
        // Its own limit for this path is 50 characters.
        let folder = "/tmp/apus-podman-\(getpid())"
        defer { try? FileDescriptor.workingDirectory.removeTree(folder) }
        let podman = "podman --root \(folder)/root --runroot \(folder)/run --storage-driver vfs"
        try run("\(podman) load -i \(test.path)/ours.tar")
        try run("\(podman) save -o \(test.path)/theirs.tar localhost/image:1")
        let other = try TestStore()
        let loaded = try other.store.load(Transport(.dockerArchive, path: "\(test.path)/theirs.tar"))
        #expect(loaded.map(\.record.name) == ["localhost/image:1"])
        #expect(try listing(of: other.diff(loaded[0].record)) == listing(of: test.diff(record)))
    }
}
