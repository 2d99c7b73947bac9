import Containers
import Dockerfiles
import Glibc
import Images
import Linux
import OCI
import SystemPackage

/// The mounts of a `RUN`.
struct StepMounts {
    private let stage: StageBuild
    private let mounts: [RunMount]
    private var build: BuildSurroundings { stage.build }

    init(_ instruction: RunInstruction, in stage: StageBuild) throws(Failure) {
        self.stage = stage
        mounts = instruction.mounts
        for mount in mounts { try check(mount) }
    }

    private func check(_ mount: RunMount) throws(Failure) {
        switch mount.kind {
        case .bind, .cache, .tmpfs:
            guard mount.target?.isEmpty == false else {
                throw Failure("RUN --mount", mount.kind.rawValue, "has no target")
            }
        case .secret, .ssh: break
        }
        if mount.kind == .cache, mount.from != nil || mount.source != nil {
            throw Failure("RUN --mount", "cache", "begins empty: 'from' and 'source' are for bind mounts")
        }
        if mount.kind == .secret {
            guard let id = id(mount) else { throw Failure("RUN --mount", "secret", "has no id") }
            if mount.required, build.options.secrets[id] == nil {
                throw Failure(
                    "RUN --mount", "secret '\(id)'", "is not given", remedy: "build with --secret id=\(id),src=FILE")
            }
        }
        if mount.kind == .ssh, mount.required, build.options.agents[mount.id ?? "default"] == nil {
            throw Failure(
                "RUN --mount", "ssh '\(mount.id ?? "default")'", "is not given", remedy: "build with --ssh default")
        }
    }

    private func id(_ mount: RunMount) -> String? {
        mount.id ?? mount.source ?? mount.target.map { $0.split(separator: "/").last.map { String($0) } ?? $0 }
    }

    private func target(_ mount: RunMount) -> String { StageBuild.clean(stage.absolute(mount.target ?? "")) }

    /// Paths that `prepare` has mounted upon.
    var places: [Spec.Mount] {
        mounts.compactMap { mount in
            switch mount.kind {
            case .cache: Spec.Mount(destination: target(mount))
            case .secret where mount.environment == nil || mount.target != nil:
                Spec.Mount(destination: secretTarget(mount))
            default: nil
            }
        }
    }

    // MARK: Keys

    /// Adds what is mounted to the key, but for secrets, agents and caches, which are no inputs.
    func add(to key: inout StepKey) throws(Failure) {
        for mount in mounts {
            key.add(
                "mount", "\(mount.kind.rawValue) \(mount.target ?? "") \(mount.id ?? "") \(mount.readOnly ?? false)")
            guard mount.kind == .bind else { continue }
            key.add("source", mount.source ?? "/")
            switch try origin(mount) {
            case .layers(let layers): for layer in layers { key.add("layer", layer) }
            case .directory(let path): try add(mount, try StageBuild.tree(path), to: &key)
            case nil: try add(mount, build.context, to: &key)
            }
        }
    }

    private func add(_ mount: RunMount, _ tree: SourceTree, to key: inout StepKey) throws(Failure) {
        let plan = try CopyPlan([mount.source ?? "/"], in: tree)
        key.add("files", "\(try plan.digest(in: tree, build.digests))")
    }

    /// - Returns: `nil` for the build context.
    private func origin(_ mount: RunMount) throws(Failure) -> StageBuild.Origin? {
        guard let from = mount.from else { return nil }
        do {
            return try stage.origin(named: from)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure("RUN --mount", from, "\(error)")
        }
    }

    // MARK: Making

    /// Asks for what every container can have.
    func prepare(_ config: inout ContainerConfig) throws(Failure) {
        var secrets: [SecretRequest] = []
        var caches: [CacheRequest] = []
        for mount in mounts {
            switch mount.kind {
            case .tmpfs:
                var request = MountRequest(kind: .tmpfs, destination: target(mount))
                if let size = mount.size { request.options.append("size=\(size)") }
                if let mode = mount.mode { request.options.append("mode=\(mode)") }
                config.mounts.append(request)
            case .cache: caches.append(try cache(mount))
            case .secret:
                if let secret = try secret(mount) { secrets.append(secret) }
            case .ssh:
                guard build.options.agents[mount.id ?? "default"] != nil else { continue }
                config.environment.append("SSH_AUTH_SOCK=\(agentTarget(mount))")
            case .bind: continue
            }
        }
        config.setJob { job in
            job.secrets = secrets
            job.caches = caches
        }
    }

    private func cache(_ mount: RunMount) throws(Failure) -> CacheRequest {
        if mount.uid != nil || mount.gid != nil || mount.mode != nil {
            throw Failure(
                "RUN --mount", "cache", "belongs to everybody: 'uid', 'gid' and 'mode' are not available",
                remedy: "leave them out")
        }
        let text = mount.id ?? target(mount)
        var name = String(text.unicodeScalars.map { Self.isPlain($0) ? Character($0) : "-" })
        while name.hasPrefix("-") { name.removeFirst() }
        // Names that have become alike must not share a cache.
        if name != text { name = (name.isEmpty ? "" : "\(name)-") + Digest.of(Array(text.utf8)).short }
        let mode: CacheRequest.Mode =
            switch mount.sharing {
            case .shared: .shared
            case .locked: .locked
            case .private: .copyOnWrite
            }
        return CacheRequest(name: name, destination: target(mount), mode: mode)
    }

    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII
            && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil
                || "_.-".unicodeScalars.contains(scalar))
    }

    private func secretTarget(_ mount: RunMount) -> String {
        mount.target.map { StageBuild.clean(stage.absolute($0)) } ?? "\(SecretRequest.directory)/\(id(mount) ?? "")"
    }

    private func secret(_ mount: RunMount) throws(Failure) -> SecretRequest? {
        guard let id = id(mount), let source = build.options.secrets[id] else { return nil }
        if mount.environment != nil, mount.target == nil { return nil }
        var request = SecretRequest(id: id, source: source, target: secretTarget(mount))
        request.uid = try number(mount.uid, "uid") ?? 0
        request.gid = try number(mount.gid, "gid") ?? 0
        if let mode = mount.mode {
            guard let bits = UInt32(mode, radix: 8), bits <= 0o777 else {
                throw Failure("RUN --mount", "mode=\(mode)", "is no mode")
            }
            request.mode = bits
        }
        return request
    }

    private func number(_ text: String?, _ what: String) throws(Failure) -> UInt32? {
        guard let text else { return nil }
        guard let number = UInt32(text) else { throw Failure("RUN --mount", "\(what)=\(text)", "is no number") }
        return number
    }

    /// The secrets that are variables; they are in no record.
    func secretEnvironment() throws(Failure) -> [String] {
        var variables: [String] = []
        for mount in mounts where mount.kind == .secret {
            guard let name = mount.environment, let id = id(mount), let source = build.options.secrets[id] else {
                continue
            }
            variables.append("\(name)=\(try source.text(named: id))")
        }
        return variables
    }

    private func agentTarget(_ mount: RunMount) -> String {
        mount.target.map { StageBuild.clean(stage.absolute($0)) } ?? "/run/buildkit/ssh_agent.\(mount.id ?? "default")"
    }

    /// The mounts that only a build can ask for.
    func make(in step: BuildStep) throws(Failure) -> [Spec.Mount] {
        var made: [Spec.Mount] = []
        for (index, mount) in mounts.enumerated() {
            switch mount.kind {
            case .bind: made.append(try bind(mount, "\(step.path)/mount-\(index)", step))
            case .ssh:
                guard let socket = build.options.agents[mount.id ?? "default"] else { continue }
                made.append(
                    Spec.Mount(
                        destination: agentTarget(mount), type: "bind", source: socket,
                        options: ["bind", "rprivate", "nosuid", "nodev"]))
            case .cache, .secret, .tmpfs: continue
            }
        }
        return made
    }

    /// Files of a stage or an image, or of the context: a copy of the step's own, so that nothing outside can change, and
    /// what is written goes with the step.
    private func bind(_ mount: RunMount, _ path: String, _ step: BuildStep) throws(Failure) -> Spec.Mount {
        let source = mount.source ?? "/"
        let origin = try origin(mount)
        let (containers, context) = (build.containers, build.context)
        _ = try containers.inChildOfOwner { () throws(Failure) in
            let tree: SourceTree =
                switch origin {
                case .layers(let layers):
                    SourceTree(root: try containers.openLayers(layers), name: "the stage or image", keepsOwners: true)
                case .directory(let path): try StageBuild.tree(path)
                case nil: context
                }
            var options = CopyOptions(destination: path)
            options.givesAway = Owners.areGivenAway
            try CopyWork(from: tree, options).run(try CopyPlan([source], in: tree))
            return []
        }
        let isReadOnly = mount.readOnly ?? true
        return Spec.Mount(
            destination: target(mount), type: "bind", source: path,
            options: ["bind", "rprivate", "nosuid", "nodev", isReadOnly ? "ro" : "rw"])
    }
}

extension SecretRequest.Source {
    /// The value, as a variable can hold it.
    fileprivate func text(named id: String) throws(Failure) -> String {
        switch self {
        case .variable(let name):
            guard let value = getenv(name) else {
                throw Failure("read secret", id, "the variable '\(name)' is not set")
            }
            return String(cString: value)
        case .file(let path):
            do throws(SystemCallError) {
                let bytes = try FileDescriptor.workingDirectory.contents(of: path, limit: 512 << 10)
                return String(decoding: bytes, as: UTF8.self)
            } catch {
                throw Failure("read secret", id, "'\(path)': \(error.errno.reason)")
            }
        }
    }
}
