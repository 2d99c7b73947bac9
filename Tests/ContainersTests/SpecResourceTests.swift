import Containers
import Linux
import OCI
import Sandbox
import Testing

@Suite struct `mounts and devices` {
    @Test func `outer mounts come before inner ones`() throws {
        let spec = try spec {
            $0.mounts = [
                MountRequest(kind: .bind, source: "/1", destination: "/a/b/c"),
                MountRequest(kind: .tmpfs, destination: "/a"),
                MountRequest(kind: .bind, source: "/2", destination: "/a/b"),
            ]
        }
        #expect(spec.mounts?.suffix(3).map(\.destination) == ["/a", "/a/b", "/a/b/c"])
    }

    @Test func `read-only holds for the mounts below`() throws {
        let mount = MountRequest(kind: .bind, source: "/1", destination: "/a", readOnly: true)
        #expect(try spec { $0.mounts = [mount] }.mount("/a")?.options == ["rbind", "rprivate", "rro"])
    }

    @Test func `a mount replaces the default one at its place`() throws {
        let spec = try spec { $0.mounts = [MountRequest(kind: .bind, source: "/s", destination: "/dev/shm")] }
        #expect(spec.mounts?.count { $0.destination == "/dev/shm" } == 1 && spec.mount("/dev/shm")?.source == "/s")
    }

    @Test func `a mount onto dev replaces all below it`() throws {
        let spec = try spec { $0.mounts = [MountRequest(kind: .bind, source: "/dev", destination: "/dev")] }
        #expect(spec.mounts?.count { $0.destination.hasPrefix("/dev") } == 1)
    }

    @Test func `two mounts onto one place are refused`() {
        let mount = MountRequest(kind: .tmpfs, destination: "/a")
        #expect(throws: Failure.self) { try spec { $0.mounts = [mount, mount] } }
    }

    @Test func `a volume with a name outlives the container, one without does not`() throws {
        var config = ContainerConfig(root: .host)
        config.mounts = [
            MountRequest(kind: .volume, source: "data", destination: "/a"),
            MountRequest(kind: .volume, destination: "/b"),
        ]
        let spec = try makeSpec(config, facts: facts())
        let directories = config.volumeDirectories(dataDirectory: "/data", id: id)
        #expect(directories == ["/data/volumes/data/_data", "/data/containers/\(id)/volumes/1"])
        #expect([spec.mount("/a")?.source, spec.mount("/b")?.source] == directories.map { $0 })
    }

    @Test func `a tmpfs is closed where nothing else was asked for`() throws {
        let spec = try spec {
            $0.mounts = [MountRequest(kind: .tmpfs, destination: "/a", options: ["exec", "size=1m"])]
        }
        #expect(spec.mount("/a")?.options == ["nosuid", "nodev", "exec", "size=1m"])
    }

    @Test func `shared mounts make the root share`() throws {
        let mount = MountRequest(kind: .bind, source: "/a", destination: "/a", propagation: "rshared")
        #expect(try spec { $0.mounts = [mount] }.linux?.rootfsPropagation == "shared")
    }

    @Test func `a device is made as root and shown as the host's otherwise`() throws {
        let request = DeviceRequest(hostPath: "/dev/fuse", containerPath: "/dev/x")
        let asRoot = try spec { $0.devices = [request] }
        #expect(asRoot.linux?.devices?.map(\.path) == ["/dev/x"] && asRoot.linux?.resources == nil)
        let asUser = try spec(facts(root: false)) { $0.devices = [request] }
        #expect(asUser.linux?.devices == nil && asUser.mount("/dev/x")?.source == "/dev/fuse")
    }

    @Test func `a folder of devices gives all of them`() throws {
        let spec = try spec { $0.devices = [DeviceRequest(hostPath: "/dev/snd", containerPath: "/dev/sound")] }
        #expect(spec.linux?.devices?.map(\.path) == ["/dev/sound/null", "/dev/sound/seq"])
    }

    @Test func `who can make nodes is held to the devices that were given`() throws {
        let rules = try #require(
            spec {
                $0.addedCapabilities = ["CAP_MKNOD"]
                $0.devices = [DeviceRequest(hostPath: "/dev/fuse", containerPath: "/dev/fuse", access: "r")]
            }.linux?.resources?.devices)
        #expect(rules.first == Spec.DeviceRule(allow: false, access: "rwm"))
        #expect(rules.last == Spec.DeviceRule(allow: true, type: "c", major: 10, minor: 229, access: "r"))
    }
}

@Suite struct `limits` {
    @Test func `memory counts as much swap again`() throws {
        #expect(
            try spec { $0.resources.memory = 1000 }.linux?.resources?.memory == Spec.Memory(limit: 1000, swap: 2000))
        let unlimited = try spec {
            $0.resources.memory = 1000
            $0.resources.memorySwap = -1
        }
        #expect(unlimited.linux?.resources?.memory?.swap == -1)
    }

    @Test func `a kernel without swap accounting is not asked for it`() throws {
        var facts = facts()
        facts.limitsSwap = false
        #expect(try spec(facts) { $0.resources.memory = 1000 }.linux?.resources?.memory == Spec.Memory(limit: 1000))
    }

    @Test(arguments: [(1_500_000_000, 150_000), (10_000_000, 1000)] as [(Int64, Int64)])
    func `CPUs are a quota of 100 ms`(nano: Int64, quota: Int64) throws {
        let cpu = try spec { $0.resources.nanoCPUs = nano }.linux?.resources?.cpu
        #expect(cpu == Spec.CPU(quota: quota, period: 100_000))
    }

    @Test func `rates are of block devices`() throws {
        let block = try spec { $0.resources.readBytesPerSecond = [DeviceRate(path: "/dev/sda", rate: 5)] }.linux?
            .resources?
            .blockIO
        #expect(block?.throttleReadBpsDevice == [Spec.ThrottleDevice(major: 8, minor: 0, rate: 5)])
        #expect(throws: Failure.self) {
            try spec { $0.resources.readBytesPerSecond = [DeviceRate(path: "/dev/fuse", rate: 5)] }
        }
    }

    @Test func `a cgroup's parent comes before the ID`() throws {
        #expect(try spec { $0.cgroupParent = "/ci" }.linux?.cgroupsPath == "/ci/\(id)")
    }
}
