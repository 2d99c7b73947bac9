public import Linux
public import OCI
import SystemPackage

/// A seccomp profile as `--security-opt seccomp=FILE` names one: Docker's format, or the `seccomp` object of an
/// OCI configuration, of which Docker's is an extension.
///
/// - Note: Docker's manual, "Seccomp security profiles for Docker"; config-linux.md, "Seccomp".
public struct SeccompFile: Sendable {
    /// The most bytes that such a file may have.
    public static let sizeLimit = 4 << 20

    /// What the rules of a profile may depend on.
    public struct Machine: Sendable, Hashable {
        /// What the container's processes can have at most, their bounding set.
        public var capabilities: CapabilitySet
        /// As Docker has it: `amd64`, `arm64`.
        public var architecture: String
        /// The kernel's first two numbers: 6 and 18.
        public var kernel: [Int]

        public init(capabilities: CapabilitySet, architecture: String, kernel: [Int]) {
            self.capabilities = capabilities
            self.architecture = architecture
            self.kernel = kernel
        }

        /// This machine.
        public static func current(capabilities: CapabilitySet) -> Machine {
            // Where /proc hides it, rules that ask for a kernel stay out, which is the stricter side.
            let release = FileDescriptor.contentsIfReadable(of: "/proc/sys/kernel/osrelease", limit: 256)
            return Machine(
                capabilities: capabilities, architecture: dockerNames[SeccompDefault.nativeArchitecture] ?? "unknown",
                kernel: version(String(decoding: release ?? [], as: UTF8.self)) ?? [0, 0])
        }

        private static let dockerNames = ["x86_64": "amd64", "aarch64": "arm64"]
    }

    /// The path as the user gave it, for messages.
    public let path: String
    /// The text, which is not looked into before `profile`.
    public let bytes: [UInt8]

    /// Reads the file at `path`.
    ///
    /// - Throws: When it cannot be read, is no regular file or has more than 4 MiB.
    public init(reading path: String) throws(Failure) {
        do throws(SystemCallError) {
            bytes = try FileDescriptor.workingDirectory.contents(of: path, limit: Self.sizeLimit)
        } catch  where error.errno == .fileTooLarge {
            throw Failure("seccomp profile", "'\(path)'", "more than 4 MiB")
        } catch  where error.errno == .invalidArgument {
            throw Failure("seccomp profile", "'\(path)'", "not a regular file")
        } catch {
            throw Failure("seccomp profile", "'\(path)'", error)
        }
        self.path = path
    }

    /// - Parameters:
    ///   - path: Only for messages.
    ///   - bytes: What the file has in it.
    public init(path: String, bytes: [UInt8]) {
        self.path = path
        self.bytes = bytes
    }

    /// The profile that the file means on `machine`.
    ///
    /// - Throws: For what is no JSON or no profile, with the place in it: `syscalls[3].args[0].op`.
    public func profile(for machine: Machine) throws(Failure) -> Spec.Seccomp {
        do throws(SpecError) {
            return try Document(json: bytes).profile(for: machine)
        } catch {
            throw Failure("seccomp profile", "'\(path)'", "\(error)")
        }
    }
}

/// The first two numbers of a kernel's version, such as `4.8` or `6.1.0-13-amd64`.
private func version(_ text: String) -> [Int]? {
    let numbers = text.split(separator: ".", maxSplits: 2).prefix(2).map { Int($0.prefix(while: \.isNumber)) }
    guard numbers.count == 2, let first = numbers[0], let second = numbers[1] else { return nil }
    return [first, second]
}

/// Docker's format.
private struct Document: JSONMappable {
    struct Architecture: JSONMappable {
        var architecture = ""
        var subArchitectures: [String]?

        mutating func map(_ fields: JSONFields) {
            fields.required("architecture", &architecture)
            fields.optional("subArchitectures", &subArchitectures)
        }
    }

    struct Condition: JSONMappable {
        var caps: [String]?
        var arches: [String]?
        var minKernel: String?

        mutating func map(_ fields: JSONFields) {
            fields.optional("caps", &caps)
            fields.optional("arches", &arches)
            fields.optional("minKernel", &minKernel)
        }
    }

    struct Rule: JSONMappable {
        /// The form before `names`, with one call.
        var name: String?
        var names: [String]?
        var action = Spec.Seccomp.Action.kill
        var errnoRet: UInt32?
        var args: [Spec.Seccomp.Argument]?
        var includes: Condition?
        var excludes: Condition?

        mutating func map(_ fields: JSONFields) {
            fields.optional("name", &name)
            fields.optional("names", &names)
            fields.required("action", &action)
            fields.optional("errnoRet", &errnoRet)
            fields.optional("args", &args)
            fields.optional("includes", &includes)
            fields.optional("excludes", &excludes)
        }
    }

    var defaultAction = Spec.Seccomp.Action.kill
    var defaultErrnoRet: UInt32?
    var architectures: [String]?
    var archMap: [Architecture]?
    var flags: [String]?
    var listenerPath: String?
    var listenerMetadata: String?
    var syscalls: [Rule]?

    mutating func map(_ fields: JSONFields) {
        fields.required("defaultAction", &defaultAction)
        fields.optional("defaultErrnoRet", &defaultErrnoRet)
        fields.optional("architectures", &architectures)
        fields.optional("archMap", &archMap)
        fields.optional("flags", &flags)
        fields.optional("listenerPath", &listenerPath)
        fields.optional("listenerMetadata", &listenerMetadata)
        fields.optional("syscalls", &syscalls)
    }

    func profile(for machine: SeccompFile.Machine) throws(SpecError) -> Spec.Seccomp {
        var rules: [Spec.Seccomp.SyscallRule] = []
        for (index, rule) in (syscalls ?? []).enumerated() {
            if let rule = try rule.rule(on: machine, "syscalls[\(index)]") { rules.append(rule) }
        }
        return Spec.Seccomp(
            defaultAction: defaultAction, defaultErrnoRet: defaultErrnoRet, architectures: try chosenArchitectures(),
            flags: flags, listenerPath: listenerPath, listenerMetadata: listenerMetadata, syscalls: rules)
    }

    private func chosenArchitectures() throws(SpecError) -> [String]? {
        guard let archMap, !archMap.isEmpty else { return architectures }
        guard architectures?.isEmpty != false else {
            throw SpecError(path: "archMap", reason: "'architectures' is there too; only one of them can be")
        }
        let native = "SCMP_ARCH_" + SeccompDefault.nativeArchitecture.uppercased()
        return archMap.first { $0.architecture == native }.map { [$0.architecture] + ($0.subArchitectures ?? []) }
    }
}

extension Document.Rule {
    /// This rule as the specification has it, or `nil` if it does not apply on `machine`.
    func rule(on machine: SeccompFile.Machine, _ place: String) throws(SpecError) -> Spec.Seccomp.SyscallRule? {
        guard name == nil || names?.isEmpty != false else {
            throw SpecError(path: place, reason: "both 'name' and 'names' are there; only one of them can be")
        }
        let calls = name.map { [$0] } ?? names ?? []
        guard !calls.isEmpty else { throw SpecError(path: "\(place).names", reason: "no system call is named") }
        guard try includes?.allHold(on: machine, "\(place).includes") != false,
            try excludes?.anyHolds(on: machine, "\(place).excludes") != true
        else { return nil }
        return Spec.Seccomp.SyscallRule(names: calls, action: action, errnoRet: errnoRet, args: args)
    }
}

extension Document.Condition {
    func allHold(on machine: SeccompFile.Machine, _ place: String) throws(SpecError) -> Bool {
        let there = caps?.allSatisfy { has($0, machine) } ?? true
        let architecture = arches?.isEmpty != false || arches?.contains(machine.architecture) == true
        let kernel = try isNewEnough(machine, place) ?? true
        return there && architecture && kernel
    }

    func anyHolds(on machine: SeccompFile.Machine, _ place: String) throws(SpecError) -> Bool {
        let there = caps?.contains { has($0, machine) } ?? false
        let architecture = arches?.contains(machine.architecture) ?? false
        let kernel = try isNewEnough(machine, place) ?? false
        return there || architecture || kernel
    }

    private func has(_ capability: String, _ machine: SeccompFile.Machine) -> Bool {
        let one = CapabilitySet.reading([capability]).set
        return !one.isEmpty && one.isSubset(of: machine.capabilities)
    }

    private func isNewEnough(_ machine: SeccompFile.Machine, _ place: String) throws(SpecError) -> Bool? {
        guard let minKernel, !minKernel.isEmpty else { return nil }
        guard let least = version(minKernel) else {
            throw SpecError(path: "\(place).minKernel", reason: "'\(minKernel)' is no version such as \"4.8\"")
        }
        return !machine.kernel.lexicographicallyPrecedes(least)
    }
}
