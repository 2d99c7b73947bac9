import CLinux
import Glibc
public import SystemPackage

/// A signal, by the number that it has on this machine.
public struct Signal: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    /// 1 to 64.
    public let rawValue: CInt

    public init(rawValue: CInt) { self.rawValue = rawValue }

    public static let hangUp = Self(rawValue: SIGHUP)
    public static let interrupt = Self(rawValue: SIGINT)
    public static let quit = Self(rawValue: SIGQUIT)
    public static let kill = Self(rawValue: SIGKILL)
    public static let pipe = Self(rawValue: SIGPIPE)
    public static let alarm = Self(rawValue: SIGALRM)
    public static let terminate = Self(rawValue: SIGTERM)
    public static let child = Self(rawValue: SIGCHLD)
    public static let `continue` = Self(rawValue: SIGCONT)
    public static let stop = Self(rawValue: SIGSTOP)
    public static let terminalStop = Self(rawValue: SIGTSTP)
    public static let terminalInput = Self(rawValue: SIGTTIN)
    public static let terminalOutput = Self(rawValue: SIGTTOU)
    public static let urgent = Self(rawValue: SIGURG)
    public static let windowChange = Self(rawValue: SIGWINCH)

    /// The highest number that a signal can have.
    public static let highest: CInt = 64
    /// What `RTMIN` means to users: below it the C library keeps two signals for itself.
    private static let realTimeLowest: CInt = 34

    /// Names without `SIG` by number; the name at 0 stands for nothing.
    ///
    /// - Note: signal(7), the column "x86/ARM, most others".
    private static let names: [StaticString] = [
        "", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
        "WINCH", "IO", "PWR", "SYS",
    ]
    private static let synonyms: [(name: StaticString, number: CInt)] = [
        ("IOT", SIGABRT), ("CLD", SIGCHLD), ("POLL", SIGIO), ("UNUSED", SIGSYS),
    ]

    /// Reads a signal as Docker's users write it: `KILL`, `SIGKILL`, `kill`, `9`, `RTMIN`, `RTMIN+3`, `RTMAX-1`.
    ///
    /// - Throws: For an unknown name and for a number that is not 1 to 64.
    public init(parsing text: String) throws(Failure) {
        let upper = text.uppercased()
        let name = upper.hasPrefix("SIG") ? String(upper.dropFirst(3)) : upper
        guard let number = CInt(text) ?? Self.number(named: name), (1...Self.highest).contains(number) else {
            throw Failure(
                "signal", "'\(text)'", "unknown signal", remedy: "give a name such as TERM or a number from 1 to 64")
        }
        self.rawValue = number
    }

    private static func number(named name: String) -> CInt? {
        if let number = names.dropFirst().firstIndex(where: { $0.description == name }) { return CInt(number) }
        if let synonym = synonyms.first(where: { $0.name.description == name }) { return synonym.number }
        for (base, start, sign) in [("RTMIN", realTimeLowest, "+"), ("RTMAX", highest, "-")] where name.hasPrefix(base)
        {
            let rest = name.dropFirst(base.count)
            if rest.isEmpty { return start }
            guard rest.hasPrefix(sign), let offset = UInt8(rest.dropFirst()), offset <= highest - realTimeLowest else {
                return nil
            }
            return sign == "+" ? start + CInt(offset) : start - CInt(offset)
        }
        return nil
    }

    /// The name as users write it: `SIGKILL`, `SIGRTMIN+3`; the number where there is no name.
    public var description: String {
        if rawValue > 0, rawValue < CInt(Self.names.count) { return "SIG\(Self.names[Int(rawValue)])" }
        guard (Self.realTimeLowest...Self.highest).contains(rawValue) else { return "\(rawValue)" }
        let offset = rawValue - Self.realTimeLowest
        return offset == 0 ? "SIGRTMIN" : "SIGRTMIN+\(offset)"
    }
}

/// A set of signals and what a thread can do with one.
public struct SignalSet: Sendable {
    fileprivate var mask = sigset_t()

    /// No signal at all.
    public init() { sigemptyset(&mask) }

    /// Exactly these; numbers that are no signal are left out.
    public init(_ signals: [Signal]) {
        self.init()
        for signal in signals { sigaddset(&mask, signal.rawValue) }
    }

    /// Every signal; the kernel passes over SIGKILL and SIGSTOP, which nobody can block.
    public static let all: SignalSet = {
        var set = SignalSet()
        sigfillset(&set.mask)
        return set
    }()

    public func contains(_ signal: Signal) -> Bool {
        withUnsafePointer(to: mask) { sigismember($0, signal.rawValue) == 1 }
    }

    /// This set without some signals.
    public func subtracting(_ signals: [Signal]) -> SignalSet {
        var result = self
        for signal in signals { sigdelset(&result.mask, signal.rawValue) }
        return result
    }

    /// Blocks these signals in this thread, beside those that are blocked already.
    ///
    /// - Returns: What was blocked before, for `setAsMask`.
    @discardableResult
    public func block() throws(SystemCallError) -> SignalSet { try change(SIG_BLOCK, "block") }

    /// Lets these signals through to this thread again.
    @discardableResult
    public func unblock() throws(SystemCallError) -> SignalSet { try change(SIG_UNBLOCK, "unblock") }

    /// Blocks these signals in this thread and no others.
    @discardableResult
    public func setAsMask() throws(SystemCallError) -> SignalSet { try change(SIG_SETMASK, "set") }

    private func change(_ how: CInt, _ what: String) throws(SystemCallError) -> SignalSet {
        var previous = SignalSet()
        try check("sigprocmask", what) {
            withUnsafePointer(to: mask) { sigprocmask(how, $0, &previous.mask) }
        }
        return previous
    }

    /// Gives every signal its default action back, and blocks none: how a program expects to be started.
    ///
    /// For a child between clone and exec. exec(2) resets handlers by itself but leaves ignored and blocked
    /// signals as they are, so that a container started under nohup(1) would never see SIGHUP.
    public static func resetForExec() throws(SystemCallError) {
        var action = Glibc.sigaction()  // all zero: SIG_DFL
        for number in 1...Signal.highest {
            // Fails with EINVAL for those that cannot be changed (SIGKILL, SIGSTOP, the C library's two): they need none.
            _ = sigaction(number, &action, nil)
        }
        try SignalSet().setAsMask()
    }
}

/// Signals as something to read and poll.
///
/// - Note: signalfd(2).
public struct SignalDescriptor: Sendable {
    /// Becomes readable when a signal waits; non-blocking and close-on-exec.
    public let descriptor: FileDescriptor

    /// One signal that came.
    public struct Arrival: Sendable, Hashable {
        public let signal: Signal
        /// Who sent it, in this PID namespace; 0 for the kernel and for processes that are not in it.
        public let sender: pid_t
        /// Whether the kernel made it itself (the terminal, a timer, a child) rather than a process by kill(2).
        public let fromKernel: Bool
    }

    /// Opens a descriptor for `signals`, which must be blocked, or their actions take place instead. The caller closes it.
    public init(_ signals: SignalSet) throws(SystemCallError) {
        let raw = try check("signalfd") {
            withUnsafePointer(to: signals.mask) { signalfd(-1, $0, CInt(SFD_CLOEXEC | SFD_NONBLOCK)) }
        }
        descriptor = FileDescriptor(rawValue: raw)
    }

    /// Takes the next signal.
    ///
    /// - Returns: `nil` when none waits.
    public func next() throws(SystemCallError) -> Arrival? {
        var info = signalfd_siginfo()
        do throws(SystemCallError) {
            try check("read", "signalfd") {
                CInt(truncatingIfNeeded: read(descriptor.rawValue, &info, MemoryLayout<signalfd_siginfo>.size))
            }
        } catch  where error.errno == .resourceTemporarilyUnavailable {
            return nil
        }
        return Arrival(
            signal: Signal(rawValue: CInt(info.ssi_signo)), sender: pid_t(bitPattern: info.ssi_pid),
            fromKernel: info.ssi_code > 0)
    }
}
