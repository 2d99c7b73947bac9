import Glibc
import Testing

/// Capabilities, the system-call filter, devices, and what of /proc and /sys is hidden.
@Suite struct RightsTests {
    private func capabilities(_ apus: Apus, _ flags: [String], set: String = "CapEff") throws -> UInt64? {
        let outcome = try apus.run(flags, "sed", "-n", "s/^\(set):\\s*//p", "/proc/self/status")
        #expect(outcome.status == 0 && outcome.errors == "", "\(outcome)")
        return UInt64(outcome.text, radix: 16)
    }

    private func expectCapabilities(
        _ apus: Apus, _ flags: [String], set: String = "CapEff", are expected: UInt64,
        location: SourceLocation = #_sourceLocation
    ) throws {
        let found = try capabilities(apus, flags, set: set)
        #expect(found == expected, "\(set) with \(flags)", sourceLocation: location)
    }

    @Test(arguments: Caller.all)
    func `the default capabilities are few, and none is ambient or inheritable`(caller: Caller) throws {
        try withApus(caller) { apus in
            // CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, SYS_CHROOT, SETFCAP.
            for set in ["CapEff", "CapPrm", "CapBnd"] { try expectCapabilities(apus, [], set: set, are: 0x8004_05fb) }
            for set in ["CapInh", "CapAmb"] { try expectCapabilities(apus, [], set: set, are: 0) }
        }
    }

    @Test(arguments: Caller.available)
    func `capabilities are added and dropped by name, with or without CAP_`(caller: Caller) throws {
        try withApus(caller) { apus in
            let flags = ["--cap-add", "net_raw", "--cap-drop", "CAP_CHOWN"]
            try expectCapabilities(apus, flags, are: 0x8004_25fa)
            try expectCapabilities(apus, ["--cap-drop", "ALL"], are: 0)
            try expectCapabilities(apus, ["--cap-drop", "all", "--cap-add", "KILL"], are: 1 << 5)
        }
    }

    @Test(Requirement.root) func `a capability that root itself lacks is refused by the name of its flag`() throws {
        try withApus(.root) { apus in
            let lacking = ["/usr/bin/setpriv", "--bounding-set", "-wake_alarm", "--", Machine.apus]
            let words = ["run", "--rm", "--rootfs", Machine.busybox]
            let refused = try apus.startProgram(
                lacking + ["run", "--rm", "--cap-add", "WAKE_ALARM", "--rootfs", Machine.busybox, "true"])
            expectRefusal(try refused.wait(), naming: "--cap-add WAKE_ALARM", "--userns")
            #expect(try apus.startProgram(lacking + words + ["true"]).wait() == .printed(""))
            // Root of a user namespace has them all.
            let mapped = ["--userns", "0:100000:65536", "--cap-add", "WAKE_ALARM", "--rootfs", Machine.busybox, "true"]
            #expect(try apus.startProgram(lacking + ["run", "--rm"] + mapped).wait() == .printed(""))
        }
    }

    @Test(Requirement.root) func `default capabilities that root itself lacks are named`() throws {
        try withApus(.root) { apus in
            let lacking = ["/usr/bin/setpriv", "--bounding-set", "-setfcap", "--", Machine.apus, "run", "--rm"]
            let refused = try apus.startProgram(lacking + ["--rootfs", Machine.busybox, "true"])
            expectRefusal(try refused.wait(), naming: "CAP_SETFCAP", "--cap-drop")
            let dropped = lacking + ["--cap-drop", "SETFCAP", "--rootfs", Machine.busybox, "true"]
            #expect(try apus.startProgram(dropped).wait() == .printed(""))
        }
    }

    @Test(arguments: Caller.available)
    func `a user other than root has no capabilities but those asked for by name`(caller: Caller) throws {
        try withApus(caller) { apus in
            try expectCapabilities(apus, ["-u", "user"], are: 0)
            try expectCapabilities(apus, ["-u", "user", "--cap-add", "NET_BIND_SERVICE"], are: 1 << 10)
        }
    }

    @Test(arguments: Caller.available)
    func `no_new_privs is set unless it is refused`(caller: Caller) throws {
        try withApus(caller) { apus in
            let read = "sed -n 's/^NoNewPrivs:\\s*//p' /proc/self/status"
            expectOutput(try apus.shell(read), "1")
            expectOutput(try apus.shell(["--security-opt", "no-new-privileges=false"], read), "0")
        }
    }

    // MARK: The filter

    @Test(arguments: Caller.all)
    func `the default filter refuses what containers do not need`(caller: Caller) throws {
        try withApus(caller) { apus in
            expectOutput(try apus.shell("sed -n 's/^Seccomp:\\s*//p' /proc/self/status"), "2")
            let outcome = try apus.shell("unshare -U true 2>&1; mount -t tmpfs none /tmp 2>&1; true")
            #expect(
                outcome.lines.count == 2
                    && outcome.lines.allSatisfy { $0.contains("ermitted") || $0.contains("denied") }, "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `unconfined means no filter`(caller: Caller) throws {
        try withApus(caller) { apus in
            let flags = ["--security-opt", "seccomp=unconfined"]
            expectOutput(try apus.shell(flags, "sed -n 's/^Seccomp:\\s*//p' /proc/self/status"), "0")
        }
    }

    @Test(arguments: Caller.available)
    func `a filter from a file is the one that holds`(caller: Caller) throws {
        try withApus(caller) { apus in
            let profile = """
                {"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
                 [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}
                """
            let file = try apus.file("profile.json", profile)
            let outcome = try apus.shell(["--security-opt", "seccomp=\(file)"], "mkdir /tmp/x 2>&1; echo $?")
            #expect(outcome.lines.first?.contains("No space left") ?? false && outcome.lines.last == "1", "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `a filter that is damaged is refused`(caller: Caller) throws {
        try withApus(caller) { apus in
            let file = try apus.file("profile.json", "{")
            expectRefusal(try apus.run(["--security-opt", "seccomp=\(file)"], "true"), naming: file)
        }
    }

    // MARK: Devices

    @Test(arguments: Caller.all)
    func `only the usual devices are there, and they work`(caller: Caller) throws {
        try withApus(caller) { apus in
            let script = """
                for d in $(find /dev -type c ! -path '/dev/pts/*' | sort); do echo -n "${d#/dev/} "; done; echo
                head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; echo x >/dev/null; echo x >/dev/full
                find /dev -type b
                """
            let outcome = try apus.shell(script)
            #expect(outcome.lines == ["full null random tty urandom zero ", "3", "3"], "\(outcome)")
            #expect(outcome.errors.contains("No space left on device"), "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `--device gives a device of the host under the name asked for`(caller: Caller) throws {
        try withApus(caller) { apus in
            let flags = ["--device", "/dev/zero:/dev/nothing"]
            expectOutput(try apus.shell(flags, "head -c 4 /dev/nothing | wc -c; stat -c %t:%T /dev/nothing"), "4\n1:5")
        }
    }

    @Test(Requirement.root) func `a device that is given for reading cannot be written to`() throws {
        try withApus(.root) { apus in
            let script = "echo text >/dev/kmsg; echo $?"
            let denied = try apus.shell(["--device", "/dev/kmsg:/dev/kmsg:r"], script)
            #expect(denied.text != "0" && denied.errors.contains("Operation not permitted"), "\(denied)")
            expectOutput(try apus.shell(["--device", "/dev/kmsg:/dev/kmsg:rw"], ": >/dev/kmsg; echo $?"), "0")
        }
    }

    @Test(Requirement.root) func `root in a container cannot reach a device that was not given`() throws {
        try withApus(.root) { apus in
            let flags = ["--cap-add", "MKNOD", "--tmpfs", "/tmp:dev"]
            // 1:1 is /dev/mem.
            let outcome = try apus.shell(
                flags, "mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem; test $? != 0 && echo refused")
            #expect(outcome.text == "refused", "\(outcome)")
        }
    }

    @Test(arguments: Caller.all)
    func `a privileged container has all that its caller can give`(caller: Caller) throws {
        try withApus(caller) { apus in
            let script = """
                sed -n 's/^Seccomp:\\s*//p' /proc/self/status; mount -t tmpfs none /tmp && echo mounted
                touch /proc/sys/kernel/core_pattern 2>/dev/null && echo writable; true
                """
            // In a user namespace root is not the owner of what there is one of on the machine.
            let lines = "0\nmounted" + (caller == .root ? "\nwritable" : "")
            expectOutput(try apus.shell(["--privileged"], script), lines)
            let all = try #require(try capabilities(apus, ["--privileged"]))
            #expect(all & (1 << 21) != 0)  // SYS_ADMIN
        }
    }

    // MARK: Hidden paths

    @Test(arguments: Caller.all)
    func `what of proc and sys tells or changes the machine is hidden or read-only`(caller: Caller) throws {
        try withApus(caller) { apus in
            let script = """
                for f in /proc/kcore /proc/keys /proc/timer_list /proc/interrupts; do
                    test ! -e $f || test "$(head -c 1 $f | wc -c)" = 0 || echo "$f shown"
                done
                test -z "$(ls -A /sys/firmware /proc/acpi /proc/scsi 2>/dev/null | grep -v :)" || echo shown
                for f in /proc/sys/kernel/panic /proc/sysrq-trigger /proc/irq/default_smp_affinity /sys/kernel/mm; do
                    test ! -e $f || (touch $f) 2>&1 | grep -q 'Read-only' || echo "$f writable"
                done
                """
            expectOutput(try apus.shell(script), "")
        }
    }

    @Test(arguments: Caller.available)
    func `paths are masked and unmasked on request`(caller: Caller) throws {
        try withApus(caller) { apus in
            let root = try apus.makeRoot()
            try apus.file("root/secret", "secret")
            _ = try apus.makeDirectory("root/secrets")
            try apus.file("root/secrets/one", "secret")
            let flags = ["--security-opt", "mask=/secret:/secrets"]
            expectOutput(
                try apus.shell(flags, root: root, "cat /secret; ls /secrets; ls -d /secret*"), "/secret\n/secrets")
            // The mounts themselves, not their number: it says which are there that should not be.
            let script = "grep ' /proc/[a-z]' /proc/self/mountinfo || true"
            expectOutput(try apus.shell(["--security-opt", "unmask=ALL"], script), "")
        }
    }
}
