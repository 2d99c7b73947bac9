import Glibc
import Testing

/// Ordinary users, from wherever they come.
@Suite struct UnprivilegedTests {
    @Test(Requirement.ordinaryCaller, arguments: Caller.unprivileged)
    func `a run needs nothing of the environment`(caller: Caller) throws {
        try withApus(caller) { apus in
            let words = ["run", "--rm", "--network", "none", "--rootfs", Machine.busybox, "echo", "hello"]
            let data = "APUS_ROOT=\(apus.data)"
            expectOutput(try apus.startProgram(["/usr/bin/env", "-i", data, Machine.apus] + words).wait(), "hello")
        }
    }

    @Test(Requirement.ordinaryCaller, arguments: Caller.unprivileged)
    func `without APUS_ROOT the data is in the user's home`(caller: Caller) throws {
        try withApus(caller) { apus in
            let home = try apus.makeDirectory("home", mode: 0o711)
            apus.environment["APUS_ROOT"] = nil
            apus.environment["HOME"] = home
            expectOutput(try apus.run("echo", "hello"), "hello")
            #expect(access("\(home)/.local/share/apus/containers", F_OK) == 0)
        }
    }

    @Test(Requirement.root, arguments: [Caller.ordinary, .withoutIDs])
    func `a run works from su`(caller: Caller) throws {
        try withApus(caller) { apus in
            let command = "run --rm --network none --rootfs \(Machine.busybox) echo hello"
            let run = "APUS_ROOT=\(apus.data) \(Machine.apus) \(command)"
            let words = ["/bin/su", "-", caller.account.name, "-c", run]
            let outcome = try RunningProcess(words, environment: apus.environment, directory: "/").wait()
            expectOutput(outcome, "hello")
        }
    }

    @Test(Requirement.root) func `a user with subordinate IDs has other users inside, one without has not`() throws {
        try withApus(.ordinary) { apus in
            expectOutput(try apus.shell("wc -l </proc/self/uid_map; cat /proc/self/setgroups"), "2\nallow")
        }
        try withApus(.withoutIDs) { apus in
            expectOutput(try apus.shell("wc -l </proc/self/uid_map; cat /proc/self/setgroups"), "1\ndeny")
        }
    }

    @Test(Requirement.root) func `a user who is not mapped is refused, with the reason`() throws {
        try withApus(.withoutIDs) { apus in
            let outcome = try apus.run(["-u", "1000"], "true")
            expectRefusal(outcome, naming: "1000")
        }
    }

    @Test(Requirement.root) func `auto needs subordinate IDs and says so`() throws {
        try withApus(.withoutIDs) { apus in
            expectRefusal(try apus.run(["--userns", "auto"], "true"), naming: "auto", "/etc/subuid")
        }
    }

    @Test(Requirement.root) func `without newuidmap on the machine the error names its package`() throws {
        try withApus(.ordinary) { apus in
            // In a mount namespace where it cannot be executed.
            let run = "setpriv --reuid \(apus.account.uid) --regid \(apus.account.gid) --init-groups -- \(Machine.apus)"
            let script = """
                for name in newuidmap newgidmap; do mount --bind /dev/null $(command -v $name); done
                exec \(run) run --rm --rootfs \(Machine.busybox) true
                """
            let outcome = try RunningProcess(
                ["/usr/bin/unshare", "-m", "sh", "-c", script], environment: apus.environment, directory: "/"
            ).wait()
            expectRefusal(outcome, naming: "newuidmap", "uidmap")
        }
    }

    @Test(Requirement.noLimits, arguments: Caller.unprivileged.filter { !Caller.withLimits.contains($0) })
    func `a limit that cannot be enforced is refused, or recorded with best effort`(caller: Caller) throws {
        try withApus(caller) { apus in
            expectRefusal(try apus.run(["--memory", "64m"], "true"), naming: "memory", "best-effort")
            let outcome = try apus.run(["--memory", "64m", "--limits", "best-effort"], "true")
            #expect(outcome.status == 0, "\(outcome)")
        }
    }

    // MARK: Apus inside Apus

    /// Runs `apus` in a container whose root is the machine's, and there again in one of busybox.
    private func nested(
        _ apus: Apus, _ outer: [String] = [], _ inner: [String] = [], layer: String = "", _ script: String
    ) throws -> Outcome {
        let shared = ["-v", "\(Machine.apus):/tmp/apus:ro", "-v", "\(Machine.busybox):/tmp/busybox:ro"]
        // The default filter forbids new namespaces, as it does in Docker.
        let flags = ["--security-opt", "seccomp=unconfined", "-e", "APUS_ROOT=/tmp/data"] + shared + outer
        let words = ["/tmp/apus", "run", "--rm"] + inner + ["--rootfs", "/tmp/busybox\(layer)", "sh", "-c", script]
        return try apus(["run", "--rm"] + flags + ["@host", "--"] + words)
    }

    @Test(arguments: Caller.all)
    func `a container runs inside a container, sharing the outer proc, and says so`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outcome = try nested(
                apus, [], [], "echo inside; test -e /proc/self/status && echo proc")
            #expect(outcome.status == 0 && outcome.output == "inside\nproc\n", "\(outcome)")
            #expect(outcome.errors.contains("/proc"), "\(outcome)")
        }
    }

    @Test(arguments: Caller.all)
    func `where the outer container hides nothing the inner one has a proc of its own`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outer = ["--security-opt", "unmask=ALL"]
            let outcome = try nested(apus, outer, [], "echo $$; ls -d /proc/[0-9]* | head -n 1")
            #expect(outcome.status == 0 && outcome.output == "1\n/proc/1\n", "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `IDs that the outer container has not are refused`(caller: Caller) throws {
        try withApus(caller) { apus in
            let outer = ["--privileged"] + (caller == .root ? ["--userns", "0:300000:65536"] : [])
            let outcome = try nested(apus, outer, ["--userns", "0:400000:1000"], "true")
            expectRefusal(outcome, naming: "--userns", "400000", "/proc/self/uid_map")
        }
    }

    @Test(arguments: Caller.all)
    func `a privileged container runs containers with the default flags`(caller: Caller) throws {
        try withApus(caller) { apus in
            for layer in ["", ":O"] {
                let outcome = try nested(apus, ["--privileged"], [], layer: layer, "echo inside")
                #expect(outcome.status == 0 && outcome.output == "inside\n", "\(outcome)")
            }
        }
    }
}
