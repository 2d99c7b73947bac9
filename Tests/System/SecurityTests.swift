import CLinux
import FoundationEssentials
import Glibc
import Testing

/// What a container must not get at.
@Suite struct SecurityTests {
    @Test(arguments: Caller.available)
    func `no descriptor of the caller's or of Apus' reaches the command`(caller: Caller) throws {
        try withApus(caller) { apus in
            let run = "$APUS run --rm --rootfs \(Machine.busybox) sh -c 'ls /proc/$$/fd; true'"
            let outcome = try apus.startShell("exec 5</etc/passwd 8</ 9>/dev/null; \(run)").wait()
            expectOutput(outcome, "0\n1\n2")
        }
    }

    @Test(arguments: Caller.available)
    func `neither init's variables nor its arguments show those of the caller`(caller: Caller) throws {
        try withApus(caller) { apus in
            apus.environment["SECRET_OF_THE_CALLER"] = "1"
            for flags in [[], ["--init"]] {
                let script =
                    "cat /proc/1/environ /proc/1/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -c -e SECR[E]T -e APUS_R[O]OT"
                let outcome = try apus.shell(flags, script)
                #expect(outcome.text == "0", "\(flags): \(outcome)")
            }
        }
    }

    @Test(arguments: Caller.available)
    func `Apus' own executable cannot be written from inside`(caller: Caller) throws {
        try withApus(caller) { apus in
            // As an init Apus stays in the container, where /proc/1/exe leads to its executable.
            let script =
                "(echo x >/proc/1/exe) 2>/dev/null && echo written; (: >>/proc/1/exe) 2>/dev/null && echo opened; true"
            let copy = "\(apus.directory)/apus"
            expectOutput(try apus.startProgram(["/bin/cp", Machine.apus, copy]).wait(), "")
            let words = ["run", "--rm", "--init", "--cap-add", "ALL", "--rootfs", Machine.busybox, "sh", "-c", script]
            expectOutput(try apus.startProgram([copy] + words).wait(), "")
            expectOutput(try apus.startProgram(["/usr/bin/cmp", copy, Machine.apus]).wait(), "")
        }
    }

    @Test(arguments: Caller.available)
    func `the caller's terminal is not the container's to control`(caller: Caller) throws {
        try withApus(caller) { apus in
            let script = "(: </dev/tty) 2>/dev/null && echo controlled; ps -o tty 2>/dev/null >/dev/null; echo done"
            let run = "$APUS run --rm -i --rootfs \(Machine.busybox) sh -c '\(script)'"
            let shell = try apus.startShell(run, onTerminal: true)
            try shell.waitForOutput("done")
            let outcome = try shell.wait()
            #expect(outcome.status == 0 && !outcome.output.contains("controlled"), "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `a terminal of the container's own is controlled by it`(caller: Caller) throws {
        try withApus(caller) { apus in
            let words = ["run", "--rm", "-it", "--rootfs", Machine.busybox, "sh", "-c", "echo mine >/dev/tty; tty"]
            let outcome = try apus.start(words, onTerminal: true).wait()
            #expect(outcome.status == 0 && outcome.output.contains("mine\r\n/dev/pts/0\r\n"), "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `the container sees no process but its own`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outcome = try apus.shell("ls -d /proc/[0-9]* | wc -l; kill -0 2 2>/dev/null || echo none")
            let processes = outcome.lines.first.flatMap { Int($0) } ?? 0
            #expect((1...3).contains(processes) && outcome.lines.last == "none", "\(outcome)")
        }
    }

    @Test(arguments: Caller.all)
    func `the machine's keys stay out`(caller: Caller) throws {
        try withApus(caller) { apus in
            expectOutput(try apus.shell("cat /proc/keys 2>/dev/null | wc -l"), "0")
            let ring = try apus.shell(
                ["--security-opt", "unmask=/proc/keys"], "cat /proc/keys | grep -v _apus | wc -l")
            #expect(ring.status == 0, "\(ring)")
        }
    }

    @Test(arguments: Caller.all)
    func `sys is read-only and mounts cannot be made writable again`(caller: Caller) throws {
        try withApus(caller) { apus in
            let script = """
                mount -o remount,rw /sys 2>/dev/null && echo remounted
                mount -o remount,rw,bind /proc/sys 2>/dev/null && echo remounted
                umount /proc/sys 2>/dev/null && echo unmounted
                mkdir /sys/fs/cgroup/new 2>/dev/null && echo made
                true
                """
            expectOutput(try apus.shell(script), "")
        }
    }

    @Test(arguments: Caller.available)
    func `the root that was left behind cannot be reached`(caller: Caller) throws {
        try withApus(caller) { apus in
            let script =
                "cd /proc/1/root/../../..; ls -d \(apus.directory) 2>/dev/null; cd /; ls -d ../../\(apus.directory) 2>/dev/null; awk '$5 == \"/\"' /proc/self/mountinfo | wc -l"
            expectOutput(try apus.shell(script), "1")
        }
    }

    @Test(Requirement.root)
    func `files of a container's root user belong to nobody else's on the machine with userns auto`() throws {
        try withApus(.root) { apus in
            let shared = try apus.makeDirectory("shared", mode: 0o777)
            let flags = ["--userns", "auto", "-v", "\(shared):/tmp"]
            expectOutput(try apus.shell(flags, "touch /tmp/file; cat /etc/shadow 2>/dev/null; id -u"), "0")
            var status = stat()
            stat("\(shared)/file", &status)
            #expect(status.st_uid >= 65536)
        }
    }

    @Test(Requirement.root) func `set-user-ID programs give no rights inside`() throws {
        try withApus(.root) { apus in
            let root = try apus.makeRoot()
            expectOutput(
                try apus.startShell("cp root/bin/busybox root/bin/id-as-root; chmod 4755 root/bin/id-as-root").wait(),
                "")
            let outcome = try apus.run(
                ["-u", "user", "--entrypoint", "/bin/sh"], root: root, "--", "-c", "exec -a id /bin/id-as-root -u")
            #expect(outcome.text == "1000", "\(outcome)")
        }
    }
}
