import FoundationEssentials
import Glibc
import Testing

/// Whose the files are that a container with IDs of its own sees and writes.
@Suite struct IDMapTests {
    private static let modes = ["auto", "0:300000:65536"]

    /// `UID:GID` of a file on the host.
    private func owner(_ path: String) -> String {
        var status = stat()
        guard lstat(path, &status) == 0 else { return "\(path) is not there" }
        return "\(status.st_uid):\(status.st_gid)"
    }

    private let script = "stat -c %u:%g / /etc; touch /etc/new && chown 7:8 /etc/new && stat -c %u:%g /etc/new"

    @Test(Requirement.root, arguments: modes)
    func `a root directory shows its IDs inside, and gets the same when it is written`(mode: String) throws {
        try withApus(.root) { apus in
            let root = try apus.makeRoot()
            expectOutput(try apus.shell(["--userns", mode], root: root, script), "0:0\n0:0\n7:8")
            #expect(owner("\(root)/etc/new") == "7:8")
        }
    }

    @Test(Requirement.root, arguments: modes)
    func `files below a layer are the container's own users'`(mode: String) throws {
        try withApus(.root) { apus in
            let root = try apus.makeRoot()
            chown("\(root)/etc/passwd", 7, 8)
            let script = script + "; echo x >>/etc/passwd; stat -c %u:%g /etc/passwd"
            expectOutput(try apus.shell(["--userns", mode], root: "\(root):O", script), "0:0\n0:0\n7:8\n7:8")
            #expect(owner("\(root)/etc/new").hasSuffix("not there") && owner("\(root)/etc/passwd") == "7:8")
        }
    }

    @Test(Requirement.root, arguments: modes)
    func `the machine's root belongs to root inside`(mode: String) throws {
        try withApus(.root) { apus in
            let outcome = try apus(["run", "--rm", "--userns", mode, "@host", "--", "sh", "-c", script])
            expectOutput(outcome, "0:0\n0:0\n7:8")
            #expect(access("/etc/new", F_OK) != 0)
        }
    }

    @Test(Requirement.root) func `a container that was stopped keeps the owners of what it wrote`() throws {
        try withApus(.root) { apus in
            let root = try apus.makeRoot()
            mkdir("\(root)/root", 0o700)  // of the machine's root alone
            chmod("\(root)/root", 0o700)
            let script = "test -e /kept && stat -c %u:%g /kept || { touch /kept; chown 7:8 /kept; }"
            let made = try apus(["create", "--userns", "auto", "--rootfs", "\(root):O", "sh", "-c", script])
            try #require(made.status == 0, "\(made)")
            expectOutput(try apus("start", "-a", made.text), "")
            expectOutput(try apus("start", "-a", made.text), "7:8")
            expectOutput(try apus("diff", made.text), "A /kept")
            try apus.file("new", "content")
            expectOutput(try apus("cp", "-q", "\(apus.directory)/new", "\(made.text):/root/new"), "")
            expectOutput(try apus("cp", "-q", "\(made.text):/root/new", "\(apus.directory)/copy"), "")
            #expect(try String(contentsOfFile: "\(apus.directory)/copy", encoding: .utf8) == "content")
            expectOutput(try apus("diff", made.text), "A /kept\nC /root\nA /root/new")
        }
    }

    @Test(Requirement.root) func `a directory that belongs to the mapped IDs already is used as it is`() throws {
        try withApus(.root) { apus in
            let root = try apus.makeRoot()
            let words = ["/bin/chown", "--recursive", "--no-dereference", "300000:300000", root]
            #expect(try apus.startProgram(words).wait().status == 0)
            let flags = ["--userns", "0:300000:65536"]
            expectOutput(try apus.shell(flags, root: root, "stat -c %u:%g /etc; touch /etc/new"), "0:0")
            #expect(owner("\(root)/etc/new") == "300000:300000")
        }
    }

    @Test(Requirement.root, arguments: modes)
    func `who shares the users of another container sees the same owners`(mode: String) throws {
        try withApus(.root) { apus in
            let root = try apus.makeRoot()
            _ = try apus.detached(["--name", "first", "--userns", mode], root: "\(root):O", ["sleep", "1000"])
            let flags = ["--userns", "container:first", "-v", "data:/mnt"]
            let listing = "awk '{ print $1, $2, $3 }' /proc/self/uid_map"
            let script = script + "; stat -c %u:%g /mnt; " + listing
            let maps = try apus.succeed("exec", "first", "sh", "-c", listing)
            for root in [root, "\(root):O"] {
                let outcome = try apus.shell(flags, root: root, script)
                expectOutput(outcome, "0:0\n0:0\n7:8\n0:0\n\(maps)")
            }
            #expect(owner("\(root)/etc/new") == "7:8")
            let made = ["create", "--name", "second"] + flags + ["--rootfs", "\(root):O", "touch", "/home/file"]
            try apus.succeed(made)
            try apus.succeed("start", "-a", "second")
            #expect(try apus.succeed("diff", "second") == "C /home\nA /home/file")
        }
    }

    @Test(Requirement.root) func `who shares the users of a container with the machine's has those`() throws {
        try withApus(.root) { apus in
            _ = try apus.detached(["--name", "first"], ["sleep", "1000"])
            let outcome = try apus.run(["--userns", "container:first"], "stat", "-c", "%u:%g", "/etc/passwd")
            expectOutput(outcome, "0:0")
        }
    }

    // MARK: Bind mounts and volumes

    @Test(Requirement.root) func `a bind mount is mapped on request, and only then`() throws {
        try withApus(.root) { apus in
            let shared = try apus.makeDirectory("shared")
            let script = "stat -c %u:%g /tmp; touch /tmp/file; stat -c %u:%g /tmp/file"
            let flags = ["--userns", "0:300000:65536", "-v"]
            expectOutput(try apus.shell(flags + ["\(shared):/tmp:idmap"], script), "0:0\n0:0")
            #expect(owner("\(shared)/file") == "0:0")
            let unmapped = try apus.shell(flags + ["\(shared):/tmp"], "stat -c %u:%g /tmp; touch /tmp/other")
            #expect(unmapped.status == 1 && unmapped.text == "65534:65534", "\(unmapped)")
        }
    }

    @Test(Requirement.root) func `a bind mount with maps of its own shows those IDs`() throws {
        try withApus(.root) { apus in
            let shared = try apus.makeDirectory("shared", mode: 0o777)
            let maps = "idmap=uids=0-1000-1#7-2000-2;gids=0-3000-10"
            let flags = ["-u", "2001:3008", "-v", "\(shared):/tmp:\(maps)"]
            expectOutput(try apus.shell(flags, "stat -c %u:%g /tmp; touch /tmp/file"), "1000:3000")
            #expect(owner("\(shared)/file") == "8:8")
            let mount = "type=bind,src=\(shared),dst=/tmp,idmap=uids=0-@1000-1;gids=0-1000-1"
            expectRefusal(try apus.shell(["--mount", mount], "true"), naming: "idmap")
            let relative = "idmap=uids=@0-1000-10;gids=@0-1000-10"
            let relativeFlags = ["--userns", "0:300000:65536", "-v", "\(shared):/tmp:\(relative)"]
            expectOutput(try apus.shell(relativeFlags, "stat -c %u:%g /tmp"), "1000:1000")
        }
    }

    @Test(Requirement.root) func `a volume can be written by whoever is root inside`() throws {
        try withApus(.root) { apus in
            for first in [300_000, 400_000] {
                let flags = ["--userns", "0:\(first):65536", "-v", "data:/tmp", "-v", "/var/anonymous"]
                expectOutput(try apus.shell(flags, "stat -c %u /tmp /var/anonymous; echo x >>/tmp/file"), "0\n0")
            }
            #expect(owner("\(apus.data)/volumes/data/_data/file") == "0:0")
        }
    }

    @Test(Requirement.root) func `without IDs of its own a container cannot have a mapped mount`() throws {
        try withApus(.root) { apus in
            expectRefusal(try apus.run(["-v", "\(apus.directory):/tmp:idmap"], "true"), naming: "idmap", "--userns")
        }
    }

    @Test(Requirement.ordinaryCaller, arguments: Caller.unprivileged)
    func `a mapped mount is refused to an ordinary user, who does not own the file system`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outcome = try apus.run(["-v", "\(apus.directory):/tmp:idmap"], "true")
            expectRefusal(outcome, naming: apus.directory, "idmap")
        }
    }

    @Test(Requirement.root) func `a file system without mapped mounts is named, with what to do`() throws {
        try withApus(.root) { apus in
            // sysfs has none, whatever the kernel.
            let outcome = try apus.run(["--userns", "auto", "-v", "/sys/fs:/tmp:idmap"], "true")
            expectRefusal(outcome, naming: "/sys/fs", "idmap")
        }
    }
}
