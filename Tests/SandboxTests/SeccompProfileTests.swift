import Linux
import OCI
import Sandbox
import Testing

@Suite struct SeccompProfileTests {
    private typealias Profile = Spec.Seccomp

    private func compiled(_ rules: [Spec.Seccomp.SyscallRule], default action: Spec.Seccomp.Action = .allow) throws
        -> BPFProgram
    {
        try Profile(defaultAction: action, listenerPath: "/run/agent", syscalls: rules).compile()
    }

    @Test func `every action of the specification answers what the kernel knows by it`() throws {
        let codes: [(Spec.Seccomp.Action, UInt32)] = [
            (.kill, 0), (.killThread, 0), (.killProcess, 0x8000_0000), (.trap, 0x3_0000), (.errno, 0x5_0007),
            (.trace, 0x7ff0_0007), (.log, 0x7ffc_0000), (.notify, 0x7fc0_0000),
        ]
        for (action, code) in codes {
            let errno: UInt32? = action == .errno || action == .trace ? 7 : nil
            let program = try compiled([.init(names: ["reboot"], action: action, errnoRet: errno)])
            #expect(try answer(program, "reboot") == code)
            #expect(try answer(program, "read") == allow)
        }
    }

    @Test func `every comparison of the specification holds for what it says`() throws {
        let cases: [(Spec.Seccomp.Comparison, holds: UInt64, fails: UInt64)] = [
            (.notEqual, 9, 10), (.less, 9, 10), (.lessOrEqual, 10, 11), (.equal, 10, 0x1_0000_000a),
            (.greaterOrEqual, 10, 9), (.greater, 0x1_0000_0000, 10),
        ]
        for (comparison, holds, fails) in cases {
            let argument = Spec.Seccomp.Argument(index: 2, value: 10, op: comparison)
            let program = try compiled([.init(names: ["lseek"], action: .trap, args: [argument])])
            #expect(try answer(program, "lseek", [0, 0, holds]) == SeccompAction.trap.code, "\(comparison)")
            #expect(try answer(program, "lseek", [0, 0, fails]) == allow, "\(comparison)")
        }
        let masked = Spec.Seccomp.Argument(index: 0, value: 0xf0, valueTwo: 0x30, op: .maskedEqual)
        let program = try compiled([.init(names: ["lseek"], action: .trap, args: [masked])])
        #expect(try answer(program, "lseek", [0x3f]) == SeccompAction.trap.code)
        #expect(try answer(program, "lseek", [0x7f]) == allow)
    }

    @Test func `conditions on two arguments must both hold, two on one argument are alternatives`() throws {
        let both = try compiled([
            .init(
                names: ["lseek"], action: .trap,
                args: [.init(index: 0, value: 1, op: .equal), .init(index: 1, value: 2, op: .equal)])
        ])
        #expect(try answer(both, "lseek", [1, 2]) == SeccompAction.trap.code)
        #expect(try answer(both, "lseek", [1, 3]) == allow)
        let either = try compiled([
            .init(
                names: ["lseek"], action: .trap,
                args: [.init(index: 0, value: 1, op: .equal), .init(index: 0, value: 2, op: .equal)])
        ])
        #expect(try answer(either, "lseek", [1]) == SeccompAction.trap.code)
        #expect(try answer(either, "lseek", [2]) == SeccompAction.trap.code)
        #expect(try answer(either, "lseek", [3]) == allow)
    }

    @Test func `a call that this machine does not have is passed over`() throws {
        let program = try compiled([.init(names: ["no_such_call", "reboot"], action: .errno)])
        #expect(try answer(program, "reboot") == notPermitted)
    }

    @Test func `a profile that refuses single calls refuses those that libseccomp does not know too`() throws {
        let program = try compiled([.init(names: ["setxattrat", "mseal"], action: .errno)])
        #expect(try answer(program, number: 463) == notPermitted)
        #expect(try answer(program, number: 462) == notPermitted)
        #expect(try answer(program, number: 464) == allow)
        #expect(try answer(program, number: 9999) == allow)
    }

    @Test func `a rule that says what the default says changes nothing`() throws {
        let program = try compiled([.init(names: ["read"], action: .allow), .init(names: ["reboot"], action: .errno)])
        #expect(try answer(program, "read") == allow)
    }

    @Test func `flags of the specification become the kernel's`() throws {
        let profile = Profile(
            defaultAction: .allow, flags: ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC"], syscalls: [])
        #expect(try profile.compile().flags == .log)
        #expect(try Profile(defaultAction: .allow).compile().flags == .allowSpeculation)
    }

    @Test func `a profile that asks a supervisor comes with a listener, others do not`() throws {
        let asking = try compiled([.init(names: ["mount"], action: .notify)])
        #expect(asking.flags == [.newListener, .allowSpeculation])
        #expect(try !compiled([.init(names: ["mount"], action: .errno)]).flags.contains(.newListener))
    }

    @Test func `what cannot be done is refused, not left out`() {
        let impossible: [Profile] = [
            Profile(defaultAction: .notify),
            Profile(defaultAction: .errno, defaultErrnoRet: 4096),
            Profile(defaultAction: .allow, architectures: ["SCMP_ARCH_PDP11"]),
            Profile(defaultAction: .allow, architectures: ["x86_64"]),
            Profile(defaultAction: .allow, flags: ["SECCOMP_FILTER_FLAG_NOPE"]),
            Profile(
                defaultAction: .allow, listenerPath: "/run/agent",
                syscalls: [.init(names: ["sendmsg"], action: .notify)]),
            Profile(defaultAction: .allow, syscalls: [.init(names: ["mount"], action: .notify)]),
            Profile(
                defaultAction: .allow,
                syscalls: [.init(names: ["lseek"], action: .trap, args: [.init(index: 6, value: 0, op: .equal)])]),
        ]
        for profile in impossible { #expect(throws: Failure.self) { try profile.compile() } }
    }
}
