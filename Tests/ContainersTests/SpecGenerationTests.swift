import Containers
import Linux
import OCI
import Sandbox
import Testing

@Suite struct `the spec of a container that was asked for nothing special` {
    @Test func `it has its own namespaces but for users`() throws {
        let types = try spec().linux?.namespaces?.map(\.type)
        #expect(Set(types ?? []) == [.mount, .pid, .uts, .cgroup, .ipc, .network])
    }

    @Test func `it is named by the first 12 digits of its ID`() throws {
        let spec = try spec()
        #expect(spec.hostname == "0123456789ab" && spec.process?.env?.contains("HOSTNAME=0123456789ab") == true)
    }

    @Test func `it gains no privileges and holds the small set of capabilities`() throws {
        let process = try #require(spec().process)
        #expect(process.noNewPrivileges == true && process.user.umask == 0o022 && process.cwd == "/")
        #expect(process.capabilities?.bounding?.count == 11 && process.capabilities?.ambient == nil)
        #expect(process.capabilities?.bounding?.contains("CAP_MKNOD") == false)
    }

    @Test func `its kernel files are hidden or read-only`() throws {
        let linux = try #require(spec().linux)
        #expect(
            linux.maskedPaths?.contains("/proc/kcore") == true && linux.readonlyPaths?.contains("/proc/sys") == true)
        #expect(try spec().mount("/sys")?.options?.contains("ro") == true)
    }

    @Test func `it needs no cgroup`() throws {
        #expect(try spec().linux?.resources == nil)
    }

    @Test func `it sees its own hosts file`() throws {
        #expect(try spec().mount("/etc/hosts")?.source == "/live/containers/id/hosts")
    }

    @Test func `a root that is used as it is gets no new places`() throws {
        let spec = try spec(facts(rootHas: ["/r/etc/hosts"])) { $0.root = .directory(path: "/r") }
        #expect(spec.mount("/etc/hosts") != nil && spec.mount("/etc/resolv.conf") == nil)
    }

    @Test func `on the machine's root what others left in tmp and run is not seen`() throws {
        let spec = try spec { $0.root = .host }
        #expect(spec.mount("/tmp")?.type == "tmpfs" && spec.mount("/run")?.type == "tmpfs" && spec.root?.path == "/")
    }
}

@Suite struct `what runs in a container` {
    @Test func `variables asked for replace the defaults`() throws {
        let env = try spec {
            $0.tty = true
            $0.environment = ["A=1", "PATH=/x"]
            $0.unsetEnvironment = ["HOSTNAME"]
        }.process?.env
        #expect(env == ["TERM=xterm", "A=1", "PATH=/x"])
    }

    @Test(
        arguments: [
            ("1000", 1000, 0), ("1000:50", 1000, 50), ("me", 0, 0), ("me:50", 0, 50), (":50", 0, 50),
        ] as [(String, UInt32, UInt32)])
    func `a user is kept as text, with the numbers that are known`(text: String, uid: UInt32, gid: UInt32) throws {
        let user = try #require(spec { $0.user = text }.process?.user)
        #expect(user.username == text && user.uid == uid && user.gid == gid)
    }

    @Test func `groups by name travel in an annotation`() throws {
        let spec = try spec { $0.additionalGroups = ["5", "audio", "video"] }
        #expect(spec.process?.user.additionalGids == [5])
        #expect(spec.annotations?[Spec.groupNamesAnnotation] == "audio,video")
    }
}

@Suite struct `rights` {
    @Test(arguments: [
        (["NET_ADMIN"], ["CHOWN"], ["NET_ADMIN", "KILL"], ["CHOWN"]),
        (["ALL"], ["SYS_ADMIN"], ["NET_ADMIN", "BPF"], ["SYS_ADMIN"]),
        (["CHOWN"], ["ALL"], ["CHOWN"], ["KILL", "SETUID"]),
        ([], ["ALL"], [], ["CHOWN"]),
    ])
    func `capabilities are added and dropped`(
        added: [String], dropped: [String], has: [String], lacks: [String]
    ) throws {
        let name = { ($0 == "ALL" ? "" : "CAP_") + $0 }
        let sets = try #require(
            spec {
                $0.addedCapabilities = added.map(name)
                $0.droppedCapabilities = dropped.map(name)
            }.process?.capabilities)
        let bounding = Set(sets.bounding ?? [])
        #expect(bounding.isSuperset(of: has.map(name)) && bounding.isDisjoint(with: lacks.map(name)))
        #expect(sets.effective == sets.bounding && sets.permitted == sets.bounding)
    }

    @Test func `an ordinary user inside keeps the capabilities that were asked for by name`() throws {
        let sets = try spec {
            $0.user = "1000"
            $0.addedCapabilities = ["CAP_NET_BIND_SERVICE"]
        }.process?.capabilities
        #expect(sets?.ambient == ["CAP_NET_BIND_SERVICE"] && sets?.inheritable == sets?.ambient)
    }

    @Test func `a privileged container has all capabilities and hides nothing`() throws {
        let spec = try spec { $0.privileged = true }
        #expect(spec.process?.capabilities?.bounding?.count == 41 && spec.process?.noNewPrivileges == false)
        #expect(spec.linux?.maskedPaths?.isEmpty == true && spec.linux?.readonlyPaths?.isEmpty == true)
        #expect(spec.mount("/sys")?.options?.contains("ro") == false)
        #expect(spec.linux?.devices?.map(\.path) == ["/dev/seq"])
    }

    @Test func `paths are hidden and shown as asked`() throws {
        let linux = try #require(
            spec {
                $0.maskedPaths = ["/secret"]
                $0.unmaskedPaths = ["/proc/kcore", "/proc/sys"]
            }.linux)
        #expect(linux.maskedPaths?.contains("/secret") == true && linux.maskedPaths?.contains("/proc/kcore") == false)
        #expect(linux.readonlyPaths?.contains("/proc/sys") == false)
        #expect(try spec { $0.unmaskedPaths = ["ALL"] }.linux?.maskedPaths == [])
    }

    @Test func `privileges may be gained where that was asked for`() throws {
        #expect(try spec { $0.noNewPrivileges = false }.process?.noNewPrivileges == false)
        let both = try spec {
            $0.privileged = true
            $0.noNewPrivileges = true
        }
        #expect(both.process?.noNewPrivileges == true)
    }

    @Test func `sysctls are those of the container's own namespaces`() throws {
        #expect(try spec { $0.sysctls = ["net.ipv4.ip_forward": "1"] }.linux?.sysctl == ["net.ipv4.ip_forward": "1"])
        #expect(throws: Failure.self) {
            try spec {
                $0.sysctls = ["net.ipv4.ip_forward": "1"]
                $0.network = .host
            }
        }
        #expect(throws: Failure.self) { try spec { $0.sysctls = ["vm.swappiness": "1"] } }
        #expect(throws: Failure.self) {
            try spec {
                $0.sysctls = ["kernel.shmmax": "1"]
                $0.ipc = .host
            }
        }
    }
}

@Suite struct `namespaces` {
    @Test func `those of the host are not in the spec`() throws {
        let spec = try spec {
            $0.pid = .host
            $0.ipc = .host
            $0.uts = .host
            $0.network = .host
            $0.cgroupNamespace = .host
        }
        #expect(spec.linux?.namespaces?.map(\.type) == [.mount] && spec.hostname == nil)
        #expect(spec.mount("/dev/shm")?.source == "/dev/shm" && spec.process?.env?.contains("HOSTNAME=machine") == true)
    }

    @Test func `those of another container are joined by path`() throws {
        let spec = try spec { $0.network = .container(id: "web") }
        #expect(spec.namespace(.network)?.path == "/proc/7/ns/network" && spec.namespace(.user) == nil)
        #expect(throws: Failure.self) { try makeSpec(config { $0.pid = .container(id: "gone") }, facts: facts()) }
    }

    @Test func `an ordinary user joins the other container's user namespace too`() throws {
        let maps = [Spec.IDMapping(containerID: 0, hostID: 1000, size: 1)]
        var facts = facts(root: false)
        facts.idMaps = { _ in HostFacts.IDMaps(uids: maps, gids: maps) }
        let spec = try spec(facts) { $0.network = .container(id: "web") }
        #expect(spec.namespace(.user)?.path == "/proc/7/ns/user" && spec.linux?.uidMappings == maps)
    }

    @Test func `root that joins its own user namespace has none`() throws {
        var facts = facts()
        facts.idMaps = { _ in nil }
        let spec = try spec(facts) { $0.userNamespace = .container(id: "web") }
        #expect(spec.namespace(.user) == nil && spec.linux?.uidMappings == nil)
    }

    @Test func `without IPC there is no shared memory`() throws {
        #expect(try spec { $0.ipc = .none }.mount("/dev/shm") == nil)
        #expect(try spec { $0.sharedMemorySize = 5 }.mount("/dev/shm")?.options?.contains("size=5") == true)
    }

    @Test func `with the host's network and users of its own the host's sysfs is shown`() throws {
        let spec = try spec(facts(root: false)) { $0.network = .host }
        #expect(spec.mount("/sys")?.type == "bind" && spec.mount("/sys")?.options?.contains("rro") == true)
    }

    @Test func `on the host's network it has the host's name`() throws {
        #expect(try spec { $0.network = .host }.hostname == "machine")
        let named = try spec {
            $0.network = .host
            $0.hostname = "x"
        }
        #expect(named.hostname == "x")
    }

    private func config(_ change: (inout ContainerConfig) -> Void) -> ContainerConfig {
        var config = ContainerConfig(root: .host)
        change(&config)
        return config
    }
}

@Suite struct `users of a container and of the host` {
    private func map(_ container: UInt32, _ host: UInt32, _ size: UInt32) -> Spec.IDMapping {
        Spec.IDMapping(containerID: container, hostID: host, size: size)
    }

    @Test func `an ordinary user is root inside, their subordinate IDs follow`() throws {
        let linux = try spec(facts(root: false, ranges: subordinate)).linux
        #expect(linux?.uidMappings == [map(0, 1000, 1), map(1, 100_000, 65536)])
        #expect(linux?.gidMappings == [map(0, 1000, 1), map(1, 200_000, 65536)])
    }

    @Test func `without subordinate IDs one ID is mapped and terminals have no group`() throws {
        let spec = try spec(facts(root: false))
        #expect(spec.linux?.uidMappings == [map(0, 1000, 1)])
        #expect(spec.mount("/dev/pts")?.options?.contains("gid=5") == false)
        #expect(try self.spec(subordinate: true).mount("/dev/pts")?.options?.contains("gid=5") == true)
    }

    @Test func `kept IDs are the same inside and outside`() throws {
        let spec = try spec(facts(root: false, ranges: subordinate)) { $0.userNamespace = .keepID }
        #expect(spec.linux?.uidMappings == [map(0, 100_000, 1000), map(1000, 1000, 1), map(1001, 101_000, 64536)])
        #expect(spec.process?.user.uid == 1000 && spec.process?.user.username == nil)
        let alone = try self.spec(facts(root: false)) { $0.userNamespace = .keepID }
        #expect(alone.linux?.uidMappings == [map(1000, 1000, 1)])
    }

    @Test func `an ID above all subordinate ones is kept too`() throws {
        let spec = try spec(facts(root: false, uid: 90_000, ranges: subordinate)) { $0.userNamespace = .keepID }
        #expect(spec.linux?.uidMappings == [map(0, 100_000, 65536), map(90_000, 90_000, 1)])
    }

    @Test func `root has no IDs to keep`() {
        #expect(throws: Failure.self) { try spec { $0.userNamespace = .keepID } }
    }

    @Test func `automatic IDs belong to nobody`() throws {
        let mappings = try #require(spec { $0.userNamespace = .auto }.linux?.uidMappings)
        #expect(mappings.count == 1 && mappings[0].hostID >= 1 << 31 && mappings[0].size == 65536)
        let own = try spec(facts(root: false, ranges: subordinate)) { $0.userNamespace = .auto }
        #expect(own.linux?.uidMappings == [map(0, 100_000, 4096)])
        #expect(throws: Failure.self) { try spec(facts(root: false)) { $0.userNamespace = .auto } }
    }

    @Test func `explicit maps are taken as they are`() throws {
        let spec = try spec { $0.userNamespace = .maps([IDMap(container: 0, host: 5, count: 9)]) }
        #expect(spec.linux?.uidMappings == [map(0, 5, 9)] && spec.linux?.gidMappings == [map(0, 5, 9)])
        #expect(spec.namespace(.user) != nil)
    }

    private func spec(subordinate: Bool) throws -> Spec {
        try makeSpec(ContainerConfig(root: .host), facts: facts(root: false, ranges: ContainersTests.subordinate))
    }

    private func spec(
        _ facts: HostFacts = facts(), _ change: (inout ContainerConfig) -> Void = { _ in }
    ) throws -> Spec {
        var config = ContainerConfig(root: .host)
        change(&config)
        return try makeSpec(config, facts: facts)
    }
}
