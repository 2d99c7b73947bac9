import Linux

/// Runs a filter program as the kernel would, for the instructions that filters have.
struct BPFInterpreter {
    private let program: [UInt8]

    /// `struct seccomp_data` of linux/seccomp.h.
    struct Call {
        var number: UInt32
        var architecture: UInt32
        var arguments: [UInt64] = []

        func word(at offset: UInt32) -> UInt32 {
            switch offset {
            case 0: return number
            case 4: return architecture
            default:
                let index = Int(offset - 16) / 8
                let value = index < arguments.count ? arguments[index] : 0
                return UInt32(truncatingIfNeeded: (offset - 16) % 8 == 0 ? value : value >> 32)
            }
        }
    }

    init(_ program: BPFProgram) {
        self.program = program.bytes
    }

    /// The action that the program answers, and how many instructions it took.
    func run(_ call: Call) throws -> (action: UInt32, steps: Int) {
        var position = 0
        var accumulator: UInt32 = 0
        var steps = 0
        while position < program.count / 8 {
            let (code, ifTrue, ifFalse, operand) = instruction(position)
            steps += 1
            position += 1
            switch code {
            case 0x20: accumulator = call.word(at: operand)
            case 0x05: position += Int(operand)
            case 0x15: position += accumulator == operand ? ifTrue : ifFalse
            case 0x25: position += accumulator > operand ? ifTrue : ifFalse
            case 0x35: position += accumulator >= operand ? ifTrue : ifFalse
            case 0x45: position += accumulator & operand != 0 ? ifTrue : ifFalse
            case 0x54: accumulator &= operand
            case 0x06: return (operand, steps)
            default: throw Unexpected(code: code)
            }
        }
        throw Unexpected(code: 0)
    }

    struct Unexpected: Error { var code: UInt16 }

    private func instruction(_ index: Int) -> (code: UInt16, ifTrue: Int, ifFalse: Int, operand: UInt32) {
        program.withUnsafeBytes { buffer in
            (
                buffer.loadUnaligned(fromByteOffset: index * 8, as: UInt16.self), Int(buffer[index * 8 + 2]),
                Int(buffer[index * 8 + 3]), buffer.loadUnaligned(fromByteOffset: index * 8 + 4, as: UInt32.self)
            )
        }
    }
}

/// What the program answers to the native system call of this name.
func answer(
    _ program: BPFProgram, _ name: String, _ arguments: [UInt64] = [], on architecture: SeccompArchitecture = .native
) throws -> UInt32 {
    guard let number = architecture.number(ofCall: name) else { throw NoSuchCall(name: name) }
    return try answer(program, number: number, arguments, on: architecture)
}

func answer(
    _ program: BPFProgram, number: UInt32, _ arguments: [UInt64] = [], on architecture: SeccompArchitecture = .native
) throws -> UInt32 {
    try BPFInterpreter(program).run(
        .init(number: number, architecture: architecture.auditNumber, arguments: arguments)
    ).action
}

struct NoSuchCall: Error { var name: String }

let allow = SeccompAction.allow.code
let notPermitted = SeccompAction.errno(1).code
let noCall = SeccompAction.errno(38).code
