public import Linux
public import OCI
import Sandbox

/// Makes what the engine runs of what the user asked for.
///
/// The seccomp filter and the image's part are not in it: `config.seccomp` says which filter. The root's path is that of
/// the directory asked for; whoever prepares a layer or a copy sets it to where that is.
///
/// - Throws: For combinations that cannot be, and for what `facts` cannot find.
public func makeSpec(_ config: ContainerConfig, facts: HostFacts) throws(Failure) -> Spec {
    let generation = SpecGeneration(
        config: config, facts: facts, userNamespace: try UserNamespace.make(config, facts))
    return try generation.spec()
}

/// One spec in the making.
struct SpecGeneration {
    let config: ContainerConfig
    let facts: HostFacts
    let userNamespace: UserNamespace?

    func spec() throws(Failure) -> Spec {
        let capabilities = try capabilities()
        let devices = try devices()
        let bindDevices = userNamespace != nil
        return Spec(
            process: process(capabilities),
            root: Spec.Root(path: rootPath, readonly: config.readOnlyRoot ? true : nil),
            hostname: config.uts == .private ? hostname : nil,
            domainname: config.domainname,
            mounts: try mounts() + (bindDevices ? devices.map(\.mount) : []),
            annotations: annotations,
            linux: Spec.Linux(
                uidMappings: userNamespace?.uids,
                gidMappings: userNamespace?.gids,
                sysctl: try sysctls(),
                resources: try resources(capabilities, devices),
                cgroupsPath: config.cgroupParent.map { "\($0)/\(facts.id)" },
                namespaces: try namespaces(),
                devices: bindDevices || devices.isEmpty ? nil : devices.map(\.node),
                rootfsPropagation: rootPropagation,
                maskedPaths: maskedPaths,
                readonlyPaths: readOnlyPaths,
                personality: config.personality.map { Spec.Personality(domain: $0) }))
    }

    private var rootPath: String {
        switch config.root {
        case .directory(let path), .overlay(let path): path
        case .host: "/"
        case .image: "\(facts.containerDirectory)/root"
        }
    }

    /// What the program sees as its machine's name.
    var hostname: String {
        if config.uts == .host || (config.hostname == nil && config.network == .host) { return facts.hostName }
        return config.hostname ?? (config.isReproducible ? "apus" : String(facts.id.prefix(12)))
    }

    /// Groups by name travel to the init process, which alone can look them up, in an annotation.
    private var annotations: [String: String]? {
        var annotations = config.annotations
        let names = config.additionalGroups.filter { UInt32($0) == nil }
        if !names.isEmpty { annotations[Spec.groupNamesAnnotation] = names.joined(separator: ",") }
        return annotations.isEmpty ? nil : annotations
    }

    // MARK: Process

    private func process(_ capabilities: Spec.Capabilities) -> Spec.Process {
        Spec.Process(
            terminal: config.tty ? true : nil,
            consoleSize: config.tty ? config.consoleSize : nil,
            user: user,
            args: config.arguments,
            env: environment,
            cwd: config.workingDirectory ?? "/",
            capabilities: capabilities,
            rlimits: config.rlimits.isEmpty ? nil : config.rlimits,
            noNewPrivileges: config.noNewPrivileges ?? !config.privileged,
            apparmorProfile: config.apparmorProfile,
            oomScoreAdj: config.oomScoreAdjustment)
    }

    /// Names are resolved inside the root, by the init process; numbers are filled in already.
    private var user: Spec.User {
        var user = Spec.User(umask: config.umask ?? 0o022)
        if config.user.isEmpty, case .keepID = config.userNamespace {
            (user.uid, user.gid) = (facts.uid, facts.gid)
        } else if !config.user.isEmpty {
            let parts = config.user.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            user.uid = parts.first.flatMap { UInt32($0) } ?? 0
            user.gid = parts.count > 1 ? UInt32(parts[1]) ?? 0 : 0
            user.username = config.user
        }
        let groups = config.additionalGroups.compactMap { UInt32($0) }
        user.additionalGids = groups.isEmpty ? nil : groups
        return user
    }

    private var environment: [String] {
        var environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
        environment.append("HOSTNAME=\(hostname)")
        if config.tty { environment.append("TERM=xterm") }
        if config.isReproducible { environment += ["LANG=C.UTF-8", "LC_ALL=C.UTF-8", "TZ=UTC"] }
        for variable in config.environment {
            let name = variable.utf8.prefix { $0 != UInt8(ascii: "=") }
            environment.removeAll { $0.utf8.prefix { $0 != UInt8(ascii: "=") }.elementsEqual(name) }
            environment.append(variable)
        }
        for name in config.unsetEnvironment { environment.removeAll { $0.hasPrefix(name + "=") } }
        // By bytes: an order that no locale changes. HOME joins it when the user is known, in the root's own files.
        if config.isReproducible { environment.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) } }
        return environment
    }

    // MARK: Namespaces

    private func namespaces() throws(Failure) -> [Spec.Namespace] {
        var result: [Spec.Namespace] = []
        if let userNamespace { result.append(Spec.Namespace(type: .user, path: userNamespace.path)) }
        result.append(Spec.Namespace(type: .mount))
        try add(.pid, config.pid, to: &result)
        try add(.uts, config.uts, to: &result)
        try add(.cgroup, config.cgroupNamespace, to: &result)
        switch config.ipc {
        case .private, .shareable, .none: result.append(Spec.Namespace(type: .ipc))
        case .host: break
        case .container(let id): try add(.ipc, .container(id: id), to: &result)
        }
        switch config.network {
        case .standard, .none, .pasta, .networks: result.append(Spec.Namespace(type: .network))
        case .host: break
        case .container(let id): try add(.network, .container(id: id), to: &result)
        }
        return result
    }

    private func add(
        _ type: Spec.NamespaceType, _ mode: NamespaceMode, to result: inout [Spec.Namespace]
    ) throws(Failure) {
        switch mode {
        case .private: result.append(Spec.Namespace(type: type))
        case .host: return
        case .container(let id): result.append(Spec.Namespace(type: type, path: try facts.namespace(id, type)))
        }
    }

    // MARK: Kernel parameters

    private func sysctls() throws(Failure) -> [String: String]? {
        for name in config.sysctls.keys {
            guard let owner = Self.owner(ofSysctl: name) else {
                throw Failure("--sysctl", "'\(name)'", "not a parameter that a container has of its own")
            }
            guard isPrivate(owner) else {
                throw Failure(
                    "--sysctl", "'\(name)'", "would change the \(owner.rawValue) namespace of someone else",
                    remedy: "give the container its own")
            }
        }
        return config.sysctls.isEmpty ? nil : config.sysctls
    }

    private static let ipcSysctls: Set<String> = [
        "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
        "kernel.shmmni", "kernel.shm_rmid_forced",
    ]

    /// The namespace that a kernel parameter belongs to.
    private static func owner(ofSysctl name: String) -> Spec.NamespaceType? {
        if name.hasPrefix("net.") { return .network }
        if name.hasPrefix("fs.mqueue.") || ipcSysctls.contains(name) { return .ipc }
        return name == "kernel.domainname" ? .uts : nil
    }

    private func isPrivate(_ type: Spec.NamespaceType) -> Bool {
        switch type {
        case .network: config.network.isPrivate
        case .ipc: config.ipc == .private || config.ipc == .shareable || config.ipc == .none
        default: config.uts == .private
        }
    }
}
