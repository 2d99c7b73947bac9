import FoundationEssentials
import Glibc
import Linux
import SystemPackage
import Testing

/// `-v`, `--mount`, `--tmpfs` and `--read-only`.
@Suite struct MountTests {
    @Test(arguments: Caller.available)
    func `a directory of the host is shown and can be written`(caller: Caller) throws {
        try withApus(caller) { apus in
            let shared = try apus.makeDirectory("shared")
            try apus.file("shared/in", "from outside")
            expectOutput(
                try apus.shell(["-v", "\(shared):/tmp"], "cat /tmp/in; echo inside >/tmp/out"), "from outside")
            #expect(try String(contentsOfFile: "\(shared)/out", encoding: .utf8) == "inside\n")
        }
    }

    @Test(arguments: Caller.available, ["-v=SOURCE:/tmp:ro", "--mount=type=bind,src=SOURCE,dst=/tmp,readonly"])
    func `a read-only mount refuses writes`(caller: Caller, flag: String) throws {
        try withApus(caller) { apus in
            let shared = try apus.makeDirectory("shared")
            let flag = flag.replacing("SOURCE", with: shared)
            let outcome = try apus.shell([flag], "touch /tmp/new")
            #expect(outcome.status == 1 && outcome.errors.contains("Read-only file system"), "\(outcome)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: shared) == [])
        }
    }

    @Test(arguments: Caller.available)
    func `a single file can be mounted`(caller: Caller) throws {
        try withApus(caller) { apus in
            let file = try apus.file("file", "content")
            expectOutput(try apus.run(["-v", "\(file):/etc/group:ro"], "cat", "/etc/group"), "content")
        }
    }

    @Test(arguments: Caller.available)
    func `a missing mount target is made in a root that can be written`(caller: Caller) throws {
        try withApus(caller) { apus in
            let root = try apus.makeRoot()
            let file = try apus.file("file", "content")
            let flags = ["-v", "\(file):/new/place/file", "-v", "\(apus.directory):/other/place"]
            expectOutput(
                try apus.run(flags, root: "\(root):O", "cat", "/new/place/file", "/other/place/file"), "contentcontent")
            #expect(access("\(root)/new", F_OK) != 0)
        }
    }

    @Test(arguments: Caller.available)
    func `a mount below another one is visible whatever the order of the flags`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outer = try apus.makeDirectory("outer")
            _ = try apus.makeDirectory("outer/inner")
            let inner = try apus.makeDirectory("inner")
            try apus.file("outer/a", "a")
            try apus.file("inner/b", "b")
            let flags = ["-v", "\(inner):/tmp/inner", "-v", "\(outer):/tmp"]
            expectOutput(try apus.run(flags, "cat", "/tmp/a", "/tmp/inner/b"), "ab")
        }
    }

    @Test(arguments: Caller.available)
    func `a target that is a symlink resolves inside the root`(caller: Caller) throws {
        try withApus(caller) { apus in
            let root = try apus.makeRoot()
            let outside = try apus.makeDirectory("outside")
            let shared = try apus.makeDirectory("shared")
            try apus.file("shared/file", "content")
            // The same path inside the root: that is where both links lead.
            let made = try apus.startProgram(["/bin/mkdir", "-p", "\(root)\(outside)"]).wait()
            try #require(made.status == 0, "\(made)")
            for target in [outside, "../../../../../..\(outside)"] {
                symlink(target, "\(root)/link")
                defer { unlink("\(root)/link") }
                let outcome = try apus.run(["-v", "\(shared):/link"], root: "\(root):O", "cat", "\(outside)/file")
                expectOutput(outcome, "content")
                #expect(try FileManager.default.contentsOfDirectory(atPath: outside) == [])
            }
        }
    }

    @Test(arguments: Caller.available)
    func `a target that is a symlink to nowhere is made inside the root`(caller: Caller) throws {
        try withApus(caller) { apus in
            let root = try apus.makeRoot()
            let outside = try apus.makeDirectory("outside")
            try apus.file("file", "content")
            // Each leads to a place that is there outside the root, or could be made there.
            for target in [
                outside, "../../../../../..\(outside)/./new", "etc/../srv/new", "chain", "/etc/missing/../new",
            ] {
                symlink(target, "\(root)/link")
                symlink("\(outside)/by/chain", "\(root)/chain")
                defer { unlink("\(root)/link") }
                for source in [apus.directory, "\(apus.directory)/file"] {
                    let read = source == apus.directory ? "/link/file" : "/link"
                    let flags = ["-v", "\(source):/link"]
                    expectOutput(try apus.run(flags, root: "\(root):O", "cat", read), "content")
                }
                #expect(try FileManager.default.contentsOfDirectory(atPath: outside) == [])
            }
        }
    }

    @Test(arguments: Caller.available)
    func `a target that is a symlink to itself is refused`(caller: Caller) throws {
        try withApus(caller) { apus in
            let root = try apus.makeRoot()
            symlink("two", "\(root)/one")
            symlink("one", "\(root)/two")
            let outcome = try apus.run(["-v", "\(apus.directory):/one"], root: "\(root):O", "true")
            expectRefusal(outcome, naming: "/one")
        }
    }

    @Test(arguments: Caller.available)
    func `mounts stay in the container`(caller: Caller) throws {
        try withApus(caller) { apus in
            let before = try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8).contains(apus.directory)
            let flags = ["-v", "\(apus.directory):/tmp", "--tmpfs", "/home"]
            let process = try apus.start(
                ["run", "--rm", "-i"] + flags + ["--rootfs", Machine.busybox, "sh", "-c", "echo up; read x"])
            try process.waitForOutput("up")
            let during = try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8).contains(apus.directory)
            #expect(!before && !during)
            process.closeInput()
            _ = try process.wait()
        }
    }

    @Test(Requirement.root)
    func `a mount made by the host appears in a container with rslave, and not with rprivate`() throws {
        try withApus(.root) { apus in
            let shared = try apus.makeDirectory("shared")
            _ = try apus.makeDirectory("shared/below")
            // In a mount namespace of the test's own: the machine's stays as it is.
            let script = """
                mount -t tmpfs none \(shared) && mount --make-shared \(shared) && mkdir \(shared)/below
                for kind in rslave rprivate; do
                    mkfifo go up
                    \(Machine.apus) run --rm -i -v \(shared):/tmp:$kind --rootfs \(Machine.busybox) \
                        sh -c 'echo up; read x; ls /tmp/below' <go >up &
                    exec 3>go 4<up
                    read line <&4
                    mount -t tmpfs none \(shared)/below && touch \(shared)/below/file
                    echo >&3
                    sed "s/^/$kind: /" <&4
                    exec 3>&- 4<&-
                    wait
                    umount \(shared)/below
                    rm go up
                done
                """
            let outcome = try apus.startProgram(["/usr/bin/unshare", "-m", "sh", "-c", script]).wait()
            expectOutput(outcome, "rslave: file")
        }
    }

    @Test(arguments: Caller.available)
    func `mounts below the source come along, and are read-only with it`(caller: Caller) throws {
        try withApus(caller) { apus in
            // Below the source: /dev/shm, a mount of its own that the caller can write.
            let outcome = try apus.shell(
                ["-v", "/dev:/tmp:ro"], "touch /tmp/shm/apus-test 2>/dev/null && echo written; test -d /tmp/shm")
            expectOutput(outcome, "")
        }
    }

    @Test(arguments: Caller.available)
    func `--tmpfs is a fresh place with the size asked for`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outcome = try apus.shell(
                ["--tmpfs", "/tmp:size=64k,mode=700"],
                "stat -c %a /tmp; dd if=/dev/zero of=/tmp/file bs=1k count=100 2>/dev/null; stat -c %s /tmp/file")
            expectOutput(outcome, "700\n65536")
        }
    }

    @Test(arguments: Caller.available)
    func `--shm-size is the size of /dev/shm`(caller: Caller) throws {
        try withApus(caller) { apus in
            expectOutput(try apus.shell("df -k /dev/shm | awk 'NR==2 { print $2 }'"), "65536")
            expectOutput(try apus.shell(["--shm-size", "1m"], "df -k /dev/shm | awk 'NR==2 { print $2 }'"), "1024")
        }
    }

    @Test(arguments: Caller.available)
    func `--read-only makes the root read-only, and not what is mounted on it`(caller: Caller) throws {
        try withApus(caller) { apus in
            let root = try apus.makeRoot()
            let script = "touch /new 2>/dev/null || echo refused; touch /tmp/new /dev/shm/new && echo written"
            let outcome = try apus.shell(["--read-only", "--tmpfs", "/tmp"], root: root, script)
            expectOutput(outcome, "refused\nwritten")
            #expect(access("\(root)/new", F_OK) != 0)
        }
    }

    @Test(arguments: Caller.available)
    func `a named volume keeps its content for the next container`(caller: Caller) throws {
        try withApus(caller) { apus in
            expectOutput(try apus.shell(["-v", "kept:/tmp"], "echo kept >/tmp/file"), "")
            expectOutput(try apus.run(["-v", "kept:/tmp"], "cat", "/tmp/file"), "kept")
            expectOutput(try apus.shell(["-v", "/tmp"], "ls /tmp; touch /tmp/file"), "")
        }
    }

    @Test(arguments: Caller.available)
    func `a source relative to the caller's directory is found there`(caller: Caller) throws {
        try withApus(caller) { apus in
            _ = try apus.makeDirectory("here")
            try apus.file("here/file", "content")
            expectOutput(try apus.run(["-v", "./here:/tmp"], "cat", "/tmp/file"), "content")
        }
    }
}
