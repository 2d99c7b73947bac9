import Glibc
import Linux
import OCI
import Sandbox
import SystemPackage
import Testing

@Suite final class SeccompCacheTests {
    private let directory: String
    private let cache: SeccompCache

    init() throws {
        directory = "/tmp/apus-test-seccomp-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
        cache = SeccompCache(directory: directory)
    }

    deinit {
        try? FileDescriptor.workingDirectory.removeTree(directory)  // `try?`: a leftover below /tmp harms no other test
    }

    private func files() throws -> [String] {
        let folder = try FileDescriptor.workingDirectory.open(directory, O_RDONLY | O_DIRECTORY)
        defer { folder.closeQuietly() }
        return try folder.entries()
    }

    @Test func `the program from the cache is the one that was compiled`() throws {
        let compiled = try cache.defaultProgram(capabilities: .usual)
        #expect(try files().count == 1)
        #expect(try cache.defaultProgram(capabilities: .usual) == compiled)
        #expect(try SeccompDefault.profile(capabilities: .usual).compile() == compiled)
    }

    @Test func `capabilities that make no difference share a program, others do not`() throws {
        let plain = try cache.defaultProgram(capabilities: .usual)
        #expect(try cache.defaultProgram(capabilities: [CapabilitySet(number: 18)]) == plain)  // CAP_SYS_CHROOT
        #expect(try files().count == 1)
        #expect(try cache.defaultProgram(capabilities: .all) != plain)
        #expect(try files().count == 2)
    }

    @Test func `a damaged, cut off, empty or foreign file is compiled anew`() throws {
        let compiled = try cache.defaultProgram(capabilities: [])
        let folder = try FileDescriptor.workingDirectory.open(directory, O_RDONLY | O_DIRECTORY)
        defer { folder.closeQuietly() }
        let name = try #require(files().first)
        let good = try folder.contents(of: name, limit: 1 << 20)
        var flipped = good
        flipped[good.count / 2] ^= 1
        for bad in [flipped, Array(good.dropLast()), good + [0], [], Array("APUS".utf8)] {
            try folder.replaceFile(name, with: bad)
            #expect(try cache.defaultProgram(capabilities: []) == compiled)
            #expect(try folder.contents(of: name, limit: 1 << 20) == good)
        }
    }

    @Test func `a file that others could have written is not believed`() throws {
        let compiled = try cache.defaultProgram(capabilities: [])
        let path = try "\(directory)/\(#require(files().first))"
        chmod(path, 0o666)
        #expect(try cache.defaultProgram(capabilities: []) == compiled)
        #expect(try FileDescriptor.workingDirectory.status(of: path).st_mode & 0o777 == 0o600)
    }

    @Test func `a link or a directory in the file's place does no harm`() throws {
        let compiled = try cache.defaultProgram(capabilities: [])
        let path = try "\(directory)/\(#require(files().first))"
        unlink(path)
        symlink("/etc/passwd", path)
        #expect(try cache.defaultProgram(capabilities: []) == compiled)
        unlink(path)
        mkdir(path, 0o700)
        #expect(try cache.defaultProgram(capabilities: []) == compiled)
    }

    @Test func `a directory that cannot be written to costs no more than time`() throws {
        let nowhere = SeccompCache(directory: "/proc/apus/seccomp")
        #expect(try nowhere.defaultProgram(capabilities: []) == cache.defaultProgram(capabilities: []))
    }

    @Test func `profiles that differ have programs that differ, equal ones share one`() throws {
        let one = Spec.Seccomp(defaultAction: .allow, syscalls: [.init(names: ["reboot"], action: .errno)])
        let other = Spec.Seccomp(defaultAction: .allow, syscalls: [.init(names: ["reboot"], action: .trap)])
        let program = try cache.program(for: one)
        #expect(try cache.program(for: other) != program)
        #expect(try cache.program(for: one) == program)
        #expect(try files().count == 2)
    }

    @Test func `a profile file is compiled for each set of capabilities and parsed no second time`() throws {
        let text = """
            {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_ERRNO",
             "excludes": {"caps": ["CAP_SYS_ADMIN"]}}]}
            """
        let file = SeccompFile(path: "p.json", bytes: Array(text.utf8))
        let program = try cache.program(for: file, on: .current(capabilities: []))
        #expect(try answer(program, "mount") == notPermitted)
        #expect(try answer(cache.program(for: file, on: .current(capabilities: .all)), "mount") == allow)
        #expect(try cache.program(for: file, on: .current(capabilities: [])) == program)
        #expect(try files().count == 2)
    }

    @Test func `the cache does not grow without end`() throws {
        for number in 0..<70 {
            let profile = Spec.Seccomp(
                defaultAction: .allow, syscalls: [.init(names: ["reboot"], action: .errno, errnoRet: UInt32(number))])
            _ = try cache.program(for: profile)
        }
        #expect(try files().count <= 64)
    }
}
