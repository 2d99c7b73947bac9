import CLinux
import CSeccomp
import Glibc
public import SystemPackage

/// What the kernel does with a system call that a rule matches.
///
/// - Note: seccomp(2), "Seccomp filters".
public enum SeccompAction: Sendable, Hashable {
    case killProcess, killThread, trap, log, allow, notify
    /// The call fails with this errno, at most 4095.
    case errno(UInt16)
    /// The tracer gets this message; without one the call fails with ENOSYS.
    case trace(UInt16)

    /// The value that a filter program returns.
    public var code: UInt32 {
        switch self {
        case .killProcess: 0x8000_0000
        case .killThread: 0x0000_0000
        case .trap: 0x0003_0000
        case .errno(let number): 0x0005_0000 | UInt32(number)
        case .notify: 0x7fc0_0000
        case .trace(let message): 0x7ff0_0000 | UInt32(message)
        case .log: 0x7ffc_0000
        case .allow: 0x7fff_0000
        }
    }
}

/// How an argument of a system call is compared, all as unsigned 64-bit numbers.
public enum SeccompComparison: UInt32, Sendable, Hashable {
    case notEqual = 1
    case less, lessOrEqual, equal, greaterOrEqual, greater
    /// `argument & value == valueTwo`.
    case maskedEqual
}

/// A condition on one argument.
public struct SeccompArgument: Sendable, Hashable {
    /// 0 to 5.
    public var index: UInt32
    public var comparison: SeccompComparison
    public var value: UInt64
    /// The second value, which only `maskedEqual` has.
    public var valueTwo: UInt64

    public init(index: UInt32, comparison: SeccompComparison, value: UInt64, valueTwo: UInt64 = 0) {
        self.index = index
        self.comparison = comparison
        self.value = value
        self.valueTwo = valueTwo
    }
}

/// How the kernel installs a filter.
///
/// - Note: seccomp(2), `SECCOMP_SET_MODE_FILTER`.
public struct SeccompFlags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// All threads of the process get the filter.
    public static let synchronizeThreads = Self(rawValue: 1 << 0)
    /// Actions other than allow are logged.
    public static let log = Self(rawValue: 1 << 1)
    /// Speculative store bypass stays as it is; without this, kernels before 5.16 turn it off and slow everything down.
    public static let allowSpeculation = Self(rawValue: 1 << 2)
    /// Returns a descriptor from which a supervisor reads the calls that `notify` holds back.
    public static let newListener = Self(rawValue: 1 << 3)
    /// A call that `notify` holds back is only interrupted by fatal signals.
    public static let waitKillable = Self(rawValue: 1 << 5)
}

/// A processor architecture by the kernel's audit number.
public struct SeccompArchitecture: RawRepresentable, Sendable, Hashable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// By libseccomp's name, in lower case: `x86_64`, `aarch64`, `x32`.
    ///
    /// - Returns: `nil` for a name that this libseccomp does not know.
    public init?(named name: String) {
        let token = seccomp_arch_resolve_name(name)
        guard token != 0 else { return nil }
        rawValue = token
    }

    /// The one that this executable runs on.
    public static var native: SeccompArchitecture { SeccompArchitecture(rawValue: seccomp_arch_native()) }

    /// libseccomp's own number for x86_64 with 32-bit pointers, which shares x86_64's audit number in the kernel.
    public static let x32 = SeccompArchitecture(rawValue: 0x4000_003e)

    /// The number that the kernel shows a filter.
    public var auditNumber: UInt32 { self == .x32 ? 0xc000_003e : rawValue }

    /// What the numbers of its system calls start from.
    public var firstCall: UInt32 { self == .x32 ? 0x4000_0000 : 0 }

    /// The number of a system call, or `nil` where it has none or this libseccomp does not know the name.
    public func number(ofCall name: String) -> UInt32? {
        let number = seccomp_syscall_resolve_name_arch(rawValue, name)
        return number >= 0 ? UInt32(number) : nil
    }
}

/// A filter program as the kernel takes it.
public struct BPFProgram: Sendable, Hashable {
    /// `struct sock_filter` of linux/filter.h, 8 bytes each.
    public let bytes: [UInt8]
    public let flags: SeccompFlags

    /// The most instructions that the kernel takes (`BPF_MAXINSNS`).
    public static let maximumCount = 4096

    /// The number of instructions.
    public var count: Int { bytes.count / MemoryLayout<sock_filter>.size }

    /// - Throws: For an empty program, one of more than 4096 instructions or with half of one.
    public init(bytes: [UInt8], flags: SeccompFlags = []) throws(Failure) {
        let size = MemoryLayout<sock_filter>.size
        guard !bytes.isEmpty, bytes.count % size == 0, bytes.count / size <= Self.maximumCount else {
            throw Failure(
                "seccomp", "filter program", "\(bytes.count) bytes are not 1 to \(Self.maximumCount) instructions",
                remedy: "a profile with fewer rules or architectures makes a smaller one")
        }
        self.bytes = bytes
        self.flags = flags
    }

    /// Filters the system calls of this thread from here on, for itself and its children. There is no way back.
    ///
    /// Allocates nothing unless it fails, so a child may call it between clone and exec.
    ///
    /// - Returns: The listener with `newListener` among the flags, which the caller closes; else `nil`.
    /// - Throws: `EACCES` without no_new_privs and without CAP_SYS_ADMIN in this user namespace; `EINVAL`
    ///   for a flag that this kernel does not know.
    @discardableResult
    public func install() throws(SystemCallError) -> FileDescriptor? {
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(SystemCallError) in try load(buffer.assumingMemoryBound(to: sock_filter.self)) }
        }
        let descriptor = try result.get()
        return flags.contains(.newListener) ? FileDescriptor(rawValue: descriptor) : nil
    }

    private func load(_ instructions: UnsafeBufferPointer<sock_filter>) throws(SystemCallError) -> CInt {
        // The kernel only reads it; the C type lacks the const.
        var program = sock_fprog(
            len: UInt16(instructions.count), filter: UnsafeMutablePointer(mutating: instructions.baseAddress))
        do throws(SystemCallError) {
            return try check("seccomp", "filter") {
                apus_seccomp(UInt32(SECCOMP_SET_MODE_FILTER), flags.rawValue, &program)
            }
        } catch  where error.errno == .noFunction && flags.isEmpty {
            return try check("prctl", "PR_SET_SECCOMP") {
                withUnsafeMutablePointer(to: &program) {
                    apus_prctl(PR_SET_SECCOMP, UInt(SECCOMP_MODE_FILTER), UInt(bitPattern: $0), 0, 0)
                }
            }
        }
    }
}

/// Rules on their way to a filter program, in libseccomp's hands.
public struct SeccompFilter: ~Copyable {
    private let context: scmp_filter_ctx

    /// libseccomp's version as one number, 0x020504 for 2.5.4: what a program that it makes depends on.
    public static var libraryVersionNumber: UInt64 {
        guard let version = seccomp_version()?.pointee else { return 0 }
        return UInt64(version.major) << 16 | UInt64(version.minor) << 8 | UInt64(version.micro)
    }

    /// libseccomp's version for messages, `2.5.4`.
    public static var libraryVersion: String {
        guard let version = seccomp_version()?.pointee else { return "unknown" }
        return "\(version.major).\(version.minor).\(version.micro)"
    }

    /// Starts a filter without rules, for the native architecture.
    ///
    /// - Parameter action: What happens to a call that no rule matches.
    public init(default action: SeccompAction) throws(Failure) {
        // Level 6 knows every action. libseccomp would else ask this kernel, and a program from the cache, or one
        // made below a filter that forbids asking, would differ.
        guard seccomp_api_set(6) == 0, let context = seccomp_init(action.code) else {
            throw Failure("seccomp", "default action", "not accepted by libseccomp \(Self.libraryVersion)")
        }
        // A binary tree by number: some 10 instructions a call instead of hundreds, which also counts at
        // installation, where the kernel runs the filter once for each number to fill its table of allowed calls.
        guard seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0 else {
            seccomp_release(context)
            throw Failure("seccomp", "binary tree", "not accepted by libseccomp \(Self.libraryVersion)")
        }
        self.context = context
    }

    deinit { seccomp_release(context) }

    /// Filters the calls of another architecture too; one that is there already stays.
    public func add(_ architecture: SeccompArchitecture) throws(Failure) {
        let code = seccomp_arch_add(context, architecture.rawValue)
        if code != -EEXIST { try Self.result("architecture \(architecture.rawValue)", code) }
    }

    /// Adds a rule; it matches when all of `arguments` do, of which each has its own index.
    ///
    /// - Returns: Whether libseccomp knows a call of this name.
    public func add(
        _ action: SeccompAction, call name: String, arguments: [SeccompArgument] = []
    ) throws(Failure) -> Bool {
        let number = seccomp_syscall_resolve_name(name)
        guard number != __NR_SCMP_ERROR else { return false }
        let conditions = arguments.map {
            scmp_arg_cmp(
                arg: $0.index, op: scmp_compare(rawValue: $0.comparison.rawValue), datum_a: $0.value,
                datum_b: $0.valueTwo)
        }
        let code = seccomp_rule_add_array(context, action.code, number, UInt32(conditions.count), conditions)
        if code != -EEXIST { try Self.result("rule for '\(name)'", code) }
        return true
    }

    /// The program that the rules make.
    public func export() throws(Failure) -> [UInt8] {
        do throws(SystemCallError) {
            // In memory: a pipe may be shrunk to one page, and writing 32 KiB into it would then never end.
            let file = FileDescriptor(
                rawValue: try check("memfd_create") { memfd_create("seccomp", UInt32(MFD_CLOEXEC)) })
            defer { file.closeQuietly() }
            let code = seccomp_export_bpf(context, file.rawValue)
            guard code == 0 else { throw SystemCallError("seccomp_export_bpf", "", Errno(rawValue: -code)) }
            try check("lseek") { CInt(truncatingIfNeeded: lseek(file.rawValue, 0, SEEK_SET)) }
            return try file.readAll(limit: BPFProgram.maximumCount * MemoryLayout<sock_filter>.size)
        } catch {
            throw Failure("seccomp", "filter program", error)
        }
    }

    private static func result(_ subject: String, _ code: CInt) throws(Failure) {
        guard code < 0 else { return }
        throw Failure("seccomp", subject, "libseccomp \(libraryVersion): \(Errno(rawValue: -code).reason)")
    }
}
