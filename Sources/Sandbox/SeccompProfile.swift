public import Linux
public import OCI

extension Spec.Seccomp {
    /// The program that this profile makes on this machine.
    ///
    /// As runc has it: calls that this machine does not have are passed over, an argument that is named twice in a
    /// rule makes alternatives of its conditions, and a call that is newer than every call in a refusing profile
    /// gives ENOSYS, so that the C library takes its older way instead of failing.
    ///
    /// With a `notify` rule, `BPFProgram.install` returns the descriptor that belongs to `listenerPath`.
    ///
    /// - Throws: For an errno beyond 4095, an argument beyond 5, an unknown flag or architecture, `notify` where
    ///   it cannot work, and a program beyond the kernel's 4096 instructions.
    public func compile() throws(Failure) -> BPFProgram {
        let plain = try plainProgram()
        // x32 shares its audit number with x86_64: a set.
        let architectures = try Set(seccompArchitectures().map(\.value.auditNumber)).sorted()
        return try BPFProgram(bytes: BPFCompaction.compact(plain, for: architectures), flags: seccompFlags())
    }

    /// The program as libseccomp writes it, with the calls in front that it does not know.
    func plainProgram() throws(Failure) -> [UInt8] {
        let fallback = try seccompAction(defaultAction, defaultErrnoRet, "defaultAction")
        guard fallback != .notify else {
            throw Failure("seccomp", "defaultAction", "notify cannot be the default: Apus itself would wait for ever")
        }
        let filter = try SeccompFilter(default: fallback)
        let architectures = try seccompArchitectures()
        for (_, architecture) in architectures { try filter.add(architecture) }
        var newer = NewerCalls(default: fallback)
        for (index, rule) in (syscalls ?? []).enumerated() {
            try add(rule, named: "syscalls[\(index)]", default: fallback, to: filter, and: &newer)
        }
        return try newer.prologue(for: architectures.map(\.value)) + filter.export()
    }

    private func add(
        _ rule: SyscallRule, named path: String, default fallback: SeccompAction, to filter: borrowing SeccompFilter,
        and newer: inout NewerCalls
    ) throws(Failure) {
        let action = try seccompAction(rule.action, rule.errnoRet, path)
        guard action != .notify || !rule.names.contains("sendmsg") else {
            throw Failure("seccomp", path, "notify cannot hold back 'sendmsg': Apus hands the listener over with it")
        }
        var alternatives: [[SeccompArgument]] = [[]]
        if let arguments = rule.args, !arguments.isEmpty {
            let conditions = try arguments.enumerated().map { (index, argument) throws(Failure) in
                try condition(argument, "\(path).args[\(index)]")
            }
            let repeated = Set(conditions.map(\.index)).count < conditions.count
            alternatives = repeated ? conditions.map { [$0] } : [conditions]
        }
        for name in rule.names {
            newer.note(name, action, conditional: rule.args?.isEmpty == false)
            // libseccomp refuses a rule that says what the default says already.
            guard action != fallback else { continue }
            for conditions in alternatives {
                // A call that libseccomp does not know has no number here to be filtered by; `newer` has seen it.
                _ = try filter.add(action, call: name, arguments: conditions)
            }
        }
    }

    private func condition(_ argument: Argument, _ path: String) throws(Failure) -> SeccompArgument {
        guard argument.index <= 5 else {
            throw Failure("seccomp", "\(path).index", "\(argument.index) is not 0 to 5")
        }
        let comparison: SeccompComparison =
            switch argument.op {
            case .notEqual: .notEqual
            case .less: .less
            case .lessOrEqual: .lessOrEqual
            case .equal: .equal
            case .greaterOrEqual: .greaterOrEqual
            case .greater: .greater
            case .maskedEqual: .maskedEqual
            }
        return SeccompArgument(
            index: argument.index, comparison: comparison, value: argument.value, valueTwo: argument.valueTwo ?? 0)
    }

    /// The native architecture and those that the profile names, each once.
    private func seccompArchitectures() throws(Failure) -> [(name: String, value: SeccompArchitecture)] {
        var found: [(name: String, value: SeccompArchitecture)] = [("native", .native)]
        for name in architectures ?? [] {
            let prefix = "SCMP_ARCH_"
            guard name.hasPrefix(prefix),
                let one = SeccompArchitecture(named: name.dropFirst(prefix.count).lowercased())
            else {
                throw Failure(
                    "seccomp", "architecture '\(name)'", "not known to libseccomp \(SeccompFilter.libraryVersion)")
            }
            if !found.contains(where: { $0.value == one }) { found.append((name, one)) }
        }
        return found
    }

    private func seccompFlags() throws(Failure) -> SeccompFlags {
        guard notifies else { return try namedFlags() }
        guard listenerPath?.isEmpty == false else {
            throw Failure("seccomp", "listenerPath", "missing, and a rule's action is notify")
        }
        return try namedFlags().union(.newListener)
    }

    private func namedFlags() throws(Failure) -> SeccompFlags {
        // As runc has it: the mitigation that kernels before 5.16 would turn on costs each process a lot, and
        // whoever wants it can say so with an empty list.
        guard let flags else { return .allowSpeculation }
        var result: SeccompFlags = []
        for flag in flags {
            switch flag {
            case "SECCOMP_FILTER_FLAG_TSYNC": continue  // there is one thread
            case "SECCOMP_FILTER_FLAG_LOG": result.insert(.log)
            case "SECCOMP_FILTER_FLAG_SPEC_ALLOW": result.insert(.allowSpeculation)
            case "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV":
                // Nothing waits where nobody is asked, and the kernel refuses the flag there.
                if notifies { result.insert(.waitKillable) }
            default: throw Failure("seccomp", "flag '\(flag)'", "unknown flag")
            }
        }
        return result
    }
}

private func seccompAction(
    _ action: Spec.Seccomp.Action, _ errnoRet: UInt32?, _ path: String
) throws(Failure) -> SeccompAction {
    guard errnoRet == nil || action == .errno || action == .trace else {
        throw Failure("seccomp", path, "\(action.rawValue) returns no errno")
    }
    let number = errnoRet ?? 1  // EPERM
    guard number <= (action == .errno ? 4095 : 65535) else {
        throw Failure("seccomp", path, "errno \(number) is more than 4095")
    }
    return switch action {
    case .kill, .killThread: .killThread
    case .killProcess: .killProcess
    case .trap: .trap
    case .errno: .errno(UInt16(number))
    case .trace: .trace(UInt16(number))
    case .allow: .allow
    case .log: .log
    case .notify: .notify
    }
}
