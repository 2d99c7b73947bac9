import Linux

/// One instruction of a filter program.
///
/// - Note: linux/filter.h; networking/filter.rst, "BPF engine and instruction set".
struct BPFInstruction: Hashable {
    /// What to do.
    var code: UInt16
    /// How many instructions a jump passes over when its condition holds.
    var ifTrue: UInt8 = 0
    /// The same when it does not.
    var ifFalse: UInt8 = 0
    var operand: UInt32

    /// Codes that filters on system calls consist of.
    enum Code {
        static let load: UInt16 = 0x20
        static let answer: UInt16 = 0x06
        static let jump: UInt16 = 0x05
        static let jumpIfEqual: UInt16 = 0x15
        static let jumpIfGreater: UInt16 = 0x25
        static let jumpIfGreaterOrEqual: UInt16 = 0x35
        /// The bits that say which kind an instruction is, and the kinds that do not go on with the next one.
        static let classMask: UInt16 = 0x07
        static let jumpClass: UInt16 = 0x05
        static let answerClass: UInt16 = 0x06
    }

    /// Offsets in `struct seccomp_data`; the arguments come later in it.
    enum Field {
        static let number: UInt32 = 0
        static let architecture: UInt32 = 4
    }

    static func load(_ offset: UInt32) -> Self { Self(code: Code.load, operand: offset) }
    static func answer(_ action: UInt32) -> Self { Self(code: Code.answer, operand: action) }
    static func jump(over count: Int) -> Self { Self(code: Code.jump, operand: UInt32(count)) }

    /// A jump whose targets are given as positions, as its own is; both are 1 to 256 further on.
    static func jump(_ code: UInt16, _ value: UInt32, then: Int, else other: Int, at position: Int) -> Self {
        Self(code: code, ifTrue: UInt8(then - position - 1), ifFalse: UInt8(other - position - 1), operand: value)
    }

    /// The instructions of a program, 8 bytes each.
    static func decode(_ bytes: [UInt8]) -> [Self] {
        bytes.withUnsafeBytes { buffer in
            stride(from: 0, to: buffer.count, by: 8).map { offset in
                Self(
                    code: buffer.loadUnaligned(fromByteOffset: offset, as: UInt16.self), ifTrue: buffer[offset + 2],
                    ifFalse: buffer[offset + 3],
                    operand: buffer.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self))
            }
        }
    }

    static func encode(_ instructions: [Self]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(instructions.count * 8)
        for one in instructions {
            withUnsafeBytes(of: one.code) { bytes += $0 }
            bytes += [one.ifTrue, one.ifFalse]
            withUnsafeBytes(of: one.operand) { bytes += $0 }
        }
        return bytes
    }
}
