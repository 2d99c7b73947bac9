import CLinux
import Glibc
public import SystemPackage

/// What a process and those that it makes may do with files, taken away by itself and for good, without any privilege.
///
/// - Note: landlock(7).
public struct LandlockRuleset: Sendable {
    /// What can be done with files; what is not handled stays as it is.
    public struct Access: OptionSet, Sendable, Hashable {
        public let rawValue: UInt64
        public init(rawValue: UInt64) { self.rawValue = rawValue }

        public static let execute = Self(rawValue: 1 << 0)
        public static let writeFile = Self(rawValue: 1 << 1)
        public static let readFile = Self(rawValue: 1 << 2)
        public static let readDirectory = Self(rawValue: 1 << 3)
        /// Removing and making what directories have in them.
        public static let changeDirectory = Self(rawValue: 0x1ff0)
        /// Moving and linking between directories; Linux 5.19, before which that is always denied.
        public static let refer = Self(rawValue: 1 << 13)
        /// Linux 6.2.
        public static let truncate = Self(rawValue: 1 << 14)

        public static let reading: Self = [.execute, .readFile, .readDirectory]
        public static let writing: Self = [.writeFile, .changeDirectory, .refer, .truncate]
        /// What a rule for a file can allow.
        public static let ofFiles: Self = [.execute, .writeFile, .readFile, .truncate]

        /// Those that the kernel knows.
        public func known(to version: Int) -> Self {
            var known = self
            if version < 2 { known.remove(.refer) }
            if version < 3 { known.remove(.truncate) }
            return known
        }
    }

    /// The interface's version that this kernel has: 1 from Linux 5.13 on; 0 where it has none or does not use it.
    public static var version: Int { max(0, Int(apus_landlock_version())) }

    /// From which version on TCP can be forbidden (Linux 6.7).
    public static let versionWithTCP = 4
    /// From which version on abstract sockets of others can be (Linux 6.12).
    public static let versionWithScopes = 6

    private let descriptor: FileDescriptor
    private let handled: Access

    /// Makes one that forbids everything that it handles.
    ///
    /// - Parameters:
    ///   - handled: Of what the kernel knows.
    ///   - forbidsTCP: Whether no TCP port can be bound or connected to.
    ///   - forbidsAbstractSockets: Whether those of processes outside cannot be connected to.
    public init(handling handled: Access, forbidsTCP: Bool, forbidsAbstractSockets: Bool) throws(SystemCallError) {
        self.handled = handled
        var ruleset = apus_landlock_ruleset(
            files: handled.rawValue, network: forbidsTCP ? 3 : 0, scoped: forbidsAbstractSockets ? 1 : 0)
        // A kernel that does not know the rest takes no bytes of it.
        let size = forbidsAbstractSockets ? 24 : forbidsTCP ? 16 : 8
        descriptor = FileDescriptor(
            rawValue: try check("landlock_create_ruleset") { apus_landlock_create(&ruleset, size) })
    }

    /// Allows something for a file, or for a directory and everything below it.
    public func allow(_ access: Access, beneath file: FileDescriptor) throws(SystemCallError) {
        var rule = apus_landlock_path(allowed: access.intersection(handled).rawValue, parent: file.rawValue)
        if rule.allowed == 0 { return }
        try check("landlock_add_rule") { apus_landlock_add_path(descriptor.rawValue, &rule) }
    }

    /// Puts it in force, for this thread and what it makes, and closes it.
    ///
    /// - Throws: `EPERM` without no_new_privs, but for those with CAP_SYS_ADMIN.
    public func restrict() throws(SystemCallError) {
        defer { descriptor.closeQuietly() }
        try check("landlock_restrict_self") { apus_landlock_restrict(descriptor.rawValue) }
    }
}
