import CLinux
import Glibc
import Images
import Linux
import SystemPackage
import Testing

@Suite struct `unpacking of layers` {
    private func status(_ path: String) throws -> FileStatus {
        try FileDescriptor.workingDirectory.status(of: path, flags: AT_SYMLINK_NOFOLLOW)
    }

    private func content(_ path: String) throws -> String {
        String(decoding: try FileDescriptor.workingDirectory.contents(of: path, limit: 1 << 20), as: UTF8.self)
    }

    @Test func `every kind of file has what the archive says`() throws {
        var tar = TarBuilder()
        tar.add("./", .directory, mode: 0o755, time: 5)
        tar.add("d/", .directory, mode: 0o2750, time: 1_600_000_000)
        tar.add(
            "d/f", data: Array("hello".utf8), mode: 0o4755,
            pax: [("mtime", Array("1600000001.123456789".utf8)), ("SCHILY.xattr.user.a", [1, 0, 2, 0x0A, 0xFF])])
        tar.add("d/hard", .hardLink, link: "./d/f")
        tar.add("d/soft", .symlink, link: "/etc/passwd", mode: 0o777, time: 7)
        tar.add("fifo", .fifo, mode: 0o600)
        tar.add("long", data: [1], pax: [("path", Array((String(repeating: "n", count: 200) + "/x").utf8))])
        tar.add("raw", data: [1], pax: [("path", [0x62, 0xFF, 0xFE]), ("hdrcharset", Array("BINARY".utf8))])
        let test = try TestStore()
        let diff = test.diff(try test.add("a", [tar.finished()]))
        #expect(try status(diff).st_mtim.tv_sec == 5)
        let directory = try status("\(diff)/d")
        #expect(directory.st_mode & 0o7777 == 0o2750 && directory.st_mtim.tv_sec == 1_600_000_000)
        let file = try status("\(diff)/d/f")
        #expect(file.st_mode & 0o7777 == 0o4755 && file.st_nlink == 2)
        #expect(file.st_mtim.tv_sec == 1_600_000_001 && file.st_mtim.tv_nsec == 123_456_789)
        #expect(attributes(of: "\(diff)/d/f") == ["user.a=1.0.2.a.ff"])
        #expect(try content("\(diff)/d/hard") == "hello")
        let link = try status("\(diff)/d/soft")
        #expect(link.st_mode & S_IFMT == S_IFLNK && link.st_mtim.tv_sec == 7)
        #expect(try status("\(diff)/fifo").st_mode & S_IFMT == S_IFIFO)
        #expect(try status("\(diff)/\(String(repeating: "n", count: 200))/x").st_size == 1)
        let top = try FileDescriptor.workingDirectory.open(diff, O_RDONLY | O_DIRECTORY)
        defer { top.closeQuietly() }
        #expect(top.has(FileName(bytes: [0x62, 0xFF, 0xFE])))
    }

    @Test(.enabled(if: geteuid() == 0, "needs root: owners and devices"))
    func `root gets owners, devices and file capabilities`() throws {
        var tar = TarBuilder()
        // CAP_NET_BIND_SERVICE, effective and permitted, version 2.
        let capability: [UInt8] = [1, 0, 0, 2, 0, 4, 0, 0] + [UInt8](repeating: 0, count: 12)
        tar.add(
            "f", data: [1], mode: 0o755, uid: 1000, gid: 2000, pax: [("SCHILY.xattr.security.capability", capability)])
        tar.add("big", pax: [("uid", Array("3000000000".utf8)), ("gid", Array("7".utf8))])
        tar.add("null", .characterDevice, mode: 0o666, uid: 3, device: (1, 3))
        tar.add("disk", .blockDevice, device: (8, 1))
        tar.add("link", .symlink, link: "f", uid: 9, gid: 9)
        let test = try TestStore()
        let diff = test.diff(try test.add("a", [tar.finished()]))
        let file = try status("\(diff)/f")
        #expect(file.st_uid == 1000 && file.st_gid == 2000)
        #expect(attributes(of: "\(diff)/f").first?.hasPrefix("security.capability=1.0.0.2.0.4.0.0") == true)
        #expect(try status("\(diff)/big").st_uid == 3_000_000_000)
        let null = try status("\(diff)/null")
        #expect(null.st_mode == S_IFCHR | 0o666 && null.st_rdev == 0x103 && null.st_uid == 3)
        #expect(try status("\(diff)/disk").st_rdev == 0x801)
        #expect(try status("\(diff)/link").st_uid == 9)
    }

    @Test func `holes stay holes`() throws {
        // GNU's form 1.0: the map comes before the data, in a block of its own.
        let map = Array("1\n1048576\n5\n".utf8)
        let data = map + [UInt8](repeating: 0, count: 512 - map.count) + Array("hello".utf8)
        var tar = TarBuilder()
        tar.add(
            "GNUSparseFile.0/f", data: data,
            pax: [
                ("GNU.sparse.major", Array("1".utf8)), ("GNU.sparse.minor", Array("0".utf8)),
                ("GNU.sparse.name", Array("f".utf8)), ("GNU.sparse.realsize", Array("4194304".utf8)),
            ])
        let test = try TestStore()
        let diff = test.diff(try test.add("a", [tar.finished()]))
        let file = try status("\(diff)/f")
        #expect(file.st_size == 4_194_304 && file.st_blocks < 64)
    }

    @Test func `of entries with one name the last counts`() throws {
        var tar = TarBuilder()
        tar.add("a", data: Array("first".utf8))
        tar.add("a", data: Array("last".utf8))
        tar.add("b", .directory)
        tar.add("b/c", data: [1])
        tar.add("b", data: Array("file".utf8))
        tar.add("c", .symlink, link: "a")
        tar.add("c", .directory, mode: 0o700)
        tar.add("d", .directory, mode: 0o700)
        tar.add("d/x", data: [1])
        tar.add("d", .directory, mode: 0o711)
        let test = try TestStore()
        let diff = test.diff(try test.add("a", [tar.finished()]))
        #expect(try content("\(diff)/a") == "last")
        #expect(try content("\(diff)/b") == "file")
        #expect(try status("\(diff)/c").st_mode == S_IFDIR | 0o700)
        #expect(try status("\(diff)/d").st_mode == S_IFDIR | 0o711)
        #expect(try status("\(diff)/d/x").st_size == 1)
    }

    @Test func `what is gone in a layer hides what is below`() throws {
        var lower = TarBuilder()
        lower.add("gone", data: [1])
        lower.add("d/x", data: [1])
        var tar = TarBuilder()
        tar.add(".wh.gone")
        tar.add("d/.wh..wh..opq")
        tar.add("d/new", data: [1])
        tar.add("both", data: [1])
        tar.add(".wh.both")
        tar.add(".wh.dir")
        tar.add("dir/", .directory, mode: 0o755)
        tar.add(".wh..wh.plnk/", .directory)
        let test = try TestStore()
        let diff = test.diff(try test.add("a", [lower.finished(), tar.finished()]), 1)
        let whiteout = try status("\(diff)/gone")
        #expect(whiteout.st_mode & S_IFMT == S_IFCHR && whiteout.st_rdev == 0)
        #expect(attributes(of: "\(diff)/d").contains("user.overlay.opaque=79"))
        #expect(try status("\(diff)/both").st_size == 1)
        #expect(attributes(of: "\(diff)/dir").contains("user.overlay.opaque=79"))
        #expect(try listing(of: diff).count == 5)
    }

    @Test func `a directory that a layer does not name is as in the layer below`() throws {
        var lower = TarBuilder()
        lower.add("d/", .directory, mode: 0o1777, time: 11, pax: [("SCHILY.xattr.user.a", [0x31])])
        lower.add("d/e/", .directory, mode: 0o700, time: 12)
        var upper = TarBuilder()
        upper.add("d/e/f", data: [1])
        upper.add("n/f", data: [1])
        let test = try TestStore()
        let diff = test.diff(try test.add("a", [lower.finished(), upper.finished()]), 1)
        let directory = try status("\(diff)/d")
        #expect(directory.st_mode & 0o7777 == 0o1777 && directory.st_mtim.tv_sec == 11)
        #expect(attributes(of: "\(diff)/d") == ["user.a=31"])
        #expect(try status("\(diff)/d/e").st_mode & 0o7777 == 0o700)
        #expect(try status("\(diff)/n").st_mode & 0o7777 == 0o755)
    }

    @Test func `marks of overlays and of security modules do not come in`() throws {
        var tar = TarBuilder()
        tar.add(
            "f", data: [1],
            pax: [
                ("SCHILY.xattr.trusted.overlay.redirect", Array("/etc".utf8)),
                ("SCHILY.xattr.user.overlay.metacopy", []), ("SCHILY.xattr.security.selinux", [1]),
                ("SCHILY.xattr.user.kept", [1]),
            ])
        let test = try TestStore()
        let diff = test.diff(try test.add("a", [tar.finished()]))
        #expect(attributes(of: "\(diff)/f") == ["user.kept=1"])
    }

    @Test func `the size is that of all files, each once`() throws {
        var tar = TarBuilder()
        tar.add("f", data: [UInt8](repeating: 1, count: 1000))
        tar.add("g", .hardLink, link: "f")
        let test = try TestStore()
        #expect(try test.add("a", [tar.finished()]).size == 1000)
    }
}

@Suite struct `hostile layers` {
    /// Each makes an archive that must not be unpacked, and what the error says of it.
    private static let cases: [(String, String, @Sendable (inout TarBuilder) -> Void)] = [
        ("parent", "'../evil': is a name that leads out of the layer", { $0.add("../evil") }),
        ("parent inside", "'a/../../evil': is a name that leads out", { $0.add("a/../../evil") }),
        ("harmless parent", "'a/../b': is a name that leads out", { $0.add("a/../b") }),
        ("absolute", "'/etc/evil': is a name that leads out of the layer", { $0.add("/etc/evil") }),
        (
            "symlinked parent", "'a/evil': leads through 'a', which is no directory",
            {
                $0.add("a", .symlink, link: "/tmp")
                $0.add("a/evil")
            }
        ),
        (
            "symlinked grandparent", "leads through",
            {
                $0.add("a", .symlink, link: "..")
                $0.add("a/b/c/evil")
            }
        ),
        (
            "file as parent", "leads through 'a', which is no directory",
            {
                $0.add("a")
                $0.add("a/b")
            }
        ),
        (
            "hard link out", "'a': is a hard link to '../../etc/passwd', outside",
            { $0.add("a", .hardLink, link: "../../etc/passwd") }
        ),
        (
            "hard link to absolute", "is a hard link to '/etc/passwd', outside",
            { $0.add("a", .hardLink, link: "/etc/passwd") }
        ),
        (
            "hard link through symlink", "leads through 's'",
            {
                $0.add("s", .symlink, link: "/etc")
                $0.add("a", .hardLink, link: "s/passwd")
            }
        ),
        ("hard link to nothing", "No such file or directory", { $0.add("a", .hardLink, link: "b") }),
        ("root is a file", "the layer's root is no directory", { $0.add("./", .symlink, link: "/") }),
        ("mark of nothing", "is a mark of a removed file that names none", { $0.add(".wh.") }),
        ("mark of the parent", "is a mark of a removed file that names none", { $0.add("a/.wh...") }),
        ("cut off", "truncated", { $0.add("a", data: [1], size: 100_000) }),
        ("long name", "File name too long", { $0.add("x", pax: [("path", [UInt8](repeating: 0x61, count: 300))]) }),
    ]

    @Test(arguments: cases.map(\.0))
    func `are refused with the layer and the reason, and leave nothing`(name: String) throws {
        let (_, reason, build) = Self.cases.first { $0.0 == name }!
        var tar = TarBuilder()
        build(&tar)
        let bytes = name == "cut off" ? Array(tar.bytes.dropLast(256)) : tar.finished()
        let test = try TestStore()
        let failure = #expect(throws: Failure.self) { try test.add("evil:1", [bytes]) }
        let text = failure?.description ?? ""
        #expect(text.lowercased().contains(reason.lowercased()), "\(text)")
        #expect(text.contains("evil:1: layer \(Digest.of(bytes).short)"), "\(text)")
        #expect(try test.store.list().isEmpty)
        #expect(try test.store.allLayers().isEmpty)
        #expect(try test.leftovers.isEmpty)
    }

    @Test func `an archive that is not what the image says is refused`() throws {
        var tar = TarBuilder()
        tar.add("a")
        let test = try TestStore()
        let failure = #expect(throws: Failure.self) {
            try test.add("a", [tar.finished()], diffIDs: [Digest.of([1])])
        }
        #expect(failure?.reason.contains("its content has the digest") == true)
        #expect(try test.store.allLayers().isEmpty && test.leftovers.isEmpty)
    }

    @Test func `bounds hold`() throws {
        var tar = TarBuilder()
        for index in 0..<20 { tar.add("f\(index)", data: [UInt8](repeating: 0, count: 1000)) }
        let test = try TestStore()
        var bounds = UnpackBounds()
        bounds.size = 10_000
        #expect(throws: Failure.self) { try test.add("a", [tar.finished()], bounds: bounds) }
        bounds = UnpackBounds()
        bounds.entries = 10
        #expect(throws: Failure.self) { try test.add("a", [tar.finished()], bounds: bounds) }
        #expect(try test.store.allLayers().isEmpty && test.leftovers.isEmpty)
    }

    @Test func `what is no archive at all is refused`() throws {
        let test = try TestStore()
        #expect(throws: Failure.self) { try test.add("a", [[UInt8](repeating: 0x41, count: 5000)]) }
        #expect(try test.store.allLayers().isEmpty && test.leftovers.isEmpty)
    }
}
