import Linux
import OCI
import Testing

@testable import Sandbox

@Suite struct BPFCompactionTests {
    private static let profiles: [Spec.Seccomp] = [
        SeccompDefault.profile(capabilities: .usual),
        SeccompDefault.profile(capabilities: .all),
        Spec.Seccomp(defaultAction: .allow),
        Spec.Seccomp(defaultAction: .allow, syscalls: [.init(names: ["reboot", "mseal"], action: .errno)]),
        Spec.Seccomp(
            defaultAction: .killProcess,
            syscalls: [
                .init(names: ["read", "close"], action: .allow),
                .init(
                    names: ["write", "lseek", "ioctl"], action: .log,
                    args: [.init(index: 0, value: 1 << 40, op: .less), .init(index: 2, value: 7, op: .notEqual)]),
            ]),
        // Every other call: as many ranges as there can be, and more than one search can hold.
        Spec.Seccomp(
            defaultAction: .trap,
            syscalls: (0..<450).filter { $0 % 2 == 0 }.map { number in
                .init(names: [name(number)], action: .errno, errnoRet: UInt32(number % 3))
            }),
    ]

    private static func name(_ number: Int) -> String {
        SeccompDefault.profile(capabilities: .all).syscalls![0].names.first {
            SeccompArchitecture.native.number(ofCall: $0) == UInt32(number)
        } ?? "no_such_call"
    }

    @Test(arguments: profiles)
    func `a compacted program answers every call as the plain one does`(profile: Spec.Seccomp) throws {
        let program = try profile.compile()
        let plain = BPFInterpreter(try BPFProgram(bytes: profile.plainProgram()))
        let compact = BPFInterpreter(program)
        #expect(try program.bytes.count <= profile.plainProgram().count)
        let architectures = ["x86_64", "x86", "aarch64", "arm", "s390x"].compactMap { SeccompArchitecture(named: $0) }
        let borders: [UInt32] = [0xffff, 0x10000, 0xf0002, 0xf0005, 0x3fff_ffff, 0x7fff_ffff, .max - 1, .max]
        let numbers = Array(0..<UInt32(600)) + (0x4000_0000..<UInt32(0x4000_0258)) + borders
        let arguments: [[UInt64]] = [
            [], [17, 17, 17], [0x1000_0011], [38, 38], [40, 0, 7], [0x2_0000], [.max, .max, .max], [1 << 40, 1, 7],
        ]
        for architecture in architectures {
            for number in numbers {
                for values in arguments {
                    let call = BPFInterpreter.Call(
                        number: number, architecture: architecture.auditNumber, arguments: values)
                    let (one, other) = (try plain.run(call).action, try compact.run(call).action)
                    if one != other { Issue.record("\(architecture) \(number) \(values): \(one), now \(other)") }
                }
            }
        }
    }

    @Test func `a program that does what is not understood stays as it is`() {
        let masked = [BPFInstruction.load(0), BPFInstruction(code: 0x54, operand: 0xff), .answer(0)]
        let bytes = BPFInstruction.encode(masked)
        #expect(BPFCompaction.compact(bytes, for: [1]) == bytes)
        let endless = BPFInstruction.encode([.load(0), .jump(over: 7)])
        #expect(BPFCompaction.compact(endless, for: [1]) == endless)
    }
}
