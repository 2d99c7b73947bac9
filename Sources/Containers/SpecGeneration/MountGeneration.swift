import Linux
import OCI

/// The mounts of a container.
extension SpecGeneration {
    /// The default mounts that nothing replaces, then those asked for, outer ones first.
    func mounts() throws(Failure) -> [Spec.Mount] {
        let asked = config.orderedMounts
        var taken: [String] = []
        for request in asked {
            if taken.contains(request.destination) {
                throw Failure("mount", "'\(request.destination)'", "two mounts onto the same place")
            }
            taken.append(request.destination)
        }
        let wholeDev = taken.contains("/dev")
        let kept = try defaultMounts().filter {
            !taken.contains($0.destination) && !(wholeDev && $0.destination.hasPrefix("/dev/"))
        }
        return kept + asked.enumerated().map { mount($0.element, index: $0.offset) }
    }

    private func defaultMounts() throws(Failure) -> [Spec.Mount] {
        var mounts = [
            procMount,
            Spec.Mount(
                destination: "/dev", type: "tmpfs", source: "tmpfs",
                options: ["nosuid", "noexec", "strictatime", "mode=755", "size=65536k"]),
            Spec.Mount(destination: "/dev/pts", type: "devpts", source: "devpts", options: pseudoTerminalOptions),
        ]
        if let messageQueueMount { mounts.append(messageQueueMount) }
        if let sharedMemoryMount = try sharedMemoryMount() { mounts.append(sharedMemoryMount) }
        // Late: a sysfs has to wait for the network namespace.
        mounts += [sysMount, cgroupMount]
        if config.root == .host {
            mounts += [
                Spec.Mount(
                    destination: "/run", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=755"]),
                Spec.Mount(
                    destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=1777"]),
            ]
        }
        return mounts + hostFiles
    }

    /// The files that say who and where the container is, where there is or can be a place for them, or what they say
    /// was asked for.
    private var hostFiles: [Spec.Mount] {
        let isAsked =
            !config.extraHosts.isEmpty || config.dns != DNSConfiguration() || !config.network.attachments.isEmpty
            || config.egress != nil
        return ["resolv.conf", "hostname", "hosts"].filter { isAsked || hasPlace("etc", $0) }.map { name in
            Spec.Mount(
                destination: "/etc/\(name)", type: "bind", source: "\(facts.containerDirectory)/\(name)",
                options: ["bind", "rprivate"])
        }
    }

    /// Whether the root has such a file or can get it. A directory that is used as it is gets no new places.
    private func hasPlace(_ directory: String, _ name: String) -> Bool {
        switch config.root {
        // What an image lacks, its container's layer can have: all of an image's owners have IDs inside.
        case .host, .image: true
        case .directory(let root): facts.exists("\(root)/\(directory)/\(name)")
        case .overlay(let root):
            // A directory whose owner is nobody in the user namespace takes no new file, not even in a layer above it.
            facts.exists("\(root)/\(directory)/\(name)")
                || facts.owner("\(root)/\(directory)").map { exists(uid: $0) } ?? true
        }
    }

    /// Whether an owner of files is somebody in the container. Root of a container around this may have no new namespace,
    /// and then too what belongs to nobody there.
    private func exists(uid: UInt32) -> Bool { userNamespace?.maps(hostUID: uid) ?? (uid != HostFacts.unmappedID) }

    /// A fresh procfs, sysfs or the like needs its namespace to belong to the container's user namespace: where the
    /// host's is shared, an ordinary user gets the host's mount instead.
    private func hostMount(_ path: String, _ options: [String] = []) -> Spec.Mount {
        Spec.Mount(
            destination: path, type: "bind", source: path,
            options: ["rbind", "rprivate", "nosuid", "noexec", "nodev"] + options)
    }

    private var procMount: Spec.Mount {
        if userNamespace != nil, config.pid == .host { return hostMount("/proc") }
        return Spec.Mount(destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"])
    }

    private var pseudoTerminalOptions: [String] {
        let options = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]
        // 5 is `tty` everywhere; a group that is not mapped cannot be given.
        return userNamespace.map { $0.maps(gid: 5) } ?? true ? options + ["gid=5"] : options
    }

    private var sysMount: Spec.Mount {
        let access = config.privileged ? [] : ["ro"]
        if userNamespace != nil, config.network == .host {
            return hostMount("/sys", config.privileged ? [] : ["rro"])
        }
        return Spec.Mount(
            destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev"] + access)
    }

    private var cgroupMount: Spec.Mount {
        if userNamespace != nil, config.cgroupNamespace == .host {
            return hostMount("/sys/fs/cgroup", config.privileged ? [] : ["rro"])
        }
        return Spec.Mount(
            destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup",
            options: ["nosuid", "noexec", "nodev", "relatime"] + (config.privileged ? [] : ["ro"]))
    }

    private var messageQueueMount: Spec.Mount? {
        if userNamespace != nil, config.ipc == .host {
            return facts.exists("/dev/mqueue") ? hostMount("/dev/mqueue") : nil
        }
        return Spec.Mount(
            destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"])
    }

    private func sharedMemoryMount() throws(Failure) -> Spec.Mount? {
        switch config.ipc {
        case .none: return nil
        case .host: return hostMount("/dev/shm")
        case .container(let id):
            return Spec.Mount(
                destination: "/dev/shm", type: "bind", source: try facts.sharedMemory(id),
                options: ["bind", "rprivate", "nosuid", "noexec", "nodev"])
        case .private, .shareable:
            return Spec.Mount(
                destination: "/dev/shm", type: "tmpfs", source: "shm",
                options: [
                    "nosuid", "noexec", "nodev", "mode=1777",
                    config.sharedMemorySize.map { "size=\($0)" } ?? "size=67108864",
                ])
        }
    }

    private func mount(_ request: MountRequest, index: Int) -> Spec.Mount {
        switch request.kind {
        case .tmpfs:
            return Spec.Mount(
                destination: request.destination, type: "tmpfs", source: "tmpfs", options: tmpfsOptions(request))
        case .bind:
            return bind(request, from: request.source)
        case .volume:
            return bind(
                request,
                from: ContainerConfig.volumeDirectory(request.source, index, facts.dataDirectory, facts.id))
        }
    }

    private func bind(_ request: MountRequest, from source: String) -> Spec.Mount {
        var options = [request.recursive ? "rbind" : "bind", request.propagation ?? "rprivate"]
        // Read-only has to hold for the mounts below as well, or `-v /:/host:ro` could be written through one.
        if request.readOnly { options.append(request.recursive && request.recursiveReadOnly ? "rro" : "ro") }
        // Whatever IDs a container is given, a volume's files belong to the same users in it.
        if request.kind == .volume, facts.isRoot, userNamespace != nil, config.mapsIDs { options.append("idmap") }
        return Spec.Mount(
            destination: request.destination, type: "bind", source: source, options: options + request.options)
    }

    private func tmpfsOptions(_ request: MountRequest) -> [String] {
        let opposites = ["noexec": "exec", "nosuid": "suid", "nodev": "dev"]
        let defaults = ["nosuid", "nodev", "noexec"].filter { name in
            !request.options.contains(name) && !request.options.contains(opposites[name] ?? "")
        }
        return defaults + (request.readOnly ? ["ro"] : []) + (request.propagation.map { [$0] } ?? [])
            + request.options
    }

    /// Changes travel out of or into the container only if they travel to its root.
    var rootPropagation: String? {
        let propagations = config.mounts.compactMap(\.propagation)
        if propagations.contains(where: { $0.hasSuffix("shared") }) { return "shared" }
        return propagations.contains { $0.hasSuffix("slave") } ? "rslave" : nil
    }
}

extension ContainerConfig {
    /// The mounts asked for, outer ones first, so that none hides another.
    var orderedMounts: [MountRequest] {
        mounts.enumerated()
            .sorted { (Self.depth($0.element), $0.offset) < (Self.depth($1.element), $1.offset) }
            .map(\.element)
    }

    private static func depth(_ request: MountRequest) -> Int {
        request.destination.utf8.count { $0 == UInt8(ascii: "/") }
    }

    /// The directories behind volumes, to be there before the start. A volume without a name is in the container's
    /// own directory and goes with it.
    public func volumeDirectories(dataDirectory: String, id: String) -> [String] {
        orderedMounts.enumerated().filter { $0.element.kind == .volume }
            .map { Self.volumeDirectory($0.element.source, $0.offset, dataDirectory, id) }
    }

    /// - Parameters:
    ///   - index: Among the ordered mounts.
    ///   - id: The container's.
    static func volumeDirectory(_ name: String, _ index: Int, _ dataDirectory: String, _ id: String) -> String {
        name.isEmpty ? "\(dataDirectory)/containers/\(id)/volumes/\(index)" : "\(dataDirectory)/volumes/\(name)/_data"
    }
}
