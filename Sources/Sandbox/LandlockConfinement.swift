import CLinux
import Glibc
public import Linux
import OCI
import SystemPackage

/// Confines files and the network where no namespaces can be had: by Landlock, and a filter of system calls for what
/// Landlock does not know of.
public struct LandlockConfinement: Sendable, Equatable {
    /// What can still be written to where all else cannot; `nil` for no such limit. Absolute.
    public var readOnlyBut: [String]?
    /// What can be neither read nor written to. Absolute.
    public var hidden: [String]
    public var noNetwork: Bool

    public init(readOnlyBut: [String]?, hidden: [String], noNetwork: Bool) {
        self.readOnlyBut = readOnlyBut
        self.hidden = hidden
        self.noNetwork = noNetwork
    }

    /// - Throws: Where this kernel has no Landlock.
    public static func require() throws(Failure) {
        guard LandlockRuleset.version > 0 else {
            throw Failure(
                "--sandbox", "landlock", "this kernel has no Landlock, or does not use it",
                remedy: "boot with 'lsm=landlock,…' (Linux 5.13), or do without --sandbox")
        }
    }

    /// What it does not hold on this kernel, in words.
    public var gaps: [String] {
        var gaps: [String] = []
        if readOnlyBut != nil || !hidden.isEmpty {
            gaps.append("looking at, and changing modes, owners and times of, files (chmod, chown, touch)")
        }
        if readOnlyBut != nil, LandlockRuleset.version < 3 { gaps.append("truncating files (before Linux 6.2)") }
        if noNetwork, LandlockRuleset.version < LandlockRuleset.versionWithScopes {
            gaps.append("abstract sockets (before Linux 6.12)")
        }
        return gaps
    }

    // MARK: The filter

    /// Forbids sockets but those of this machine, and io_uring, which makes sockets by itself.
    public func filter() throws(Failure) -> BPFProgram? {
        guard noNetwork else { return nil }
        let refusal = UInt32(EAFNOSUPPORT)
        // inet, inet6, can, tipc, bluetooth, packet, vsock, xdp. Of an int the kernel takes the lower half alone.
        let families: [UInt64] = [2, 10, 29, 30, 31, 17, 40, 44]
        var rules = families.map { family in
            Spec.Seccomp.SyscallRule(
                names: ["socket"], action: .errno, errnoRet: refusal,
                args: [.init(index: 0, value: 0xffff_ffff, valueTwo: family, op: .maskedEqual)])
        }
        rules.append(Spec.Seccomp.SyscallRule(names: ["io_uring_setup"], action: .errno, errnoRet: UInt32(EPERM)))
        return try Spec.Seccomp(defaultAction: .allow, syscalls: rules).compile()
    }

    // MARK: Files

    /// Puts it in force for this process, which is to become the command. It must have no_new_privs.
    func apply() throws(Failure) {
        let version = LandlockRuleset.version
        var handled: LandlockRuleset.Access = []
        if readOnlyBut != nil { handled.formUnion(.writing) }
        if !hidden.isEmpty { handled.formUnion([.reading, .writing]) }
        handled = handled.known(to: version)
        let forbidsTCP = noNetwork && version >= LandlockRuleset.versionWithTCP
        guard !handled.isEmpty || forbidsTCP else { return }
        let hidden = hidden.compactMap(Self.resolved)
        do throws(SystemCallError) {
            let ruleset = try LandlockRuleset(
                handling: handled, forbidsTCP: forbidsTCP,
                forbidsAbstractSockets: noNetwork && version >= LandlockRuleset.versionWithScopes)
            // What is not to be hidden can be read; what is not read-only can be written to as well.
            try Self.allow(readOnlyBut == nil ? [.reading, .writing] : .reading, "/", but: hidden, in: ruleset)
            for path in (readOnlyBut.map { ["/dev", "/proc", "/sys"] + $0 }) ?? [] {
                try Self.allow([.reading, .writing], Self.resolved(path) ?? path, but: hidden, in: ruleset)
            }
            try ruleset.restrict()
        } catch {
            throw Failure("confine", "files", "\(error)")
        }
    }

    /// Without symlinks in it; `nil` for what is not there.
    private static func resolved(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }

    /// Allows a directory and what is below it, but for some paths: as rules only allow, those above them are parted into
    /// their entries.
    private static func allow(
        _ access: LandlockRuleset.Access, _ path: String, but hidden: [String], in ruleset: LandlockRuleset
    ) throws(SystemCallError) {
        if hidden.contains(where: { path == $0 || path.hasBytes(ofPrefix: $0 + "/") }) { return }
        let base = path == "/" ? "/" : path + "/"
        let file = try FileDescriptor.workingDirectory.open(path, O_PATH | O_NOFOLLOW)
        defer { file.closeQuietly() }
        let kind = try file.status().st_mode & S_IFMT
        if kind == S_IFLNK { return }
        guard hidden.contains(where: { $0.hasBytes(ofPrefix: base) }) else {
            let allowed = kind == S_IFDIR ? access : access.intersection(.ofFiles)
            return try ruleset.allow(allowed, beneath: file)
        }
        let directory = try FileDescriptor.workingDirectory.open(path, O_RDONLY | O_DIRECTORY)
        defer { directory.closeQuietly() }
        for name in try directory.entries() { try allowEntry(access, base + name, but: hidden, in: ruleset) }
    }

    /// One that may go meanwhile, and that this user may not have any access to.
    private static func allowEntry(
        _ access: LandlockRuleset.Access, _ path: String, but hidden: [String], in ruleset: LandlockRuleset
    ) throws(SystemCallError) {
        do {
            try allow(access, path, but: hidden, in: ruleset)
        } catch  where error.errno == .noSuchFileOrDirectory || error.errno == .permissionDenied {
            return
        }
    }
}
