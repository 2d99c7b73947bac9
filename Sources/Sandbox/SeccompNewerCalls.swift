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
        var program: [BPFInstruction] = []
        for segment in segments {
            program += segment.dropLast()
            program.append(.jump(over: total - program.count - 1))
        }
        return BPFInstruction.encode(program)
    }

    /// One architecture's part; its last instruction is to jump over the parts that follow.
    private func segment(for architecture: SeccompArchitecture) -> [BPFInstruction]? {
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
        typealias Code = BPFInstruction.Code
        var part: [BPFInstruction] = [
            .load(BPFInstruction.Field.architecture),
            .jump(Code.jumpIfEqual, architecture.auditNumber, then: 2, else: next, at: 1),
            .load(BPFInstruction.Field.number),
            .jump(Code.jumpIfGreater, first + oldest, then: 4, else: leave, at: 3),
            .jump(Code.jumpIfGreaterOrEqual, first + Self.range, then: next, else: 5, at: 4),
        ]
        for rule in added {
            let answer = bound + 1 + actions.firstIndex(of: rule.action)!
            part.append(
                .jump(Code.jumpIfEqual, first + rule.number, then: answer, else: part.count + 1, at: part.count))
        }
        part.append(
            .jump(Code.jumpIfGreater, first + newest, then: refuses ? noCall : leave, else: leave, at: bound))
        part += actions.map { .answer($0.code) }
        part += [.answer(SeccompAction.errno(38).code), .jump(over: 0)]
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
