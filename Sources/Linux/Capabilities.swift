import CCap
import CLinux
import Glibc
import SystemPackage

/// A set of capabilities, one bit each, by the kernel's numbers.
///
/// - Note: capabilities(7); the names are libcap's.
public struct CapabilitySet: OptionSet, Sendable, Hashable {
    /// Bit N stands for capability N.
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The set with one capability in it.
    ///
    /// - Parameter number: 0 to 63, as in linux/capability.h.
    public init(number: CInt) { self.init(rawValue: 1 << UInt64(number)) }

    /// Every capability that this kernel has.
    public static let all: CapabilitySet = {
        let count = min(max(cap_max_bits(), 1), 64)
        return CapabilitySet(rawValue: UInt64.max >> UInt64(64 - count))
    }()

    /// DAC_READ_SEARCH: read every file.
    public static let readSearch = Self(number: CAP_DAC_READ_SEARCH)
    /// SYS_MODULE: load kernel modules.
    public static let modules = Self(number: CAP_SYS_MODULE)
    /// NET_ADMIN: devices, addresses, routes and filters of a network namespace.
    public static let networkAdministration = Self(number: CAP_NET_ADMIN)
    /// SYS_RAWIO: ports and physical memory.
    public static let rawIO = Self(number: CAP_SYS_RAWIO)
    /// SYS_CHROOT.
    public static let changeRoot = Self(number: CAP_SYS_CHROOT)
    /// SYS_PTRACE: trace every process.
    public static let trace = Self(number: CAP_SYS_PTRACE)
    /// SYS_PACCT: switch process accounting.
    public static let accounting = Self(number: CAP_SYS_PACCT)
    /// SYS_ADMIN: mounts, namespaces and much else.
    public static let administration = Self(number: CAP_SYS_ADMIN)
    /// SYS_BOOT: restart the machine.
    public static let boot = Self(number: CAP_SYS_BOOT)
    /// SYS_NICE: priorities of every process.
    public static let priority = Self(number: CAP_SYS_NICE)
    /// SYS_TIME: set the clocks.
    public static let time = Self(number: CAP_SYS_TIME)
    /// SYS_TTY_CONFIG: hang terminals up.
    public static let terminals = Self(number: CAP_SYS_TTY_CONFIG)
    /// SYSLOG: the kernel's messages.
    public static let systemLog = Self(number: CAP_SYSLOG)
    /// PERFMON: performance events.
    public static let performanceEvents = Self(number: CAP_PERFMON)
    /// BPF: load programs into the kernel.
    public static let bpf = Self(number: CAP_BPF)

    /// Reads one capability as Docker's users write it: `NET_ADMIN`, `CAP_NET_ADMIN`, in any case; `ALL` is all of them.
    ///
    /// - Throws: For a name that libcap does not know.
    public init(parsing text: String) throws(Failure) {
        let upper = text.uppercased()
        let name = upper.hasPrefix("CAP_") ? upper : "CAP_" + upper
        if name == "CAP_ALL" {
            self = .all
            return
        }
        var number: cap_value_t = 0
        // libcap reads up to the first byte that no name has: "KILL,CHOWN" would be CAP_KILL.
        guard name.utf8.allSatisfy({ $0 == UInt8(ascii: "_") || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }),
            cap_from_name(name, &number) == 0, (0...63).contains(number)
        else {
            throw Failure(
                "capability", "'\(text)'", "unknown capability",
                remedy: "capabilities(7) lists the names, such as NET_ADMIN")
        }
        self.init(number: number)
    }

    /// Reads a list of names as an OCI configuration has it.
    ///
    /// - Returns: The capabilities that this kernel has, and the names that it does not have, which the
    ///   specification asks to warn about rather than to refuse.
    public static func reading(_ names: [String]) -> (set: CapabilitySet, unknown: [String]) {
        var result: (set: CapabilitySet, unknown: [String]) = ([], [])
        for name in names {
            do throws(Failure) {
                let capability = try CapabilitySet(parsing: name)
                guard capability.isSubset(of: .all) else { throw Failure("capability", name, "not in this kernel") }
                result.set.formUnion(capability)
            } catch {
                result.unknown.append(name)
            }
        }
        return result
    }

    /// The numbers of these capabilities, in order.
    public var numbers: [CInt] { (0..<64).filter { rawValue & (1 << UInt64($0)) != 0 } }

    /// The names as an OCI configuration has them, `CAP_NET_ADMIN`, in the order of the kernel's numbers.
    public var names: [String] {
        numbers.map { number in
            guard let name = cap_to_name(number) else { return "\(number)" }
            defer { cap_free(name) }
            return String(cString: name).uppercased()
        }
    }
}

/// The capability sets of this thread, and how to give them up.
///
/// The calls for a container's init come in this order, between clone and exec:
/// 1. `dropBoundingSet`, while CAP_SETPCAP is there.
/// 2. `CurrentProcess.keepCapabilities`, or the change of user would clear the permitted set.
/// 3. setgroups, setresgid, setresuid. A filter without no_new_privs is installed before step 4, which
///    takes CAP_SYS_ADMIN away; with no_new_privs it comes last of all.
/// 4. `set`.
///
/// None of them allocates unless it fails.
public enum Capabilities {
    /// Takes capabilities out of the bounding set, which limits what any later exec can give.
    ///
    /// - Parameter kept: Those that stay, as far as they are there.
    /// - Throws: `EPERM` without CAP_SETPCAP in this user namespace, if there is anything to take out.
    /// - Note: prctl(2), `PR_CAPBSET_DROP`.
    public static func dropBoundingSet(keeping kept: CapabilitySet) throws(SystemCallError) {
        let dropped = CapabilitySet.all.subtracting(kept).rawValue
        for number in 0..<UInt(64) where dropped & (1 << UInt64(number)) != 0 {
            if apus_prctl(PR_CAPBSET_DROP, number, 0, 0, 0) == 0 { continue }
            let errno = Errno(rawValue: Glibc.errno)  // at once: nothing may run in between
            // One that is gone already needs no privilege.
            if apus_prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 0 { continue }
            throw SystemCallError("prctl", "PR_CAPBSET_DROP \(number)", errno)
        }
    }

    /// Sets all sets but the bounding one.
    ///
    /// - Parameters:
    ///   - effective: A subset of `permitted`.
    ///   - permitted: A subset of what this thread has now.
    ///   - ambient: A subset of both `permitted` and `inheritable`.
    /// - Throws: `EPERM` when one of these is not so.
    /// - Note: capset(2); prctl(2), `PR_CAP_AMBIENT`.
    public static func set(
        effective: CapabilitySet, permitted: CapabilitySet, inheritable: CapabilitySet, ambient: CapabilitySet
    ) throws(SystemCallError) {
        var header = __user_cap_header_struct(version: UInt32(_LINUX_CAPABILITY_VERSION_3), pid: 0)
        var data = (
            word(0, effective, permitted, inheritable), word(1, effective, permitted, inheritable)
        )
        try check("capset") {
            withUnsafeMutableBytes(of: &data) {
                capset(&header, $0.assumingMemoryBound(to: __user_cap_data_struct.self).baseAddress)
            }
        }
        try check("prctl", "PR_CAP_AMBIENT_CLEAR_ALL") {
            apus_prctl(PR_CAP_AMBIENT, UInt(PR_CAP_AMBIENT_CLEAR_ALL), 0, 0, 0)
        }
        for number in 0..<UInt(64) where ambient.rawValue & (1 << UInt64(number)) != 0 {
            try check("prctl", "PR_CAP_AMBIENT_RAISE \(number)") {
                apus_prctl(PR_CAP_AMBIENT, UInt(PR_CAP_AMBIENT_RAISE), number, 0, 0)
            }
        }
    }

    /// What this thread may use right now.
    public static func effective() throws(SystemCallError) -> CapabilitySet {
        var header = __user_cap_header_struct(version: UInt32(_LINUX_CAPABILITY_VERSION_3), pid: 0)
        var data = (__user_cap_data_struct(), __user_cap_data_struct())
        try check("capget") {
            withUnsafeMutableBytes(of: &data) {
                capget(&header, $0.assumingMemoryBound(to: __user_cap_data_struct.self).baseAddress)
            }
        }
        return CapabilitySet(rawValue: UInt64(data.0.effective) | UInt64(data.1.effective) << 32)
    }

    /// What any exec of this thread can give at most.
    public static func bounding() -> CapabilitySet {
        CapabilitySet.all.numbers.reduce(into: []) { set, number in
            if apus_prctl(PR_CAPBSET_READ, UInt(number), 0, 0, 0) == 1 { set.insert(CapabilitySet(number: number)) }
        }
    }

    /// The lower (0) or upper (1) 32 capabilities, as capset(2) takes them.
    private static func word(
        _ index: UInt64, _ effective: CapabilitySet, _ permitted: CapabilitySet, _ inheritable: CapabilitySet
    ) -> __user_cap_data_struct {
        __user_cap_data_struct(
            effective: UInt32(truncatingIfNeeded: effective.rawValue >> (32 * index)),
            permitted: UInt32(truncatingIfNeeded: permitted.rawValue >> (32 * index)),
            inheritable: UInt32(truncatingIfNeeded: inheritable.rawValue >> (32 * index)))
    }
}

extension CurrentProcess {
    /// Keeps the permitted capabilities when all user IDs change from 0 to others; exec(2) ends it.
    ///
    /// - Note: prctl(2), `PR_SET_KEEPCAPS`.
    public static func keepCapabilities() throws(SystemCallError) {
        try check("prctl", "PR_SET_KEEPCAPS") { apus_prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) }
    }

    /// Keeps every later exec(2) of this process and its children from gaining privileges. There is no way back.
    ///
    /// - Note: prctl(2), `PR_SET_NO_NEW_PRIVS`.
    public static func setNoNewPrivileges() throws(SystemCallError) {
        try check("prctl", "PR_SET_NO_NEW_PRIVS") { apus_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }
    }
}

extension CurrentProcess {
    /// Whether this is root with the right to make mounts and namespaces: root of a container or of a service may lack it,
    /// and then does as an ordinary user does.
    public static var mayMount: Bool {
        guard geteuid() == 0 else { return false }
        return (try? Capabilities.effective())?.contains(.administration) ?? true  // `try?`: the first mount will say
    }
}
