import Linux

/// What comes before libseccomp's part of a filter: system calls that it is too old to know.
///
/// A profile names calls of its own day and libseccomp those of another. A call that is newer than everything in
/// the profile would get the default action, EPERM, and the C library would report that instead of trying the older
/// call that ENOSYS makes it try. And a call that the profile allows would be refused, or one that it refuses
/// allowed, for no other reason than the age of libseccomp.
struct NewerCalls {
    /// Calls since Linux 6.5; from 424 on, a call has the same number on every architecture below.
    private static let numbers: [String: UInt32] = [
        "cachestat": 451, "fchmodat2": 452, "map_shadow_stack": 453, "futex_wake": 454, "futex_wait": 455,
        "futex_requeue": 456, "statmount": 457, "listmount": 458, "lsm_get_self_attr": 459, "lsm_set_self_attr": 460,
        "lsm_list_modules": 461, "mseal": 462, "setxattrat": 463, "getxattrat": 464, "listxattrat": 465,
        "removexattrat": 466, "open_tree_attr": 467, "file_getattr": 468, "file_setattr": 469,
    ]
    private static let architecturesWithThem = [
        "x86", "x86_64", "x32", "arm", "aarch64", "riscv64", "ppc64le", "s390x",
    ]
    .compactMap { SeccompArchitecture(named: $0) }

    /// Beyond it are no calls but those that have a range of their own: ARM's private ones, x32, -1 from a tracer.
    private static let range: UInt32 = 0x10000

    private let fallback: SeccompAction
    private var names: [String] = []
    private var rules: [String: SeccompAction] = [:]

    init(default fallback: SeccompAction) {
        self.fallback = fallback
    }

    /// Takes note of a rule of the profile, of which the first one for a call counts.
    ///
    /// - Parameter conditional: Whether it looks at arguments; such a rule cannot be kept for a call that
    ///   libseccomp does not know.
    mutating func note(_ name: String, _ action: SeccompAction, conditional: Bool) {
        names.append(name)
        if !conditional, Self.numbers[name] != nil, rules[name] == nil { rules[name] = action }
    }

    /// Whether a call that is too new for the profile is refused by it.
    private var refuses: Bool {
        switch fallback {
        case .errno(let number): number != 38
        case .killProcess, .killThread, .trap: true
        case .allow, .log, .trace, .notify: false
        }
    }

    /// Instructions that answer for newer calls and pass all others on to what follows them.
    func prologue(for architectures: [SeccompArchitecture]) -> [UInt8] {
        let segments = architectures.compactMap(segment)
        let total = segments.reduce(0) { $0 + $1.count }
        var bytes: [UInt8] = []
        var end = 0
        for var segment in segments {
            end += segment.count
            segment[segment.count - 1] = .jump(total - end)
            for instruction in segment { instruction.append(to: &bytes) }
        }
        return bytes
    }

    /// One architecture's part; its last instruction is to jump over the parts that follow.
    private func segment(for architecture: SeccompArchitecture) -> [Instruction]? {
        let first = architecture.firstCall
        let known = names.compactMap { architecture.number(ofCall: $0) }.map { $0 &- first }.filter { $0 < Self.range }
        let added = addedRules(for: architecture)
        guard let newest = (known + added.map(\.number)).max(), refuses || !added.isEmpty else { return nil }
        let oldest = min(known.max() ?? newest, (added.first?.number ?? .max) - 1)
        let actions = added.map(\.action).reduce(into: [SeccompAction]()) { if !$0.contains($1) { $0.append($1) } }

        // Positions within this part: 5 instructions, the added calls, a bound, their actions, ENOSYS, the jump.
        let bound = 5 + added.count
        let noCall = bound + 1 + actions.count
        let leave = noCall + 1
        let next = leave + 1
        var part: [Instruction] = [
            .load(offset: 4),  // seccomp_data.arch
            .jumpIfEqual(architecture.auditNumber, then: 2, else: next, at: 1),
            .load(offset: 0),  // seccomp_data.nr
            .jumpIfGreater(first + oldest, then: 4, else: leave, at: 3),
            .jumpIfGreater(first + Self.range - 1, then: next, else: 5, at: 4),
        ]
        for (index, rule) in added.enumerated() {
            let position = 5 + index
            part.append(
                .jumpIfEqual(
                    first + rule.number, then: bound + 1 + actions.firstIndex(of: rule.action)!, else: position + 1,
                    at: position))
        }
        part.append(.jumpIfGreater(first + newest, then: refuses ? noCall : leave, else: leave, at: bound))
        part += actions.map { .answer($0) }
        part += [.answer(.errno(38)), .jump(0)]
        return part
    }

    /// The noted rules for calls that libseccomp does not know on this architecture, by number.
    private func addedRules(for architecture: SeccompArchitecture) -> [(number: UInt32, action: SeccompAction)] {
        guard Self.architecturesWithThem.contains(architecture) else { return [] }
        return rules.filter { architecture.number(ofCall: $0.key) == nil }
            .map { (Self.numbers[$0.key]!, $0.value) }
            .sorted { $0.0 < $1.0 }
    }
}

/// One instruction of a filter program.
///
/// - Note: linux/filter.h; networking/filter.rst.
private struct Instruction {
    var code: UInt16
    var ifTrue: UInt8 = 0
    var ifFalse: UInt8 = 0
    var operand: UInt32

    static func load(offset: UInt32) -> Instruction { Instruction(code: 0x20, operand: offset) }
    static func answer(_ action: SeccompAction) -> Instruction { Instruction(code: 0x06, operand: action.code) }
    static func jump(_ distance: Int) -> Instruction { Instruction(code: 0x05, operand: UInt32(distance)) }

    /// Jumps to positions in the same part, which is far shorter than the 255 instructions that a jump can span.
    static func jumpIfEqual(_ value: UInt32, then: Int, else other: Int, at position: Int) -> Instruction {
        Instruction(
            code: 0x15, ifTrue: UInt8(then - position - 1), ifFalse: UInt8(other - position - 1), operand: value)
    }
    static func jumpIfGreater(_ value: UInt32, then: Int, else other: Int, at position: Int) -> Instruction {
        var jump = jumpIfEqual(value, then: then, else: other, at: position)
        jump.code = 0x25
        return jump
    }

    func append(to bytes: inout [UInt8]) {
        withUnsafeBytes(of: code) { bytes.append(contentsOf: $0) }
        bytes += [ifTrue, ifFalse]
        withUnsafeBytes(of: operand) { bytes.append(contentsOf: $0) }
    }
}
