import Glibc
import Linux
import OCI
import Testing

@testable import Sandbox

/// What a `config.json` from somebody else is refused for, and what is completed in it.
@Suite struct SpecCheckTests {
    /// One that is right.
    private static var right: Spec {
        Spec(
            process: Spec.Process(args: ["true"], cwd: "/"), root: Spec.Root(path: "rootfs"),
            linux: Spec.Linux(namespaces: [.init(type: .mount), .init(type: .pid), .init(type: .uts)]))
    }

    private func expectRefusal(
        _ path: String, naming words: String = "", location: SourceLocation = #_sourceLocation,
        _ change: (inout Spec) -> Void
    ) {
        var spec = Self.right
        change(&spec)
        do throws(SpecError) {
            _ = try SpecCheck(spec, bundle: "/bundle")
            Issue.record("\(path) was accepted", sourceLocation: location)
        } catch {
            #expect(error.path == path, "\(error)", sourceLocation: location)
            #expect(error.reason.contains(words), "\(error)", sourceLocation: location)
        }
    }

    @Test func `paths of the host begin from the bundle, those of file systems do not`() throws {
        var spec = Self.right
        spec.mounts = [
            .init(destination: "/a", source: "data", options: ["rbind"]),
            .init(destination: "/b", type: "tmpfs", source: "x"),
        ]
        let check = try SpecCheck(spec, bundle: "/bundle")
        #expect(check.spec.root?.path == "/bundle/rootfs")
        #expect(check.spec.mounts?.map(\.source) == ["/bundle/data", "x"])
        #expect(check.warnings.isEmpty)
    }

    @Test func `capabilities that are not there are warned about, and sets that are not named are empty`() throws {
        var spec = Self.right
        spec.process?.capabilities = .init(bounding: ["CAP_FLY"], permitted: ["CAP_FLY"])
        let check = try SpecCheck(spec, bundle: "/")
        #expect(check.warnings.count == 1 && check.warnings.first?.contains("CAP_FLY") == true, "\(check.warnings)")
        #expect(
            check.spec.process?.capabilities
                == .init(bounding: [], effective: [], inheritable: [], permitted: [], ambient: []))
        spec.process?.capabilities = nil
        #expect(try SpecCheck(spec, bundle: "/").spec.process?.capabilities?.bounding == [])
    }

    @Test func `a user's name is left to higher levels`() throws {
        var spec = Self.right
        spec.process?.user = .init(uid: 3, gid: 4, username: "daemon")
        #expect(try SpecCheck(spec, bundle: "/").spec.process?.user == .init(uid: 3, gid: 4))
    }

    @Test func `the whole and the process`() {
        expectRefusal("ociVersion") { $0.ociVersion = "2.0.0" }
        expectRefusal("ociVersion") { $0.ociVersion = "one" }
        expectRefusal("root") { $0.root = nil }
        expectRefusal("root.path") { $0.root?.path = "" }
        expectRefusal("linux") { $0.linux = nil }
        expectRefusal("process") { $0.process = nil }
        expectRefusal("process.args") { $0.process?.args = [] }
        expectRefusal("process.cwd") { $0.process?.cwd = "tmp" }
        expectRefusal("process.env[1]") { $0.process?.env = ["A=b", "c"] }
        expectRefusal("process.user.umask") { $0.process?.user.umask = 0o1000 }
        expectRefusal("process.user.uid") { $0.process?.user.uid = .max }
        expectRefusal("process.oomScoreAdj") { $0.process?.oomScoreAdj = 1001 }
        expectRefusal("process.rlimits[0].type") { $0.process?.rlimits = [.init(type: "RLIMIT_X", hard: 1, soft: 1)] }
        expectRefusal("process.rlimits[0].soft") { $0.process?.rlimits = [.init(type: "RLIMIT_CPU", hard: 1, soft: 2)] }
        expectRefusal("process.rlimits[1].type", naming: "twice") {
            $0.process?.rlimits = [
                .init(type: "RLIMIT_CPU", hard: 1, soft: 1), .init(type: "RLIMIT_CPU", hard: 1, soft: 1),
            ]
        }
    }

    @Test func `scheduling`() {
        expectRefusal("process.scheduler.policy") { $0.process?.scheduler = .init(policy: "SCHED_X") }
        expectRefusal("process.scheduler.nice") { $0.process?.scheduler = .init(policy: "SCHED_OTHER", nice: 20) }
        expectRefusal("process.scheduler.priority") {
            $0.process?.scheduler = .init(policy: "SCHED_OTHER", priority: 1)
        }
        expectRefusal("process.scheduler.priority") { $0.process?.scheduler = .init(policy: "SCHED_FIFO") }
        expectRefusal("process.scheduler.period") {
            $0.process?.scheduler = .init(policy: "SCHED_RR", priority: 1, period: 1)
        }
        expectRefusal("process.scheduler.flags[0]") {
            $0.process?.scheduler = .init(policy: "SCHED_IDLE", flags: ["X"])
        }
        expectRefusal("process.ioPriority.class") { $0.process?.ioPriority = .init(class: "X") }
        expectRefusal("process.ioPriority.priority") {
            $0.process?.ioPriority = .init(class: "IOPRIO_CLASS_BE", priority: 8)
        }
        expectRefusal("process.execCPUAffinity.final") { $0.process?.execCPUAffinity = .init(final: "1-") }
        expectRefusal("linux.memoryPolicy.mode") { $0.linux?.memoryPolicy = .init(mode: "X") }
        expectRefusal("linux.memoryPolicy.nodes") { $0.linux?.memoryPolicy = .init(mode: "MPOL_BIND") }
        expectRefusal("linux.memoryPolicy.nodes") { $0.linux?.memoryPolicy = .init(mode: "MPOL_LOCAL", nodes: "0") }
        expectRefusal("linux.memoryPolicy.flags[0]") {
            $0.linux?.memoryPolicy = .init(mode: "MPOL_BIND", nodes: "0", flags: ["X"])
        }
        expectRefusal("linux.personality.domain") { $0.linux?.personality = .init(domain: "BSD") }
        expectRefusal("linux.personality.flags[0]") { $0.linux?.personality = .init(domain: "LINUX", flags: ["X"]) }
    }

    @Test func `mounts`() {
        func expectRefusal(_ field: String, _ mount: Spec.Mount, location: SourceLocation = #_sourceLocation) {
            self.expectRefusal("mounts[0].\(field)", location: location) { $0.mounts = [mount] }
        }
        expectRefusal("destination", .init(destination: "", type: "tmpfs"))
        expectRefusal("source", .init(destination: "/a", options: ["bind"]))
        expectRefusal("type", .init(destination: "/a", source: "/b"))
        expectRefusal("options", .init(destination: "/a", type: "proc", options: ["tmpcopyup"]))
        expectRefusal("options", .init(destination: "/a", source: "/b", options: ["bind", "idmap"]))
        expectRefusal("options", .init(destination: "/a", type: "tmpfs", options: ["idmap"]))
        let map = [Spec.IDMapping(containerID: 0, hostID: 10, size: 5)]
        expectRefusal("uidMappings", .init(destination: "/a", source: "/b", options: ["bind"], uidMappings: map))
        expectRefusal(
            "gidMappings[1].hostID",
            .init(
                destination: "/a", source: "/b", options: ["bind"], uidMappings: map,
                gidMappings: map + [.init(containerID: 7, hostID: 14, size: 1)]))
    }

    @Test func `namespaces and what wants one`() {
        expectRefusal("linux.namespaces") { $0.linux?.namespaces = [.init(type: .pid)] }
        expectRefusal("linux.namespaces[3].type", naming: "twice") { $0.linux?.namespaces?.append(.init(type: .uts)) }
        expectRefusal("linux.namespaces[3].path", naming: "absolute") {
            $0.linux?.namespaces?.append(.init(type: .ipc, path: "ns"))
        }
        expectRefusal("linux.namespaces[3].path", naming: "not a namespace of type 'ipc'") {
            $0.linux?.namespaces?.append(.init(type: .ipc, path: "/proc/self/ns/uts"))
        }
        expectRefusal("linux.namespaces[3].path") { $0.linux?.namespaces?.append(.init(type: .ipc, path: "/nowhere")) }
        expectRefusal("hostname") {
            $0.hostname = "here"
            $0.linux?.namespaces?.removeAll { $0.type == .uts }
        }
        expectRefusal("domainname") { $0.domainname = String(repeating: "x", count: 65) }
        let map = [Spec.IDMapping(containerID: 0, hostID: 1000, size: 1)]
        expectRefusal("linux.uidMappings") { $0.linux?.uidMappings = map }
        expectRefusal("linux.gidMappings") {
            $0.linux?.namespaces?.append(.init(type: .user))
            $0.linux?.uidMappings = map
        }
        expectRefusal("process.user.additionalGids[0]") {
            $0.linux?.namespaces?.append(.init(type: .user))
            $0.linux?.uidMappings = map
            $0.linux?.gidMappings = map
            $0.process?.user.additionalGids = [1]
        }
        expectRefusal("linux.timeOffsets") { $0.linux?.timeOffsets = ["monotonic": .init(secs: 1)] }
        expectRefusal("linux.timeOffsets") {
            $0.linux?.namespaces?.append(.init(type: .time))
            $0.linux?.timeOffsets = ["realtime": .init(secs: 1)]
        }
        expectRefusal("linux.timeOffsets.boottime.nanosecs") {
            $0.linux?.namespaces?.append(.init(type: .time))
            $0.linux?.timeOffsets = ["boottime": .init(nanosecs: 1_000_000_000)]
        }
    }

    @Test(arguments: [
        "vm.swappiness", "net.ipv4.ip_forward", "kernel.shmmax", "kernel.hostname", "net/../vm/swappiness", "net", "",
        "net..x", "/net/ipv4/ip_forward", "user.max_net_namespaces",
    ])
    func `a kernel parameter that is not the container's own`(name: String) {
        expectRefusal("linux.sysctl.\(name)") { $0.linux?.sysctl = [name: "1"] }
    }

    @Test func `a kernel parameter of this machine's own namespace`() {
        expectRefusal("linux.sysctl.net.ipv4.ip_forward", naming: "the machine itself") {
            $0.linux?.namespaces?.append(.init(type: .network, path: "/proc/self/ns/net"))
            $0.linux?.sysctl = ["net.ipv4.ip_forward": "1"]
        }
    }

    @Test func `kernel parameters by dots or slashes`() {
        #expect(KernelParameter("net.ipv4.conf.eth0/1.forwarding").path == "net/ipv4/conf/eth0.1/forwarding")
        #expect(KernelParameter("net/ipv4/conf/eth0.1/forwarding").path == "net/ipv4/conf/eth0.1/forwarding")
        #expect(
            KernelParameter("fs.mqueue.msg_max").owner == .ipc && KernelParameter("kernel.domainname").owner == .uts)
    }

    @Test func `devices, network devices, confinement`() {
        expectRefusal("linux.devices[0].path") { $0.linux?.devices = [.init(path: "null", type: "c")] }
        expectRefusal("linux.devices[0].type") { $0.linux?.devices = [.init(path: "/null", type: "x")] }
        expectRefusal("linux.devices[0]") { $0.linux?.devices = [.init(path: "/n", type: "b", major: -1)] }
        expectRefusal("linux.devices[0].fileMode") {
            $0.linux?.devices = [.init(path: "/n", type: "p", fileMode: .max)]
        }
        expectRefusal("linux.netDevices") { $0.linux?.netDevices = ["eth0": .init()] }
        expectRefusal("linux.netDevices.eth0") {
            $0.linux?.namespaces?.append(.init(type: .network))
            $0.linux?.netDevices = ["eth0": .init(name: "a name")]
        }
        expectRefusal("linux.rootfsPropagation") { $0.linux?.rootfsPropagation = "public" }
        expectRefusal("linux.maskedPaths[0]") { $0.linux?.maskedPaths = ["proc"] }
        expectRefusal("linux.readonlyPaths[1]") { $0.linux?.readonlyPaths = ["/proc", "sys"] }
        expectRefusal("linux.seccomp.listenerMetadata") {
            $0.linux?.seccomp = .init(defaultAction: .allow, listenerMetadata: "x")
        }
        expectRefusal("linux.seccomp.listenerPath") {
            $0.linux?.seccomp = .init(defaultAction: .allow, listenerPath: "x")
        }
        expectRefusal("linux.seccomp.syscalls[0].names") {
            $0.linux?.seccomp = .init(defaultAction: .allow, syscalls: [.init(names: [], action: .errno)])
        }
    }

    @Test(.enabled(if: !SecurityModules.hasSELinux, "this machine has SELinux"))
    func `SELinux labels on a machine without SELinux`() {
        expectRefusal("process.selinuxLabel", naming: "SELinux") { $0.process?.selinuxLabel = "a:b:c:s0" }
        expectRefusal("linux.mountLabel", naming: "SELinux") { $0.linux?.mountLabel = "a:b:c:s0" }
    }

    @Test(.enabled(if: !SecurityModules.hasAppArmor, "this machine has AppArmor"))
    func `an AppArmor profile on a machine without AppArmor`() throws {
        expectRefusal("process.apparmorProfile", naming: "AppArmor") { $0.process?.apparmorProfile = "strict" }
        var spec = Self.right
        spec.process?.apparmorProfile = "unconfined"
        _ = try SpecCheck(spec, bundle: "/")
    }

    @Test func `a process that joins is examined alone`() throws {
        do throws(SpecError) {
            _ = try SpecCheck.examine(Spec.Process(args: ["x"], cwd: "x"), joining: Self.right)
            Issue.record("it was accepted")
        } catch {
            #expect(error.path == "cwd")
        }
    }
}
