import Linux
import OCI
import Sandbox
import Testing

extension CapabilitySet {
    /// Docker's usual ones: none of them lets the default filter allow more.
    static let usual = Self(rawValue: 0xa804_25fb)
}

@Suite struct SeccompDefaultTests {
    private static func program(_ capabilities: CapabilitySet = .usual) throws -> BPFProgram {
        try SeccompDefault.profile(capabilities: capabilities).compile()
    }

    @Test(arguments: [
        "read", "write", "openat", "execve", "exit_group", "mmap", "futex", "ptrace", "landlock_create_ruleset",
    ])
    func `what ordinary programs do is allowed`(call: String) throws {
        #expect(try answer(Self.program(), call) == allow)
    }

    @Test(arguments: [
        "mount", "unshare", "setns", "reboot", "bpf", "kexec_load", "keyctl", "add_key", "init_module", "userfaultfd",
        "io_uring_setup", "swapon",
    ])
    func `what reaches the host is refused`(call: String) throws {
        #expect(try answer(Self.program(), call) == notPermitted)
    }

    @Test(arguments: [
        ("SYS_ADMIN", "mount"), ("SYS_BOOT", "reboot"), ("SYS_MODULE", "init_module"), ("SYSLOG", "syslog"),
        ("BPF", "bpf"), ("PERFMON", "perf_event_open"), ("SYS_TIME", "clock_settime"), ("SYS_NICE", "mbind"),
        ("DAC_READ_SEARCH", "open_by_handle_at"), ("SYS_PTRACE", "kcmp"), ("SYS_PACCT", "acct"),
    ])
    func `a capability brings its calls`(capability: String, call: String) throws {
        let with = try CapabilitySet.usual.union(CapabilitySet(parsing: capability))
        #expect(try answer(Self.program(), call) == notPermitted)
        #expect(try answer(Self.program(with), call) == allow)
    }

    @Test func `chroot goes with its capability, which is a default one`() throws {
        #expect(try answer(Self.program(), "chroot") == allow)
        #expect(try answer(Self.program([]), "chroot") == notPermitted)
    }

    @Test func `without CAP_SYS_ADMIN a process can be made but no namespace`() throws {
        let program = try Self.program()
        #expect(try answer(program, "clone", [17]) == allow)
        for flag: UInt64 in [0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000] {
            #expect(try answer(program, "clone", [17 | flag]) == notPermitted)
        }
        #expect(try answer(program, "clone3") == noCall)
        let administration = try Self.program(.all)
        #expect(try answer(administration, "clone", [17 | 0x1000_0000]) == allow)
        #expect(try answer(administration, "clone3") == allow)
    }

    @Test(arguments: [(1, true), (2, true), (10, true), (16, true), (38, false), (39, true), (40, false), (41, true)])
    func `sockets of all families but AF_ALG and AF_VSOCK are allowed`(family: UInt64, allowed: Bool) throws {
        #expect(try answer(Self.program(), "socket", [family]) == (allowed ? allow : notPermitted))
    }

    @Test(arguments: [(0x0, true), (0x8, true), (0x20008, true), (0xffff_ffff, true), (0x40000, false), (0x10, false)])
    func `a program may ask for a personality but not for one that weakens it`(persona: UInt64, allowed: Bool) throws {
        #expect(try answer(Self.program(), "personality", [persona]) == (allowed ? allow : notPermitted))
    }

    @Test func `calls that libseccomp may not know yet are allowed by number`() throws {
        let program = try Self.program()
        for number: UInt32 in [451, 452, 453, 454, 455, 456, 457, 458, 462, 463, 466] {
            #expect(try answer(program, number: number) == allow, "\(number)")
        }
        for number: UInt32 in [459, 460, 461] {
            #expect(try answer(program, number: number) == notPermitted, "\(number)")
        }
        #expect(try answer(Self.program(.all), number: 461) == allow)
    }

    @Test(arguments: [467, 500, 60000])
    func `calls newer than the profile do not exist, so that the C library takes its older way`(number: UInt32) throws {
        #expect(try answer(Self.program(), number: number) == noCall)
    }

    #if arch(x86_64)
        @Test func `programs of 32 bits are filtered alike`() throws {
            let program = try Self.program()
            for name in ["x86", "x32"] {
                let architecture = try #require(SeccompArchitecture(named: name))
                #expect(try answer(program, "read", on: architecture) == allow)
                #expect(try answer(program, "mount", on: architecture) == notPermitted)
                #expect(try answer(program, "clone", [17 | 0x1000_0000], on: architecture) == notPermitted)
                #expect(try answer(program, number: architecture.firstCall + 452, on: architecture) == allow)
                #expect(try answer(program, number: architecture.firstCall + 600, on: architecture) == noCall)
            }
        }
    #endif

    @Test func `an architecture that the machine does not run is killed`() throws {
        let program = try Self.program()
        let other = try #require(SeccompArchitecture(named: "s390x"))
        #expect(try answer(program, number: 3, on: other) == SeccompAction.killThread.code)
    }

    @Test func `a number that is none gets no more than the default action`() throws {
        #expect(try answer(Self.program(), number: .max) != allow)
        #expect(try answer(Self.program(), number: 0x3fff_ffff) != allow)
    }

    @Test func `the program is small and no call takes more than 24 instructions`() throws {
        let program = try Self.program()
        #expect(program.count < 450)
        let interpreter = BPFInterpreter(program)
        let steps = try (0..<470).map {
            try interpreter.run(.init(number: $0, architecture: SeccompArchitecture.native.auditNumber)).steps
        }
        #expect(steps.max()! <= 24)
    }

    @Test func `no call is named twice, as a rule that is there already would hide a slip of the pen`() {
        let names = SeccompDefault.profile(capabilities: .all).syscalls![0].names
        #expect(Set(names).count == names.count)
    }
}
