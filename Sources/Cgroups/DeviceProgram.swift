/// An eBPF program that decides about each access to a device by a container's rules, as cgroup v2 has it instead of a
/// list.
///
/// The last rule that names a device decides. The program therefore asks them from the last to the first and keeps, in
/// r3, those kinds of access that none has decided about yet.
///
/// - Note: cgroup-v2, "Device controller"; the kernel's bpf/standardization/instruction-set.rst;
///   `struct bpf_cgroup_dev_ctx` in linux/bpf.h.
struct DeviceProgram: Equatable, Sendable {
    /// Each as `struct bpf_insn` lies in the memory of a little-endian machine.
    private(set) var instructions: [UInt64] = []

    private enum Register {
        static let result: UInt8 = 0
        static let context: UInt8 = 1
        static let type: UInt8 = 2
        static let access: UInt8 = 3
        static let major: UInt8 = 4
        static let minor: UInt8 = 5
    }

    /// The codes of the instructions used, all of them on 32 bits.
    private enum Code {
        static let load: UInt8 = 0x61
        static let moveValue: UInt8 = 0xb4
        static let moveRegister: UInt8 = 0xbc
        static let and: UInt8 = 0x54
        static let shiftRight: UInt8 = 0x74
        static let jumpIfNotEqual: UInt8 = 0x56
        static let jumpIfEqual: UInt8 = 0x16
        static let exit: UInt8 = 0x95
    }

    /// - Parameter entries: In the order of the Spec. What none names is denied.
    init(_ entries: [DeviceEntry]) {
        loadRequest()
        for entry in entries.reversed() {
            if entry.isTotal {
                decide(entry.allow)
                return  // the kernel refuses a program with a part that is never reached
            }
            append(entry)
        }
        decide(false)
    }

    /// The context begins with type in the lower and access in the upper half of a word, then major, then minor.
    private mutating func loadRequest() {
        append(Code.load, Register.type, Register.context, 0)
        append(Code.moveRegister, Register.access, Register.type)
        append(Code.shiftRight, Register.access, value: 16)
        append(Code.and, Register.type, value: 0xffff)
        append(Code.load, Register.major, Register.context, 4)
        append(Code.load, Register.minor, Register.context, 8)
    }

    private mutating func append(_ entry: DeviceEntry) {
        var body = DeviceProgram()
        if entry.allow { body.allow(entry.access) } else { body.deny(entry.access) }
        var conditions: [(UInt8, UInt32)] = []
        if entry.kind != .any { conditions.append((Register.type, entry.kind == .block ? 1 : 2)) }
        if let major = entry.major { conditions.append((Register.major, major)) }
        if let minor = entry.minor { conditions.append((Register.minor, minor)) }
        for (index, (register, value)) in conditions.enumerated() {
            let behind = conditions.count - index - 1 + body.instructions.count
            append(Code.jumpIfNotEqual, register, jump: Int16(behind), value: value)
        }
        instructions += body.instructions
    }

    private init() {}

    private mutating func allow(_ access: DeviceAccess) {
        if access != .all {
            append(Code.and, Register.access, value: UInt32(DeviceAccess.all.subtracting(access).rawValue))
            append(Code.jumpIfNotEqual, Register.access, jump: 2, value: 0)
        }
        decide(true)
    }

    private mutating func deny(_ access: DeviceAccess) {
        if access != .all {
            append(Code.moveRegister, Register.result, Register.access)
            append(Code.and, Register.result, value: UInt32(access.rawValue))
            append(Code.jumpIfEqual, Register.result, jump: 2, value: 0)
        }
        decide(false)
    }

    private mutating func decide(_ allow: Bool) {
        append(Code.moveValue, Register.result, value: allow ? 1 : 0)
        append(Code.exit, 0)
    }

    private mutating func append(
        _ code: UInt8, _ target: UInt8, _ source: UInt8 = 0, _ offset: Int16 = 0, jump: Int16 = 0, value: UInt32 = 0
    ) {
        let place = UInt64(UInt16(bitPattern: offset | jump))
        instructions.append(
            UInt64(code) | UInt64(target | source << 4) << 8 | place << 16 | UInt64(value) << 32)
    }
}
